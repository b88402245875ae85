"""`python -m suite translate`: a call of torch, and of a small library of ours, in the other one."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from reference import CosineDecay, LinearDecay, LinearWarmup, family
from suite.__main__ import main
from suite.libraries import catalogue
from suite.libraries.core.library import Library, LibrarySchedule
from suite.libraries.known.deviations import LibraryRecord
from suite.libraries.translate import opened, source, translation

CODE = b"""
import math
from dataclasses import dataclass
from torch.optim.lr_scheduler import LambdaLR

def get_line(optimizer, warmup=2, total=20, floor=0.0, *, power=1.0):
    def factor(t):
        if t < warmup:
            return t / warmup
        return floor + (1 - floor) * max(0.0, (total - t) / (total - warmup)) ** power
    return LambdaLR(optimizer, factor)

def wave(warmup, rest, peak):
    def lr(t):
        if t < warmup:
            return peak * t / warmup
        return peak * (1 + math.cos(math.pi * min(1.0, (t - warmup) / rest))) / 2
    return lr

class Late:
    def __init__(self, optimizer, warmup, total):
        self.inner, self.t = get_line(optimizer, warmup, total), 0
    def advance(self, t):
        if t > 0:
            self.inner.step()

def undeclared_line(optimizer, warmup_steps, total_steps):
    return get_line(optimizer, warmup_steps, total_steps)
"""
LINES = Library(
    "lines",
    project="lines",
    files=("lines/all.py",),
    releases=("1.0",),
    schedules=(
        LibrarySchedule(
            "line",
            "try:\n    from lines.gone import get_line\nexcept ImportError:\n    from lines.all import get_line",
            "get_line(optimizer, {warmup_steps}, {total_steps}, floor={floor}, power=1.0)",
            lambda a: family("A", LinearWarmup(a.warmup_steps), LinearDecay(a.decay_steps, a.floor * a.base_lr)),
            fields={"floor": 0.0},
        ),
        LibrarySchedule(
            "wave",
            "from lines.all import wave",
            "wave({warmup_steps}, {total_steps - warmup_steps}, {base_lr})",
            lambda a: family("A", LinearWarmup(a.warmup_steps), CosineDecay(a.decay_steps)),
            rate="scheduler(t)",
        ),
        LibrarySchedule(
            "late",
            "from lines.all import Late",
            "Late(optimizer, {warmup_steps}, {total_steps})",
            lambda a: family("A", LinearWarmup(a.warmup_steps), LinearDecay(a.decay_steps)),
            step="scheduler.advance(t)",
        ),
    ),
)


@pytest.fixture(autouse=True)
def _two_libraries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    known = {"lines": LINES, "torch": catalogue.libraries()["torch"]}

    def files_of(library: Library, release: str, *, offline: bool = False) -> Mapping[str, bytes]:
        return {"lines/all.py": CODE} if library.project else {}

    for module in (catalogue, opened, source):
        monkeypatch.setattr(module, "libraries", lambda: known)
    monkeypatch.setattr(opened, "files_of", files_of)
    late = LibraryRecord("lines/late/plain", "lr", "lines-late", "shifted", "1")
    monkeypatch.setattr(translation, "library_records", lambda: {late.case: (late,)})
    source.templates.cache_clear()
    yield
    source.templates.cache_clear()


def translate(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """What the command prints, with exit code 0."""
    code = main(["translate", *args])
    out, err = capsys.readouterr()
    assert code == 0, err
    return out


def refused(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """The line that the command says about input that it cannot use."""
    code = main(["translate", *args])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    return err


def as_json(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    """The result of the command as data."""
    result = json.loads(translate(capsys, *args, "--json"))
    assert isinstance(result, dict)
    return result


@pytest.mark.parametrize(
    "call",
    [
        "get_line(opt, 50, 1000)",
        "scheduler = get_line(self.optimizer, warmup=int(0.05 * 1000), total=1_000)",
        "lines.get_line(optimizer=opt, total=10 * 100, warmup=5 * 10, power=1.0)",
    ],
)
def test_ways_to_write_a_call(capsys: pytest.CaptureFixture[str], call: str) -> None:
    """Positions, keywords, arithmetic and module names lead to the same numbers."""
    result = as_json(capsys, call)
    assert (result["library"], result["schedule"], result["updates"]) == ("lines", "line", 1000)
    steps = result["steps"]
    assert isinstance(steps, dict)
    assert steps == pytest.approx({"0": 0.0, "49": 98e-5, "50": 1e-3, "999": 1e-3 / 950, "1000": 0.0}, abs=1e-15)


def test_the_text_in_torch_runs_and_is_equal(capsys: pytest.CaptureFixture[str]) -> None:
    """The lines for torch, run as they are printed, have the LR of the formula at every step."""
    result = as_json(capsys, "get_line(opt, 5, 50, floor=0.1)", "--base-lr", "0.25")
    (torch_call,) = result["others"]
    assert torch_call["equal"]
    assert torch_call["difference"] == "equal in all 50 updates"
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.25)
    scope: dict[str, Any] = {"optimizer": optimizer}
    exec("\n".join(torch_call["lines"]), scope)
    lrs = []
    for _ in range(50):
        lrs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scope["scheduler"].step()
    formula = [t / 5 if t < 5 else 0.1 + 0.9 * (50 - t) / 45 for t in range(50)]
    assert lrs == pytest.approx([0.25 * factor for factor in formula], rel=1e-12)


def test_torch_in_a_library(capsys: pytest.CaptureFixture[str]) -> None:
    """A nested call of torch is solved for the lengths of both parts, and what differs is said."""
    call = (
        "SequentialLR(opt, [lr_scheduler.LinearLR(opt, 0.25, total_iters=4), CosineAnnealingLR(opt, 36)], "
        "milestones=[4])"
    )
    out = translate(capsys, call, "--to", "lines")
    assert "4 steps of warmup, 40 updates" in out
    assert "scheduler = wave(4, 36, 0.001)" in out
    assert "starts at 0 instead of 1/4 of the peak" in out
    assert "equal from step 4 on" in out
    assert "yours rises again" in out


def test_defaults_are_read_and_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """An argument that the call leaves out has the default of the library's own file, and is not written either."""
    out = translate(capsys, "get_line(opt)", "--to", "lines")
    assert "2 steps of warmup, 20 updates" in out
    assert "from lines.all import get_line" in out
    assert "gone" not in out
    assert "scheduler = get_line(optimizer, 2, 20)\n" in out


