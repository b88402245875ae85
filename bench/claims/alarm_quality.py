"""The published answer on alarm rules: how good each is on runs that were not used to fit its threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.diverge.alarm_rules import BUDGET, CANDIDATES, DEFAULT, fitted
from bench.diverge.populations import FRESH, NEAR, TRAINING, Population, Sample
from bench.diverge.quality import Endings, Quality, endings, in_time, judge, leads, median
from bench.diverge.verdict import definitions
from bench.toy.measures import EDGE_LOSS, Estimate, Flags
from bench.watch.thresholds import HIGH_SHARE, WINDOW
from reference.check import Steps

from .alarm_picture import draw
from .core.publish import Claim, interval
from .core.runs import STAMPS, source_of

if TYPE_CHECKING:
    from pandas import DataFrame

#: The target on fresh runs: at least this share detected, at most this share of false alarms.
DETECTED_TARGET, FALSE_TARGET = 0.9, 0.05
COMMAND = "python -m bench alarms"
#: Of the table of runs; each further column is a rule, with the step of its alarm. The first rule is the one in use.
COLUMNS = [
    *("runs", "config", "norm", "steps", "schedule", "base_lr", "seed", "validation_loss", "outcome", "failure_step"),
    "lowest_level",
]
#: With fewer runs than this in settings that ended both ways nothing is said about them.
ENOUGH = 30


class MeasuredRule(NamedTuple):
    """A rule with its quality on the training runs, on all fresh runs, and on each population of fresh runs."""

    text: str
    alarms: Steps
    training: Quality
    fresh: Quality
    each: tuple[Quality, ...]

    @property
    def name(self) -> str:
        """The signals, without their thresholds."""
        return " or ".join(part.rpartition(" > ")[0] for part in self.text.split(" or "))

    @property
    def passes(self) -> bool:
        """Whether it meets both targets on the fresh runs."""
        return self.fresh.detected.value >= DETECTED_TARGET and self.fresh.false.value <= FALSE_TARGET

    @property
    def certain(self) -> bool:
        """Whether it meets them at every value of its intervals."""
        return self.fresh.detected.low >= DETECTED_TARGET and self.fresh.false.high <= FALSE_TARGET


def runs_table(training: Sample, fresh: Sequence[Sample]) -> DataFrame:
    """One row per run: its plan, its outcome, when the loss shows a failure, and when each rule raised an alarm."""
    import pandas

    good = training.records[np.flatnonzero(training.good).tolist()]
    rules = [DEFAULT, *(fitted(signals, good) for signals in CANDIDATES)]
    rows = []
    for runs in (training, *fresh):
        firsts, ends = {rule.text: rule.first(runs.records) for rule in rules}, endings(runs)
        for k, (plan, outcome) in enumerate(zip(runs.plans, runs.outcomes, strict=True)):
            final, lowest = float(runs.records.final[k]), float(ends.lowest[k])
            about = (runs.population.name, *plan, final, outcome.kind, outcome.step, lowest)
            steps = {text: int(first[k]) if first[k] >= 0 else None for text, first in firsts.items()}
            rows.append(dict(zip(COLUMNS, about, strict=True)) | steps)
    table = pandas.DataFrame(rows)
    for column in ("failure_step", *table.columns[len(COLUMNS) :]):
        table[column] = table[column].astype("Int64")
    return table


def endings_of(table: DataFrame) -> Endings:
    """How the runs of a table ended."""
    return Endings(
        np.array(table["runs"].tolist()),
        np.array(table["schedule"].tolist()),
        table["base_lr"].to_numpy(np.float64),
        table["seed"].to_numpy(np.int64),
        table["steps"].to_numpy(np.int64),
        np.array(table["outcome"].tolist()),
        table["failure_step"].fillna(-1).to_numpy(np.int64),
        table["lowest_level"].to_numpy(np.float64),
    )


def measured(runs: DataFrame) -> tuple[list[MeasuredRule], Endings, Endings]:
    """The rule in use, then every other, the best on the training runs first; the endings of training and fresh runs.

    The alarms are those of the fresh runs.
    """
    is_training = (runs["runs"] == TRAINING.name).to_numpy(bool)
    ends = endings_of(runs)
    training, fresh = ends[is_training], ends[~is_training]
    rules = []
    for text in (name for name in runs.columns if name not in (*STAMPS, *COLUMNS)):
        steps = runs[text].fillna(-1).to_numpy(np.int64)
        here = steps[~is_training]
        each = []
        for population in FRESH:
            rows = fresh.populations == population.name
            each.append(judge(here[rows], fresh[rows]))
        rules.append(MeasuredRule(text, here, judge(steps[is_training], training), judge(here, fresh), tuple(each)))
    return [rules[0], *sorted(rules[1:], key=lambda rule: -rule.training.detected.value)], training, fresh


def percent(estimate: Estimate) -> str:
    """A share with its interval, in percent.

    >>> percent(Estimate(0.5, 0.25, 0.75)), percent(Estimate(float("nan"), float("nan"), float("nan")))
    ('50 [25, 75]', '-')
    """
    return "-" if np.isnan(estimate.value) else "{:.0f} [{:.0f}, {:.0f}]".format(*(100 * share for share in estimate))


def _row(rule: MeasuredRule, used: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "alarm": f"{rule.text} (as used)" if used else rule.text,
        "training: detected %": percent(rule.training.detected),
        "training: false %": percent(rule.training.false),
        "fresh: detected %": percent(rule.fresh.detected),
        "fresh: false %": percent(rule.fresh.false),
        "fresh: alarm in unfinished %": percent(rule.fresh.others),
        "steps ahead of a collapse": "-" if np.isnan(rule.fresh.lead.value) else interval(rule.fresh.lead),
    }
    for quality, population in zip(rule.each, FRESH, strict=True):
        shares = [f"{100 * share.value:.0f}" for share in (quality.detected, quality.false)]
        row[f"{population.name}: detected / false %"] = " / ".join(shares)
    return row


def _percentage(flags: Flags) -> str:
    return f"{100 * float(flags.mean()):.0f}%" if flags.size else "none"


def _first(used: MeasuredRule, ends: Endings) -> str:
    counts = [int(rows.sum()) for rows in (ends.failed, ends.good, ends.unfinished)]
    meets = "meet" if used.passes else "do not meet"
    sure = "so do the whole intervals" if used.certain else "the intervals include values that do not"
    if not used.passes:
        sure = "see the intervals"
    return (
        f"Of {len(ends.kinds)} fresh runs near the edge of stability {counts[0]} failed, {counts[1]} learned the task "
        f"and {counts[2]} did neither. The alarm in use ({used.text}) was raised before the failure in "
        f"{percent(used.fresh.detected)}% of those that failed, and in {percent(used.fresh.false)}% of those that "
        f"learned. The two estimates {meets} the target of at least {DETECTED_TARGET:.0%} with at most "
        f"{FALSE_TARGET:.0%} false alarms; {sure}."
    )


def _unfinished(used: MeasuredRule, ends: Endings) -> str:
    alarmed = used.alarms >= 0
    as_good = alarmed[ends.good | ends.unfinished]
    right = in_time(used.alarms, ends)[alarmed]
    bad = (ends.failed | ends.unfinished)[alarmed]
    return (
        f"It was raised in {percent(used.fresh.others)}% of the {int(ends.unfinished.sum())} unfinished runs. If these "
        f"count as runs without a failure, {_percentage(as_good)} of the runs without a failure had an alarm, and "
        f"{_percentage(right)} of the alarms were followed by a failure; if they count as bad, {_percentage(bad)} of "
        "the alarms were in bad runs."
    )


def _lead(used: MeasuredRule, ends: Endings) -> str:
    ahead, undated = leads(used.alarms, ends), ends.undated & (used.alarms >= 0)
    when = median(100 * used.alarms[undated] / ends.lengths[undated])
    warned = f", a median of {interval(used.fresh.lead)} steps ahead" if ahead.size else ""
    return (
        f"How early? {int(ends.observed.sum())} of the {int(ends.failed.sum())} failures were collapses, which the "
        f"loss shows: from {EDGE_LOSS:g} or less to above 1. The alarm was first in {ahead.size} of them{warned}. The "
        f"other {int(ends.undated.sum())} never learned or ended just above 1. No step of theirs is the failure: in "
        "time means before good runs of the same schedule have learned, which is a definition and no lead. The alarm "
        f"was raised in {int(undated.sum())} of them, after {interval(when)}% of the run (median)."
    )


def _twins(used: MeasuredRule, ends: Endings) -> str:
    """Whether the alarm tells runs of one setting apart."""
    settings = np.array(ends.settings())
    mixed = np.zeros(len(settings), dtype=bool)
    others = np.zeros(len(settings), dtype=bool)
    for name in np.unique(settings):
        rows = settings == name
        mixed |= rows & bool((rows & ends.failed).any() and (rows & ends.good).any())
        for k in np.flatnonzero(rows):
            beside = rows & (np.arange(len(settings)) != k)
            others[k] = beside.any() and float(ends.failed[beside].mean()) > 0.5
    in_mixed = [mixed & ends.failed, mixed & ends.good]
    caught, wrong = int((in_time(used.alarms, ends) & in_mixed[0]).sum()), int(((used.alarms >= 0) & in_mixed[1]).sum())
    few = sum(int(rows.sum()) for rows in in_mixed) < ENOUGH
    end = (
        "That is too little to say that it tells a doomed run from its lucky twin: what is shown is that it finds, "
        "early, settings that are too hot."
        if few
        else "There it has to tell a doomed run from its lucky twin."
    )
    return (
        f"Settings or runs? In {len(np.unique(settings[mixed]))} of {len(np.unique(settings))} settings (schedule and "
        f"LR) some seeds failed and others learned: the alarm was raised in time in {caught} of "
        f"{int(in_mixed[0].sum())} of those that failed and in {wrong} of {int(in_mixed[1].sum())} of those that "
        f"learned. {end} For comparison, "
        f'"most other seeds of this setting failed" detects {_percentage(others[ends.failed])} with '
        f"{_percentage(others[ends.good])} false alarms, but needs these other runs."
    )


def answer(rules: Sequence[MeasuredRule], ends: Endings) -> list[str]:
    """The result as text."""
    used = rules[0]
    texts = [_first(used, ends), _unfinished(used, ends), _lead(used, ends), _twins(used, ends), _others(rules[1:])]
    return [line for text in texts if text for line in (text, "")][:-1]


def _others(rules: Sequence[MeasuredRule]) -> str:
    """The rules that are not in use; nothing where the runs have none."""
    rate = next((rule for rule in rules if rule.name == "LR"), None)
    from_loss = [rule for rule in rules if rule.name.startswith("loss")]
    if rate is None or not from_loss:
        return ""
    passing = [rule.name for rule in rules if rule.passes]
    loss = max(from_loss, key=lambda rule: rule.fresh.detected.value)
    return (
        f"Other rules: with fitted thresholds the target is met by {'; '.join(passing) or 'none'}. The best signal "
        f"taken from the loss itself ({loss.name}) detects {percent(loss.fresh.detected)}% with "
        f"{percent(loss.fresh.false)}% false alarms, the LR alone {percent(rate.fresh.detected)}% with "
        f"{percent(rate.fresh.false)}%."
    )


def _population(population: Population, ends: Endings) -> str:
    rows = ends.populations == population.name
    return (
        f"{population.name} ({population.config}, {population.norm}-LN, {population.steps} steps, decay "
        f"{' and '.join(population.decays)}, warmups {', '.join(map(str, population.warmups))}, "
        f"{len(population.seeds)} seeds from {population.seeds[0]}): {int(rows.sum())} runs, "
        f"{int(ends.failed[rows].sum())} failed, {int(ends.good[rows].sum())} learned"
    )


def how(training: Endings, fresh: Endings) -> dict[str, str]:
    """What was run, and what the numbers mean, by heading."""
    kinds = [_population(TRAINING, training), *(_population(population, fresh) for population in FRESH)]
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
        "The forms of the rules were chosen on other runs of the same kinds with other seeds, which are not published. "
        "The rule in use is the simplest of those that are within the interval of the best on the training runs: one "
        "signal, not divided by its first value; its threshold is rounded",
        "Signals": f"the loss is high while its level is above {HIGH_SHARE:g} times the first loss; update ratio and "
        "gradient norm: median of the last 5 steps, the update ratio from step 5 on",
        "Intervals": "95%; shares: the widest of Wilson's and two bootstraps, which draw whole schedules and whole "
        "seeds of a population, because runs that share either are not independent; bootstrap for medians. The rules "
        "are not corrected for their number: only the first was chosen before the fresh runs",
    }


def claim(runs: DataFrame) -> Claim:
    """The claim, from its runs."""
    import pandas

    rules, training, fresh = measured(runs)
    return Claim(
        "alarms",
        max(len(population.seeds) for population in FRESH),
        "Which instrument warns of a failure before the loss shows it, and how reliably?",
        answer(rules, fresh),
        how(training, fresh),
        pandas.DataFrame([_row(rule, k == 0) for k, rule in enumerate(rules)]),
        lambda: draw(rules, fresh, (DETECTED_TARGET, FALSE_TARGET)),
        "Left: detected failures against false alarms for each rule; right: when the alarm in use was raised in the "
        "runs that failed",
        f"{COMMAND} alarms",
        source=source_of(runs),
        again=f"{COMMAND} alarms --from results/alarms/alarms.runs.csv.gz",
    )
