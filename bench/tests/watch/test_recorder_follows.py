"""`Recorder.assert_follows` in a user's test: what passes, what fails, and what the failure message says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from torch.optim import SGD

from bench.diagnose import diagnose
from bench.tests.loops import loop, parameters
from bench.tests.watch.test_recorder import STEPS, TWIN, early, sequential
from bench.watch import Recorder
from bench.watch.lr_series import LrSeries, first_mismatch
from reference import parse


def recorded(*bases: float, late: int = 0) -> Recorder:
    """A recording of warmup and cosine with one group per base LR; the first `late` steps do not step the scheduler."""
    optimizer = SGD([{"params": [p], "lr": lr} for p, lr in zip(parameters(len(bases)), bases, strict=True)])
    scheduler = sequential(optimizer)
    with Recorder() as recorder:
        loop(optimizer, None, late)
        loop(optimizer, scheduler, STEPS - late)
    return recorder


def test_a_right_loop_passes() -> None:
    """With one base LR for all groups, or one per group."""
    recorded(0.1).assert_follows(TWIN, base_lr=0.1)
    recorded(0.1, 0.1).assert_follows(TWIN, base_lr=0.1)
    recorded(0.1, 0.02).assert_follows(TWIN, base_lr=[0.1, 0.02])


def test_a_late_scheduler_fails_with_the_step_and_the_diagnosis() -> None:
    """The message says where the loop deviates from the schedule, by how much, and adds the diagnosis."""
    recorder = recorded(0.1, late=1)
    with pytest.raises(AssertionError, match=r"optimizer step 1 ran at lr=0\.01 instead of 0\.0325") as failure:
        recorder.assert_follows(TWIN, base_lr=0.1)
    message = str(failure.value)
    assert message.startswith(f"SGD does not follow the schedule at base_lr=0.1 [{TWIN.slug}]: ")
    assert "the first of 11 wrong steps of 12" in message
    assert f"diagnosis: {recorder.diagnose(TWIN, base_lr=0.1)[0].sentence()}" in message


def test_groups_that_fail_alike_are_named_together() -> None:
    """Three groups with the same LRs share one line; the correct group is not mentioned."""
    recorder = recorded(0.1, 0.2, 0.2, 0.2)
    with pytest.raises(AssertionError, match="do not follow") as failure:
        recorder.assert_follows(TWIN, base_lr=0.1)
    message = str(failure.value)
    assert message.startswith("SGD group 1, SGD group 2, SGD group 3 do not follow")
    assert message.count("not follow") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"base_lr": [0.1, 0.2]}, r"base_lr=\[0\.1, 0\.2\] must be one number, or one for each of 1"),
        ({"base_lr": -1.0}, r"base_lr=-1\.0 must be >= 0"),
        ({"base_lr": 0.1, "optimizer": "Adam"}, r"optimizer='Adam' must be one of SGD"),
    ],
)
def test_bad_arguments_are_not_a_failure_of_the_loop(arguments: dict[str, object], words: str) -> None:
    """An invalid call raises ValueError, not AssertionError."""
    with pytest.raises(ValueError, match=words):
        recorded(0.1).assert_follows(TWIN, **arguments)  # type: ignore[arg-type]


def test_nothing_recorded_is_a_failure() -> None:
    """A loop without any step does not follow a schedule."""
    with Recorder() as recorder:
        pass
    with pytest.raises(AssertionError, match="no optimizer step was recorded"):
        recorder.assert_follows(TWIN, base_lr=0.1)


def test_an_error_of_a_billionth_is_found_and_rounding_is_not() -> None:
    """A float LR must agree to 1e-11, a float32 one to within its rounding; an LR of NaN never agrees."""
    schedule, steps = parse("linear5+cosine95"), np.arange(100)
    right = schedule(steps, 3e-4)

    def off(lrs: np.ndarray, *, single: bool = False) -> bool:
        return first_mismatch(LrSeries("lr", 0, steps, lrs, single), schedule, 3e-4) is not None

    assert not off(right * (1 + 1e-13))
    assert off(right * (1 + 1e-9))
    assert off(right.astype(np.float32).astype(float))
    assert not off(right.astype(np.float32).astype(float), single=True)
    assert off(right * (1 + 1e-4), single=True)
    assert off(np.where(steps == 50, np.nan, right))


@early
def test_explanations_for_logs_only_are_left_out() -> None:
    """A scheduler stepped before the first update runs ahead; that the LR was logged too late is ruled out."""
    optimizer = SGD(parameters(1), lr=0.1)
    scheduler = sequential(optimizer)
    with Recorder() as recorder:
        for _ in range(STEPS):
            scheduler.step()
            loop(optimizer, None, 1)
    (diagnosis,) = recorder.diagnose(TWIN, base_lr=0.1)
    logged = diagnose(dataclasses.replace(recorder.traces[0], counts=None), TWIN, base_lr=0.1)
    assert {e.cause for e in logged.explanations[: logged.tied]} == {"ahead", "log-after"}
    assert diagnosis.best is not None
    assert (diagnosis.best.cause, diagnosis.tied, diagnosis.verdict) == ("ahead", 1, "fault")
