"""Random cases find planted faults that no case was written for."""

from __future__ import annotations

import pytest
import torch.optim.lr_scheduler as lrs
from hypothesis import Phase, find, settings

from suite.cases.hypothesis_profiles import budget, defined
from suite.cases.random_cases import cases
from suite.engine.case import Case
from suite.engine.subject import Subject
from suite.engine.verdict import verdict_of
from suite.known.deviations import entry_for
from suite.tests import broken
from suite.tests.test_broken_schedulers import FAULTS

#: Every fault but the two that the examples miss: ConstantLR is never given a wrong factor here, and phases that
#: start from another base LR mostly stand in a composition whose known deviations are as large.
CHOSEN = tuple(row[0] for row in FAULTS if row[0] not in ("accepts", "wrong_base"))
#: A fault shows in about one example of 80, at worst of 150 (16 seeds each). Hypothesis also draws the constants of
#: whatever modules are loaded, so each selection of tests draws other examples: 2 000 miss a fault in one draw of 10^5.
#: No shrinking, which takes most of the time.
DRAWN = settings(budget(2000), phases=[Phase.generate])
FAULT = {row[0]: row[1:3] for row in FAULTS}
#: Any known release: entries must not excuse the fault because they do not cover a made-up one.
RELEASE = "2.13.0"


def is_news(case: Case, subject: Subject) -> bool:
    """A deviation that no entry explains."""
    with defined():
        verdict = verdict_of(case, subject)
    return verdict.kind == "deviates" and not entry_for(case, verdict, RELEASE)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "fault"), [FAULT[name] for name in CHOSEN], ids=CHOSEN)
def test_random_cases_find_a_planted_fault(name: str, fault: object) -> None:
    """One of the random cases deviates in a way that no entry explains."""
    assert callable(fault)
    subject = broken.subject(name, fault if isinstance(fault, type) else broken.hooked(getattr(lrs, name), fault))
    found = find(cases(), lambda case: is_news(case, subject), settings=DRAWN)
    assert name.lower() in str(found.schedule).lower()
