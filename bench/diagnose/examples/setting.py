"""Draw a schedule, both as the Python of a training script and as the expected schedule, and a run of it.

The formulas here are those of a script, one number at a time, and share no code with `reference`, so the diagnosis is
not tested by its own arithmetic.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from reference import (
    ConstantDecay,
    ConstantWarmup,
    Convention,
    CosineDecay,
    CosineWarmup,
    Decay,
    ExponentialDecay,
    ExponentialWarmup,
    InverseSqrtDecay,
    LinearDecay,
    LinearWarmup,
    MultiStepDecay,
    PolynomialDecay,
    PolynomialWarmup,
    Schedule,
    StableDecay,
    StepDecay,
    Warmup,
    WarmupDecay,
)

from .loops import LoggedRun

Rng = np.random.Generator
WARMUPS = ("linear", "linear", "linear", "exponential", "cosine", "polynomial", "constant")
DECAYS = ("cosine", "cosine", "linear", "polynomial", "exponential", "gamma", "step", "multistep", "invsqrt", "wsd")
#: The decays with a length, and those of them that can have a floor.
TIMED = ("cosine", "linear", "polynomial", "exponential", "wsd")
FLOORED = ("cosine", "linear", "polynomial", "wsd")
STEPPED = ("step", "multistep")


@dataclasses.dataclass(frozen=True)
class DrawnSetting:
    """A warmup of W steps, then a decay to the end of T steps, from a base LR."""

    base: float
    w: int
    total: int
    warmup: str = "linear"
    start: str = "zero"  # zero | first | affine | linspace, as in `reference.Convention`
    s: float = 0.0
    power: float = 2.0
    decay: str = "cosine"
    floor: float = 0.0
    gamma: float = 0.1
    milestones: tuple[int, ...] = ()
    stable: int = 0

    @property
    def d(self) -> int:
        """The steps of the decay."""
        return self.total - self.w

    def warm(self, t: int, steps: int | None = None, clamped: bool = True) -> float:
        """The factor of the warmup at step t, as scripts compute it."""
        w = self.w if steps is None else steps
        if clamped and t >= w:
            return 1.0
        if self.start == "first":
            x = (t + 1) / w
        elif self.start == "linspace":
            x = t / (w - 1)
        else:
            x = t / w
        if self.warmup == "exponential":
            return float(self.s ** (1 - x))
        if self.warmup == "cosine":
            return self.s + (1 - self.s) * 0.5 * (1 - math.cos(math.pi * x))
        if self.warmup == "polynomial":
            return float(self.s + (1 - self.s) * x**self.power)
        if self.warmup == "constant":
            return self.s
        return self.s + (1 - self.s) * x

    def fall(self, n: int, length: int | None = None, floor: float | None = None, clamped: bool = True) -> float:
        """The LR of the decay n steps after its start."""
        d = self.d if length is None else length
        low = self.floor if floor is None else floor
        if self.decay == "gamma":
            return self.base * self.gamma**n
        if self.decay == "step":
            return self.base * self.gamma ** (n // self.milestones[0])
        if self.decay == "multistep":
            return self.base * self.gamma ** sum(n >= m for m in self.milestones)
        if self.decay == "invsqrt":
            return self.base * math.sqrt(max(self.w, 1) / (n + max(self.w, 1)))
        if self.decay == "hold":
            return self.base
        if self.decay == "wsd":
            n, d = max(0, n - self.stable), d - self.stable
        p = n / d
        if clamped:
            p = min(1.0, p)
        if self.decay == "cosine":
            return low + (self.base - low) * 0.5 * (1 + math.cos(math.pi * p))
        if self.decay == "exponential":
            return float(self.base * (low / self.base) ** p)
        if self.decay == "polynomial":
            return float(low + (self.base - low) * (1 - p) ** self.power)
        return low + (self.base - low) * (1 - p)

    def lr(self, t: int) -> float:
        """The healthy LR of step t."""
        return self.base * self.warm(t) if t < self.w else self.fall(t - self.w)

    def expected(self) -> Schedule:
        """The same as a schedule of the reference, which the user passes as the expected one."""
        rule = Convention(self.start if self.w else "affine")
        return WarmupDecay(self.reference_warmup(), self.reference_decay(), rule)

    def reference_warmup(self) -> Warmup:
        """The warmup as a class of the reference."""
        if self.warmup == "exponential":
            return ExponentialWarmup(self.w, self.s)
        if self.warmup == "cosine":
            return CosineWarmup(self.w, self.s)
        if self.warmup == "polynomial":
            return PolynomialWarmup(self.w, self.power, self.s)
        if self.warmup == "constant":
            return ConstantWarmup(self.w, self.s)
        return LinearWarmup(self.w, self.s)

    def reference_decay(self) -> Decay:
        """The decay as a class of the reference."""
        if self.decay == "gamma":
            return ExponentialDecay(gamma=self.gamma)
        if self.decay == "step":
            return StepDecay(self.milestones[0], self.gamma)
        if self.decay == "multistep":
            return MultiStepDecay(self.milestones, self.gamma)
        if self.decay == "invsqrt":
            return InverseSqrtDecay(max(self.w, 1))
        if self.decay == "hold":
            return ConstantDecay()
        if self.decay == "wsd":
            return StableDecay(self.stable, self.d - self.stable, min_lr=self.floor)
        if self.decay == "exponential":
            return ExponentialDecay(self.d, self.floor)
        if self.decay == "polynomial":
            return PolynomialDecay(self.d, self.power, self.floor)
        return (CosineDecay if self.decay == "cosine" else LinearDecay)(self.d, self.floor)


def draw_setting(
    rng: Rng,
    *,
    decays: tuple[str, ...] = DECAYS,
    warmups: tuple[str, ...] = WARMUPS,
    floored: bool = False,
    with_warmup: bool = True,
) -> DrawnSetting:
    """A random healthy schedule: kinds, lengths, base LR, start factor and floor.

    `floored` requires a floor above 0, `with_warmup` a warmup of at least one step.
    """
    total = round(float(np.exp(rng.uniform(np.log(300), np.log(4000)))))
    w = round(total * float(np.exp(rng.uniform(np.log(0.02), np.log(0.3)))))
    if not with_warmup and rng.random() < 0.15:
        w = 0
    base = float(f"{10 ** rng.uniform(-5, 0):.{rng.integers(1, 4)}g}")
    warmup, decay = str(rng.choice(warmups)), str(rng.choice(decays))
    start = str(rng.choice(["zero", "first", "affine", "linspace"]))
    s = float(f"{10 ** rng.uniform(-3, -0.5):.2g}")
    if warmup in ("exponential", "constant"):
        start = "affine" if warmup == "constant" else start
    elif start == "affine":
        s = 1 / (w + 1) if rng.random() < 0.2 and w else s
    elif start in ("zero", "first"):
        s = 0.0
    floor = 0.0
    if decay == "exponential" or (decay in FLOORED and (floored or rng.random() < 0.5)):
        floor = float(f"{base * 10 ** rng.uniform(-3, -0.7):.2g}")
    d = total - w
    milestones: tuple[int, ...] = ()
    gamma = 0.1
    if decay == "gamma":
        gamma = float(f"{0.05 ** (1 / d):.6g}")
    elif decay == "step":
        milestones, gamma = (max(2, d // int(rng.integers(2, 5))),), float(rng.choice([0.1, 0.3, 0.5, 0.7]))
    elif decay == "multistep":
        places = np.sort(rng.choice(np.arange(d // 8, d - d // 8), int(rng.integers(2, 4)), replace=False))
        milestones, gamma = tuple(int(m) for m in places), float(rng.choice([0.1, 0.2, 0.5]))
    stable = int(d * rng.uniform(0.3, 0.8)) if decay == "wsd" else 0
    power = float(rng.choice([1.5, 2.0, 3.0]))
    return DrawnSetting(base, w, total, warmup, start, s, power, decay, floor, gamma, milestones, stable)


@dataclasses.dataclass(frozen=True)
class DrawnRun:
    """A run: its setting, its log, the healthy LR of any step, and the schedule that the user expects.

    `plain`: the setting is an ordinary warmup and decay, so that its numbers alone determine what is healthy.
    """

    setting: DrawnSetting
    log: LoggedRun
    healthy: Callable[[int], float]
    expected: Schedule
    plain: bool = True


@dataclasses.dataclass(frozen=True)
class FaultKind:
    """A kind of mistake: the right cause, how it is drawn, and what the diagnosis may be given."""

    cause: str
    draw: Callable[[Rng], DrawnRun | None]
    modes: tuple[str, ...] = ("expect",)


def run(setting: DrawnSetting, log: LoggedRun, expected: Schedule | None = None, *, plain: bool = True) -> DrawnRun:
    """A log of a setting as a run."""
    return DrawnRun(setting, log, setting.lr, setting.expected() if expected is None else expected, plain)


def small(rng: Rng, most: int) -> int:
    """A small integer >= 1, mostly 1 or 2."""
    return int(min(most, rng.geometric(0.45)))
