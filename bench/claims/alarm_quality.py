"""The published answer on alarm rules: how good each is on runs that were not used to fit its threshold."""

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

from .core.publish import Claim, figure, interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

#: The target on fresh runs: at least this share detected, at most this share of false alarms.
DETECTED_TARGET, FALSE_TARGET = 0.9, 0.05
COMMAND = "python -m bench alarms"


class MeasuredRule(NamedTuple):
    """A rule with its quality on the training runs, on all fresh runs, and on each population of fresh runs."""

    alarm: AlarmRule
    training: Quality
    fresh: Quality
    each: tuple[Quality, ...]

    @property
    def passes(self) -> bool:
        """Whether it meets both targets on the fresh runs."""
        return self.fresh.detected.value >= DETECTED_TARGET and self.fresh.false.value <= FALSE_TARGET


def measured(training: Sample, fresh: Sequence[Sample]) -> list[MeasuredRule]:
    """The default rule, then every candidate fitted to the good training runs, the best there first."""
    good = training.records[np.flatnonzero(training.good).tolist()]
    rules = [
        MeasuredRule(
            alarm, judge(alarm, [training]), judge(alarm, fresh), tuple(judge(alarm, [runs]) for runs in fresh)
        )
        for alarm in [DEFAULT, *(fitted(signals, good) for signals in CANDIDATES)]
    ]
    return [rules[0], *sorted(rules[1:], key=lambda rule: -rule.training.detected.value)]


def percent(estimate: Estimate) -> str:
    """A share with its interval, in percent.

    >>> percent(Estimate(0.5, 0.25, 0.75)), percent(Estimate(float("nan"), float("nan"), float("nan")))
    ('50 [25, 75]', '-')
    """
    return "-" if np.isnan(estimate.value) else "{:.0f} [{:.0f}, {:.0f}]".format(*(100 * share for share in estimate))


def table(rows: Sequence[MeasuredRule], fresh: Sequence[Sample]) -> DataFrame:
    """One row per rule; the first is the one in use."""
    import pandas

    return pandas.DataFrame([_row(rule, k == 0, fresh) for k, rule in enumerate(rows)])


def _row(rule: MeasuredRule, used: bool, fresh: Sequence[Sample]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "alarm": f"{rule.alarm.text} (as used)" if used else rule.alarm.text,
        "training: detected %": percent(rule.training.detected),
        "training: false %": percent(rule.training.false),
        "fresh: detected %": percent(rule.fresh.detected),
        "fresh: false %": percent(rule.fresh.false),
        "fresh: alarm in unfinished %": percent(rule.fresh.others),
        "steps ahead": "-" if np.isnan(rule.fresh.lead.value) else interval(rule.fresh.lead),
    }
    for quality, runs in zip(rule.each, fresh, strict=True):
        shares = [f"{100 * share.value:.0f}" for share in (quality.detected, quality.false)]
        row[f"{runs.population.name}: detected / false %"] = " / ".join(shares)
    return row


def answer(rows: Sequence[MeasuredRule]) -> list[str]:
    """The table as text."""
    used = rows[0]
    meets = "meets" if used.passes else "does not meet"
    first = (
        f"On {used.fresh.failed_runs + used.fresh.good_runs + used.fresh.unfinished_runs} fresh runs near the edge of "
        f"stability, the alarm in use ({used.alarm.text}) warned before the failure in {percent(used.fresh.detected)}% "
        f"of the {used.fresh.failed_runs} runs that failed, and warned in {percent(used.fresh.false)}% of the "
        f"{used.fresh.good_runs} runs that learned the task; the median lead is {interval(used.fresh.lead)} steps. "
        f"This {meets} the target of at least {DETECTED_TARGET:.0%} detected with at most {FALSE_TARGET:.0%} false "
        f"alarms. Of the {used.fresh.unfinished_runs} unfinished runs it warned in {percent(used.fresh.others)}%."
    )
    passing = [rule.alarm.name for rule in rows[1:] if rule.passes]
    second = f"With fitted thresholds, the target is met by: {'; '.join(passing) or 'none'}."
    from_loss = [rule for rule in rows[1:] if rule.alarm.name.startswith("loss")]
    loss = max(from_loss, key=lambda rule: rule.fresh.detected.value)
    rate = next(rule for rule in rows[1:] if rule.alarm.name == "LR")
    third = (
        f"For comparison: the best signal taken from the loss itself ({loss.alarm.name}) detects "
        f"{percent(loss.fresh.detected)}% with {percent(loss.fresh.false)}% false alarms, the LR alone "
        f"{percent(rate.fresh.detected)}% with {percent(rate.fresh.false)}%."
    )
    return [first, "", second, "", third]


