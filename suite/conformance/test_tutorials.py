"""What the tutorials' code does, compared with closed forms of the reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from reference.check import Rates
from reference.convention import Convention
from reference.hyperparameters import CosineWeightDecay
from reference.noam import Noam
from reference.pair import WarmupDecay
from reference.schedule import Schedule
from reference.timed_decay import CosineDecay, LinearDecay
from reference.warmup import ExponentialWarmup, LinearWarmup
from suite.engine import tolerances
from suite.engine.build import build
from suite.engine.case import Case
from suite.engine.subject import Subject, installed
from suite.engine.verdict import verdict_of
from suite.tutorials import outcomes
from suite.tutorials.code import NoamAfterStep, WeightDecayAfterEpoch, recorded_epochs, schedule_by_name
from suite.tutorials.outcomes import BASE_LR, EPOCHS, MIN_LR, PER_EPOCH, START_LR, WARMUP

BASE, LOW, START = 1.0, 1e-7, 1e-6  # of the hand-written function
TOTAL, RISE = 500, 50


@pytest.fixture(scope="module")
def subject() -> Subject:
    """The installed torch."""
    return installed()


def agree(actual: Rates, expected: Rates) -> bool:
    """Equal up to the rounding error allowed for a recursion of that many steps."""
    peak = np.abs(expected).max()
    return bool((np.abs(actual - expected) <= tolerances.of_peak(expected.size) * peak).all())


@pytest.mark.parametrize(("schedule", "steps"), [pytest.param(s, n, id=s.slug) for s, n in outcomes.compositions()])
def test_compositions_follow_their_twins(schedule: Schedule, steps: int, subject: Subject) -> None:
    """Each composition of torch schedulers in the tutorials has the LRs of the reference."""
    verdict = verdict_of(Case("tutorial", schedule, steps=steps), subject)
    assert verdict.follows, verdict.detail


@pytest.mark.parametrize("warmup_steps", [1, 7, 40])
def test_noam_class_starts_at_zero_and_runs_one_step_late(warmup_steps: int) -> None:
    """Stepped after the optimizer, the Noam class gives LR 0 first and then each LR one step late."""
    outcome = outcomes.noam_after_step(100, 128, warmup_steps)
    assert agree(outcome.actual, Noam(warmup_steps, 128, count="from_zero").trace(100))
    assert agree(outcome.actual[1:], outcome.expected[:-1])
    assert (outcome.first_step, outcome.size, outcome.actual[0]) == (0, 1.0, 0.0)
    assert (int(np.argmax(outcome.expected)), int(np.argmax(outcome.actual))) == (warmup_steps - 1, warmup_steps)


@pytest.mark.parametrize(("lr", "moves"), [(0.0, False), (1e-3, True)])
def test_first_batch_under_the_noam_class_changes_no_weight(lr: float, moves: bool) -> None:
    """With lr=0.0 the first update changes no weight; with a positive LR it does."""
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([weight], lr=lr)
    scheduler = NoamAfterStep(optimizer, 128, 4)
    weight.grad = torch.ones(3)
    optimizer.step()
    assert bool((weight.detach() != 1).any()) is moves
    scheduler.step()
    optimizer.step()
    assert bool((weight.detach() != 1).all())


def test_sequential_on_an_optimizer_at_zero_never_warms_up(subject: Subject) -> None:
    """With lr=0.0, SequentialLR is exactly 0 up to the milestone; after it only eta_min contributes."""
    outcome = outcomes.optimizer_at_zero(100, 40, 100, subject)
    wave = CosineDecay(100).trace(60)  # ½(1 + cos)
    assert (outcome.first_step, outcome.size) == (0, 1.0)
    assert not outcome.actual[:41].any()
    assert agree(outcome.actual[40:], MIN_LR * (1 - wave))


def test_tutorial_length_at_zero_is_all_zero(subject: Subject) -> None:
    """Ten epochs of 32 batches end inside the warmup of 4000 steps: the whole run has LR 0."""
    epochs, batches = 10, math.ceil(1000 / 32)
    assert not outcomes.optimizer_at_zero(epochs * batches, 4000, 10_000, subject).actual.any()


def test_decay_with_the_total_as_its_length_stops_early(subject: Subject) -> None:
    """With T_max the whole run, the cosine covers only (T−W)/T of its range."""
    outcome = outcomes.decay_too_long(100, 40, subject)
    assert outcome.first_step == 41
    assert agree(outcome.actual[40:], CosineDecay(100, min_lr=MIN_LR).trace(60, BASE_LR))
    assert outcome.size == pytest.approx(outcome.actual[-1] / outcome.expected[-1] - 1)


def reference_of(rise: str, fall: str) -> Schedule:
    """The combination that a name means, by closed forms of the reference."""
    rises = {"linear_warmup": LinearWarmup(RISE, START), "exp_warmup": ExponentialWarmup(RISE, START)}
    falls = {"cosine": CosineDecay(TOTAL - RISE, LOW), "linear": LinearDecay(TOTAL - RISE, LOW)}
    return WarmupDecay(rises[rise], falls[fall], Convention("affine"))


@pytest.mark.parametrize(
    ("name", "rise", "fall"),
    [
        ("linear_warmup_cosine", "linear_warmup", "cosine"),
        ("linear_warmup_linear", "linear_warmup", "linear"),
        ("linear_warmup_step", "linear_warmup", "linear"),
        ("linear_warmup_exp", "linear_warmup", "linear"),
        ("exp_warmup_cosine", "exp_warmup", "cosine"),
        ("exp_warmup_linear", "exp_warmup", "linear"),
    ],
)
def test_names_choose_their_first_substring(name: str, rise: str, fall: str) -> None:
    """The hand-written function uses the first decay that matches, so step and exp become linear."""
    rates = np.array(schedule_by_name(name, TOTAL, RISE, BASE, LOW, START))
    assert agree(rates, reference_of(rise, fall).trace(TOTAL, BASE))


def test_step_by_name_leaves_the_step_decay_after_the_warmup() -> None:
    """'linear_warmup_step' goes wrong one step after the warmup, and is most wrong at the second drop."""
    rates = np.array(schedule_by_name("linear_warmup_step", TOTAL, RISE, BASE, LOW, START))
    intended = outcomes.named_compositions(RISE, TOTAL)["linear_warmup_step"].trace(TOTAL, BASE)
    outcome = outcomes.TutorialOutcome(intended, rates)
    second = RISE + 2 * (TOTAL - RISE) // 3
    assert (outcome.first_step, int(np.argmax(rates / intended))) == (RISE + 1, second)
    assert rates[second] / intended[second] == pytest.approx((LOW + (BASE - LOW) / 3) / (BASE / 100))


def test_step_is_reached_only_with_another_warmup() -> None:
    """'exp_warmup_step' does not contain 'linear', so the step decay is used."""
    rates = np.array(schedule_by_name("exp_warmup_step", TOTAL, RISE, BASE, LOW, START))
    intended = outcomes.named_compositions(RISE, TOTAL)["linear_warmup_step"].trace(TOTAL, BASE)
    assert agree(rates[RISE:], intended[RISE:])


@pytest.mark.parametrize(
    ("name", "missed"),
    [
        ("linear_warmup_linear", (BASE - LOW) / (TOTAL - RISE)),
        ("linear_warmup_cosine", (BASE - LOW) * math.sin(math.pi / 2 / (TOTAL - RISE)) ** 2),
        ("exp_warmup_exp", LOW * ((BASE / LOW) ** (1 / (TOTAL - RISE)) - 1)),
    ],
)
def test_last_step_misses_min_lr(name: str, missed: float) -> None:
    """The last LR is above min_lr by what one more step of the decay would subtract."""
    rates = schedule_by_name(name, TOTAL, RISE, BASE, LOW, START)
    # The rate is a sum or a power near 1e-7 of numbers near 1: allow of_peak for those.
    assert rates[-1] - LOW == pytest.approx(missed, rel=1e-9, abs=tolerances.of_peak(TOTAL))
    assert rates[-1] > LOW


def test_names_without_a_warmup_are_refused() -> None:
    """A name without a known warmup is an error that lists the known ones."""
    with pytest.raises(ValueError, match="name='cosine' must contain one of linear_warmup, exp_warmup"):
        schedule_by_name("cosine", TOTAL, RISE)


@pytest.mark.parametrize("epochs", [2, 3, 10])
def test_weight_decay_class_uses_its_first_value_twice(epochs: int) -> None:
    """Epoch 0's weight decay is used in epochs 0 and 1, and every later one is an epoch late."""
    outcome = outcomes.weight_decay_after_epoch(1e-3, 0.1, epochs)
    curve = CosineWeightDecay(1e-3, 0.1, epochs)
    assert agree(outcome.actual, curve(np.maximum(np.arange(epochs) - 1, 0)))
    assert (outcome.first_step, outcome.actual[0]) == (1, outcome.actual[1])
    assert agree(outcome.actual[-1:], curve([epochs - 2]))


