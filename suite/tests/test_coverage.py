"""What the cases must cover; that the known deviations match them. A failure names the file to edit."""

from __future__ import annotations

import dataclasses
import pickle
import re

import pytest

import reference
from reference import (
    SWALR,
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    Schedule,
    SequentialLR,
)
from suite.cases.catalogue import all_cases
from suite.cases.schedules import compositions
from suite.engine.axes import Setup
from suite.engine.case import Case
from suite.engine.loop import RESTORES
from suite.engine.optimizers import OPTIMIZERS
from suite.engine.subject import installed
from suite.engine.verdict import Verdict, verdict_of
from suite.known import deviations
from suite.known.deviations import (
    Known,
    entry_for,
    readings,
    record_lines,
    recorded_release,
    records,
    stale_entries,
    standing,
    table,
)
from suite.known.entries import PREDICATES
from suite.known.entries.places import places
from suite.known.pitfalls import PITFALLS, Pitfall, pitfalls_of

CASES = all_cases()
NAMES = installed().public_names()


def _depth(schedule: Schedule) -> int:
    return 1 + max((_depth(part) for part in getattr(schedule, "schedulers", ())), default=0)


@pytest.mark.parametrize("name", NAMES)
def test_every_public_scheduler_has_a_twin_and_parameters(name: str) -> None:
    """Each class of torch is in the reference, and once among the parts of the pairs."""
    assert hasattr(reference, name), f"write {name} in reference/torch_*.py and export it in reference/__init__.py"
    parts = [part for part in compositions.PARTS if type(part).__name__ == name]
    assert len(parts) == 1, f"add {name} with parameters to PARTS in suite/cases/schedules/compositions.py"


@pytest.mark.parametrize("name", sorted({type(schedule).__name__ for schedule in compositions.singles()}))
def test_every_argument_differs_from_its_default_in_a_case(name: str) -> None:
    """A swapped or ignored argument shows only when it is not at its default."""
    twins = [schedule for schedule in compositions.singles() if type(schedule).__name__ == name]
    for field in dataclasses.fields(twins[0]):  # type: ignore[arg-type]  # every Schedule is a dataclass
        values = [getattr(twin, field.name) for twin in twins]
        assert values != [field.default] * len(values), (
            f"add {name} with {field.name} off its default to singles() in suite/cases/schedules/compositions.py"
        )


@pytest.mark.parametrize("composite", [SequentialLR, ChainedScheduler])
def test_every_ordered_pair_of_public_names_is_a_case(composite: type[Schedule]) -> None:
    """Any two public schedulers, in sequence and chained."""
    pairs = {
        tuple(type(part).__name__ for part in c.schedule.schedulers)  # type: ignore[attr-defined]  # composites have it
        for c in CASES
        if isinstance(c.schedule, composite)
    }
    missing = [(a, b) for a in NAMES for b in NAMES if (a, b) not in pairs]
    assert missing == [], "every class must be in PARTS of suite/cases/schedules/compositions.py"


def test_every_public_name_is_a_case_by_itself() -> None:
    """Including LRScheduler, which must be refused."""
    alone = {type(c.schedule).__name__ for c in CASES}
    assert set(NAMES) - alone == set(), "add them to singles() in suite/cases/schedules/compositions.py"


def test_nesting_reaches_depth_three() -> None:
    """Two composites around a scheduler, in at least one case of each outer kind."""
    deep = {type(c.schedule).__name__ for c in CASES if _depth(c.schedule) == 4}  # the schedulers are level 1
    assert deep >= {"SequentialLR", "ChainedScheduler"}


def test_every_axis_takes_every_value() -> None:
    """Groups, lists, LR types, optimizers, clocks, orders of restore, cuts before, at and after a milestone."""
    setups = [c.setup for c in CASES]
    assert {s.groups for s in setups} >= {1, 2, 3}
    assert {s.lr_type for s in setups} == {"float", "tensor", "shared"}
    assert {s.optimizer for s in setups} == {"sgd", "adam"} | OPTIMIZERS.keys(), (
        "extend _setups in suite/cases/catalogue.py"
    )
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
    """An entry that no case can show is stale; every field that a reader needs is present."""
    assert any(PREDICATES[entry.id](c) for c in CASES)
    assert entry.kind in ("defect", "surprise", "change")
    assert re.match(r"[A-Z]|[a-z]+_", entry.title), "a title starts with a capital letter or an argument's name"
    assert not entry.title.endswith(".")
    assert entry.symptom.endswith(".")
    assert entry.workaround
    assert entry.reading in {"", *readings()}


