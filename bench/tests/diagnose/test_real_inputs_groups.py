"""Logs with several parameter groups, as layer-wise decay, bias groups and frozen layers leave them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench.__main__ import main
from bench.diagnose import Trace
from bench.diagnose.examine import examine
from bench.diagnose.groups import families
from bench.diagnose.log.read_log import Log, read_log
from reference import parse
from reference.check import Rates

BASE, W, T = 2e-3, 25, 150
STEPS = np.arange(T)
LRS = parse(f"linear{W}+cosine{T - W}")(STEPS, BASE)


def table(path: Path, columns: dict[str, Rates]) -> Path:
    """A CSV of several LRs at all steps."""
    rows = [",".join([str(t), *(repr(float(lrs[t])) for lrs in columns.values())]) for t in range(T)]
    path.write_text("\n".join([",".join(["step", *columns]), *rows]), encoding="utf-8")
    return path


@pytest.mark.parametrize("settings", [[], ["--warmup-steps", str(W), "--total-steps", str(T), "--base-lr", str(BASE)]])
@pytest.mark.parametrize("decay", [0.65, 0.9])
def test_layer_wise_decay_is_healthy(
    decay: float, settings: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten groups of one schedule are one answer, with the factor from layer to layer, in whatever order they come."""
    columns = {f"lr-AdamW/pg{i + 1}": LRS * decay ** (9 - i) for i in range(10)}
    path = table(tmp_path / "metrics.csv", dict(sorted(columns.items())))
    assert main(["diagnose", str(path), *settings]) == 0
    out = capsys.readouterr().out
    assert out.count("Healthy: ") + out.count("as expected") == 1
    assert f"10 groups follow this schedule, times {decay**9:.4g} to 1, as for a decay of {decay:g}" in out
    assert "base LR 0.002" in out
    assert main(["diagnose", str(path), *settings, "--json"]) == 0
    (diagnosis,) = json.loads(capsys.readouterr().out)["diagnoses"]
    (fact,) = [fact for fact in diagnosis["facts"] if fact["id"] == "groups"]
    assert fact["numbers"]["factors"]["lr-AdamW/pg1"] == pytest.approx(decay**9, rel=1e-9)


def test_a_bias_group_at_twice_the_lr_is_named(tmp_path: Path) -> None:
    """Few groups are listed by name; the base LR that was given is that of the group which has it."""
    log = read_log(table(tmp_path / "log.csv", {"lr/bias": 2 * LRS, "lr/weights": LRS}))
    (diagnosis,) = examine(log, base_lr=BASE, warmup_steps=W, total_steps=T).diagnoses
    assert (diagnosis.verdict, diagnosis.trace.name) == ("healthy", "lr/weights")
    assert [fact.sentence for fact in diagnosis.facts if fact.id == "groups"] == [
        "Follow the same schedule: lr/bias times 2."
    ]


def test_factors_without_a_rule_are_no_layers() -> None:
    """Four groups at arbitrary factors are one family, and nothing is said of layers."""
    (family,) = families([Trace(STEPS, LRS * c, name=f"g{c}") for c in (1.0, 0.7, 0.2, 0.1, 0.05)], BASE)
    fact = family.fact()
    assert fact is not None
    assert fact.sentence == "5 groups follow this schedule, times 0.05 to 1."


def test_a_group_of_another_schedule_keeps_its_own_answer() -> None:
    """A frozen group, one late by a step, and one logged at other steps are no multiples."""
    late = np.concatenate([LRS[:1], LRS[:-1]])
    traces = [
        Trace(STEPS, LRS, name="a"),
        Trace(STEPS, 0.0 * LRS, name="frozen"),
        Trace(STEPS, late, name="late"),
        Trace(STEPS[::2], 0.5 * LRS[::2], name="sparse"),
        Trace(STEPS, np.where(STEPS == 77, 0.3 * LRS, 0.5 * LRS), name="once"),
    ]
    assert [family.trace.name for family in families(traces, None)] == [trace.name for trace in traces]
    assert not examine(Log(tuple(traces[:2]))).healthy


def test_rounded_groups_follow_within_their_rounding() -> None:
    """Three digits of each group hide the factor's last digits, not the family."""
    rounded = [np.array([float(f"{c * lr:.2e}") for lr in LRS]) for c in (1.0, 0.3333)]
    (family,) = families([Trace(STEPS, lrs, name=str(i)) for i, lrs in enumerate(rounded)], None)
    assert family.factors["1"] == pytest.approx(0.3333, rel=0.005)


def test_bias_groups_that_fall_into_the_warmup_are_sound(tmp_path: Path) -> None:
    """Ultralytics' warmup: the bias group falls from 0.1 while the others rise, in one row an epoch."""
    epochs = np.arange(1, 61)
    decay = 0.01 * (1 - 0.99 * (epochs - 1) / 60)
    bias = np.where(epochs <= 3, 0.1 + (decay - 0.1) * epochs / 3.2, decay)
    other = np.where(epochs <= 3, decay * epochs / 3.2, decay)
    rows = [f"{e},{b:.6g},{o:.6g},{o:.6g}" for e, b, o in zip(epochs, bias, other, strict=True)]
    path = tmp_path / "results.csv"
    path.write_text("\n".join(["epoch,lr/pg0,lr/pg1,lr/pg2", *rows]), encoding="utf-8")
    result = examine(read_log(path))
    assert result.healthy
    assert [diagnosis.trace.name for diagnosis in result.diagnoses] == ["lr/pg0", "lr/pg1, lr/pg2"]


@pytest.mark.parametrize("other", [1.0, 0.5])
def test_rows_that_are_nan_are_a_fact_of_their_trace(other: float, tmp_path: Path) -> None:
    """They head the answer of the group that has them, before what its other rows show, in text and in JSON."""
    lost = np.where(STEPS < 100, LRS, np.nan)
    log = read_log(table(tmp_path / "log.csv", {"lr/a": lost, "lr/b": other * LRS}))
    result = examine(log)
    assert not result.healthy
    first, second = result.diagnoses
    assert (first.verdict, first.facts[0].id, first.facts[0].sick) == ("fault", "not-finite", True)
    assert first.sentence().startswith("lr/a is NaN from step 100 on (50 of 150 rows)")
    assert "linear warmup of 25 steps" in first.facts[1].sentence
    assert first.look
    assert second.verdict == "healthy"
    assert result.to_json()["diagnoses"][0]["facts"][0]["numbers"] == {"first": 100, "rows": 50, "of": 150}
    assert result.findings == log.findings


def test_rows_that_are_nan_come_before_another_fault(tmp_path: Path) -> None:
    """The sentence says both: the NaN, and the mistake that the other rows show."""
    late = np.concatenate([LRS[:1], LRS[:-1]])
    log = read_log(table(tmp_path / "log.csv", {"lr": np.where(STEPS < 100, late, np.nan)}))
    (diagnosis,) = examine(log, parse(f"linear{W}+cosine{T - W}"), base_lr=BASE).diagnoses
    assert diagnosis.best is not None
    assert diagnosis.sentence().startswith("lr is NaN from step 100 on")
    assert "one step late" in diagnosis.sentence()
