"""The recorder in somebody's own test: what passes, what fails, and what the failure says."""

from __future__ import annotations

import numpy as np
import pytest
from torch.optim import SGD

from bench.diagnose import diagnose
from bench.tests.loops import loop, parameters
from bench.tests.watch.test_recorder import STEPS, TWIN, early, sequential
from bench.watch import Recorder
from bench.watch.series import Series, difference
from reference import parse


def recorded(*bases: float, late: int = 0) -> Recorder:
    """A recording of warmup and cosine, a group for each base LR; `late` steps are taken before the scheduler is."""
    optimizer = SGD([{"params": [p], "lr": lr} for p, lr in zip(parameters(len(bases)), bases, strict=True)])
    scheduler = sequential(optimizer)
    with Recorder() as recorder:
        loop(optimizer, None, late)
        loop(optimizer, scheduler, STEPS - late)
    return recorder


def test_a_right_loop_passes() -> None:
    """One base LR for all groups, or one for each."""
    recorded(0.1).assert_follows(TWIN, base_lr=0.1)
    recorded(0.1, 0.1).assert_follows(TWIN, base_lr=0.1)
    recorded(0.1, 0.02).assert_follows(TWIN, base_lr=[0.1, 0.02])


def test_a_late_scheduler_fails_with_the_step_and_the_diagnosis() -> None:
    """The message says where the loop leaves the schedule, by how much, and what the diagnosis makes of it."""
    recorder = recorded(0.1, late=1)
    with pytest.raises(AssertionError, match=r"optimizer step 1 ran at lr=0\.01 instead of 0\.0325") as failure:
        recorder.assert_follows(TWIN, base_lr=0.1)
    message = str(failure.value)
    assert message.startswith(f"SGD does not follow {TWIN.slug} at base_lr=0.1: ")
    assert "the first of 11 wrong steps of 12" in message
    assert f"diagnosis: {recorder.diagnose(TWIN, base_lr=0.1)[0].sentence()}" in message


def test_groups_that_fail_alike_are_named_together() -> None:
    """Three groups of the same LRs are one line, the one that is right is not mentioned."""
    recorder = recorded(0.1, 0.2, 0.2, 0.2)
    with pytest.raises(AssertionError, match="does not follow") as failure:
        recorder.assert_follows(TWIN, base_lr=0.1)
    message = str(failure.value)
    assert message.startswith("SGD group 1, SGD group 2, SGD group 3 does not follow")
    assert message.count("does not follow") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"base_lr": [0.1, 0.2]}, r"base_lr=\[0\.1, 0\.2\] must be one number, or one for each of 1"),
        ({"base_lr": -1.0}, r"base_lr=-1\.0 must be >= 0"),
        ({"base_lr": 0.1, "optimizer": "Adam"}, r"optimizer='Adam' must be one of SGD"),
    ],
)
def test_bad_arguments_are_no_failure_of_the_loop(arguments: dict[str, object], words: str) -> None:
    """A wrong call raises ValueError, not AssertionError."""
    with pytest.raises(ValueError, match=words):
        recorded(0.1).assert_follows(TWIN, **arguments)  # type: ignore[arg-type]


def test_nothing_recorded_is_a_failure() -> None:
    """A loop that takes no step follows no schedule."""
    with Recorder() as recorder:
        pass
    with pytest.raises(AssertionError, match="no optimizer step was recorded"):
        recorder.assert_follows(TWIN, base_lr=0.1)


def test_an_error_of_a_billionth_is_found_and_rounding_is_not() -> None:
    """A float LR must agree to 1e-11, a float32 one to its rounding; an LR of NaN never does."""
    schedule, steps = parse("linear5+cosine95"), np.arange(100)
    right = schedule(steps, 3e-4)

    def off(lrs: np.ndarray, *, single: bool = False) -> bool:
        return difference(Series("lr", 0, steps, lrs, single), schedule, 3e-4) is not None

    assert not off(right * (1 + 1e-13))
    assert off(right * (1 + 1e-9))
    assert off(right.astype(np.float32).astype(float))
    assert not off(right.astype(np.float32).astype(float), single=True)
    assert off(right * (1 + 1e-4), single=True)
    assert off(np.where(steps == 50, np.nan, right))


@early
def test_a_recording_is_not_told_what_only_a_log_can_do() -> None:
    """Stepped before the first update, a schedule runs ahead; that its LR was read too late cannot be."""
    optimizer = SGD(parameters(1), lr=0.1)
    scheduler = sequential(optimizer)
    with Recorder() as recorder:
        for _ in range(STEPS):
            scheduler.step()
            loop(optimizer, None, 1)
    (diagnosis,) = recorder.diagnose(TWIN, base_lr=0.1)
    logged = diagnose(recorder.traces[0], TWIN, base_lr=0.1)
    assert {e.cause for e in logged.explanations[: logged.tied]} == {"ahead", "log-after"}
    assert diagnosis.best is not None
    assert (diagnosis.best.cause, diagnosis.tied, diagnosis.verdict) == ("ahead", 1, "fault")
