"""`assert_resumes`: right resumes pass, and each way to resume wrongly has its own failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import SGD, AdamW

from bench.pytest_plugin.outcome import LrCheck
from bench.pytest_plugin.resumes import TrainingSteps, check_resumes
from bench.tests.pytest_plugin.runs import TOTAL, SmallRun, one_cycle, sequential

AT = (2, 9)


def resumed(
    make: Callable[[], SmallRun] = SmallRun,
    load: Callable[[SmallRun, Any], None] = SmallRun.load,
    at: tuple[int, ...] = AT,
    total: int | None = TOTAL,
    train: Callable[[SmallRun, int, int], None] = SmallRun.train,
) -> LrCheck:
    """The check of a resumed run."""
    return check_resumes(TrainingSteps(make, train, SmallRun.saved, load), at, total)


@pytest.mark.parametrize("kind", [AdamW, SGD])
@pytest.mark.parametrize("scheduler", [sequential, one_cycle])
def test_a_right_resume_passes(kind: Any, scheduler: Any) -> None:
    """Before and after the milestone, with a momentum that the scheduler moves; the curves are kept."""
    check = resumed(lambda: SmallRun(scheduler, kind))
    assert check.failures == []
    assert [curve["name"] for curve in check.curves] == [f"{kind.__name__} group 0, resumed after {at}" for at in AT]


def test_a_scheduler_that_is_not_loaded() -> None:
    """The failure says since which update, the cause and the line to change, for each place."""
    first, second = resumed(load=lambda run, state: run.load(state, "model", "optimizer")).failures
    assert first.startswith("resumed after 2 updates, the run does not continue like the uninterrupted one:\n")
    assert "  AdamW: update 2 ran at LR" in first or "  AdamW: update 3 ran at LR" in first
    assert "diagnosis: The optimizer's state was loaded after 9 updates, but its scheduler starts at step 0" in second
    assert "fix: save and load the scheduler's state too" in second


def test_an_optimizer_that_is_not_loaded() -> None:
    """The moments of Adam are missing at the first update, whatever the LRs are."""
    for text in resumed(load=lambda run, state: run.load(state, "model", "scheduler")).failures:
        assert "the optimizer's state was not loaded: " in text
        assert "of parameter 0 and " in text


def test_moments_that_are_altered() -> None:
    """A state that is loaded, but is not the saved one."""

    def load(run: SmallRun, state: Any) -> None:
        run.load(state)
        for values in run.optimizer.state.values():
            values["exp_avg"].mul_(0.5)

    for text in resumed(load=load).failures:
        assert "the optimizer's state is not the saved one: exp_avg of parameter 0 and 1 more differs" in text
        assert "diagnosis" not in text


def test_a_momentum_that_is_not_restored() -> None:
    """OneCycleLR moves the momentum: a run that forgets the scheduler differs in both."""
    text = resumed(lambda: SmallRun(one_cycle, SGD), lambda run, state: run.load(state, "model", "optimizer")).failures[
        0
    ]
    assert " ran at LR " in text
    assert " ran at momentum " in text


def test_schedulers_built_after_loading_the_optimizer() -> None:
    """The order that multiplies every LR by the warmup's start factor."""

    def load(run: SmallRun, state: Any) -> None:
        run.load(state, "model", "optimizer")
        run.scheduler = sequential(run.optimizer)
        run.scheduler.load_state_dict(state["scheduler"])

    text = resumed(load=load, at=(2,)).failures[0]
    assert "AdamW: update 2 ran at LR" in text
    assert "diagnosis: " in text


def test_training_that_does_not_repeat_itself() -> None:
    """A difference before the checkpoint is said to be one, and is no fault of the resume."""
    seen: list[SmallRun] = []

    def make() -> SmallRun:
        seen.append(SmallRun(sequential if seen else one_cycle))
        return seen[-1]

    assert "before the checkpoint: make() and train() must repeat themselves" in resumed(make, at=(9,)).failures[0]


def test_training_of_another_length() -> None:
    """A loop that starts again at the first step makes too many updates."""
    text = resumed(train=lambda run, start, stop: run.train(0, stop), at=(9,)).failures[0]
    assert f"AdamW: {9 + TOTAL} updates instead of {TOTAL}" in text


def test_runs_are_seeded() -> None:
    """Each run starts with the same weights, and the total is twice the last place unless it is given."""
    weights: list[Any] = []

    def make() -> SmallRun:
        run = SmallRun()
        weights.append(run.model.weight.detach().clone())
        return run

    check = resumed(make, at=(3,), total=None)
    assert check.failures == []
    assert len(check.curves[0]["steps"]) == 6
    assert len(weights) == 3
    assert all(torch.equal(weights[0], other) for other in weights)


@pytest.mark.parametrize(
    ("at", "total", "words"),
    [((), TOTAL, r"at=\(\) must have"), ((0,), TOTAL, "at=0 must be >= 1"), ((9,), 9, "total=9 must be >= 10")],
)
def test_bad_arguments(at: tuple[int, ...], total: int, words: str) -> None:
    """One line says what is wrong."""
    with pytest.raises(ValueError, match=words):
        resumed(at=at, total=total)


def test_nothing_recorded_fails() -> None:
    """A training function that makes no update cannot be compared."""
    assert resumed(train=lambda run, start, stop: None).failures == ["no optimizer step was recorded"]
