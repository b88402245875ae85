"""Files as runs leave them, from the file to the first line of the answer: no format and no gap accuses a sound run."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from bench.__main__ import main
from bench.diagnose import Trace, diagnose
from bench.tests.diagnose.test_trace_facts import lrs_of
from reference import parse

BASE, W, T, EVERY = 4e-4, 60, 600, 10
SCHEDULE = parse(f"linear{W}+cosine{T - W}")
#: The logged steps and LRs, in double and in single precision.
ROWS = [(t, float(SCHEDULE(t, BASE))) for t in range(0, T, EVERY)]
SINGLE = [(t, float(np.float32(lr))) for t, lr in ROWS]
HEALTHY = f"Healthy: linear warmup of {W} steps (family A), cosine decay from base LR 0.0004 over {T - W} steps."


def lines(head: str, rows: Iterable[str], end: str = "\n") -> bytes:
    """A text file."""
    return ("\n".join([*([head] if head else []), *rows]) + end).encode()


#: Kind of file → its name, its content, and the options that it needs.
FILES: dict[str, tuple[str, bytes, list[str]]] = {
    "csv.gz": ("a.csv.gz", gzip.compress(lines("step,lr", (f"{t},{lr!r}" for t, lr in ROWS))), []),
    "killed csv": ("a.csv", lines("step,lr", (f"{t},{lr!r}" for t, lr in ROWS), "\n600,3.1e"), []),
    "killed json lines": (
        "a.jsonl",
        lines("", (json.dumps({"step": t, "lr": lr}) for t, lr in ROWS), '\n{"step": 600, "l'),
        [],
    ),
    "nested json lines": (
        "a.jsonl",
        lines("", (json.dumps({"step": t, "train": {"opt/lr": lr, "loss": 2.0}}) for t, lr in ROWS)),
        [],
    ),
    "tensorboard download": ("a.json", json.dumps([[1.7e9 + t, t, lr] for t, lr in SINGLE]).encode(), []),
    "mlflow": ("learning_rate", lines("", (f"{1700000000000 + t} {lr!r} {t}" for t, lr in ROWS)), []),
    "long table": (
        "a.csv",
        lines(
            "step,metric,value",
            (f"{t},{name},{v!r}" for t, lr in ROWS for name, v in (("optim/lr", lr), ("loss", 2.1))),
        ),
        [],
    ),
    "consumed samples": (
        "a.csv",
        lines("consumed_samples,lr", (f"{512 * t},{lr!r}" for t, lr in ROWS)),
        ["--tokens-per-step", "512"],
    ),
    "printed lines": (
        "a.txt",
        lines("", (f"step {t:5d} | loss: 3.14 | lr {lr:.4e} | norm: 1.2 | tok/sec: 178000.12" for t, lr in ROWS)),
        [],
    ),
    "printed dicts": (
        "a.txt",
        lines("", (f"{{'loss': '3.14', 'learning_rate': '{lr:.4g}', 'step': {t}}}" for t, lr in ROWS)),
        [],
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_sound_run_is_healthy_in_every_form(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same run gives the same first line, whatever wrote its log."""
    name, content, options = FILES[kind]
    (tmp_path / name).write_bytes(content)
    assert main(["diagnose", str(tmp_path / name), *options]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].startswith(HEALTHY)
    assert ("left out" in out) == kind.startswith("killed")


def nanogpt(t: int, warmup: int, total: int, base: float) -> float:
    """The LR of nanoGPT's get_lr: (t+1)/(W+1), a cosine to a tenth."""
    if t < warmup:
        return base * (t + 1) / (warmup + 1)
    progress = min(1.0, (t - warmup) / (total - warmup))
    return base * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * progress)))


#: Kind → the logged steps, the LR of each step, and how it is rounded.
SOUND: dict[str, tuple[range, Callable[[int], float], Callable[[float], float]]] = {
    "the first part of nanoGPT's schedule, three digits": (
        range(0, 2400, 30),
        lambda t: nanogpt(t, 200, 6000, 3e-5),
        lambda lr: float(f"{lr:.3g}"),
    ),
    "nanoGPT's schedule in a dozen rows": (range(0, 650, 54), lambda t: nanogpt(t, 30, 600, 6e-5), float),
    "a Trainer's cosine in single precision, an odd warmup": (
        range(0, 7300, 40),
        lambda t: float(parse("linear277+cosine6900")(t, 2e-4)) if t < 7177 else 0.0,
        lambda lr: float(np.float32(lr)),
    ),
}


@pytest.mark.parametrize("kind", SOUND)
def test_a_sound_run_is_healthy_from_few_or_rounded_rows(kind: str) -> None:
    """Told nothing, a gap or a rounding is no fault."""
    steps, at, rounded = SOUND[kind]
    lrs = np.array([rounded(at(t)) for t in steps])
    assert diagnose(Trace(np.array(steps), lrs)).verdict == "healthy"


def test_a_run_that_trains_nothing_for_most_of_its_steps() -> None:
    """A decay much shorter than the run is no sound schedule, with its share and a place to look."""
    lrs = lrs_of(lambda t: BASE * max(0.0, min(t / 10, (80 - t) / 70)))
    diagnosis = diagnose(Trace(np.arange(lrs.size), lrs))
    assert diagnosis.verdict == "fault"
    assert "LR is 0 from step 80" in diagnosis.sentence() or "80" in diagnosis.sentence()
    assert diagnosis.look or diagnosis.best is not None


def test_no_answer_shows_a_slug(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither of the expected nor of the identified schedule; the JSON has both."""
    late = [(t, lr) for (t, _), (_, lr) in zip(ROWS, [ROWS[0], *ROWS], strict=False)]
    (tmp_path / "a.csv").write_bytes(lines("step,lr", (f"{t},{lr!r}" for t, lr in late)))
    for options in ([], ["--expect", SCHEDULE.slug, "--base-lr", str(BASE)], ["--expect", SCHEDULE.slug]):
        main(["diagnose", str(tmp_path / "a.csv"), *options])
        out = capsys.readouterr().out
        assert "linear60" not in out
        assert "--expect" not in out.replace("change --expect", "")
        main(["diagnose", str(tmp_path / "a.csv"), *options, "--json"])
        (diagnosis,) = json.loads(capsys.readouterr().out)["diagnoses"]
        assert diagnosis["expected"] == (SCHEDULE.slug if options else None)
