"""The sentences on alarms and on advice follow from their runs."""

from __future__ import annotations

from typing import Any

import pytest

from bench.claims import alarm_advice, alarm_quality
from bench.claims.core.runs import PUBLISHED, stamped
from bench.diverge.alarm_rules import DEFAULT
from bench.diverge.outcome import COLLAPSED, LEARNED, NEVER, UNFINISHED
from bench.diverge.populations import FRESH, TRAINING
from bench.diverge.recommend import DrawnSetup, TriedChange
from bench.diverge.remedy import TrainingSetup

pandas = pytest.importorskip("pandas")

#: Outcome, step of the failure, step of the alarm; each of them with its own LR, unless the same letter.
CASES = [
    ("a", NEVER, 50, 10),
    ("b", NEVER, 50, 50),  # too late
    ("c", COLLAPSED, 90, 60),
    ("c", LEARNED, None, None),
    ("d", LEARNED, None, None),
    ("d", LEARNED, None, 20),  # false
    ("e", UNFINISHED, None, 30),
    ("f", UNFINISHED, None, None),
]


def alarm_runs(late: int = 50) -> Any:
    """The cases in each fresh population, and among the training runs."""
    rows = []
    for population in (TRAINING, *FRESH):
        for seed, (setting, kind, failure, alarm) in enumerate(CASES):
            plan = (
                population.config,
                population.norm,
                population.steps,
                "linear0+cosine200",
                float(ord(setting)),
                seed,
            )
            step = late if alarm == 50 else alarm
            row = dict(zip(alarm_quality.COLUMNS, (population.name, *plan, 1.0, kind, failure, 0.4), strict=True))
            rows.append(row | {DEFAULT.text: step, "LR > 0.04": None, "loss at step 50 > 1.6": None})
    table = pandas.DataFrame(rows)
    return stamped(table, PUBLISHED, "0123456789ab")


def test_each_sentence_counts_its_runs() -> None:
    """Detected, false, unfinished both ways, collapses, and settings that ended both ways, counted by hand."""
    text = "\n".join(alarm_quality.claim(alarm_runs()).answer)
    assert "Of 40 fresh runs near the edge of stability 15 failed, 15 learned the task and 10 did neither." in text
    assert "before the failure in 67 [" in text
    assert "and in 33 [" in text
    assert "The two estimates do not meet the target of at least 90% with at most 5% false alarms" in text
    assert "raised in 50 [" in text
    assert "40% of the runs without a failure had an alarm, and 40% of the alarms were followed by a failure" in text
    assert "80% of the alarms were in bad runs" in text
    assert "5 of the 15 failures were collapses" in text
    assert "The alarm was first in 5 of them, a median of 30 [30, 30] steps ahead. The other 10 never learned" in text
    assert "In 5 of 30 settings" in text
    assert (
        "raised in time in 5 of 5 of those that failed and in 0 of 5 of those that learned. That is too little" in text
    )


def test_a_run_that_hovers_about_the_limit_has_no_lead() -> None:
    """A collapse starts from a loss of 0.5 or less; one from 0.9 to 1.1 is none, and its lead would mean nothing."""
    runs = alarm_runs()
    runs["lowest_level"] = 0.9
    assert "0 of the 15 failures were collapses" in "\n".join(alarm_quality.claim(runs).answer)


def test_an_alarm_in_time_is_detected() -> None:
    """One step earlier, the late alarm counts."""
    text = "\n".join(alarm_quality.claim(alarm_runs(late=49)).answer)
    assert "before the failure in 100 [" in text


def test_a_target_met_by_its_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """Meeting the target with the estimates is not the same as with the whole intervals."""
    runs = alarm_runs(late=49)
    runs.loc[runs["outcome"] == LEARNED, DEFAULT.text] = None
    assert "meet the target of at least 90% with at most 5% false alarms; the intervals include values" in "\n".join(
        alarm_quality.claim(runs).answer
    )
    monkeypatch.setattr(alarm_quality, "DETECTED_TARGET", 0.3)
    monkeypatch.setattr(alarm_quality, "FALSE_TARGET", 0.5)
    assert "so do the whole intervals" in "\n".join(alarm_quality.claim(runs).answer)


def drawn(loss: float, longer: float | None, lower: float | None, seed: int) -> DrawnSetup:
    """A setup that was drawn, with the losses after the two changes."""
    setup = TrainingSetup("small16", "post", 200, "linear10+cosine190", 0.04)
    return DrawnSetup(
        "small16, post-LN, cosine decay",
        setup,
        seed,
        loss,
        None if longer is None else TriedChange("linear100+cosine100", 0.04, longer),
        None if lower is None else TriedChange(setup.schedule, 0.02, lower),
    )


def test_the_advice_begins_with_its_news() -> None:
    """How many failing settings each change rescued; the target is on learning, not on not failing."""
    setups = [
        drawn(0.01, None, None, 0),
        drawn(2.0, 0.05, 0.02, 1),
        drawn(2.0, None, 0.5, 2),
        drawn(1.5, None, 0.03, 3),
    ]
    runs = stamped(alarm_advice.runs_table(setups), PUBLISHED, "0123456789ab")
    assert alarm_advice.from_table(runs) == setups
    claim = alarm_advice.claim(runs)
    assert claim.answer[0].startswith(
        "**A longer warmup rescued 1 of 3 failing settings, a lower LR 3.** For the other 2 "
    )
    assert "75 [" in claim.answer[2]
    assert "does not meet the target of 90%; 100 [" in claim.answer[2]
    assert not alarm_advice.meets(setups)
    assert alarm_advice.meets([*setups[:2], setups[3]])
