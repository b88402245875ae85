"""Tables and pictures of a sweep's results, with numbers that can be computed by hand."""

from __future__ import annotations

import dataclasses
import io
import math
from typing import Any

import numpy as np
import pytest

from bench.sweep import progress
from bench.sweep.options import length, rates
from bench.sweep.pictures import heatmap, sensitivity
from bench.sweep.progress import PAUSE, Lines
from bench.sweep.spec import Run, Setting, Spec
from bench.sweep.sweep_report import print_tables
from bench.sweep.tables import runs_table, summary_table
from bench.sweep.train import Result
from bench.tests.sweeps import TINY
from bench.toy import measures
from suite.shared.console import plain_console

pandas = pytest.importorskip("pandas")  # of the extra `bench`
SPEC = Spec(TINY, "tiny", 100, warmups=(0, 50), kinds=("linear", "exponential"), lrs=(0.01, 0.1, 1.0), seeds=(7, 8))
INITIAL = 3.0
#: Losses over the LRs, by kind and seed.
LOSSES = {
    ("none", 7): [0.5, 1.5, 9.0],
    ("none", 8): [0.05, 2.0, math.nan],
    ("linear", 7): [0.5, 0.09, 2.0],
    ("linear", 8): [0.04, 0.05, 0.06],
    ("exponential", 7): [3.0, 3.0, 3.0],
    ("exponential", 8): [0.01, 0.01, 0.01],
}


def result_of(run: Run) -> Result:
    """A plausible result of a run."""
    loss = LOSSES[run.kind, run.seed][SPEC.lrs.index(run.lr)]
    return Result(loss, INITIAL, 3 if loss > 1 else None, None, math.nan, math.nan, math.nan)


RESULTS = {run: result_of(run) for run in SPEC.runs()}


def row_of(summary: Any, kind: str, steps: int) -> Any:
    """A setting's row in the summary."""
    (row,) = [row for _, row in summary.iterrows() if (row["kind"], row["warmup_steps"]) == (kind, steps)]
    return row


def test_runs_table_is_tidy() -> None:
    """One row per run in the order of the grid, flags by curve, an empty cell for a missing step."""
    table = runs_table(RESULTS, SPEC)
    back = pandas.read_csv(io.StringIO(table.to_csv(index=False)))
    assert [Setting(*row) for row in back[[*Setting._fields]].itertuples(index=False)] == [r.setting for r in RESULTS]
    assert back["loss"].tolist() == pytest.approx([r.loss for r in RESULTS.values()], nan_ok=True)
    first = table[(table["kind"] == "none") & (table["seed"] == 8)]
    assert first["failed"].tolist() == [False, True, True]
    assert first["stable"].tolist() == [True, False, False]
    assert first["first_failing_step"].isna().tolist() == [True, False, True]
    assert back["steps_to_target"].isna().all()
    assert set(table["config"]) == {"tiny"}
    assert set(table["steps"]) == {100}


def test_summary_contains_the_measures() -> None:
    """Sensitivity, its paired change against no warmup, largest stable LR, failed share and best loss are right."""
    summary = summary_table(RESULTS, SPEC)
    each = {  # mean of min(loss, initial) minus the minimum, computed here
        "none": [(1.0 + 2.5) / 3, (1.95 + 2.95) / 3],
        "linear": [(0.41 + 1.91) / 3, (0.01 + 0.02) / 3],
        "exponential": [0.0, 0.0],
    }
    for kind, steps in (("none", 0), ("linear", 50), ("exponential", 50), ("exponential", 32)):
        row = row_of(summary, kind, steps)
        assert row["lr_sensitivity"] == pytest.approx(np.mean(each[kind]))
        assert row["change"] == pytest.approx(np.mean(np.subtract(each[kind], each["none"])), abs=1e-15)
        assert row["change_low"] <= row["change"] <= row["change_high"]
    linear, none = row_of(summary, "linear", 50), row_of(summary, "none", 0)
    assert [linear[f"max_stable_lr{end}"] for end in ("", "_low", "_high")] == [0.1, 0.1, 1.0]
    assert [none[f"max_stable_lr{end}"] for end in ("", "_low", "_high")] == [0.0, 0.0, 0.01]
    # Between two LRs a decade apart: log(0.5/0.05)/log(2/0.05) of the way; seed 7 starts above the limit.
    inside = 0.01 * 10 ** (math.log(10) / math.log(40))
    assert none["edge"] == pytest.approx(math.sqrt(0.001 * inside))
    assert none["edges_outside"] == 1
    crossing = 0.1 * 10 ** (math.log(0.5 / 0.09) / math.log(2.0 / 0.09))
    assert linear["factor"] == pytest.approx(math.sqrt(crossing / 0.001 * 1.0 / inside))
    assert none["failed_share"] == 4 / 6
    assert tuple(linear[["failed_share_low", "failed_share_high"]]) == measures.share([True] + [False] * 5)[1:]
    assert linear["best_loss"] == pytest.approx((0.09 + 0.04) / 2)


