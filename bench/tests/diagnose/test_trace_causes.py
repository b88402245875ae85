"""The registry of causes: complete, and each merging argued."""

from __future__ import annotations

import string

import pytest

from bench.diagnose.core.causes import CAUSES, group_of
from bench.diagnose.examples.fault_kinds import KINDS


def test_the_benchmark_draws_thirty_kinds() -> None:
    """At least 30 kinds of mistake are drawn, each under a cause of the registry."""
    faults = {kind.cause for name, kind in KINDS.items() if name != "follows"}
    assert len(faults) >= 30
    assert faults <= set(CAUSES)


def test_every_cause_says_what_to_change() -> None:
    """No part of an entry is empty."""
    parts = ("title", "looks", "why", "fix", "sentence")
    assert [(c.id, part) for c in CAUSES.values() for part in parts if not getattr(c, part)] == []


def test_merged_causes_are_argued() -> None:
    """What is merged with another cause says why no trace tells them apart, and nothing else says so."""
    merged = {c.id for c in CAUSES.values() if c.merged_with}
    assert merged == {c.id for c in CAUSES.values() if c.argument}
    assert {CAUSES[name].merged_with for name in merged} <= set(CAUSES)
    assert group_of("log-after") == group_of("ahead") == "ahead"


@pytest.mark.parametrize("cause", CAUSES)
def test_sentences_are_templates(cause: str) -> None:
    """Each sentence formats: its braces are well formed and name fields."""
    fields = [name for _, name, _, _ in string.Formatter().parse(CAUSES[cause].sentence) if name is not None]
    assert all(name.isidentifier() for name in fields)
