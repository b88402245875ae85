"""What one ``scheduler.step()`` costs, for every composition that the reference has a twin of.

Run ``python -m pytest bench --benchmark-only``; plain ``pytest`` times nothing. asv follows four of these
over torch releases (`bench.asv_benchmarks.scheduler_step`); here is every class and nesting, on the installed torch.

asv imports this module too, in environments without pytest: so it imports no pytest.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from bench.asv_benchmarks.scheduler_step import make_optimizer

from .test_reference_speed import METRICS, PAIRS

if TYPE_CHECKING:
    import pytest

GROUPS, LR_TYPES = (1, 1000), ("float", "tensor")
#: Steps of one round, by the number of groups: a round takes some milliseconds.
STEPS = {1: 200, 1000: 1}
ROUNDS = 10


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One benchmark for each composition, number of groups and type of LR (a hook: this module imports no pytest)."""
    axes = list(itertools.product(PAIRS, GROUPS, LR_TYPES))
    metafunc.parametrize(("name", "groups", "lr_type"), axes)


def test_scheduler_step(name: str, groups: int, lr_type: str, benchmark: Any) -> None:
    """One step of the scheduler on an optimizer that holds one number in each group."""
    pair = PAIRS[name]
    optimizer = make_optimizer(groups, lr_type, momentum=0.9)  # two of the classes move the momentum as well
    scheduler = pair.build(optimizer)
    optimizer.step()  # torch warns when the scheduler moves before any optimizer step
    benchmark.group = f"{groups} groups, {lr_type} LR"
    step, arguments = scheduler.step, METRICS[:1] if pair.metrics else ()
    benchmark.pedantic(step, args=arguments, rounds=ROUNDS, iterations=STEPS[groups], warmup_rounds=1)
    rates = {float(group["lr"]) for group in optimizer.param_groups}
    assert len(rates) == 1  # every group was stepped alike
