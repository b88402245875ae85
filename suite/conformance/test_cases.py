"""Law: every case does what the reference says, or deviates exactly as it is known to."""

from __future__ import annotations

import pytest

from suite.cases.catalogue import all_cases
from suite.engine.case import Case
from suite.engine.subject import installed
from suite.engine.verdict import verdict_of
from suite.known.deviations import standing

CASES = all_cases()
assert len(CASES) >= 1500  # an empty or shrunken list must not pass for a clean one


@pytest.mark.parametrize("case", [pytest.param(c, id=c.id) for c in CASES])
def test_case_follows_the_reference_or_deviates_as_known(case: Case) -> None:
    """The LRs, the reported LRs, momentum and warnings of a correct loop are those that are due."""
    subject = installed()
    verdict = verdict_of(case, subject)
    where, entry = standing(case, verdict, subject.release)
    if where == "fixed":
        pytest.fail(f"{entry and entry.id} no longer shows here: update known.toml [{case.id}, {subject.name}]")
    assert where in ("follows", "known", "absent"), f"{verdict.shape}: {verdict.detail} [{case.id}, {subject.name}]" + (
        f"; like {entry.id}, but not as recorded" if entry else ""
    )
