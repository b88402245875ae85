"""The cases of a library are crossed, run and judged: each planted fault is seen where it shows, and only there."""

from __future__ import annotations

import dataclasses
import functools

import pytest

from suite.libraries.core.case import LibraryCase, cases_of
from suite.libraries.core.program import script_of
from suite.libraries.findings import LibraryFinding, findings_of
from suite.libraries.judge import judge_library
from suite.libraries.sandbox.child import LibraryRun
from suite.tests.libraries.planted import LIBRARY, LISTED


@functools.cache
def findings() -> dict[str, LibraryFinding]:
    """Every case of the planted library by schedule and axis."""
    found = findings_of(LIBRARY, "2.0", LISTED)
    return {finding.case.id.removeprefix("warmlib/"): finding for finding in found}


def channels(schedule: str) -> dict[str, list[str]]:
    """Axis → channels that deviate, of one schedule."""
    cases = {name.partition("/")[2]: found for name, found in findings().items() if name.startswith(f"{schedule}/")}
    return {axis: [d.channel for d in found.verdict.deviations] for axis, found in cases.items()}


#: What torch does to every scheduler that it builds after the optimizer was loaded.
BY_TORCH = {"optimizerfirst2": ["lr"], "optimizerfirst7": ["lr"]}
#: Such a scheduler has no state, so it starts again.
AGAIN = {
    key: ["lr", "after-end"] for key in ("resume2", "resume7", "resume7-twice", "optimizerfirst2", "optimizerfirst7")
}
#: Where half a wave is over, it rises again.
RISES = {key: ["after-end"] for key in ("plain", "base3e-4", "w1", "w11", "integer-lr")}


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("linear", BY_TORCH),
        ("divides", BY_TORCH | {"w12": ["error"], "w14": ["bounds"]}),
        ("firstgroup", AGAIN | {"groups": ["lr"]}),
        ("cosine", RISES | {"w0": ["after-end"]}),
    ],
)
def test_each_fault_shows_on_its_axes(schedule: str, expected: dict[str, list[str]]) -> None:
    """A right schedule deviates only where torch itself does; a fault on the axes that concern it."""
    assert {axis: found for axis, found in channels(schedule).items() if found} == expected


def test_a_negative_lr_is_out_of_bounds_beyond_the_end() -> None:
    """In every case that reaches the end with a decay, whatever else deviates there."""
    seen = channels("below_zero")
    assert {axis for axis, found in seen.items() if "bounds" in found} >= {"plain", "base3e-4", "groups", "w0", "w1"}


def test_a_late_schedule_is_called_late() -> None:
    """The shape and the words of a shift by one step."""
    verdict = findings()["late/plain"].verdict
    assert (verdict.channel, verdict.shape, verdict.step) == ("lr", "shifted", 1)
    assert "1 step late" in verdict.detail


def test_a_group_is_named() -> None:
    """The second group has the first one's LR: a tenth."""
    verdict = findings()["firstgroup/groups"].verdict
    assert "(group 1)" in verdict.detail
    assert verdict.shape == "scaled"


def of(axis: str) -> LibraryCase:
    """A case of the linear schedule."""
    return next(case for case in cases_of(LIBRARY) if case.id == f"warmlib/linear/{axis}")


def test_a_fractional_warmup_lies_between_its_neighbours_or_is_refused() -> None:
    """A clear refusal at construction is right; a late or unclear one is not."""
    assert findings()["linear/w4.5"].verdict.follows
    clear = LibraryRun("construction", error="TypeError", message="warmup must be an integer")
    assert judge_library(of("w4.5"), clear).follows
    late = LibraryRun("update", ((0.0,), (0.25,)), "TypeError", "no integer")
    assert judge_library(of("w4.5"), late).channel == "error"
    unclear = dataclasses.replace(clear, error="ZeroDivisionError")
    assert judge_library(of("w4.5"), unclear).channel == "error"
    assert judge_library(of("plain"), clear).channel == "error"


def test_bounds_hold_whatever_the_lengths() -> None:
    """Where a warmup is longer than the run, an LR is still a number between 0 and the peak."""
    rows = tuple((lr,) for lr in [0.5] * 16)
    assert judge_library(of("w14"), LibraryRun("done", rows)).follows
    for lr, shape in ((float("nan"), "non-finite"), (-0.1, "negative"), (1.1, "above")):
        wrong = judge_library(of("w14"), LibraryRun("done", (*rows[:5], (lr,), *rows[6:])))
        assert (wrong.channel, wrong.shape, wrong.step) == ("bounds", shape, 5)


def test_an_exception_beyond_the_end_is_after_the_end() -> None:
    """A clear one is a refusal to train longer."""
    rows = tuple(map(tuple, of("plain").due().tolist()))[:13]
    assert judge_library(of("plain"), LibraryRun("update", rows, "ValueError", "over")).follows
    assert judge_library(of("plain"), LibraryRun("update", rows, "IndexError", "")).channel == "after-end"
    assert judge_library(of("plain"), LibraryRun("update", rows[:12], "ValueError", "over")).channel == "error"


def test_the_script_is_what_a_user_writes() -> None:
    """The call with its numbers, an optimizer with a group of its own, a checkpoint in the middle."""
    groups = script_of(of("groups"))
    assert "scheduler = linear(optimizer, 4, 12)" in groups.body
    assert '"lr": 0.1}' in groups.body
    resumed = script_of(of("optimizerfirst7")).body
    assert resumed.index("if t == 7") < resumed.index("optimizer.load_state_dict") < resumed.rindex("new_scheduler(")
    assert "torch.tensor(1.0)" in script_of(of("tensor")).body
