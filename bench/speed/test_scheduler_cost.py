"""The cost of one ``scheduler.step()``, for every class and nesting of which the reference has a twin.

Run ``python -m pytest bench/speed/test_scheduler_cost.py --benchmark-only``; plain ``pytest`` times nothing.
This covers the installed torch; asv follows four of the compositions over torch releases
(`bench.asv_benchmarks.scheduler_step`).
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from bench.asv_benchmarks.scheduler_step import make_optimizer

from .test_reference_speed import METRICS, PAIRS

GROUPS, LR_TYPES = (1, 1000), ("float", "tensor")
#: Steps per round, by the number of groups: a round takes a few milliseconds.
STEPS = {1: 200, 1000: 1}
ROUNDS = 10


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One benchmark for each composition, number of groups and type of LR."""
    axes = list(itertools.product(PAIRS, GROUPS, LR_TYPES))
    metafunc.parametrize(("name", "groups", "lr_type"), axes)


def test_scheduler_step(name: str, groups: int, lr_type: str, benchmark: Any) -> None:
    """One step of the scheduler on an optimizer with one number in each group."""
    pair = PAIRS[name]
    optimizer = make_optimizer(groups, lr_type, momentum=0.9)  # two of the classes schedule the momentum too
    scheduler = pair.build(optimizer)
    optimizer.step()  # torch warns when the scheduler moves before any optimizer step
    benchmark.group = f"{groups} groups, {lr_type} LR"
    step, arguments = scheduler.step, METRICS[:1] if pair.metrics else ()
    benchmark.pedantic(step, args=arguments, rounds=ROUNDS, iterations=STEPS[groups], warmup_rounds=1)
    rates = {float(group["lr"]) for group in optimizer.param_groups}
    assert len(rates) == 1  # every group has the same LR