def test_a_library_that_is_late(capsys: pytest.CaptureFixture[str]) -> None:
    """The run decides, and a lambda of torch is taken in: this library takes its first step twice."""
    result = as_json(capsys, "Late(opt, 5, 50)", "--to", "lines")
    (other,) = result["others"]
    assert result["lrs"][:3] == pytest.approx([0.0, 0.0, 2e-4])
    assert other["schedule"] == "late"
    assert other["lines"][-1] == "scheduler.advance(t)  # after update t, from 0"


def test_lambdas(capsys: pytest.CaptureFixture[str]) -> None:
    """A written-out lambda is recognised whatever its variable is called; another one is run as it is."""
    known = as_json(capsys, "LambdaLR(opt, lambda step: step / 5 if step < 5 else 1.0)", "--to", "lines")
    assert known["schedule"] == "lambda-a-constant"
    other = as_json(capsys, "LambdaLR(opt, lambda n: 0.5 ** (n // 7))", "--total-steps", "21", "--to", "torch")
    assert other["lrs"][:21] == pytest.approx([1e-3 * 0.5 ** (n // 7) for n in range(21)])


def test_a_function_that_is_not_declared(capsys: pytest.CaptureFixture[str]) -> None:
    """A function of a library's files is run, and its lengths follow from the names of its arguments."""
    result = as_json(capsys, "undeclared_line(opt, 5, 50)", "--to", "torch")
    assert (result["library"], result["updates"]) == ("lines", 50)
    assert result["others"][0]["equal"]


def test_updates_that_no_argument_names(capsys: pytest.CaptureFixture[str]) -> None:
    """Where a call says nothing of the end, a length is assumed and said, or taken from the option."""
    call = "LinearLR(opt, start_factor=0.1, total_iters=300)"
    assert "(assumed: the call does not say how many" in translate(capsys, call, "--to", "torch")
    assert ", 400 updates\n" in translate(capsys, call, "--to", "torch", "--total-steps", "400")


@pytest.mark.parametrize(
    ("call", "line"),
    [
        ("get_line(opt, 5, len(loader) * epochs)", "total=len(loader) * epochs must be a number: replace it, e.g. "),
        ("get_line(opt, warmup=args.warmup)", "warmup=args.warmup must be a number: replace it, e.g. 500"),
        ("LambdaLR(opt, lambda t: min(1, t / W))", "W must be a number"),
        ("get_lines(opt, 5, 50)", "call='get_lines' must be a schedule of one of the libraries; did you mean get_line"),
        ("get_line(opt", "must be one call in Python"),
        ("5", "must be one call"),
        ("__import__('os').system('true')", "must be a schedule of one of the libraries"),
        ("get_line(opt, __import__('os').getpid(), 50)", "must be a number"),
        ("get_line(opt, 5, 50, {__import__('os').getpid()})", "must be a number"),
        ("get_line(opt, 5, 10**9)", "total_steps=1000000000 must be 1 to 100000"),
        ("get_line(opt, -5, 50)", "warmup_steps=-5 must be"),
        ("Late(opt, 5)", "TypeError"),
    ],
)
def test_input_that_cannot_be_used(capsys: pytest.CaptureFixture[str], call: str, line: str) -> None:
    """Names in the place of numbers, unknown functions and what is not a call are one line each."""
    assert line in refused(capsys, call)


def test_options_that_cannot_be_used(capsys: pytest.CaptureFixture[str]) -> None:
    """A base LR of 0, an unknown library, a release without its library, no call."""
    assert "base_lr=0.0 must be above 0" in refused(capsys, "get_line(opt)", "--base-lr", "0")
    assert "library='line' must be one of" in refused(capsys, "get_line(opt)", "--to", "line")
    assert "release='1' must come with --from" in refused(capsys, "SequentialL(opt)", "--release", "1")
    assert "must be a scheduler call" in refused(capsys)


def test_the_rates_of_the_wave(capsys: pytest.CaptureFixture[str]) -> None:
    """A library whose schedules are functions takes its peak from the call, not from the option."""
    result = as_json(capsys, "wave(4, 36, 0.5)", "--base-lr", "7", "--to", "torch")
    assert result["lrs"][10] == pytest.approx(0.25 * (1 + math.cos(math.pi * 6 / 36)))
    assert result["others"][0]["base_lr"] == 0.5


def test_every_schedule_in_every_library(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The table counts what the CSV has, and equal pairs come back equal."""
    file = tmp_path / "pairs.csv"
    out = translate(capsys, "--all", "--csv", str(file))
    with file.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    schedules = len(LINES.schedules) + len(catalogue.libraries()["torch"].schedules)
    assert len(rows) == schedules  # each in the one other library
    assert f"{schedules} pairs of a schedule and another library" in out
    by_name = {(row["library"], row["schedule"]): row for row in rows}
    line = by_name["lines", "line"]
    assert (line["to"], line["as"], line["equal"]) == ("torch", "lambda-a-linear", "yes")
    assert line["back"] == "equal in all 12 updates"
    assert by_name["torch", "lambda-a-cosine"]["as"] == "wave"
    assert by_name["lines", "late"]["equal"] == "no"
    assert all(row["difference"] for row in rows)


def test_all_takes_no_call(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A call beside --all, and a CSV without it, are refused."""
    assert "must be left out with --all" in refused(capsys, "get_line(opt)", "--all")
    assert "must come with --all" in refused(capsys, "get_line(opt)", "--csv", str(tmp_path / "pairs.csv"))
