"""Which of several possible causes are real: measured on simpler cases."""

from __future__ import annotations

import pytest

from reference import ConstantLR, LinearLR, MultiplicativeLR, OneCycleLR, SequentialLR
from suite.cases.catalogue import find
from suite.engine.axes import Setup
from suite.engine.case import Case
from suite.engine.subject import installed
from suite.engine.verdict import Verdict, verdict_of
from suite.known.ablation import judge_on, real_causes, simpler_cases
from suite.known.deviations import explained, recorded_release

FOLLOWS, DEVIATES = Verdict("follows"), Verdict("deviates", "scaled", channel="lr")
#: A composition and a setup with one known cause each.
BOTH = Case(
    "",
    SequentialLR((LinearLR(0.13, 1.0, 6), MultiplicativeLR(LinearLR(0.71, 0.93, 7))), (6,)),
    Setup(resume="optimizerfirst", cuts=(3,)),
)
CANDIDATES = ("multiplicative-later-phase", "optimizer-loaded-before-build")


@pytest.mark.parametrize("real", [CANDIDATES[:1], CANDIDATES[1:], CANDIDATES])
def test_only_a_cause_that_is_enough_alone_is_real(real: tuple[str, ...]) -> None:
    """A subject on which one of the two causes does nothing, or none."""

    def judge(case: Case) -> Verdict:
        composition = any(isinstance(part, MultiplicativeLR) for part in case.schedule.schedulers[1:])  # type: ignore[attr-defined]
        causes = {CANDIDATES[0]: composition, CANDIDATES[1]: bool(case.setup.resume)}
        return DEVIATES if any(causes[name] for name in real) else FOLLOWS

    assert real_causes(BOTH, DEVIATES, CANDIDATES, judge) == real


def test_causes_that_only_act_together_are_both_real() -> None:
    """Without either of them the LR is right; a warning is another channel, and counts for nothing here."""
    judge = {True: DEVIATES, False: Verdict("deviates", "warns", channel="warnings")}
    together = real_causes(BOTH, DEVIATES, CANDIDATES, lambda case: judge[case.id == BOTH.id])
    assert together == CANDIDATES


def test_simpler_cases_leave_out_one_thing() -> None:
    """The plain loop, one axis fewer, one scheduler fewer; never the case itself."""
    ids = {case.id for _, case in simpler_cases(BOTH)}
    assert BOTH.id not in ids
    assert Case("", BOTH.schedule).id in ids
    neutral = SequentialLR((LinearLR(0.13, 1.0, 6), ConstantLR(1.0, 1)), (6,))
    assert {Case("", neutral).id, Case("", neutral, BOTH.setup).id} <= ids


@pytest.mark.parametrize(
    ("case_id", "entries"),
    [
        # Restored in the wrong order: that its rise is empty matters at the end of the run only.
        ("onecyclelr0p23_n17_p1p0-optimizerfirst_at3", ["optimizer-loaded-before-build"]),
        # What goes with one part and the reversed order together need not be due to the order.
        (
            "chain2.seq2_m6.linearlr6_s0p13.constantlr3_f1p0.exponentiallr0p89-reversed",
            ["sequential-inside-chain"],
        ),
        # The first LR comes from the initial_lr of the scheduler that was built before.
        ("chain2.exponentiallr0p89.cycliclr0p017_h0p19_u3_d5_c0", ["cyclic-first-lr-stale"]),
        (
            "seq2_m6.linearlr6_s0p13.multiplicativelr.exponentiallr0p83-lastepoch_at3",
            ["multiplicative-later-phase", "last-epoch-sequential"],
        ),
    ],
)
def test_the_causes_of_an_lr_on_the_installed_torch(case_id: str, entries: list[str]) -> None:
    """Measured now, and as recorded."""
    case, subject = find(case_id), installed()
    verdict = verdict_of(case, subject)
    runs = (judge_on(subject), None) if subject.release == recorded_release() else (judge_on(subject),)
    for run in runs:
        assert [entry.id for entry in explained(case, verdict, subject.release, run)[0]] == entries


def test_a_judge_runs_each_case_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many cases simplify to the same one."""
    ran: list[str] = []

    def counted(case: Case, subject: object) -> Verdict:
        ran.append(case.id)
        return FOLLOWS

    monkeypatch.setattr("suite.known.ablation.verdict_of", counted)
    judge = judge_on(installed())
    assert [judge(BOTH), judge(BOTH)] == [FOLLOWS, FOLLOWS]
    assert ran == [BOTH.id]


def test_a_cycle_in_a_first_phase_replaces_the_base_lr() -> None:
    """Two entries could explain it; the schedule decides, not the order of the table."""
    case = Case("", SequentialLR((OneCycleLR(0.23, 40), ConstantLR(0.5, 30)), (6,)))
    verdict = verdict_of(case, installed())
    entries = {entry.id for causes in explained(case, verdict, installed().release) for entry in causes}
    assert entries == {"cycle-replaces-base-lr"}