def test_summary_without_a_run_without_warmup_has_no_change() -> None:
    """Without a run without warmup, `change` is NaN."""
    spec = dataclasses.replace(SPEC, warmups=(50,))
    summary = summary_table({run: result_of(run) for run in spec.runs()}, spec)
    assert summary["change"].isna().all()
    assert summary["factor"].isna().all()


def test_a_single_lr_has_no_edge() -> None:
    """With one LR there is nothing to interpolate: the cells are empty."""
    spec = dataclasses.replace(SPEC, lrs=(0.01,))
    summary = summary_table({run: RESULTS[run] for run in spec.runs()}, spec)
    assert summary["edge"].isna().all()
    out = io.StringIO()
    print_tables(plain_console(out), summary, spec)
    assert "nan" not in out.getvalue()


def test_printed_tables_compare_at_length_and_at_period() -> None:
    """Both comparisons are printed with several kinds, only one with a single kind; nothing is truncated."""
    out = io.StringIO()
    console = plain_console(out)
    print_tables(console, summary_table(RESULTS, SPEC), SPEC)
    text = out.getvalue()
    by_length, by_period = text.split("at equal effective period")
    assert [
        ("exponential", "50") in (tuple(line.split()[2:4]) for line in part.splitlines())
        for part in (by_length, by_period)
    ] == [True, False]
    assert [
        ("exponential", "32") in (tuple(line.split()[2:4]) for line in part.splitlines())
        for part in (by_length, by_period)
    ] == [False, True]
    assert "…" not in text.replace("0.01 … 1", "")
    alone = dataclasses.replace(SPEC, kinds=("linear",))
    out = io.StringIO()
    print_tables(plain_console(out), summary_table({r: RESULTS[r] for r in alone.runs()}, alone), alone)
    assert "equal" not in out.getvalue()
    assert "0.39 ± " in out.getvalue()  # (0.41 + 1.91 + 0.01 + 0.02) / 6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kinds", "match"),
    [
        (("linear", "exponential"), ("steps", "period")),
        (("linear", "exponential"), ("period",)),
        (("none",), ("steps",)),
    ],
)
def test_pictures_show_every_setting(kinds: tuple[str, ...], match: tuple[str, ...]) -> None:
    """A panel per kind with a cell per LR and length; a line per kind."""
    spec = dataclasses.replace(SPEC, kinds=kinds, match=match)
    results = {run: result_of(run) for run in spec.runs()}
    figure = heatmap(results, spec, "a machine")
    panels = [axis for axis in figure.axes if axis.get_xlabel() == "base learning rate"]
    assert [len(axis.texts) for axis in panels] == [6] * len(kinds)
    assert "1.5×" not in panels[0].texts[0].get_text()
    figure.savefig(io.BytesIO())
    curves = sensitivity(summary_table(results, spec), spec, "a machine")
    curves.savefig(io.BytesIO())
    assert len(curves.axes) == min(len(kinds), 2)
    assert len(curves.axes[0].containers) == len(kinds)


def test_title_of_the_heat_map_states_the_result() -> None:
    """The title gives the largest stable LR, median over seeds, without and with the longest warmup."""
    figure = heatmap(RESULTS, SPEC, "a machine")
    title = figure.get_suptitle()
    assert title == "post-LN learned at no LR without warmup, up to LR 0.1 with 50% warmup (linear)"


@pytest.mark.parametrize("text", ["-1", "1.5", "101%", "nan", "ten", ""])
def test_a_bad_length_is_refused(text: str) -> None:
    """A share must be at most 1, a number of steps an integer."""
    with pytest.raises(ValueError, match=rf"^warmup={text} must be a share up to 1, such as 0.05 or 5%"):
        length(text, 200)


def test_rates_are_in_equal_ratios() -> None:
    """The default range has eleven LRs in equal ratios, with exact ends."""
    lrs = np.array(rates(1e-3, 0.32, 11))
    assert (lrs[0], lrs[-1], len(lrs)) == (1e-3, 0.32, 11)
    assert np.diff(np.log(lrs)) == pytest.approx(np.log(320) / 10, abs=1e-3)  # two roundings to 4 digits


def test_lines_report_progress(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The start and the end are always printed, a shard in between only after a pause (with a fake clock)."""
    times = iter([100.0, 100.0, 101.0, 100.0 + PAUSE, 106.0, 107.0])
    monkeypatch.setattr(progress, "monotonic", lambda: next(times))
    lines = Lines()
    for done in (10, 20, 35, 38, 40):
        lines(done, 40)
    expected = ["10 of 40 runs, 0 s", "35 of 40 runs, 5 s, about 1 s left", "40 of 40 runs, 7 s"]
    assert capsys.readouterr().err.splitlines() == expected