def test_weight_decay_class_does_not_end_at_its_end() -> None:
    """Even the value set after the last epoch falls short of the end value."""
    optimizer = outcomes.one_weight(1e-3, 1e-3)
    outcomes.in_force(optimizer, WeightDecayAfterEpoch(optimizer, 1e-3, 0.1, 10), 10, "weight_decay")
    left = optimizer.param_groups[0]["weight_decay"]
    assert left == pytest.approx(float(CosineWeightDecay(1e-3, 0.1, 10)(9)), rel=1e-12)
    assert left < 0.1


def test_recorded_list_is_the_trace_with_a_typed_first_entry(subject: Subject) -> None:
    """The list of 100 LRs equals the LRs in force, its typed first entry included."""
    outcome = outcomes.recorded_list(subject)
    assert outcome.first_step is None
    assert agree(outcome.actual, outcomes.warmup_times_cosine(WARMUP, EPOCHS).trace(EPOCHS, BASE_LR))
    assert outcome.actual[0] == pytest.approx(START_LR, rel=1e-12)


def test_typed_entry_does_not_notice_another_warmup(subject: Subject) -> None:
    """With a different start factor the list still starts with the typed value; torch does not."""
    optimizer = outcomes.one_weight(BASE_LR)
    scheduler = build(outcomes.warmup_then_cosine(WARMUP, EPOCHS - WARMUP, 0.1), optimizer, subject)
    real = optimizer.param_groups[0]["lr"]
    recorded = recorded_epochs(scheduler, optimizer, 3, START_LR)
    assert recorded[0] == START_LR
    assert real == pytest.approx(0.1 * BASE_LR, rel=1e-12)


