"""The parts of an expected schedule: a warmup and a decay that can be changed one at a time."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from reference import (
    ChainedScheduler,
    Clocked,
    ConstantDecay,
    ConstantLR,
    ConstantWarmup,
    Convention,
    CosineAnnealingLR,
    CosineDecay,
    Decay,
    Delayed,
    ExponentialDecay,
    ExponentialLR,
    InverseSqrtDecay,
    LambdaLR,
    LinearDecay,
    LinearLR,
    LinearWarmup,
    MultiStepDecay,
    MultiStepLR,
    Noam,
    OneCycleLR,
    PolynomialDecay,
    PolynomialLR,
    ReduceLROnPlateau,
    Schedule,
    SequentialLR,
    StableDecay,
    StepDecay,
    StepLR,
    Warmup,
    WarmupDecay,
)
from reference.check import Rates, Steps

#: Two formulas of one schedule agree to this, relative to the peak: they differ only by rounding.
SAME = 1e-9


@dataclasses.dataclass(frozen=True)
class Anatomy:
    """An expected schedule at its base LR; `pair` is the same curve as a warmup and a decay, if there is one.

    `base`: the base LR of the whole schedule, `pair_base`: that of the pair (they differ for Noam, whose values are
    learning rates); `total`: the steps of the run, if known.
    """

    schedule: Schedule
    base: float
    pair: WarmupDecay | None
    pair_base: float
    total: int | None

    def at(self, t: Steps) -> Rates:
        """The expected LR at any integer steps; before 0 that of step 0."""
        return values(self.schedule, t, self.base)

    @property
    def warmup_steps(self) -> int:
        """W, 0 if no warmup is known."""
        if self.pair is None:
            return self.schedule.warmup_steps if isinstance(self.schedule, Noam) else 0
        return self.pair.warmup.warmup_steps

    @property
    def decay_steps(self) -> int | None:
        """D on the clock of the decay, None if it has no length."""
        return None if self.pair is None else decay_length(self.pair.decay)

    @property
    def floor(self) -> float:
        """The LR at the end of the decay, 0 if unknown."""
        return 0.0 if self.pair is None else float(getattr(self.pair.decay, "min_lr", 0.0))

    @functools.cached_property
    def first(self) -> float:
        """The LR of step 0."""
        return float(self.at(np.zeros(1, np.int64))[0])

    @functools.cached_property
    def drops(self) -> tuple[int, ...]:
        """The steps of the run at which a stepwise decay drops."""
        if self.pair is None or not isinstance(self.pair.decay, StepDecay | MultiStepDecay):
            return ()
        start = self.warmup_steps if self.pair.convention.clock == "prefix" else 0
        decay, last = self.pair.decay, self.total or 0
        if isinstance(decay, MultiStepDecay):
            return tuple(start + m for m in decay.milestones)
        return tuple(range(start + decay.step_size, max(last, start + 1), decay.step_size))


def values(schedule: Schedule, t: Steps, base: float) -> Rates:
    """The schedule at any integer steps, constant beyond its ends (before step 0, after a OneCycleLR)."""
    t = np.maximum(t, 0)
    last = last_step(schedule)
    return schedule(t if last is None else np.minimum(t, last), base)


def last_step(schedule: Schedule) -> int | None:
    """The last step for which a schedule has a value; None if it has no end."""
    if isinstance(schedule, OneCycleLR):
        return schedule.length - 1
    if isinstance(schedule, ReduceLROnPlateau):
        return len(schedule.metrics)
    if isinstance(schedule, LambdaLR):
        return last_step(schedule.lr_lambda)
    if isinstance(schedule, Delayed):
        inner = last_step(schedule.schedule)
        return None if inner is None else inner + schedule.steps
    ends = [last_step(part) for part in getattr(schedule, "schedulers", ())]
    if isinstance(schedule, SequentialLR):
        last = ends[-1]
        return None if last is None else last + (schedule.milestones[-1] if schedule.milestones else 0)
    return min((end for end in ends if end is not None), default=None)


def decay_length(decay: Decay) -> int | None:
    """The steps from the start of a decay to its end; None if it has no end."""
    own = getattr(decay, "decay_steps", None)
    return None if own is None else int(own) + int(getattr(decay, "stable_steps", 0))


def with_length(decay: Decay, length: int) -> Decay | None:
    """The decay stretched to another length; None if it has no length, or cannot be this short."""
    if decay_length(decay) is None:
        return None
    own = length - int(getattr(decay, "stable_steps", 0))
    return dataclasses.replace(decay, decay_steps=own) if own > 0 else None  # type: ignore[type-var]


def resized(warmup: Warmup, steps: int, **over: float) -> Warmup:
    """The warmup with another length and other fields in `over`."""
    other: Warmup = dataclasses.replace(warmup, warmup_steps=steps, **over)  # type: ignore[type-var]
    return other


def anatomy(schedule: Schedule, base: float, total: int | None) -> Anatomy:
    """Split an expected schedule into its parts."""
    pair, pair_base = as_pair(schedule, base)
    if pair is not None and pair.convention.clock == "meeting":  # no part of it can be changed alone
        pair, pair_base = None, base
    if pair is not None and total is None:
        length = decay_length(pair.decay)
        if length is not None:
            total = length + (pair.warmup.warmup_steps if pair.convention.clock == "prefix" else 0)
    last = last_step(schedule)
    if total is None and last is not None:
        total = last + 1
    return Anatomy(schedule, base, pair, pair_base, total)


def as_pair(schedule: Schedule, base: float) -> tuple[WarmupDecay | None, float]:
    """The same curve as a warmup and a decay, checked step by step; (None, base) if there is none."""
    pair, own = _written_as_pair(schedule, base)
    if pair is None or pair is schedule:
        return pair, own
    length = pair.warmup.warmup_steps + (decay_length(pair.decay) or 0) + 16
    t = np.unique(np.linspace(0, length, 257).astype(np.int64))
    near = np.arange(max(pair.warmup.warmup_steps - 4, 0), pair.warmup.warmup_steps + 5)
    t = np.union1d(t, near)
    expected = values(schedule, t, base)
    same = np.abs(pair(t, own) - expected).max() <= SAME * np.abs(expected).max()
    return (pair, own) if same else (None, base)


def _written_as_pair(schedule: Schedule, base: float) -> tuple[WarmupDecay | None, float]:
    if isinstance(schedule, WarmupDecay):
        return schedule, base
    if isinstance(schedule, Decay):
        return WarmupDecay(LinearWarmup(0), schedule), base
    if isinstance(schedule, Warmup):
        return WarmupDecay(schedule, ConstantDecay(), Convention("affine")), base
    if isinstance(schedule, Noam):
        rule = Convention("first", "closed") if schedule.count == "from_one" else Convention("zero")
        noam = WarmupDecay(LinearWarmup(schedule.warmup_steps), InverseSqrtDecay(max(schedule.warmup_steps, 1)), rule)
        return noam, base * schedule.peak_lr
    schedule = flattened(schedule)
    if isinstance(schedule, SequentialLR) and len(schedule.schedulers) == 3:
        joined = _with_hold(schedule, base)
        if joined is not None:
            return joined, base
    if isinstance(schedule, SequentialLR) and len(schedule.schedulers) == 2:
        warmup, start = _warmup(schedule.schedulers[0], schedule.milestones[0])
        decay, past = _decay(schedule.schedulers[1], base)
        if warmup is not None and decay is not None:
            return WarmupDecay(warmup, decay, Convention(start, past_end=past)), base
    if isinstance(schedule, ChainedScheduler) and len(schedule.schedulers) == 2:
        first = schedule.schedulers[0]
        warmup, start = _warmup(first, int(getattr(first, "total_iters", -1)))
        decay, past = _decay(schedule.schedulers[1], base)
        if warmup is not None and decay is not None:
            return WarmupDecay(warmup, decay, Convention(start, "open", "multiplicative", past)), base
    if isinstance(schedule, LinearLR | ConstantLR):
        warmup, start = _warmup(schedule, schedule.total_iters)
        if warmup is not None:
            return WarmupDecay(warmup, ConstantDecay(), Convention(start)), base
    decay, past = _decay(schedule, base)
    if decay is not None:
        return WarmupDecay(LinearWarmup(0), decay, Convention(past_end=past)), base
    return None, base


def flattened(schedule: Schedule) -> Schedule:
    """A SequentialLR that starts with a SequentialLR as one list of parts, without parts of no steps."""
    while isinstance(schedule, SequentialLR) and isinstance(schedule.schedulers[0], SequentialLR):
        inner = schedule.schedulers[0]
        if inner.milestones and schedule.milestones and inner.milestones[-1] > schedule.milestones[0]:
            return schedule
        parts = (*inner.schedulers, *schedule.schedulers[1:])
        schedule = SequentialLR(parts, (*inner.milestones, *schedule.milestones))
    if isinstance(schedule, SequentialLR):  # drop phases of no steps
        edges = (*schedule.milestones, None)
        kept = [i for i, end in enumerate(edges) if end is None or end != (edges[i - 1] if i else 0)]
        parts = tuple(schedule.schedulers[i] for i in kept)
        starts = tuple(schedule.milestones[i - 1] if i else 0 for i in kept)
        schedule = SequentialLR(parts, starts[1:]) if starts[0] == 0 else schedule
    return schedule


def _with_hold(schedule: SequentialLR, base: float) -> WarmupDecay | None:
    """A warmup, a hold and a decay as a warmup and a stable decay."""
    (first, middle, last), (w, m) = schedule.schedulers, schedule.milestones
    warmup, start = _warmup(first, w)
    decay, past = _decay(last, base)
    if warmup is None or not isinstance(middle, ConstantLR) or middle.factor != 1.0:
        return None
    if isinstance(decay, CosineDecay | LinearDecay):
        shape = "cosine" if isinstance(decay, CosineDecay) else "linear"
        stable = StableDecay(m - w, decay.decay_steps, shape, decay.min_lr)
        return WarmupDecay(warmup, stable, Convention(start, past_end="clamp" if past == "periodic" else past))
    return None


def _warmup(part: Schedule, steps: int) -> tuple[Warmup | None, str]:
    """A first phase of this many steps as a warmup and its start."""
    if isinstance(part, LambdaLR):
        part = part.lr_lambda
    if isinstance(part, WarmupDecay) and isinstance(part.decay, ConstantDecay):
        return (part.warmup, part.convention.start) if part.warmup.warmup_steps == steps else (None, "")
    if isinstance(part, Warmup) and part.warmup_steps == steps:
        return part, "affine"
    if isinstance(part, LinearLR) and part.end_factor == 1.0 and steps > 0:
        if part.total_iters == steps:
            return LinearWarmup(steps, part.start_factor), "affine"
        if part.total_iters == steps - 1 and abs(part.start_factor * steps - 1) < SAME:
            return LinearWarmup(steps), "first"
        if part.total_iters == steps - 1:
            return LinearWarmup(steps, part.start_factor), "linspace"
    if isinstance(part, ConstantLR) and part.total_iters == steps and part.factor > 0:
        return ConstantWarmup(steps, part.factor), "affine"
    return None, ""


def _decay(part: Schedule, base: float) -> tuple[Decay | None, str]:
    """A torch scheduler as a decay, and how it continues after its end."""
    if isinstance(part, Decay):
        return part, "clamp"
    if isinstance(part, LambdaLR) and isinstance(part.lr_lambda, Decay):
        return _absolute(part.lr_lambda, base), "clamp"
    if isinstance(part, CosineAnnealingLR) and 0 <= part.eta_min <= base:
        return CosineDecay(part.T_max, part.eta_min), "periodic"
    if isinstance(part, ExponentialLR) and 0 < part.gamma <= 1:
        return ExponentialDecay(gamma=part.gamma), "clamp"
    if isinstance(part, LinearLR) and part.start_factor == 1.0:
        return LinearDecay(part.total_iters, base * part.end_factor), "clamp"
    if isinstance(part, PolynomialLR):
        return PolynomialDecay(part.total_iters, part.power), "clamp"
    if isinstance(part, StepLR) and 0 < part.gamma <= 1:
        return StepDecay(part.step_size, part.gamma), "clamp"
    if isinstance(part, MultiStepLR) and 0 < part.gamma <= 1 and part.milestones:
        return MultiStepDecay(part.milestones, part.gamma), "clamp"
    if isinstance(part, ConstantLR) and part.factor == 1.0:
        return ConstantDecay(), "clamp"
    return None, ""


def _absolute(decay: Decay, base: float) -> Decay:
    """A decay of factors as a decay of learning rates."""
    low = getattr(decay, "min_lr", 0.0)
    return dataclasses.replace(decay, min_lr=low * base) if low else decay  # type: ignore[type-var]


def epoch_of(schedule: Schedule) -> tuple[Schedule, int] | None:
    """The schedule inside a staircase and the steps of an epoch; None if it is not a staircase."""
    if isinstance(schedule, Clocked) and schedule.every > 1 and schedule.times == 1 and schedule.ahead == 0:
        return schedule.schedule, schedule.every
    return None
