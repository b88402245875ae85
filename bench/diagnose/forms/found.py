"""What the search finds: a known form with its numbers, as LRs, as a schedule, and as a hypothesis."""

from __future__ import annotations

import dataclasses

import numpy as np

from bench.diagnose.core.causes import CAUSES
from bench.diagnose.hypotheses.evidence import Hypothesis
from reference import Convention, Decay, Delayed, LinearWarmup, Schedule, WarmupDecay
from reference.check import Rates, Steps

from .parts import DecayForm, Lengths, WarmupForm
from .solve import Floats
from .trials import SAME_CLOCK, Clock, Variant
from .wholes import Whole

#: What a wrong base LR costs beside another mistake.
BESIDE = 1.2
#: Factors closer to 1 than this are no other base LR.
EQUAL = 1e-4
#: What a schedule some steps ahead from the start on can mean.
SKIPPED_AT_START = (
    "Every LR comes {k} steps early, from the first update on: the gradient scaler left out the first {k} updates while"
    " the scheduler was stepped, or it was stepped {k} times before the first update."
)
#: Start factors of torch's warmups that people leave in place, and how close a factor must be to be one.
STARTS_KEPT, KEPT_TOLERANCE = (1 / 3, 0.1, 0.01, 0.001, 0.25, 0.5), 2e-3


@dataclasses.dataclass(frozen=True)
class Found:
    """What explains every row: a plan on a clock, at base LR `base`; `price`: how unusual its numbers are."""

    trial: Variant
    clock: Clock
    base: float
    price: float

    def phi(self, t: Steps) -> Steps:
        """The schedule's step at any updates."""
        return np.maximum(self.clock.at(np.maximum(t, 0)) - self.trial.delay, 0)

    def unscheduled(self, t: Steps, rates: Rates) -> Rates:
        """The LRs with the base LR at update 0, where the clock says so."""
        return np.where(t <= 0, self.base, rates) if self.clock.first else rates

    def at(self, t: Steps) -> Rates:
        """The LR at any updates."""
        raise NotImplementedError

    def schedule(self) -> Schedule | None:
        """The same as a schedule of `reference`, on the clock of the updates; None where it has none."""
        return None

    @property
    def floor(self) -> float:
        """The LR at the end of the decay, as far as it matters here."""
        return 0.0

    @property
    def past_end(self) -> str:
        """How it continues after its end."""
        return "clamp"

    @property
    def starts_at_zero(self) -> bool:
        """Whether the warmup starts at 0."""
        return False

    @property
    def cause(self) -> str:
        """What went wrong, ``follows`` if nothing."""
        return self.clock.cause if self.trial.cause == "follows" else self.trial.cause

    def hypothesis(self, told: float) -> Hypothesis:
        """The hypothesis with its sentence's numbers; `told`: the base LR that the user gave."""
        cause, extra = self.cause, self.price
        numbers = {**self.trial.parameters, **self.clock.parameters}
        scaled = abs(self.base / told - 1) > EQUAL
        if scaled and cause == "follows":
            cause = "wrong-base"
            numbers |= {"c": self.base / told, "base": self.base, "r": 0}
        elif scaled:
            extra += BESIDE
        if cause == "follows" and self.floor > self.base:
            cause = "floor-missed"
            numbers |= {"value": self.floor, "meant": 0.0}
        if self.starts_at_zero and (
            (cause == "late" and numbers["k"] == 1) or (cause == "follows" and self.trial.delay)
        ):
            cause = "zero-twice"
        if cause == "wrong-base" and not self.trial.plan.warmup_steps:
            kept = [s for s in STARTS_KEPT if abs(self.base / told / s - 1) < KEPT_TOLERANCE]
            cause = "start-kept" if kept else cause
        says = ""
        if cause == "ahead" and numbers["k"] > 1:
            cause, says = "scaler-skips", SKIPPED_AT_START.format(k=numbers["k"])
            extra += CAUSES["ahead"].cost - CAUSES["scaler-skips"].cost  # all the skips are one number
        end = self.trial.plan.total_steps
        if cause in ("follows", "horizon-short") and self.past_end not in ("clamp", "early"):
            cause = {"periodic": "rises-again", "restart": "restarts-after-end", "unbounded": "negative"}[self.past_end]
        numbers.setdefault("r", end)
        numbers.setdefault("value", float(self.base))
        numbers.setdefault("first_lr", 0.0)
        return Hypothesis(cause, self.at, numbers, self.schedule(), self.base, extra, says)