def test_torch_holds_the_lr_inside_an_epoch(subject: Subject) -> None:
    """Stepped per epoch, torch gives a staircase; the tutorial's slope starts each epoch at the previous epoch's LR."""
    outcome = outcomes.picture_inside_epochs(subject)
    epochs = outcomes.warmup_times_cosine(WARMUP, EPOCHS).trace(EPOCHS, BASE_LR)
    assert agree(outcome.actual, outcomes.staircase().trace(EPOCHS * PER_EPOCH, BASE_LR))
    assert agree(outcome.actual, np.repeat(epochs, PER_EPOCH))
    assert outcome.first_step == PER_EPOCH
    assert outcome.size == pytest.approx(epochs[1] / epochs[0] - 1)
    assert agree(outcome.expected[PER_EPOCH * 5 :: PER_EPOCH][:15], epochs[4:19])
    assert not outcome.wrong[PER_EPOCH * WARMUP :].any()


def test_chained_is_not_sequential(subject: Subject) -> None:
    """ChainedScheduler departs from SequentialLR at epoch 1; its peak is lower by the cosine's decay up to epoch 20."""
    outcome = outcomes.chained_for_sequential(subject)
    assert agree(outcome.actual, outcomes.warmup_times_cosine(WARMUP, EPOCHS).trace(EPOCHS, BASE_LR))
    assert (outcome.first_step, int(np.argmax(outcome.expected)), int(np.argmax(outcome.actual))) == (1, WARMUP, WARMUP)
    assert outcome.expected.max() == pytest.approx(BASE_LR)
    fallen = float(CosineDecay(EPOCHS)(WARMUP))  # without eta_min the peak is just this
    assert fallen * BASE_LR < outcome.actual.max() < fallen * BASE_LR + MIN_LR


def test_sequential_is_not_deprecated(subject: Subject) -> None:
    """A correct loop never gets a warning that SequentialLR is deprecated, and since 2.9 gets none at all."""
    release = tuple(int(part) for part in subject.release.split(".")[:2])
    messages = outcomes.warnings_of_sequential(subject)
    assert [text for text in messages if "SequentialLR" in text] == []
    assert len(messages) == (0 if release >= (2, 9) else 1)  # one milestone, one step(0) of torch's own


def test_step_with_an_epoch_is_deprecated(subject: Subject) -> None:
    """torch deprecates the epoch argument of step()."""
    messages = outcomes.warnings_of_step_epoch(subject)
    assert len(messages) == 1
    assert "epoch parameter" in messages[0]


def test_chained_exists_in_the_installed_release(subject: Subject) -> None:
    """ChainedScheduler and SequentialLR are both public."""
    assert {"ChainedScheduler", "SequentialLR"} <= set(subject.public_names())


def test_release_comparison_needs_the_version_type() -> None:
    """The tutorial's `torch.__version__ >= '2.6'` compares releases, which a plain string would not."""
    version = torch.__version__
    assert (version >= "2.6") == (tuple(int(p) for p in version.split(".")[:2]) >= (2, 6))
    assert not str.__ge__("2.13.0", "2.6")


def test_stepwise_warmup_climbs_above_the_base_lr(subject: Subject) -> None:
    """StepLR with gamma above 1 starts at the base LR, rises to 16 times the base LR and falls back."""
    trace = outcomes.torch_trace(outcomes.stepwise_warmup(), EPOCHS, BASE_LR, subject)
    steps = np.arange(WARMUP)
    assert agree(trace[:WARMUP], np.asarray(BASE_LR * 2.0 ** (steps // 4), np.float64))
    assert agree(trace[WARMUP:], CosineDecay(EPOCHS - WARMUP).trace(EPOCHS - WARMUP, BASE_LR))
