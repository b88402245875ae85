"""Any case is found again from its id, in the catalogue or not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from suite.cases.catalogue import all_cases
from suite.cases.composed import actions, case_of, setup_of
from suite.cases.hypothesis_profiles import budget
from suite.cases.random_cases import cases
from suite.engine.case import Case


@budget(100)
@given(cases())
def test_a_random_case_is_found_by_its_id(case: Case) -> None:
    """The slug and the marks say everything: composition, setup, actions, number of updates."""
    found = case_of(case.id)
    assert (found.schedule, found.setup, found.steps) == (case.schedule, case.setup, case.steps)


def test_the_marks_of_every_setup_describe_it() -> None:
    """Every combination of axes and of actions that are the same for every composition is read back; the device too."""
    setups = {case.setup for case in all_cases()} | {case.setup for case in all_cases("cuda")[:9]}
    setups = {setup for setup in setups if all(action.mark in actions() for action in setup.actions)}
    assert len({setup for setup in setups if setup.actions}) >= 200
    assert [setup for setup in setups if setup_of(setup.marks) != setup] == []


@pytest.mark.parametrize("case_id", ["linearlr5-nonsense", "nosuchlr5", "linearlr-2group", "linearlr-builtfirst"])
def test_an_id_that_describes_nothing_is_answered_with_those_like_it(case_id: str) -> None:
    """One line, as for an id that is only misspelt."""
    with pytest.raises(ValueError, match=rf"^unknown case '{re.escape(case_id)}' \(\d+ known\).*$"):
        case_of(case_id)