@dataclasses.dataclass(frozen=True)
class FoundParts(Found):
    """A warmup from `first` and a decay to `low` that explain every row, at base LR `base` on a clock of a plan."""

    rise: WarmupForm | None
    fall: DecayForm
    past: str
    end: str
    first: float
    low: float

    @property
    def decay(self) -> Decay:
        """The decay without its floor."""
        decay = self.fall.make(fall_plan(self.trial))
        assert decay is not None, self.fall
        return decay

    def at(self, t: Steps) -> Rates:
        """The LR at any updates."""
        phi = self.phi(t)
        plan, joint = self.trial.plan, self.trial.joint
        decay, n = self.decay, phi - (plan.warmup_steps if joint == "prefix" else 0)
        d = falling(decay, self.past, self.end, n * self.fall.pace)
        down = self.base * d + self.low * floor_slope(self.fall, decay, self.past, self.end, n, d)
        if self.rise is None:
            return self.unscheduled(t, np.where(phi < plan.warmup_steps, self.base, down))
        up = self.base * self.rise.factors(plan, self.first)(np.minimum(phi, plan.warmup_steps))
        return self.unscheduled(t, np.where(phi < plan.warmup_steps, up, down))

    def schedule(self) -> Schedule | None:
        """The same as a schedule of `reference`, on the clock of the updates; None where it has none."""
        if (
            self.clock is not SAME_CLOCK
            or self.past == "early"
            or self.fall.pace != 1
            or not 0 <= self.low <= self.base
        ):
            return None
        rise = self.rise
        if rise is None and self.trial.plan.warmup_steps:
            return None
        warmup = LinearWarmup(0) if rise is None else rise.make(self.trial.plan.warmup_steps, self.first)
        start = "zero" if rise is None else ("affine" if self.first and rise.start == "zero" else rise.start)
        decay = at_base(self.fall, self.decay, self.base, self.low)
        clock = "prefix" if self.trial.joint == "prefix" else "absolute"
        return delayed(WarmupDecay(warmup, decay, Convention(start, self.end, clock, self.past)), self.trial.delay)

    @property
    def cause(self) -> str:
        """What went wrong, ``follows`` if nothing."""
        return self.fall.cause if super().cause == "follows" else super().cause

    @property
    def floor(self) -> float:
        """The floor of the decay."""
        return self.low

    @property
    def past_end(self) -> str:
        """How the decay continues after its end."""
        return self.past

    @property
    def starts_at_zero(self) -> bool:
        """Whether the warmup starts at 0."""
        return self.rise is not None and self.first == 0.0 and self.rise.start == "zero"


@dataclasses.dataclass(frozen=True)
class FoundWhole(Found):
    """A schedule whose warmup and decay cannot be told apart."""

    whole: Whole

    @property
    def cause(self) -> str:
        """What went wrong, ``follows`` if nothing."""
        return self.whole.cause if super().cause == "follows" else super().cause

    def at(self, t: Steps) -> Rates:
        """The LR at any updates."""
        return self.unscheduled(t, self.base * self.whole.shares(self.trial.plan, self.phi(t)))

    def schedule(self) -> Schedule | None:
        """The schedule itself."""
        if self.clock is not SAME_CLOCK or self.whole.make is None:
            return None
        return delayed(self.whole.make(self.trial.plan, self.base), self.trial.delay)


def delayed(schedule: Schedule, steps: int) -> Schedule:
    """The schedule that many steps late."""
    return Delayed(schedule, steps) if steps else schedule


def at_base(fall: DecayForm, decay: Decay, base: float, low: float) -> Decay:
    """A decay of shares of the base LR as one of LRs, with the floor `low` where it takes one."""
    own = low if fall.floored else float(getattr(decay, "min_lr", 0.0)) * base
    return dataclasses.replace(decay, min_lr=own) if own else decay  # type: ignore[type-var]


def fall_plan(trial: Variant) -> Lengths:
    """The plan that the decay sees: it counts from 0 unless the warmup comes before it."""
    if trial.joint == "prefix":
        return trial.plan
    return Lengths(0, trial.plan.total_steps)


def falling(decay: Decay, past: str, end: str, n: Steps) -> Floats:
    """The decay's factor at its own steps, 1 before them; ``early`` stops one step before its end, as mmengine does."""
    if past == "early":
        n, past = np.minimum(n, int(getattr(decay, "decay_steps", 1)) - 1), "clamp"
    pair = WarmupDecay(LinearWarmup(0), decay, Convention("zero", end, "prefix", past))
    return np.where(n < 0, 1.0, pair(np.maximum(n, 0), 1.0))


def floor_slope(fall: DecayForm, decay: Decay, past: str, end: str, n: Steps, d: Floats) -> Floats:
    """What a floor of 1 adds to the factors `d`."""
    if not fall.floored:
        return np.zeros(d.shape)
    if not fall.shrinks:
        return 1 - d
    return falling(dataclasses.replace(decay, min_lr=1.0), past, end, n) - d  # type: ignore[type-var]
