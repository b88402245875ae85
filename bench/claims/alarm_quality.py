"""The published answer on alarms: how good each is on runs that did not set its threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.diverge.alarm_rules import BUDGET, CANDIDATES, DEFAULT, AlarmRule, fitted
from bench.diverge.populations import NEAR, Sample
from bench.diverge.quality import Quality, judge, leads
from bench.diverge.verdict import definitions
from bench.toy.measures import Estimate
from bench.watch.thresholds import HIGH_SHARE, WINDOW
from suite.shared.plots import BLUE, GREEN, GREY, ORANGE

from .publish import Claim, figure, interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

#: What an alarm shall reach on fresh runs.
DETECTED_BAR, FALSE_BAR = 0.9, 0.05
COMMAND = "python -m bench alarms"


class MeasuredRule(NamedTuple):
    """An alarm with what it did on the training runs, on all fresh runs, and on each kind of them."""

    alarm: AlarmRule
    training: Quality
    fresh: Quality
    each: tuple[Quality, ...]

    @property
    def passes(self) -> bool:
        """Whether it reaches both bars on the fresh runs."""
        return self.fresh.detected.value >= DETECTED_BAR and self.fresh.false.value <= FALSE_BAR


def measured(training: Sample, fresh: Sequence[Sample]) -> list[MeasuredRule]:
    """The default alarm, and every candidate with its threshold from the good training runs, the best there first."""
    good = training.records[np.flatnonzero(training.good).tolist()]
    found = [
        MeasuredRule(
            alarm, judge(alarm, [training]), judge(alarm, fresh), tuple(judge(alarm, [runs]) for runs in fresh)
        )
        for alarm in [DEFAULT, *(fitted(signals, good) for signals in CANDIDATES)]
    ]
    return [found[0], *sorted(found[1:], key=lambda one: -one.training.detected.value)]


def percent(estimate: Estimate) -> str:
    """A share with its interval, in per cent.

    >>> percent(Estimate(0.5, 0.25, 0.75)), percent(Estimate(float("nan"), float("nan"), float("nan")))
    ('50 [25, 75]', '-')
    """
    return "-" if np.isnan(estimate.value) else "{:.0f} [{:.0f}, {:.0f}]".format(*(100 * share for share in estimate))


def table(rows: Sequence[MeasuredRule], fresh: Sequence[Sample]) -> DataFrame:
    """One row for each alarm; the first is the one that is used."""
    import pandas

    return pandas.DataFrame([_row(one, k == 0, fresh) for k, one in enumerate(rows)])


def _row(one: MeasuredRule, used: bool, fresh: Sequence[Sample]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "alarm": f"{one.alarm.text} (as used)" if used else one.alarm.text,
        "training: detected %": percent(one.training.detected),
        "training: false %": percent(one.training.false),
        "fresh: detected %": percent(one.fresh.detected),
        "fresh: false %": percent(one.fresh.false),
        "fresh: alarm in unfinished %": percent(one.fresh.others),
        "steps ahead": "-" if np.isnan(one.fresh.lead.value) else interval(one.fresh.lead),
    }
    for quality, runs in zip(one.each, fresh, strict=True):
        shares = [f"{100 * share.value:.0f}" for share in (quality.detected, quality.false)]
        row[f"{runs.population.name}: detected / false %"] = " / ".join(shares)
    return row


def answer(rows: Sequence[MeasuredRule]) -> list[str]:
    """The table in words."""
    used = rows[0]
    good = "reaches" if used.passes else "does not reach"
    first = (
        f"On {used.fresh.failed_runs + used.fresh.good_runs + used.fresh.unfinished_runs} fresh runs around the edge "
        f"of stability the alarm that is used ({used.alarm.text}) went off before the failure in "
        f"{percent(used.fresh.detected)} % of the {used.fresh.failed_runs} runs that failed, and in "
        f"{percent(used.fresh.false)} % of the {used.fresh.good_runs} that learned the task; median lead "
        f"{interval(used.fresh.lead)} steps. It {good} the bar of at least {DETECTED_BAR:.0%} detected at no more than "
        f"{FALSE_BAR:.0%} false alarms. Of the {used.fresh.unfinished_runs} runs between (unfinished) it marks "
        f"{percent(used.fresh.others)} %."
    )
    passing = [one.alarm.name for one in rows[1:] if one.passes]
    second = f"With thresholds as fitted, the bar is reached by: {'; '.join(passing) or 'none'}."
    loss = max((one for one in rows[1:] if one.alarm.name.startswith("loss")), key=lambda one: one.fresh.detected.value)
    rate = next(one for one in rows[1:] if one.alarm.name == "LR")
    third = (
        f"For comparison: the best of the readings of the loss itself ({loss.alarm.name}) detects "
        f"{percent(loss.fresh.detected)} % at {percent(loss.fresh.false)} % false alarms, the LR alone "
        f"{percent(rate.fresh.detected)} % at {percent(rate.fresh.false)} %."
    )
    return [first, "", second, "", third]


def how(training: Sample, fresh: Sequence[Sample]) -> dict[str, str]:
    """What was run, and what the numbers mean."""
    kinds = [
        f"{runs.population.name} ({runs.population.config}, {runs.population.norm}-LN, {runs.population.steps} steps, "
        f"decay {' and '.join(runs.population.decays)}, warmups {', '.join(map(str, runs.population.warmups))}, "
        f"{len(runs.population.seeds)} seeds from {runs.population.seeds[0]}): {len(runs.plans)} runs, "
        f"{int(runs.failed.sum())} failed, {int(runs.good.sum())} learned"
        for runs in (training, *fresh)
    ]
    return {
        "Runs": f"LRs half-octaves apart, within a factor of {NEAR:g} of the largest stable LR of each schedule. "
        + "; ".join(kinds),
        "Ends": f"{definitions()}. Failure is visible in the loss from this step on: after learning, the first loss "
        f"above 1 after the lowest level (median of {WINDOW} losses); for a run that never learned, the median step at "
        "which good runs of the same schedule get to 1",
        "Detected": "the alarm goes off at least 1 step before that; false: it goes off at any step of a run that "
        "learned. An alarm at or after the failure counts as a miss",
        "Thresholds": f"so that no more than {BUDGET:.0%} of good training runs give an alarm, half of it for each of "
        "two readings; sizes, lengths, seeds, warmups and LRs of the fresh runs took no part in it. The forms of the "
        "alarms were chosen on other runs, of the same kinds but with other seeds. The one used is, on the training "
        "runs, within the interval of the best; of such the simplest: one reading, not divided by its first value; "
        "its threshold is rounded",
        "Readings": f"the loss is high while its level is above {HIGH_SHARE:g} times the first loss; update ratio and "
        "gradient norm: median of the last 5 steps, the update ratio from step 5 on",
        "Intervals": "95 %: Wilson for shares, bootstrap for the median lead; runs of one seed are alike, "
        "which the intervals do not know",
    }


def picture(rows: Sequence[MeasuredRule], fresh: Sequence[Sample]) -> Figure:
    """Left: every alarm by what it detects and how often it is false. Right: how far ahead the one in use is."""
    used = rows[0]
    count = sum(len(runs.plans) for runs in fresh)
    made = figure(
        4.6,
        "An attention logit that grows while the loss does not fall warns early",
        f"{count} fresh runs. Dashed: the bar.",
    )
    left, right = made.subplots(1, 2, width_ratios=(3, 2))
    for one in rows[1:]:
        color = BLUE if len(one.alarm.parts) == 1 else GREEN
        left.plot(100 * one.fresh.false.value, 100 * one.fresh.detected.value, "o", color=color)
    for color, words in ((BLUE, "one reading"), (GREEN, "two readings")):
        left.plot([], [], "o", color=color, label=words)
    x, y = (100 * share.value for share in (used.fresh.false, used.fresh.detected))
    low = [[x - 100 * used.fresh.false.low], [y - 100 * used.fresh.detected.low]]
    high = [[100 * used.fresh.false.high - x], [100 * used.fresh.detected.high - y]]
    left.errorbar(
        [x], [y], [low[1], high[1]], [low[0], high[0]], fmt="*", markersize=14, color=ORANGE, label="as used, 95 %"
    )
    names = {"LR": "LR", "update ratio": "update ratio", "attention logit": "attention logit alone"}
    for one in rows[1:]:
        if one.alarm.name in names:
            at = (100 * one.fresh.false.value, 100 * one.fresh.detected.value)
            left.annotate(names[one.alarm.name], at, (6, -4), textcoords="offset points", fontsize=9, color=GREY)
    left.axvline(100 * FALSE_BAR, color=GREY, linewidth=0.8, linestyle="--")
    left.axhline(100 * DETECTED_BAR, color=GREY, linewidth=0.8, linestyle="--")
    left.set(xlabel="false alarms, % of runs that learned", ylabel="detected in time, % of failures", ylim=(-4, 104))
    left.set_xlim(-0.5, 100 * max(one.fresh.false.value for one in rows) + 2)
    left.legend(fontsize=9, loc="lower right")
    ahead = np.concatenate([leads(used.alarm, runs) for runs in fresh])
    right.hist(ahead[ahead >= 1], bins=20, color=ORANGE)
    right.set(xlabel="steps from alarm to visible failure", ylabel="runs", title="the alarm as used, detected in time")
    return made


def claim(training: Sample, fresh: Sequence[Sample]) -> Claim:
    """All of it, ready to be published."""
    rows = measured(training, fresh)
    return Claim(
        "alarms",
        max(len(runs.population.seeds) for runs in fresh),
        "Which instrument warns of a failed run before the loss shows it, and how reliably?",
        answer(rows),
        how(training, fresh),
        table(rows, fresh),
        lambda: picture(rows, fresh),
        "Left: detected failures against false alarms for each alarm; right: histogram of the lead of the one in use",
        COMMAND,
    )


def runs_table(fresh: Sequence[Sample]) -> DataFrame:
    """One row for each fresh run: what it was, how it ended, when the loss shows it, when the alarm went off."""
    import pandas

    rows = []
    for runs in fresh:
        for plan, found, loss, at in zip(
            runs.plans, runs.outcomes, runs.records.final, DEFAULT.first(runs.records), strict=True
        ):
            alarm = int(at) if at >= 0 else None
            row = {**plan._asdict(), "validation_loss": loss, "outcome": found.kind, "failure_step": found.step}
            rows.append({"runs": runs.population.name, **row, "alarm_step": alarm})
    made = pandas.DataFrame(rows)
    for column in ("failure_step", "alarm_step"):
        made[column] = made[column].astype("Int64")
    return made
