"""The warmups and decays of known libraries, with the numbers that their users leave at a default."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from reference import (
    ConstantDecay,
    Convention,
    CosineDecay,
    CosineRestartsDecay,
    Decay,
    ExponentialDecay,
    InverseSqrtDecay,
    LinearDecay,
    LinearWarmup,
    LogWarmup,
    MultiStepDecay,
    PolynomialDecay,
    StableDecay,
    StepDecay,
    TanhDecay,
    WarmRestartsDecay,
    Warmup,
    WarmupDecay,
)


@dataclasses.dataclass(frozen=True)
class Lengths:
    """The lengths that a schedule is built with: W and the total, in steps."""

    warmup_steps: int
    total_steps: int

    @property
    def decay_steps(self) -> int:
        """The steps behind the warmup."""
        return self.total_steps - self.warmup_steps


@dataclasses.dataclass(frozen=True)
class WarmupForm:
    """A way to warm up: `make` gives the warmup of W steps from a factor, `start` counts its steps.

    The first factor s enters as s + (1 − s)·x, so that it can be read off the rows. `price`: how much rarer it is than
    the plain line.
    """

    name: str
    make: Callable[[int, float], Warmup]
    start: str
    price: float

    def factors(self, plan: Lengths, first: float) -> WarmupDecay:
        """The warmup alone: its factor at each step, 1 after it."""
        start = "affine" if first and self.start == "zero" else self.start
        return WarmupDecay(self.make(plan.warmup_steps, first), ConstantDecay(), Convention(start))


#: The lines of all libraries: t/W, (t + 1)/W and t/(W − 1), each from any factor; and no warmup at all.
RISES = (
    WarmupForm("t/W", LinearWarmup, "zero", 0.0),
    WarmupForm("(t+1)/W", LinearWarmup, "first", 0.02),
    WarmupForm("t/(W-1)", LinearWarmup, "linspace", 0.05),
    WarmupForm("ln(t+1)/ln(W)", LogWarmup, "linspace", 0.2),
)


@dataclasses.dataclass(frozen=True)
class DecayForm:
    """A way to decay: `make` gives it for a plan, None where it does not exist for it.

    `floored`: whether a floor m enters as m + (base − m)·d, so that it can be read off the rows; `past`: how it may
    continue after its end; `price`: how much rarer it is than the cosine; `shrinks`: whether its floor falls with
    each restart; `pace`: how fast its clock runs; `cause`: what it is where it is no healthy decay.
    """

    name: str
    make: Callable[[Lengths], Decay | None]
    floored: bool = True
    past: tuple[str, ...] = ("clamp",)
    price: float = 0.0
    shrinks: bool = False
    pace: int = 1
    cause: str = "follows"


def _stable(falling: Callable[[Lengths], int], shape: str, low: float = 0.0) -> Callable[[Lengths], Decay | None]:
    def make(plan: Lengths) -> Decay | None:
        steps = min(falling(plan), plan.decay_steps)
        return StableDecay(plan.decay_steps - steps, steps, shape, low) if steps > 0 else None

    return make


def _last(share: float, whole: Callable[[float], int]) -> Callable[[Lengths], int]:
    return lambda plan: whole(plan.total_steps * share)


def _behind_hold(share: float) -> Callable[[Lengths], int]:
    return lambda plan: plan.decay_steps - int(plan.total_steps * share)


def _timed(kind: Callable[[int], Decay]) -> Callable[[Lengths], Decay | None]:
    return lambda plan: kind(plan.decay_steps) if plan.decay_steps > 0 else None


def _steps(parts: int) -> Callable[[Lengths], Decay | None]:
    return lambda plan: StepDecay(max(1, plan.total_steps // parts))


def _shrinking(plan: Lengths) -> Decay | None:
    """fairseq's cosine: after its end it starts over, a tenth as high."""
    return WarmRestartsDecay(plan.decay_steps, shrink=0.1) if plan.decay_steps > 0 else None


def _restarts(parts: int, growth: int) -> Callable[[Lengths], Decay | None]:
    return lambda plan: WarmRestartsDecay(max(1, plan.decay_steps // parts), growth)


def _drops(*shares: float) -> Callable[[Lengths], Decay | None]:
    def make(plan: Lengths) -> Decay | None:
        at = sorted({int(plan.total_steps * share + EPSILON) - plan.warmup_steps for share in shares})
        return MultiStepDecay(tuple(at)) if at[0] > 0 else None

    return make


def _exponential(last: float) -> Callable[[Lengths], Decay | None]:
    return lambda plan: ExponentialDecay(gamma=last ** (1 / plan.total_steps)) if plan.total_steps else None


#: Shares of the run that warmup-stable-decay recipes spend on the decay.
STABLE_SHARES = (0.1, 0.15, 0.2)
#: Shares of the run at which recipes drop the LR to a tenth: detectron2, ResNet on CIFAR, mmdetection, others.
DROPS = ((2 / 3, 8 / 9), (0.5, 0.75), (8 / 12, 11 / 12), (0.6, 0.8), (0.8, 0.9), (0.6, 0.85))
#: A share of a run that is an integer stays one in floating point.
EPSILON = 1e-9
#: The decays of all libraries, the commonest first.
FALLS = (
    DecayForm("cosine", _timed(CosineDecay), past=("clamp", "periodic", "restart", "early")),
    DecayForm("shrinking waves", _shrinking, past=("restart",), price=0.05, shrinks=True),
    DecayForm("whole wave", _timed(CosineDecay), past=("periodic",), price=1.0, pace=2, cause="rises-again"),
    DecayForm("linear", _timed(LinearDecay), past=("clamp", "unbounded"), price=0.02),
    DecayForm("hold", lambda plan: ConstantDecay(), floored=False, price=0.05),
    DecayForm("1/sqrt", lambda plan: InverseSqrtDecay(max(plan.warmup_steps, 1)), floored=False, price=0.05),
    *(
        DecayForm(f"power {p:g}", _timed(lambda d, p=p: PolynomialDecay(d, p)), price=0.1)  # type: ignore[misc]
        for p in (2.0, 0.9, 0.5, 3.0)
    ),
    *(
        DecayForm(
            f"last {share:g}{mark} {shape}",
            _stable(_last(share, whole), shape),
            past=("clamp", "unbounded"),
            price=0.12,
        )
        for share in STABLE_SHARES
        for shape in ("linear", "cosine", "sqrt", "exponential")
        for mark, whole in (("", round), (" at most", int))
    ),
    *(
        DecayForm(f"hold {share:g}, ratio to {low:g}", _stable(_behind_hold(share), "geometric", low), False, price=0.2)
        for share in (0.4,)
        for low in (0.05, 0.01)
    ),
    *(DecayForm(f"{c} half waves", _timed(lambda d, c=c: CosineRestartsDecay(d, c)), price=0.2) for c in (2, 3, 4, 5)),  # type: ignore[misc]
    *(
        DecayForm(f"restarts in {n} parts, times {g}", _restarts(n, g), price=0.25)
        for n, g in ((2, 1), (3, 1), (4, 1), (5, 1), (10, 1), (3, 2), (7, 2), (15, 2))
    ),
    DecayForm("tanh", _timed(TanhDecay), price=0.2),
    *(DecayForm(f"{n} stairs", _steps(n), floored=False, price=0.15) for n in (3, 4, 10)),
    *(DecayForm(f"drops at {a:.3g} and {b:.3g}", _drops(a, b), floored=False, price=0.18) for a, b in DROPS),
    *(DecayForm(f"exponential to {x:g}", _exponential(x), floored=False, price=0.15) for x in (0.1, 0.01, 0.001)),
)
