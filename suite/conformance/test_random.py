"""Law: random nested compositions under random setups follow the reference, or deviate for a known cause.

`HYPOTHESIS_PROFILE=thorough` draws 20 times as many, and new ones in each run.
"""

from __future__ import annotations

import pytest
from hypothesis import given

from suite.cases.hypothesis_profiles import budget, defined
from suite.cases.strategies import cases, sound_cases
from suite.engine.case import Case
from suite.engine.subject import installed
from suite.engine.verdict import verdict_of
from suite.known.deviations import cause_of


@pytest.mark.slow
@budget(300)
@given(cases())
def test_random_case_follows_or_deviates_for_a_known_cause(case: Case) -> None:
    """Every deviation of a random composition has the structure and the shape of an entry of known.toml."""
    subject = installed()
    with defined():
        verdict = verdict_of(case, subject)
    assert verdict.kind != "deviates" or cause_of(case, verdict, subject.release), (
        f"{verdict.shape}: {verdict.detail} [{case.id}, {subject.name}]"
    )


@pytest.mark.slow
@budget(400)
@given(sound_cases())
def test_sound_composition_follows(case: Case) -> None:
    """Compositions without a known deviation give every LR that is due; nothing excuses them."""
    subject = installed()
    with defined():
        verdict = verdict_of(case, subject)
    assert verdict.follows, f"{verdict.shape}: {verdict.detail} [{case.id}, {subject.name}]"