def how(training: Sample, fresh: Sequence[Sample]) -> dict[str, str]:
    """What was run, and what the numbers mean, by heading."""
    kinds = [
        f"{runs.population.name} ({runs.population.config}, {runs.population.norm}-LN, {runs.population.steps} steps, "
        f"decay {' and '.join(runs.population.decays)}, warmups {', '.join(map(str, runs.population.warmups))}, "
        f"{len(runs.population.seeds)} seeds from {runs.population.seeds[0]}): {len(runs.plans)} runs, "
        f"{int(runs.failed.sum())} failed, {int(runs.good.sum())} learned"
        for runs in (training, *fresh)
    ]
    return {
        "Runs": f"LRs half an octave apart, within a factor of {NEAR:g} of the largest stable LR of each schedule: "
        + "; ".join(kinds),
        "Outcomes": f"{definitions()}. The loss shows a failure from this step on: after learning, the first loss "
        f"above 1 after the lowest level (median of {WINDOW} losses); for a run that never learned, the median step at "
        "which good runs of the same schedule reach 1",
        "Detected": "there is an alarm at least 1 step before that; false: there is an alarm at any step of a run that "
        "learned. An alarm at or after the failure counts as a miss",
        "Thresholds": f"fitted so that at most {BUDGET:.0%} of good training runs raise an alarm, half of it for each "
        "of two signals; the fresh runs, with their sizes, lengths, seeds, warmups and LRs, were not used for fitting. "
        "The forms of the rules were chosen on other runs of the same kinds with other seeds. The rule in use is the "
        "simplest of those that are within the interval of the best on the training runs: one signal, not divided by "
        "its first value; its threshold is rounded",
        "Signals": f"the loss is high while its level is above {HIGH_SHARE:g} times the first loss; update ratio and "
        "gradient norm: median of the last 5 steps, the update ratio from step 5 on",
        "Intervals": "95%: Wilson for shares, bootstrap for the median lead; runs with the same seed are correlated, "
        "which the intervals ignore",
    }


def picture(rows: Sequence[MeasuredRule], fresh: Sequence[Sample]) -> Figure:
    """Left: detected failures against false alarms for every rule. Right: the lead of the rule in use."""
    used = rows[0]
    count = sum(len(runs.plans) for runs in fresh)
    drawing = figure(
        4.6,
        "An attention logit that grows while the loss does not fall warns early",
        f"{count} fresh runs. Dashed: the target.",
    )
    left, right = drawing.subplots(1, 2, width_ratios=(3, 2))
    for rule in rows[1:]:
        color = BLUE if len(rule.alarm.parts) == 1 else GREEN
        left.plot(100 * rule.fresh.false.value, 100 * rule.fresh.detected.value, "o", color=color)
    for color, label in ((BLUE, "one signal"), (GREEN, "two signals")):
        left.plot([], [], "o", color=color, label=label)
    x, y = (100 * share.value for share in (used.fresh.false, used.fresh.detected))
    low = [[x - 100 * used.fresh.false.low], [y - 100 * used.fresh.detected.low]]
    high = [[100 * used.fresh.false.high - x], [100 * used.fresh.detected.high - y]]
    left.errorbar(
        [x], [y], [low[1], high[1]], [low[0], high[0]], fmt="*", markersize=14, color=ORANGE, label="as used, 95 %"
    )
    names = {"LR": "LR", "update ratio": "update ratio", "attention logit": "attention logit alone"}
    for rule in rows[1:]:
        if rule.alarm.name in names:
            point = (100 * rule.fresh.false.value, 100 * rule.fresh.detected.value)
            left.annotate(names[rule.alarm.name], point, (6, -4), textcoords="offset points", fontsize=9, color=GREY)
    left.axvline(100 * FALSE_TARGET, color=GREY, linewidth=0.8, linestyle="--")
    left.axhline(100 * DETECTED_TARGET, color=GREY, linewidth=0.8, linestyle="--")
    left.set(xlabel="false alarms, % of runs that learned", ylabel="detected in time, % of failures", ylim=(-4, 104))
    left.set_xlim(-0.5, 100 * max(rule.fresh.false.value for rule in rows) + 2)
    left.legend(fontsize=9, loc="lower right")
    ahead = np.concatenate([leads(used.alarm, runs) for runs in fresh])
    right.hist(ahead[ahead >= 1], bins=20, color=ORANGE)
    right.set(xlabel="steps from alarm to visible failure", ylabel="runs", title="the alarm as used, detected in time")
    return drawing


def claim(training: Sample, fresh: Sequence[Sample]) -> Claim:
    """The claim, ready to be published."""
    rows = measured(training, fresh)
    return Claim(
        "alarms",
        max(len(runs.population.seeds) for runs in fresh),
        "Which instrument warns of a failure before the loss shows it, and how reliably?",
        answer(rows),
        how(training, fresh),
        table(rows, fresh),
        lambda: picture(rows, fresh),
        "Left: detected failures against false alarms for each rule; right: histogram of the lead of the one in use",
        COMMAND,
    )


def runs_table(fresh: Sequence[Sample]) -> DataFrame:
    """One row per fresh run: its plan, its outcome, when the loss shows a failure, when the alarm was."""
    import pandas

    rows = []
    for runs in fresh:
        for plan, outcome, loss, step in zip(
            runs.plans, runs.outcomes, runs.records.final, DEFAULT.first(runs.records), strict=True
        ):
            alarm = int(step) if step >= 0 else None
            row = {**plan._asdict(), "validation_loss": loss, "outcome": outcome.kind, "failure_step": outcome.step}
            rows.append({"runs": runs.population.name, **row, "alarm_step": alarm})
    result = pandas.DataFrame(rows)
    for column in ("failure_step", "alarm_step"):
        result[column] = result[column].astype("Int64")
    return result
