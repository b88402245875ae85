"""Clocks agree with training loops that count scheduler steps; hyperparameter schedules and step counts of Noam."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from reference.clock import Clocked, per_epoch, per_micro_batch, per_process
from reference.hyperparameters import CosineWeightDecay, TeacherTemperature
from reference.noam import Noam
from reference.pair import parse_pair
from reference.slug import parse

SCHEDULE = parse_pair("linear5+cosine40")
STEPS = 30


def epochs_loop(steps_per_epoch: int) -> Iterator[int]:
    """Scheduler steps made before each optimizer step, one at the end of each epoch."""
    made = 0
    while True:
        for _ in range(steps_per_epoch):
            yield made
        made += 1


def micro_batches_loop(accumulation: int) -> Iterator[int]:
    """The same, with scheduler.step() called outside the `if` that guards optimizer.step()."""
    made = batch = 0
    while True:
        batch += 1
        if batch % accumulation == 0:
            yield made
        made += 1


def processes_loop(processes: int) -> Iterator[int]:
    """The same, with a wrapper that makes one scheduler step per process after each optimizer step."""
    made = 0
    while True:
        yield made
        made += processes


@pytest.mark.parametrize("k", [1, 2, 3, 7])
@pytest.mark.parametrize(
    ("clock", "loop"),
    [(per_epoch, epochs_loop), (per_micro_batch, micro_batches_loop), (per_process, processes_loop)],
)
def test_clock_counts_as_the_loop_does(clock: object, loop: object, k: int) -> None:
    """At each optimizer step a clocked schedule has the value that the loop's scheduler steps lead to."""
    clocked = clock(SCHEDULE, k)  # type: ignore[operator]  # the three share a signature
    counts = loop(k)  # type: ignore[operator]
    assert clocked.trace(STEPS, 0.5).tolist() == [SCHEDULE(next(counts), 0.5) for _ in range(STEPS)]
    assert parse(clocked.slug) == clocked


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: per_epoch(SCHEDULE, 0), "steps_per_epoch=0 must be >= 1"),
        (lambda: per_micro_batch(SCHEDULE, 1.5), "accumulation=1.5 must be an integer"),  # type: ignore[arg-type]
        (lambda: per_process(SCHEDULE, -1), "processes=-1 must be >= 1"),
        (lambda: Clocked(3), "schedule=3 must be a schedule"),  # type: ignore[arg-type]
        (lambda: Clocked(SCHEDULE, ahead=-1), "ahead=-1 must be >= 0"),
        (lambda: Clocked(SCHEDULE, times=4)(2**61), f"step={2**61} must be < (2**63 - 0) / 4"),
    ],
)
def test_bad_clocks_say_why(make: object, message: str) -> None:
    """An impossible clock is rejected with name, value and rule."""
    with pytest.raises((TypeError, ValueError)) as caught:
        make()  # type: ignore[operator]  # a lambda of the table
    assert str(caught.value) == message


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("every", [1, 2, 5])
@pytest.mark.parametrize("ahead", [0, 4])
def test_limit_moves_with_the_clock(times: int, every: int, ahead: int) -> None:
    """If a twin is a pure factor up to its step 10, the clocked one is up to the last t that maps to <= 10."""
    clocked = Clocked(parse("cosineannealinglr10"), times, every, ahead)
    inside = [t for t in range(100) if t * times // every + ahead <= 10]
    assert clocked._multiplies_until() == max(inside)


@pytest.mark.parametrize("schedule", [CosineWeightDecay(0.04, 0.4, 10), TeacherTemperature(0.04, 0.07, 10)])
def test_base_lr_does_not_scale_other_hyperparameters(schedule: CosineWeightDecay) -> None:
    """Weight decay and temperature keep their values whatever the base LR of the call."""
    assert schedule.trace(20, 1e-3).tolist() == schedule.trace(20).tolist()
    assert schedule(0) == 0.04


@pytest.mark.parametrize("w", [1, 2, 5, 30])
def test_teacher_temperature_is_numpys_linspace(w: int) -> None:
    """The temperature follows numpy.linspace during its warmup, then stays at the end value."""
    values = TeacherTemperature(0.04, 0.07, w).trace(w + 3)
    assert values[:w] == pytest.approx(np.linspace(0.04, 0.07, w), rel=8 * np.finfo(float).eps, abs=0)
    assert values[w:].tolist() == [0.07] * 3


def test_ends_of_other_schedules() -> None:
    """A phase of length 0 is over before it starts; weight decay reaches its end value exactly."""
    assert TeacherTemperature(0.04, 0.07, 0)(0) == 0.07
    assert CosineWeightDecay(0.04, 0.4, 0)(0) == 0.4
    assert CosineWeightDecay(0.04, 0.4, 9)([9, 10]).tolist() == [0.4, 0.4]


@pytest.mark.parametrize(
    ("count", "expected"),
    [("from_one", [0, 1, 2, 3, 4]), ("max_one", [0, 0, 1, 2, 3]), ("from_zero", [-1, 0, 1, 2, 3])],
)
def test_noam_counts_are_shifts(count: str, expected: list[int]) -> None:
    """The three counts shift the same curve: max_one repeats the first value, from_zero puts an LR of 0 before it."""
    paper, counted = Noam(4, 16), Noam(4, 16, count=count)
    assert counted.trace(5).tolist() == [paper(t) if t >= 0 else 0.0 for t in expected]


@pytest.mark.parametrize("count", ["from_one", "max_one", "from_zero"])
def test_noam_without_warmup(count: str) -> None:
    """With W = 0 the warmup is over before it starts: the LR falls like 1/√s from the first counted step."""
    values = Noam(0, 1, count=count)([0, 1, 4])
    s = np.array({"from_one": [1, 2, 5], "max_one": [1, 1, 4], "from_zero": [np.inf, 1, 4]}[count])
    assert values.tolist() == (1 / np.sqrt(s)).tolist()