def test_every_reading_is_used_and_argued() -> None:
    """A reading that no entry rests on is stale."""
    assert set(readings()) == {e.reading for e in table().values()} - {""}
    assert all(r["reading"] and r["argument"] for r in readings().values())


def test_the_record_names_cases_and_entries_that_exist() -> None:
    """A line of known_cases.csv for a case that no longer exists fails."""
    ids = {c.id for c in CASES}
    assert [r.case for r in records().values() if r.case not in ids] == [], "run python -m suite accept"
    named = {entry for lines in record_lines().values() for line in lines for entry in line.entries.split("+")}
    assert named <= set(table()), "run python -m suite accept"


def test_every_entry_of_the_recorded_release_is_recorded() -> None:
    """An entry that covers the recorded release has at least one line."""
    shown = [table()[entry] for lines in record_lines().values() for r in lines for entry in r.entries.split("+")]
    assert stale_entries(recorded_release(), shown) == [], (
        "run python -m suite accept, or set `until` in suite/known/entries"
    )


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


def test_every_case_can_be_sent_to_another_process() -> None:
    """`check --module` runs the cases in a child; those with invalid arguments too."""
    assert [case.id for case in pickle.loads(pickle.dumps(CASES))] == [case.id for case in CASES]


def _plain(slug: str) -> Case:
    return next(c for c in CASES if c.id == slug)


def test_the_two_tables_must_name_the_same_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry without a predicate, or a predicate without an entry, is refused with the file to edit."""
    # Copies: putting an item back would move it to the end, and the first match wins.
    everything = PREDICATES
    monkeypatch.setattr(deviations, "PREDICATES", {**everything, "no-entry": lambda case: False})
    with pytest.raises(ValueError, match=r"^entries=\['no-entry'\] must be in a .toml of suite/known/entries too$"):
        table.__wrapped__()
    without = {name: predicate for name, predicate in everything.items() if name != "empty-rise"}
    monkeypatch.setattr(deviations, "PREDICATES", without)
    with pytest.raises(ValueError, match=r"^entries=\['empty-rise'\] must be in a .py of suite/known/entries too$"):
        table.__wrapped__()


def test_news_and_fixes_are_distinguished_from_known_deviations() -> None:
    """Strict both ways: an unknown deviation is news, a recorded one that follows is fixed, another step is news."""
    release = recorded_release()
    clean, wrong = _plain("steplr3_g0p7"), _plain("linearlr0_s0p01")
    record = records()[wrong.id]
    recorded = Verdict("deviates", record.shape, int(record.step), 0.99, channel="lr")
    assert standing(clean, Verdict("follows"), release) == "follows"
    assert standing(clean, Verdict("deviates", "scaled", 3, 0.1), release) == "news"
    assert standing(wrong, Verdict("follows"), release) == "fixed"
    assert standing(wrong, recorded, release) == "known"
    assert standing(wrong, Verdict("deviates", record.shape, int(record.step) + 1, 0.99), release) == "news"
    assert standing(wrong, Verdict("deviates", "reset", 0, 0.99), release) == "news"


def test_an_entry_explains_nothing_outside_its_releases() -> None:
    """Milestone 0 was fixed in 2.13, so the same deviation is news from then on."""
    case = next(c for c in CASES if c.id.startswith("seq2_m0.linearlr4_s0p13.exponentiallr"))
    verdict = Verdict("deviates", "scaled", 0, 0.87)
    before = entry_for(case, verdict, "2.12.1")
    assert before is not None
    assert before.id == "milestone-zero"
    assert entry_for(case, verdict, "2.13.0") is None


def test_a_short_later_phase_of_swalr_is_known() -> None:
    """With only two rows left after the milestone, its deviation looks like a constant factor."""
    schedule = SequentialLR((ExponentialLR(1.0625), SWALR(0.5, 1)), (10,))
    case = Case("", schedule, Setup(clock="epoch"), 32)
    entry = entry_for(case, verdict_of(case, installed()), recorded_release())
    assert entry is not None
    assert entry.id == "swalr-later-phase"


def test_places_names_every_scheduler_with_its_path() -> None:
    """A nested part knows the composites above it."""
    case = next(c for c in CASES if _depth(c.schedule) == 4)
    assert max(len(path) for _, path in places(case.schedule)) == 3
