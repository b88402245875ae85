"""Random nested compositions under random setups follow the reference, or deviate for a known cause.

`HYPOTHESIS_PROFILE=thorough` draws 20 times as many, different ones in each run.
"""

from __future__ import annotations

import pytest
from hypothesis import given

from suite.cases.hypothesis_profiles import budget, defined
from suite.cases.random_cases import cases, sound_cases
from suite.engine.case import Case
from suite.engine.subject import installed
from suite.engine.verdict import Verdict, verdict_of
from suite.known.deviations import entry_for
from suite.repro.script import script


def news(case: Case, verdict: Verdict) -> str:
    """What deviates, the id for `python -m suite repro`, and the script that shows it with torch alone."""
    details = "; ".join(f"{deviation.label}: {deviation.detail}" for deviation in verdict.deviations)
    return f"{details}\npython -m suite repro {case.id}\n{script(case, verdict)}"


@pytest.mark.slow
@budget(300)
@given(cases())
def test_random_case_follows_or_deviates_for_a_known_cause(case: Case) -> None:
    """Every deviation of a random composition matches the predicate and shapes of an entry of suite/known/entries."""
    subject = installed()
    with defined():
        verdict = verdict_of(case, subject)
    assert verdict.kind != "deviates" or entry_for(case, verdict, subject.release), news(case, verdict)


@pytest.mark.slow
@budget(400)
@given(sound_cases())
def test_sound_composition_follows(case: Case) -> None:
    """Compositions without a known deviation give every expected LR; no entry excuses them."""
    subject = installed()
    with defined():
        verdict = verdict_of(case, subject)
    assert verdict.follows, news(case, verdict)
