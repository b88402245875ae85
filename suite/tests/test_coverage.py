"""What the cases must cover, and the table of known deviations against them: nothing stale, nothing unexplained."""

from __future__ import annotations

import re

import pytest

from reference import ChainedScheduler, ConstantLR, CosineAnnealingLR, LambdaLR, Schedule, SequentialLR
from suite.cases.catalogue import all_cases
from suite.engine.case import Case
from suite.engine.loop import RESTORES
from suite.engine.subject import installed
from suite.engine.verdict import Verdict, verdict_of
from suite.known.deviations import Known, cause_of, readings, recorded_release, records, standing, table, unseen_entries
from suite.known.pitfalls import PITFALLS, Pitfall, pitfalls_of
from suite.known.predicates import CAUSES, places

CASES = all_cases()
NAMES = installed().public_names()


def _depth(schedule: Schedule) -> int:
    return 1 + max((_depth(part) for part in getattr(schedule, "schedulers", ())), default=0)


@pytest.mark.parametrize("composite", [SequentialLR, ChainedScheduler])
def test_every_ordered_pair_of_public_names_is_a_case(composite: type[Schedule]) -> None:
    """Any two public schedulers, one after the other and both at once."""
    pairs = {
        tuple(type(part).__name__ for part in c.schedule.schedulers)  # type: ignore[attr-defined]  # composites have it
        for c in CASES
        if isinstance(c.schedule, composite)
    }
    assert [(a, b) for a in NAMES for b in NAMES if (a, b) not in pairs] == []


def test_every_public_name_stands_alone_in_a_case() -> None:
    """Also LRScheduler, which must be refused."""
    alone = {type(c.schedule).__name__ for c in CASES}
    assert set(NAMES) - alone == set()


def test_nesting_reaches_depth_three() -> None:
    """Two composites around a scheduler, in at least one case of each outer kind."""
    deep = {type(c.schedule).__name__ for c in CASES if _depth(c.schedule) == 4}  # the schedulers are level 1
    assert deep >= {"SequentialLR", "ChainedScheduler"}


def test_every_axis_takes_every_value() -> None:
    """Groups, lists, LR types, optimizers, clocks, orders of restore, cuts before, at and after a milestone."""
    setups = [c.setup for c in CASES]
    assert {s.groups for s in setups} >= {1, 2, 3}
    assert {s.lr_type for s in setups} == {"float", "tensor", "shared"}
    assert {s.optimizer for s in setups} == {"sgd", "adam"}
    assert {s.clock for s in setups} == {"step", "epoch", "micro"}
    assert {s.resume for s in setups} == {"", *RESTORES}
    assert {s.cuts for s in setups} >= {(3,), (6,), (7,), (3, 9)}
    assert any(s.lists for s in setups)
    assert any(s.saved for s in setups)
    assert any(s.reverse for s in setups)
    assert len({s.jumps for s in setups}) >= 4


def test_ids_are_unique_and_every_runner_can_select_them() -> None:
    """Letters, digits and ``_ . + -`` only."""
    assert len({c.id for c in CASES}) == len(CASES)
    assert [c.id for c in CASES if not re.fullmatch(r"[a-z0-9_.+-]+", c.id)] == []


@pytest.mark.parametrize("entry", table().values(), ids=list(table()))
def test_an_entry_matches_a_case_and_is_complete(entry: Known) -> None:
    """An entry that no case can show is stale; every field that a reader needs is there."""
    assert any(CAUSES[entry.id](c) for c in CASES)
    assert entry.kind in ("defect", "surprise")
    assert entry.title
    assert entry.symptom.endswith(".")
    assert entry.workaround
    assert entry.reading in {"", *readings()}


def test_every_reading_is_used_and_argued() -> None:
    """A reading that no entry rests on is stale."""
    assert set(readings()) == {e.reading for e in table().values()} - {""}
    assert all(r["reading"] and r["argument"] for r in readings().values())


def test_the_record_names_cases_and_entries_that_exist() -> None:
    """A line of known_cases.csv for a case that is gone fails."""
    ids = {c.id for c in CASES}
    assert [r.case for r in records().values() if r.case not in ids] == []
    assert {r.entry for r in records().values()} <= set(table())


def test_every_entry_of_the_recorded_release_is_recorded() -> None:
    """An entry that should show there has a line."""
    shown = [table()[r.entry] for r in records().values()]
    assert unseen_entries(recorded_release(), shown) == []


@pytest.mark.parametrize("pitfall", PITFALLS, ids=lambda p: p.id)
def test_a_generated_case_shows_each_pitfall(pitfall: Pitfall) -> None:
    """At least one case that follows the documentation shows it."""
    assert any(pitfall in pitfalls_of(c) for c in CASES if not c.setup.marks and c.family != "refused")


def test_the_workaround_for_a_rising_cosine_stays_at_the_minimum() -> None:
    """Switching to LambdaLR at T_max holds eta_min, in the reference and in torch."""
    floor = LambdaLR(ConstantLR(0.03 / 0.3, 100))
    case = Case("", SequentialLR((CosineAnnealingLR(5, 0.03), floor), (5,)))
    rates = case.schedule.trace(case.steps, 0.3)
    assert rates[5:] == pytest.approx(0.03)
    assert verdict_of(case, installed()).follows


def _plain(slug: str) -> Case:
    return next(c for c in CASES if c.id == slug)


def test_news_and_fixes_are_told_from_what_is_known() -> None:
    """Strict both ways: an unknown deviation is news, a recorded one that follows is fixed, another step is news."""
    release = recorded_release()
    clean, wrong = _plain("steplr3_g0p7"), _plain("linearlr0_s0p01")
    record = records()[wrong.id]
    due = Verdict("deviates", record.shape, int(record.step), 0.99)
    assert standing(clean, Verdict("follows"), release)[0] == "follows"
    assert standing(clean, Verdict("deviates", "scaled", 3, 0.1), release) == ("news", None)
    assert standing(wrong, Verdict("follows"), release)[0] == "fixed"
    assert standing(wrong, due, release)[0] == "known"
    assert standing(wrong, Verdict("deviates", record.shape, int(record.step) + 1, 0.99), release)[0] == "news"
    assert standing(wrong, Verdict("deviates", "reset", 0, 0.99), release)[0] == "news"


def test_an_entry_explains_nothing_outside_its_releases() -> None:
    """Milestone 0 was mended in 2.13, so the same deviation is news from there on."""
    case = next(c for c in CASES if c.id.startswith("seq2_m0.linearlr4_s0p13.exponentiallr"))
    verdict = Verdict("deviates", "scaled", 0, 0.87)
    before = cause_of(case, verdict, "2.12.1")
    assert before is not None
    assert before.id == "milestone-zero"
    assert cause_of(case, verdict, "2.13.0") is None


def test_places_names_every_scheduler_with_its_path() -> None:
    """A nested part knows the composites above it."""
    case = next(c for c in CASES if _depth(c.schedule) == 4)
    assert max(len(path) for _, path in places(case.schedule)) == 3
