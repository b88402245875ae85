"""Every case does what the reference says, or deviates exactly as recorded."""

from __future__ import annotations

import pytest

from suite.cases.catalogue import all_cases
from suite.cases.experiments import CASES as generators
from suite.engine.case import Case
from suite.engine.subject import installed
from suite.engine.verdict import verdict_of
from suite.known.deviations import entry_for, records, standing

CASES = all_cases()
assert len(CASES) >= 1500  # an empty or truncated list must not look like a clean run
#: The families of suite/cases/experiments.
EXPERIMENTS = {case.family for generator in generators for case in generator()}
#: One in this many experiments is in the fast tests; prime, so that compositions and actions both vary.
FAST = 7


def marked(index: int, case: Case) -> object:
    """The case as a parameter; most experiments are slow tests."""
    slow = case.family in EXPERIMENTS and index % FAST
    return pytest.param(case, id=case.id, marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize("case", [marked(i, c) for i, c in enumerate(CASES)])
def test_case_follows_the_reference_or_deviates_as_known(case: Case) -> None:
    """In a correct loop the LRs, the reported LRs, the momenta and the warnings are as expected."""
    subject = installed()
    verdict = verdict_of(case, subject)
    status = standing(case, verdict, subject.release)
    if status == "fixed":
        pytest.fail(f"{records()[case.id].entry} no longer affects [{case.id}, {subject.name}]: python -m suite accept")
    entry = entry_for(case, verdict, subject.release)
    hint = f"like {entry.id}, but not as recorded" if entry else "no entry of suite/known/entries explains it"
    details = "; ".join(f"{deviation.label}: {deviation.detail}" for deviation in verdict.deviations)
    assert status in ("follows", "known", "absent"), f"{details} [{case.id}, {subject.name}]; {hint}"
