"""The two tutorials as cases: what each code path is meant to do, and what it does.

A `TutorialOutcome` pairs the LR trace that the text promises with the one measured on a real optimizer.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from reference import (
    ChainedScheduler,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    Schedule,
    SequentialLR,
    StepLR,
)
from reference.check import Rates
from reference.clock import per_epoch
from reference.hyperparameters import CosineWeightDecay
from reference.noam import Noam
from reference.warmup import ExponentialWarmup
from suite.engine import tolerances
from suite.engine.build import build
from suite.engine.loop import TrainingLoop
from suite.engine.subject import Subject

from .code import NoamAfterStep, WeightDecayAfterEpoch, drawn_inside_epoch, recorded_epochs

#: The ViT tutorial's numbers: epochs, warmup epochs, optimizer steps per epoch, and LRs.
EPOCHS, WARMUP, PER_EPOCH = 100, 20, 50
BASE_LR, MIN_LR, START_LR = 1e-3, 1e-6, 1e-6


def warmup_then_cosine(warmup: int, t_max: int, start: float = START_LR / BASE_LR) -> SequentialLR:
    """LinearLR, then CosineAnnealingLR, which takes T_max steps from the milestone."""
    return SequentialLR((LinearLR(start, 1.0, warmup), CosineAnnealingLR(t_max, MIN_LR)), (warmup,))


def warmup_times_cosine(warmup: int, total: int) -> ChainedScheduler:
    """LinearLR and CosineAnnealingLR chained, with T_max the whole run."""
    return ChainedScheduler((LinearLR(START_LR / BASE_LR, 1.0, warmup), CosineAnnealingLR(total, MIN_LR)))


def named_compositions(warmup: int, total: int) -> dict[str, SequentialLR]:
    """The four combinations of the ViT tutorial as torch schedulers, for base LR 1."""
    length, low, start = total - warmup, 1e-7, 1e-6
    linear = LinearLR(start, 1.0, warmup)
    third = length // 3
    return {
        "linear_warmup_cosine": SequentialLR((linear, CosineAnnealingLR(length, low)), (warmup,)),
        "linear_warmup_linear": SequentialLR((linear, LinearLR(1.0, low, length)), (warmup,)),
        "linear_warmup_step": SequentialLR((linear, MultiStepLR((third, 2 * third))), (warmup,)),
        "exp_warmup_cosine": SequentialLR(
            (LambdaLR(ExponentialWarmup(warmup, start)), CosineAnnealingLR(length, low)), (warmup,)
        ),
    }


def compositions() -> Iterator[tuple[Schedule, int]]:
    """Every composition of torch schedulers in the tutorials, with the number of steps to run."""
    yield warmup_then_cosine(WARMUP, EPOCHS - WARMUP), EPOCHS + 4
    yield warmup_then_cosine(WARMUP, EPOCHS), EPOCHS + 4  # T_max not reduced to the rest
    yield warmup_times_cosine(WARMUP, EPOCHS), EPOCHS + 4
    yield warmup_times_cosine(WARMUP, EPOCHS - WARMUP), EPOCHS + 4  # T_max not the total
    yield warmup_then_cosine(40, 100, 0.01), 100  # 4000 of 10 000 steps, scaled down
    yield warmup_then_cosine(40, 60, 0.01), 104
    yield LinearLR(0.1, 1.0, 10), 14
    for schedule in named_compositions(10, 100).values():
        yield schedule, 104
    yield SequentialLR((LinearLR(1e-6, 1.0, 10), ExponentialLR(1e-7 ** (1 / 90))), (10,)), 104
    yield stepwise_warmup(), 104


def stepwise_warmup() -> SequentialLR:
    """StepLR with gamma 2 as a warmup, as the ViT tutorial suggests, before a cosine.

    Intended: a stepwise rise to the base LR. Actual: StepLR starts at the base LR and multiplies it.
    First step: 0, at the full LR. Size: 16 times the base LR from step 16 to the milestone, then back to it.
    Dividing the base LR by 16 does not help: the cosine then starts from a sixteenth.
    """
    return SequentialLR((StepLR(4, 2.0), CosineAnnealingLR(EPOCHS - WARMUP)), (WARMUP,))


@dataclasses.dataclass(frozen=True, eq=False)
class TutorialOutcome:
    """The expected and the actual values: one per optimizer step (or epoch)."""

    expected: Rates
    actual: Rates

    @property
    def wrong(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Where the two differ by more than the rounding error of torch's recursion."""
        allowed = tolerances.of_peak(self.expected.size) * np.abs(self.expected).max()
        return np.asarray(np.abs(self.actual - self.expected) > allowed)

    @property
    def first_step(self) -> int | None:
        """The first step at which they differ, or None."""
        return int(np.argmax(self.wrong)) if self.wrong.any() else None

    @property
    def size(self) -> float:
        """The largest relative error, 0 if nothing differs."""
        wrong = self.wrong
        return float(np.max(np.abs(self.actual / self.expected - 1)[wrong], initial=0.0))


def one_weight(lr: float, weight_decay: float = 0.0) -> torch.optim.Optimizer:
    """AdamW with one parameter and no gradient: its steps are cheap and change nothing."""
    return torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=lr, weight_decay=weight_decay)


def in_force(optimizer: torch.optim.Optimizer, scheduler: Any, steps: int, key: str = "lr", every: int = 1) -> Rates:
    """The value of `key` in each optimizer step; the scheduler steps after every `every`-th one."""
    return np.array([values[0] for values in TrainingLoop(optimizer, scheduler, every).lrs(steps, key)])


