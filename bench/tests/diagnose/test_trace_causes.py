"""The table of causes: complete, checked entry by entry, its merges argued and its sentences filled."""

from __future__ import annotations

import string
from typing import Any

import numpy as np
import pytest

from bench.diagnose import Trace
from bench.diagnose.core.causes import CAUSES, TEMPLATE_FIELDS, group_of, load
from bench.diagnose.examples.example import KINDS
from bench.diagnose.hypotheses.anatomy import anatomy
from bench.diagnose.hypotheses.every import hypotheses
from bench.diagnose.hypotheses.evidence import gather_evidence
from bench.diagnose.rank import HEALTHY_CAUSES

#: Fields that `rank.explanation` fills, not the hypothesis.
IN_WORDS = {"schedule", "log"}
ENTRY: dict[str, Any] = {
    "title": "a schedule that runs ahead",
    "looks": "lr(t) is the schedule's value k steps later",
    "why": "scheduler.step() was called k times too often",
    "fix": "call scheduler.step() once",
    "sentence": "Every LR comes {k:step} early.",
    "numbers": 1,
}
#: What is changed in an entry, and what the message says of it.
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "unknown": ({"price": 1}, "cause='bad' has unknown fields: price"),
    "empty": ({"fix": ""}, "cause='bad' has empty fields: fix"),
    "parameter": ({"sentence": "{speed} early"}, "cause='bad' must mention parameters that hypotheses give, not speed"),
    "offset": ({"offset": 0.5}, "cause='bad' must have both of offset and cost_reason, or neither"),
    "reason": ({"cost_reason": "rare"}, "cause='bad' must have both of offset and cost_reason, or neither"),
    "argument": ({"merged_with": "good"}, "cause='bad' must have both of merged_with and argument, or neither"),
    "merge": (
        {"merged_with": "none", "argument": "the same numbers"},
        "cause='bad' must be merged with another cause, not 'none'",
    ),
    "self": (
        {"merged_with": "bad", "argument": "the same numbers"},
        "cause='bad' must be merged with another cause, not 'bad'",
    ),
}


def fields(sentence: str) -> set[str]:
    """The names in the braces of a template."""
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def test_the_benchmark_draws_thirty_kinds() -> None:
    """At least 30 kinds of mistake are drawn, each under a cause of the table."""
    faults = {kind.cause for name, kind in KINDS.items() if name != "follows"}
    assert len(faults) >= 30
    assert faults <= set(CAUSES)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_entry_is_named(name: str) -> None:
    """Each rule of the table is checked, and the message starts with the entry."""
    change, message = BAD[name]
    assert set(load({"good": ENTRY, "bad": ENTRY})) == {"good", "bad"}
    with pytest.raises(ValueError, match=r"^cause=") as caught:
        load({"good": ENTRY, "bad": ENTRY | change})
    assert str(caught.value) == message


@pytest.mark.parametrize("field", ENTRY)
def test_a_missing_field_is_named(field: str) -> None:
    """No field may be left out but those of a cost offset and of a merge."""
    with pytest.raises(ValueError, match=f"^cause='bad' has missing fields: {field}$"):
        load({"bad": {name: value for name, value in ENTRY.items() if name != field}})


def test_merged_causes_are_argued() -> None:
    """The merges of the table: who is reported as whom, each with its argument."""
    assert {c.id: c.merged_with for c in CAUSES.values() if c.argument} == {
        "log-after": "ahead",
        "torch-restore-order": "resume-scaled",
        "scheduler-state-without-optimizer": "resume-scaled",
    }
    assert group_of("log-after") == group_of("ahead") == "ahead"


def test_a_cost_is_its_numbers_and_its_offset() -> None:
    """An offset never outweighs the numbers: simpler causes stay cheaper than those with two numbers more."""
    assert all(cause.cost == cause.numbers + cause.offset for cause in CAUSES.values())
    assert all(-0.5 < cause.offset < 1 for cause in CAUSES.values())
    assert {c.id for c in CAUSES.values() if c.cost == 0} == {*HEALTHY_CAUSES, "lr-zero"}


@pytest.mark.parametrize("cause", CAUSES)
def test_titles_can_be_named_within_a_sentence(cause: str) -> None:
    """A title is a noun phrase: no full stop, no capital but of a class name."""
    title = CAUSES[cause].title
    assert not title.endswith(".")
    assert title.split()[0] in {"a", "an", "the", "another", "two", "log", "scheduler", "states", "OneCycleLR", "SWALR"}


@pytest.mark.parametrize("kind", KINDS)
def test_hypotheses_give_what_their_sentences_mention(kind: str) -> None:
    """No sentence of any hypothesis about a drawn run mentions a parameter that the hypothesis does not give."""
    drawn = next(d for d in (KINDS[kind].draw(np.random.default_rng(seed)) for seed in range(200)) if d is not None)
    trace = Trace(np.array(drawn.log[0]), np.array(drawn.log[1]))
    evidence = gather_evidence(trace, anatomy(drawn.expected, drawn.setting.base, drawn.setting.total))
    missing = {
        (hypothesis.cause, field)
        for hypothesis in hypotheses(evidence)
        if not hypothesis.says
        for field in fields(CAUSES[hypothesis.cause].sentence) - hypothesis.parameters.keys() - IN_WORDS
    }
    assert missing == set()
    assert set().union(*(fields(cause.sentence) for cause in CAUSES.values())) == TEMPLATE_FIELDS
