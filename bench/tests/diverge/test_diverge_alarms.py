"""Signals, alarm rules and how good they are."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest

from bench.diverge.alarm_rules import BUDGET, CANDIDATES, DEFAULT, WATCHED, AlarmRule, fitted
from bench.diverge.outcome import outcome
from bench.diverge.populations import FRESH, TRAINING, Population, Sample, sample
from bench.diverge.quality import clustered_share, endings, in_time, judge, leads, median
from bench.diverge.runs import PER_STEP, Plan, Records
from bench.diverge.signals import FIRST, SIGNALS
from bench.tests.diverge_runs import BAD, COLLAPSING, GOOD, LEARNING, MIDDLE, PLATEAU, STEPS, records
from bench.toy.measures import share
from bench.watch.thresholds import HIGH_SHARE
from suite.tests.house.tree import ROOT

POPULATION = Population("made", "small16", "post", STEPS, ("hold",), (0,), (0.1,), (0,))
#: The threshold in use is the fitted one, rounded by at most this share.
ROUNDED = 0.1


def drawn(runs: int = 6, steps: int = 25) -> Records:
    """Records of random walks, all positive."""
    random = np.random.default_rng(3)
    walks = {name: np.exp(np.cumsum(random.normal(0, 0.3, (runs, steps)), axis=1)) for name in PER_STEP}
    return records(walks.pop("losses"), [GOOD] * runs, **walks)


def sampled(made: Records, learned_by: int = 12) -> Sample:
    """These runs as a sample of a population."""
    ends = [outcome(row, float(final), learned_by) for row, final in zip(made.losses, made.final, strict=True)]
    plans = [Plan("small16", "post", STEPS, "linear0+hold", 0.1, seed) for seed in range(len(ends))]
    return Sample(POPULATION, plans, made, ends)


def logits(step: int, height: float = 100.0) -> np.ndarray:
    """Attention logits of 1 that jump at a step."""
    return np.where(np.arange(STEPS) < step, 1.0, height)


@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_does_not_depend_on_later_steps(name: str) -> None:
    """A signal at the first steps is the same whatever follows, so that an alarm could be acted on."""
    whole = drawn()
    values = SIGNALS[name](whole)
    assert values.shape == whole.losses.shape
    for step in (1, FIRST, FIRST + 1, 11, 24):
        np.testing.assert_array_equal(SIGNALS[name](whole.until(step)), values[:, :step])


def test_the_alarm_is_at_the_first_step_above_the_threshold() -> None:
    """NaN counts as above the threshold; −1 without an alarm."""
    made = records([LEARNING] * 3, [GOOD] * 3, attention_logits=[logits(7), logits(STEPS), logits(9, np.nan)])
    assert AlarmRule((("attention logit", 50.0),)).first(made).tolist() == [7, -1, 9]
    assert AlarmRule((("attention logit", 50.0), ("LR", 5e-4))).first(made).tolist() == [0, 0, 0]


def test_a_large_logit_warns_only_while_the_loss_is_high() -> None:
    """Once a run has started to learn, a large logit does not trigger the default rule."""
    made = records([LEARNING, LEARNING, PLATEAU], [GOOD] * 3, attention_logits=[logits(5), logits(20), logits(20)])
    assert DEFAULT.first(made).tolist() == [5, -1, 20]
    assert 0.2 < HIGH_SHARE * LEARNING[0] < 2.3


def test_an_alarm_at_the_failure_is_a_miss() -> None:
    """Detected means at least one step before the loss shows the failure; false means any alarm in a good run."""
    cases = [(PLATEAU, BAD, 11), (PLATEAU, BAD, 12), (PLATEAU, BAD, STEPS), (COLLAPSING, BAD, 4)]
    cases += [(LEARNING, GOOD, 39), (LEARNING, GOOD, STEPS), (LEARNING, MIDDLE, 2), (LEARNING, GOOD, STEPS)]
    losses, final, steps = zip(*cases, strict=True)
    runs = sampled(records(losses, final, attention_logits=[logits(step) for step in steps]))
    alarms = AlarmRule((("attention logit", 50.0),)).first(runs.records)
    ends = endings(runs)
    assert in_time(alarms, ends).tolist() == [True, False, False, True, False, False, False, False]
    quality = judge(alarms, ends)
    assert (quality.detected.value, quality.false.value, quality.others.value) == (0.5, 1 / 3, 1.0)
    assert [int(rows.sum()) for rows in (ends.failed, ends.good, ends.unfinished)] == [4, 3, 1]


def test_only_a_collapse_has_a_lead() -> None:
    """A run that never learned fails at no step: its alarm counts as detected, but not for the lead."""
    losses = [PLATEAU, COLLAPSING, COLLAPSING, COLLAPSING]
    runs = sampled(records(losses, [BAD] * 4, attention_logits=[logits(step) for step in (2, 4, 20, 35)]))
    alarms = AlarmRule((("attention logit", 50.0),)).first(runs.records)
    ends = endings(runs)
    assert ends.observed.tolist() == [False, True, True, True]
    assert leads(alarms, ends).tolist() == [26, 10]
    assert judge(alarms, ends).lead.value == median([26, 10]).value == 18.0


def test_a_share_of_clusters_is_less_certain() -> None:
    """Runs that always agree within their cluster count as one: the interval is that of the clusters."""
    flags = np.repeat([True, False, True, True], 25)
    whole = np.repeat(["a", "b", "c", "d"], 25).tolist()
    single = clustered_share(flags, [])
    assert single == share(flags)
    clustered = clustered_share(flags, [whole])
    assert clustered.value == 0.75
    assert clustered.high - clustered.low > 2 * (single.high - single.low)
    apart = clustered_share(flags, [np.arange(100).astype(str).tolist()])
    assert apart.high - apart.low < 1.1 * (single.high - single.low)
    assert np.isnan(clustered_share(np.zeros(0, dtype=bool), [[]]).value)


def test_thresholds_keep_to_their_budget() -> None:
    """Exactly the allowed number of the runs used for fitting raises an alarm, so no lower threshold would do."""
    made = records([LEARNING] * 50, [GOOD] * 50, attention_logits=[logits(5, 10.0 + k) for k in range(50)])
    for budget, allowed in ((0.0, 0), (0.05, 2), (0.1, 5)):
        alarm = fitted(["attention logit"], made, budget)
        assert int((alarm.first(made) >= 0).sum()) == allowed
    both = fitted(["attention logit", "attention logit while the loss is high"], made, 0.1)
    assert int((both.first(made) >= 0).sum()) == 2


def test_fitting_and_evaluation_use_different_runs() -> None:
    """Fresh runs share no seed with the training runs, and include other sizes, lengths and norms."""
    seeds = {seed for population in FRESH for seed in population.seeds}
    assert not seeds & set(TRAINING.seeds)
    assert {(p.config, p.norm, p.steps) for p in FRESH} > {(TRAINING.config, TRAINING.norm, TRAINING.steps)}


def test_a_sample_has_the_runs_near_the_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    """LRs within a factor of three of the largest stable one; a run that is too slow is not a failure."""
    population = Population("made", "small16", "post", STEPS, ("hold",), (0,), (0.001, 0.01, 0.02, 0.05, 0.3), (0, 1))
    ends = {0.001: BAD, 0.01: BAD, 0.02: GOOD, 0.05: BAD, 0.3: BAD}

    def trained(plans: list[Plan], folder: object, report: object) -> Records:
        finals = [ends[plan.base_lr] for plan in plans]
        return records([LEARNING if final <= 1 else PLATEAU for final in finals], finals)

    monkeypatch.setattr("bench.diverge.populations.train", trained)
    runs = sample(population)
    kinds = [(plan.base_lr, end.kind, end.step) for plan, end in zip(runs.plans, runs.outcomes, strict=True)][::2]
    assert kinds == [(0.01, "too slow", None), (0.02, "learned", None), (0.05, "never learned", 12)]


def test_the_alarm_in_use_is_the_published_one() -> None:
    """Thresholds are the published ones, rounded; on training runs the default is within the interval of the best."""
    with (ROOT / "results" / "alarms" / "alarms.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["alarm"] == f"{DEFAULT.text} (as used)"
    fits = {row["alarm"].rpartition(" > ")[0]: row for row in rows[1:]}
    for alarm in WATCHED:
        (name, threshold), *_ = alarm.parts
        assert abs(float(fits[name]["alarm"].rpartition(" > ")[2]) / threshold - 1) < ROUNDED
    shares = [[float(part) for part in re.findall(r"\d+", row["training: detected %"])] for row in rows[1:]]
    (own,) = re.findall(r"^\d+", fits[DEFAULT.name]["training: detected %"])
    assert float(own) >= max(shares)[1]


@pytest.mark.parametrize("parts", [(), (("attention logits", 1.0),)])
def test_an_alarm_rule_needs_known_signals(parts: tuple[tuple[str, float], ...]) -> None:
    """A rule without a signal, or with an unknown one, is refused."""
    with pytest.raises(ValueError, match=r"parts=\(\) must contain|signal='attention logits' must be one of"):
        AlarmRule(parts)


def test_every_candidate_can_be_fitted() -> None:
    """All signals of the candidates exist, and their false alarms stay within the budget."""
    for signals in CANDIDATES:
        alarm = fitted(signals, drawn())
        assert (alarm.first(drawn()) >= 0).mean() <= BUDGET
