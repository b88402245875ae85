"""The pytest plugin: fixtures that check the learning rates of a training function, and the option for a report.

It is loaded in every test run of an environment that has it, so it imports pytest alone: torch, and all that records
and diagnoses, is imported when a fixture is used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from bench.watch.recorder import Recorder

    from .outcome import LrCheck

OPTION = "warmup_bench_report"
#: What the checks of one test have found, as plain data.
CHECKS = pytest.StashKey[list[dict[str, Any]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option for a report."""
    parser.getgroup("warmup-bench").addoption(
        "--warmup-bench-report",
        dest=OPTION,
        metavar="FILE",
        help="write a page (HTML) with every learning-rate check, its curves and its diagnosis",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Collect the checks only where somebody reads them: without a report nothing is added to a run."""
    if config.getoption(OPTION) or os.environ.get("GITHUB_ACTIONS") == "true":
        from .collected import CollectedChecks

        config.pluginmanager.register(CollectedChecks(config, CHECKS, config.getoption(OPTION)), "warmup-bench-checks")


def _noted(node: pytest.Item, check: LrCheck) -> None:
    """Keep a check for the report, and fail the test where something is wrong."""
    __tracebackhide__ = True
    node.stash.setdefault(CHECKS, []).append(check.to_json())
    if check.failures:
        raise AssertionError("\n".join(check.failures))


@pytest.fixture
def lr_recorder() -> Iterator[Recorder]:
    """Records the LR of every optimizer step of the test: `lr_recorder.traces`, `.diagnose()`, `.summary()`."""
    from bench.watch.recorder import Recorder

    with Recorder() as recorder:
        yield recorder


@pytest.fixture
def assert_lr_follows(request: pytest.FixtureRequest) -> Callable[..., Recorder]:
    """`assert_lr_follows(train, plan, base_lr=…)`: runs train(), and compares every update with the plan.

    `plan`: a slug such as "linear500+cosine9500", a schedule of `warmup_bench.reference`, a call of a library as text,
    or a function that takes an optimizer and returns a scheduler; or one of these by the name of the optimizer.
    `base_lr`: one for all parameter groups, or one for each; `optimizer`: the name of the one to check, such as AdamW.
    Returns the recorder.
    """

    def check(train: Callable[[], Any], plan: Any, *, base_lr: Any = None, optimizer: str | None = None) -> Recorder:
        __tracebackhide__ = True
        from .follows import check_follows, recorded

        recorder = recorded(train)
        _noted(request.node, check_follows(recorder, plan, base_lr, optimizer))
        return recorder

    return check


@pytest.fixture
def assert_total_steps(request: pytest.FixtureRequest) -> Callable[..., Recorder]:
    """`assert_total_steps(train, 1000)`: every optimizer makes this number of updates, as its schedule expects."""

    def check(train: Callable[[], Any], total: int, *, optimizer: str | None = None) -> Recorder:
        __tracebackhide__ = True
        from .follows import check_total_steps, recorded

        recorder = recorded(train)
        _noted(request.node, check_total_steps(recorder, total, optimizer))
        return recorder

    return check


@pytest.fixture
def assert_resumes(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`assert_resumes(make, train, save, load, at=(5,), total=20)`: a resumed run continues like an uninterrupted one.

    `make()` builds a run: any object, with its model, optimizer and scheduler. `train(run, start, stop)` makes updates
    start … stop − 1. `save(run)` returns a checkpoint, and `load(run, checkpoint)` restores it into a newly made run.
    It trains once without interruption, and for each number in `at` once with a checkpoint after that many updates.
    LR, momentum (or β1) and weight decay of every update are compared, and the optimizer's state after the load.
    `total`: updates in all (default: twice the last of `at`); `seed`: given to torch before each run is made.
    """

    def check(
        make: Callable[[], Any],
        train: Callable[[Any, int, int], Any],
        save: Callable[[Any], Any],
        load: Callable[[Any, Any], Any],
        *,
        at: tuple[int, ...] | int,
        total: int | None = None,
        seed: int = 0,
    ) -> None:
        __tracebackhide__ = True
        from .resumes import TrainingSteps, check_resumes

        places = (at,) if isinstance(at, int) else tuple(at)
        _noted(request.node, check_resumes(TrainingSteps(make, train, save, load, seed), places, total))

    return check