def torch_trace(schedule: Schedule, steps: int, base_lr: float, subject: Subject, every: int = 1) -> Rates:
    """The LRs in force under the real torch scheduler of the same name."""
    optimizer = one_weight(base_lr)
    return in_force(optimizer, build(schedule, optimizer, subject), steps, every=every)


def noam_after_step(steps: int, d_model: int = 128, warmup_steps: int = 4000) -> TutorialOutcome:
    """The paper's Noam, and the tutorial's class on its optimizer with lr=0.0: see `NoamAfterStep`."""
    optimizer = one_weight(0.0)
    actual = in_force(optimizer, NoamAfterStep(optimizer, d_model, warmup_steps), steps)
    return TutorialOutcome(Noam(warmup_steps, d_model).trace(steps), actual)


def optimizer_at_zero(steps: int, warmup_steps: int, t_max: int, subject: Subject) -> TutorialOutcome:
    """The Noam tutorial's other branch: SequentialLR on the same optimizer, created with lr=0.0.

    Intended: warmup from 1e-5 to 1e-3, then a cosine. Actual: every factor multiplies a base LR of 0.
    First step: 0. Size: 100 %: the LR is exactly 0 for the whole warmup of 4000 steps, and the tutorial
    trains for 320, so nothing is ever learnt. Only after the milestone does eta_min raise it, to 1e-6 at most.
    """
    schedule = warmup_then_cosine(warmup_steps, t_max, 0.01)
    return TutorialOutcome(schedule.trace(steps, BASE_LR), torch_trace(schedule, steps, 0.0, subject))


def decay_too_long(steps: int, warmup_steps: int, subject: Subject) -> TutorialOutcome:
    """The Noam tutorial's T_max: the total number of steps, although the cosine starts at the milestone.

    Intended: a decay to eta_min by the end of `steps` steps. Actual: the cosine covers 60 % of its range.
    First step: one after the milestone. Size: the last LR is 0.35 of the peak, 346 times the intended value.
    """
    intended = warmup_then_cosine(warmup_steps, steps - warmup_steps, 0.01)
    written = warmup_then_cosine(warmup_steps, steps, 0.01)
    return TutorialOutcome(intended.trace(steps, BASE_LR), torch_trace(written, steps, BASE_LR, subject))


def weight_decay_after_epoch(initial: float, final: float, epochs: int) -> TutorialOutcome:
    """Weight decay in each epoch, as intended and under the tutorial's class: see `WeightDecayAfterEpoch`."""
    optimizer = one_weight(1e-3, initial)
    scheduler = WeightDecayAfterEpoch(optimizer, initial, final, epochs)
    actual = in_force(optimizer, scheduler, epochs, "weight_decay")
    return TutorialOutcome(CosineWeightDecay(initial, final, epochs).trace(epochs), actual)


def recorded_list(subject: Subject) -> TutorialOutcome:
    """The ViT tutorial's list of 100 LRs, and the LRs in force: see `recorded_epochs`."""
    schedule, optimizer = warmup_times_cosine(WARMUP, EPOCHS), one_weight(BASE_LR)
    recorded = recorded_epochs(build(schedule, optimizer, subject), optimizer, EPOCHS, START_LR)
    return TutorialOutcome(np.array(recorded), torch_trace(schedule, EPOCHS, BASE_LR, subject))


def picture_inside_epochs(subject: Subject) -> TutorialOutcome:
    """The LRs that the ViT tutorial draws inside its epochs, and the LRs in force: see `drawn_inside_epoch`."""
    schedule = warmup_times_cosine(WARMUP, EPOCHS)
    recorded = recorded_list(subject).expected.tolist()
    drawn = [drawn_inside_epoch(recorded, e, WARMUP, PER_EPOCH, START_LR) for e in range(EPOCHS)]
    in_epochs = torch_trace(schedule, EPOCHS * PER_EPOCH, BASE_LR, subject, every=PER_EPOCH)
    return TutorialOutcome(np.concatenate([np.array(d) for d in drawn]), in_epochs)


def staircase() -> Schedule:
    """The LR of a scheduler stepped once per epoch, in optimizer steps."""
    return per_epoch(warmup_times_cosine(WARMUP, EPOCHS), PER_EPOCH)


def chained_for_sequential(subject: Subject) -> TutorialOutcome:
    """ChainedScheduler where the ViT tutorial says it replaces SequentialLR.

    Intended: warmup to 1e-3, then a cosine. Actual: the cosine runs from epoch 0.
    First step: epoch 1. Size: the peak, still at epoch 20, is 9.0468e-4 instead of 1e-3, and later epochs are
    up to 35 % too low.
    """
    expected = warmup_then_cosine(WARMUP, EPOCHS - WARMUP).trace(EPOCHS, BASE_LR)
    return TutorialOutcome(expected, torch_trace(warmup_times_cosine(WARMUP, EPOCHS), EPOCHS, BASE_LR, subject))


def warnings_of_sequential(subject: Subject) -> list[str]:
    """The warnings of a correct loop around SequentialLR, across its milestone.

    The ViT tutorial says that SequentialLR is deprecated since 2.6. It is not: only the argument of
    step(epoch) is deprecated. Up to 2.8 SequentialLR passed it itself at each milestone, so one warning
    appeared that no user had caused; since 2.9 there is none.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch_trace(warmup_then_cosine(3, 5), 8, BASE_LR, subject)
    return [str(w.message) for w in caught]


def warnings_of_step_epoch(subject: Subject) -> list[str]:
    """The warnings of step(epoch) on a plain scheduler."""
    optimizer = one_weight(BASE_LR)
    scheduler = build(CosineAnnealingLR(5), optimizer, subject)
    optimizer.step()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scheduler.step(2)
    return [str(w.message) for w in caught]
