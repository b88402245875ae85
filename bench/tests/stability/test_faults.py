"""Every planted fault is reported, by `asv compare` too; an unchanged schedule is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.commands.stability import CONFIGURATION
from bench.stability.asv_results import thresholds
from bench.stability.faults import FAULTS, Power, measured
from bench.tests.stability.asv_files import AsvRepository
from bench.toy.batched.stability import QUICK

pytestmark = pytest.mark.slow  # trains

REPEATS = 2


@pytest.fixture(scope="module")
def power() -> Power:
    """The quick profile, with a few repeats."""
    return measured(QUICK, REPEATS)


#: What 4 seeds and 5 LRs are enough for; `python -m bench stability --faults` has more.
REPORTED_BY = {
    "warmup halved": {"steps_off", "early_loss"},
    "warmup dropped": {"steps_off", "early_loss", "inverse_edge", "lr_sensitivity"},
    "one step late": {"steps_off", "early_loss"},
    "decay of twice the run": {"steps_off"},
    "decay that never starts": {"steps_off", "lr_sensitivity"},
}


def test_every_fault_is_reported(power: Power) -> None:
    """Each fault is reported by the numbers listed, at least; unchanged schedules by none."""
    patterns = thresholds(CONFIGURATION)
    assert power.missed(patterns) == []
    assert set(power.faults) == set(REPORTED_BY)
    for fault, numbers in power.faults.items():
        assert set(power.reports(numbers, patterns)) >= REPORTED_BY[fault], fault
    # With 4 seeds, rounding moves the edge by more than the thresholds of 16: only what has no spread is asked.
    for numbers in power.repeats:
        assert not {"steps_off", "early_loss"} & set(power.reports(numbers, patterns))


def test_early_loss_does_not_see_what_comes_later(power: Power) -> None:
    """Faults of the decay change no step before it: the early loss is the same to the last bit."""
    for fault in ("decay of twice the run", "decay that never starts"):
        assert power.faults[fault]["early_loss"] == power.unchanged["early_loss"]


def test_asv_compare_reports_every_fault(power: Power, tmp_path: Path) -> None:
    """`asv compare`, with its factor of 1.1, marks the count of steps under every fault, and nothing if unchanged."""
    repository = AsvRepository(tmp_path)
    old = repository.add("unchanged", power.unchanged)
    same = repository.add("unchanged again", measured(QUICK, 0).unchanged)
    marks = repository.compare(old, same)
    assert set(marks) == {*power.unchanged, "checksum"}
    assert set(marks.values()) == {""}
    for fault in FAULTS:
        assert repository.compare(old, repository.add(fault, power.faults[fault]))["steps_off"] == "+"
