"""The count of steps off the promised LR: 1 for what torch and the reference do, more for every planted fault."""

from __future__ import annotations

import numpy as np
import pytest

from bench.asv_benchmarks.lr_trace import LearningRates
from bench.stability.faults import FAULTS
from bench.toy import promised
from bench.toy.config import named
from bench.toy.promised import SOURCES, TOTAL_STEPS, TRACKED, WARMUP_STEPS, by_reference, steps_off
from bench.toy.rules import effective
from reference import Schedule

#: The least share of the 200 steps that a planted fault changes: a warmup of 20, halved, leaves no step as it was.
LEAST = 0.5


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("warmup", TRACKED)
def test_no_step_is_off(warmup: str, source: str) -> None:
    """torch and the reference give every step the promised LR."""
    assert LearningRates().track_steps_off(warmup, source) == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_counted(fault: str) -> None:
    """Each planted fault puts most steps off."""
    lrs = FAULTS[fault](by_reference("linear", WARMUP_STEPS, TOTAL_STEPS, 1.0))
    assert steps_off(lrs, "linear", WARMUP_STEPS, TOTAL_STEPS, 1.0) > LEAST * TOTAL_STEPS


@pytest.mark.parametrize("warmup", TRACKED)
def test_fault_in_our_code_is_counted(warmup: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A halved warmup in the code that the runs use is counted, under every warmup that has one."""

    def halved(name: str, config: object, steps: int, total: int) -> Schedule:
        return effective(name, named("small16"), steps // 2, total)

    monkeypatch.setattr(promised, "effective", halved)
    assert (LearningRates().track_steps_off(warmup, "reference") > 1) == (warmup != "none")


def test_missing_lr_is_off() -> None:
    """NaN is never the promised LR."""
    lrs = by_reference("linear", 2, 6, 1.0)
    lrs[3] = np.nan
    assert steps_off(lrs, "linear", 2, 6, 1.0) == 2
