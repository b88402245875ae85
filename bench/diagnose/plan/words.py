"""What was built, in words: each scheduler with its numbers, as its documentation means them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference import (
    SWALR,
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    Schedule,
    SequentialLR,
    StepLR,
)
from suite.shared.words import counted

from .called import CalledFunction, name_of


def steps(count: int) -> str:
    """A number of steps with its noun.

    >>> steps(1), steps(20)
    ('1 step', '20 steps')
    """
    return counted(count, "step")


def lr(value: float) -> str:
    """An LR or a factor with four digits."""
    return f"{value:.4g}"


def in_words(schedule: Schedule, base: float) -> str:
    """A torch schedule in words, at its base LR.

    >>> from reference import sequential
    >>> in_words(sequential(LinearLR(0.1, 1.0, 20), CosineAnnealingLR(180), milestones=[20]), 0.5)
    'LinearLR from 0.05 to 0.5 over 20 steps; from step 20 on CosineAnnealingLR from 0.5 to 0 over 180 steps'
    """
    if isinstance(schedule, SequentialLR):
        texts = [_part(part, base) for part in schedule.schedulers]
        later = [f"from step {m} on {text}" for m, text in zip(schedule.milestones, texts[1:], strict=True)]
        return "; ".join([texts[0], *later])
    if isinstance(schedule, ChainedScheduler):
        return " multiplied by ".join(_part(part, base) for part in schedule.schedulers)
    writer = WRITERS.get(type(schedule))
    return type(schedule).__name__ if writer is None else writer(schedule, base)


def _part(schedule: Schedule, base: float) -> str:
    text = in_words(schedule, base)
    return f"({text})" if isinstance(schedule, SequentialLR | ChainedScheduler) else text


def _function(schedule: Any) -> str:
    inner = schedule.lr_lambda
    return name_of(inner.function) if isinstance(inner, CalledFunction) else inner.slug


def _multi_step(s: MultiStepLR, base: float) -> str:
    if not s.milestones:
        return f"MultiStepLR without milestones: constant at {lr(base)}"
    return f"MultiStepLR from {lr(base)}, times {lr(s.gamma)} after {', '.join(map(str, s.milestones))} steps"


def _one_cycle(s: OneCycleLR, base: float) -> str:
    start = s.max_lr / s.div_factor
    kind = "cosine" if s.anneal_strategy == "cos" else "linear"
    phases = ", in three phases" if s.three_phase else ""
    return (
        f"OneCycleLR of {steps(s.length)}: {kind} from {lr(start)} to {lr(s.max_lr)} in the first"
        f" {100 * s.pct_start:.3g} %, then to {lr(start / s.final_div_factor)}{phases}"
    )


def _cyclic(s: CyclicLR, base: float) -> str:
    down = s.step_size_up if s.step_size_down is None else s.step_size_down
    mode = "scaled by scale_fn" if s.scale_fn is not None else s.mode
    return f"CyclicLR between {lr(s.base_lr)} and {lr(s.max_lr)}: {s.step_size_up} up, {steps(down)} down ({mode})"


def _restarts(s: CosineAnnealingWarmRestarts, base: float) -> str:
    longer = "" if s.T_mult == 1 else f", each {s.T_mult} times as long as the one before"
    return f"CosineAnnealingWarmRestarts from {lr(base)} to {lr(s.eta_min)} in cycles of {steps(s.T_0)}{longer}"


def _plateau(s: ReduceLROnPlateau, base: float) -> str:
    low = f", not below {lr(s.min_lr)}" if s.min_lr else ""
    cooldown = f", then waiting {steps(s.cooldown)}" if s.cooldown else ""
    goal = "lowest" if s.mode == "min" else "highest"
    return (
        f"ReduceLROnPlateau from {lr(base)}, times {lr(s.factor)} when the metric has not beaten its {goal} value for"
        f" more than {steps(s.patience)}{cooldown}{low}"
    )


#: Reference class → its words.
WRITERS: dict[type[Schedule], Callable[[Any, float], str]] = {
    LinearLR: lambda s, b: (
        f"LinearLR from {lr(b * s.start_factor)} to {lr(b * s.end_factor)} over {steps(s.total_iters)}"
    ),
    ConstantLR: lambda s, b: f"ConstantLR at {lr(b * s.factor)} for {steps(s.total_iters)}, then {lr(b)}",
    PolynomialLR: lambda s, b: f"PolynomialLR from {lr(b)} to 0 over {steps(s.total_iters)}, power {lr(s.power)}",
    ExponentialLR: lambda s, b: f"ExponentialLR from {lr(b)}, times {s.gamma:.6g} at each step",
    StepLR: lambda s, b: f"StepLR from {lr(b)}, times {lr(s.gamma)} every {steps(s.step_size)}",
    MultiStepLR: _multi_step,
    CosineAnnealingLR: lambda s, b: f"CosineAnnealingLR from {lr(b)} to {lr(s.eta_min)} over {steps(s.T_max)}",
    CosineAnnealingWarmRestarts: _restarts,
    OneCycleLR: _one_cycle,
    CyclicLR: _cyclic,
    SWALR: lambda s, b: f"SWALR from {lr(b)} to {lr(s.swa_lr)} over {steps(s.anneal_epochs)} ({s.anneal_strategy})",
    LambdaLR: lambda s, b: f"LambdaLR of base LR {lr(b)} times {_function(s)}",
    MultiplicativeLR: lambda s, b: f"MultiplicativeLR from {lr(b)}, times {_function(s)} at each step",
    ReduceLROnPlateau: _plateau,
}
