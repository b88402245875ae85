"""Warmups as a torch user writes them, and the reference schedule that each is meant to follow.

All start at (t+1)/W (family B), so that no step is wasted at an LR of 0, and decay along a cosine.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer
from torch.optim import lr_scheduler as lrs

import reference as ref
from reference.check import integer, one_of

from .config import Config
from .optimizers import OptimizerFactory, configured_optimizer
from .plain import PlainLoop
from .rates import SchedulerFactory

CONSTANT, START, LEVELS, GAMMA = 0.1, 0.01, 5, 2.0
#: The reference's warmups that have a length, by name: functions of W in steps.
_OF_A_LENGTH: dict[str, Callable[[int], ref.Warmup]] = {
    "none": lambda steps: ref.LinearWarmup(0),
    "constant": lambda steps: ref.ConstantWarmup(steps, start_factor=CONSTANT),
    "linear": ref.LinearWarmup,
    "exponential": lambda steps: ref.ExponentialWarmup(steps, start_factor=START),
    "cosine": ref.CosineWarmup,
    "stepwise": lambda steps: ref.StepWarmup(steps, levels=LEVELS, gamma=GAMMA),
}
_UNTUNED: dict[str, Callable[[float], ref.Warmup]] = {
    "untunedlinear": ref.UntunedLinearWarmup,
    "untunedexponential": ref.UntunedExponentialWarmup,
    "radam": ref.RAdamWarmup,
}
WARMUPS = (*_OF_A_LENGTH, *_UNTUNED, "noam")
#: Ways to apply the same linear warmup and cosine; `chained` can express only their product.
WAYS = ("sequential", "chained", "lambda", "closed")


@dataclasses.dataclass(frozen=True, eq=False)
class Rule:
    """How the LR of a run is controlled.

    * `apply`: the plain trainer's rule: a function that builds a torch scheduler, or a reference schedule;
    * `claims`: the schedule that the optimizer's LR must follow; `base_lr` multiplies both;
    * `optimizer`: builds the optimizer; None: the trainer's default, fused Adam.
    """

    apply: ref.Schedule | SchedulerFactory
    claims: ref.Schedule
    base_lr: float
    optimizer: OptimizerFactory | None = None

    def scheduler(self, optimizer: Optimizer) -> Any:
        """Build the torch scheduler on an optimizer; TypeError for a rule that has none."""
        if isinstance(self.apply, ref.Schedule):
            raise TypeError(f"rule={self.apply.slug} must build a torch scheduler, not set values in the loop")
        return self.apply(optimizer)

    def loop(self, config: Config, steps: int, device: str = "cpu") -> PlainLoop:
        """The plain trainer under this rule with seed 0, before its first step."""
        return PlainLoop(config, self.apply, steps, 0, self.base_lr, optimizer=self.optimizer, device=device)


def effective(warmup: str, config: Config, warmup_steps: int, total_steps: int) -> ref.Schedule:
    """The factor on Adam's update under a named warmup, whichever way it is applied; its peak is at most 1.

    Untuned warmups have no milestone at which a decay could start, so they are multiplied by it, as their authors
    do. So is `radam`, RAdam's rectification seen as a warmup of Adam.
    Noam is scaled to a peak of 1. Raises ValueError for an unknown name or for W outside 2 … T − 1.

    >>> from .config import CONFIGS
    >>> effective("linear", CONFIGS["small16"], 2, 4).trace(4).round(12).tolist()
    [0.5, 1.0, 1.0, 0.5]
    """
    one_of("warmup", warmup, WARMUPS)
    steps, total = _lengths(warmup_steps, total_steps)
    if warmup == "noam":
        return ref.Noam(steps, config.d_model, factor=math.sqrt(config.d_model * steps))
    if warmup in _UNTUNED:
        return ref.family("G", _UNTUNED[warmup](config.betas[1]), ref.CosineDecay(total))
    part = _OF_A_LENGTH[warmup](steps)
    return ref.family("B", part, ref.CosineDecay(total - part.warmup_steps))


def by_warmup(warmup: str, config: Config, warmup_steps: int, total_steps: int, peak_lr: float = 1e-3) -> Rule:
    """The usual way to write a named warmup of W of T steps in torch, with its peak at `peak_lr`.

    Kinds for which torch has a class use it, the others a function in ``LambdaLR``; Noam is a single function;
    RAdam warms up inside the optimizer, so the LR it is given has no warmup.
    Raises ValueError as `effective` does.

    >>> from .config import CONFIGS
    >>> by_warmup("radam", CONFIGS["small16"], 2, 4).claims.slug
    'familyb.linear0+cosine4'
    """
    schedule = effective(warmup, config, warmup_steps, total_steps)
    steps, total = warmup_steps, total_steps
    if warmup == "noam":
        # As in the paper: the function returns LRs, so the optimizer is created with lr=1.
        factor = peak_lr * math.sqrt(config.d_model * steps)
        scale = factor / math.sqrt(config.d_model)
        paper = ref.Noam(steps, config.d_model, factor=factor)
        return Rule(_by_function(lambda t: scale * min((t + 1) ** -0.5, (t + 1) * steps**-1.5)), paper, 1.0)
    if warmup == "radam":
        plain = effective("none", config, steps, total)
        radam = configured_optimizer(dataclasses.replace(config, optimizer="radam"))
        return Rule(lambda optimizer: lrs.CosineAnnealingLR(optimizer, total), plain, peak_lr, radam)
    if warmup == "none":
        return Rule(lambda optimizer: lrs.CosineAnnealingLR(optimizer, total), schedule, peak_lr)
    if warmup in _UNTUNED:
        return Rule(_by_function(_untuned(warmup, config.betas[1], total)), schedule, peak_lr)
    return Rule(_sequential(_FIRST_PARTS[warmup], steps, total), schedule, peak_lr)


def by_way(way: str, config: Config, warmup_steps: int, total_steps: int, peak_lr: float = 1e-3) -> Rule:
    """Linear warmup of W steps and cosine over T, applied in a named way.

    ``chained`` multiplies the two from step 0 (family G); the other ways run one after the other (family B).
    Raises ValueError for an unknown name or for W outside 2 … T − 1.

    >>> from .config import CONFIGS
    >>> by_way("chained", CONFIGS["small16"], 2, 4).claims.trace(3).round(4).tolist()
    [0.5, 0.8536, 0.5]
    """
    one_of("way", way, WAYS)
    steps, total = _lengths(warmup_steps, total_steps)
    if way == "sequential":
        return by_warmup("linear", config, steps, total, peak_lr)
    if way == "chained":
        product = ref.family("G", ref.LinearWarmup(steps), ref.CosineDecay(total))
        return Rule(lambda optimizer: _chained(optimizer, steps, total), product, peak_lr)
    schedule = effective("linear", config, steps, total)
    if way == "closed":
        return Rule(schedule, schedule, peak_lr)
    return Rule(_by_function(lambda t: _linear_cosine(t, steps, total)), schedule, peak_lr)


def _lengths(warmup_steps: int, total_steps: int) -> tuple[int, int]:
    steps, total = integer("warmup_steps", warmup_steps, 2), integer("total_steps", total_steps, 1)
    if steps >= total:
        raise ValueError(f"warmup_steps={steps} must be < {total}, the total number of steps")
    return steps, total


def _linear_lr(optimizer: Optimizer, steps: int) -> lrs.LRScheduler:
    return lrs.LinearLR(optimizer, start_factor=1 / steps, total_iters=steps - 1)  # (t+1)/W, so 1 at t = W−1


#: The torch scheduler of the first part of a sequence, by warmup.
_FIRST_PARTS: dict[str, Callable[[Optimizer, int], lrs.LRScheduler]] = {
    "constant": lambda optimizer, steps: lrs.ConstantLR(optimizer, CONSTANT, steps),
    "linear": _linear_lr,
    "exponential": lambda optimizer, steps: lrs.LambdaLR(optimizer, lambda t: START ** (1 - (t + 1) / steps)),
    "cosine": lambda optimizer, steps: lrs.LambdaLR(optimizer, lambda t: (1 - math.cos(math.pi * (t + 1) / steps)) / 2),
    "stepwise": lambda optimizer, steps: lrs.LambdaLR(
        optimizer, lambda t: GAMMA ** (LEVELS * (t + 1) // steps - LEVELS)
    ),
}


def _sequential(first: Callable[[Optimizer, int], lrs.LRScheduler], steps: int, total: int) -> SchedulerFactory:
    def make(optimizer: Optimizer) -> Any:
        parts = [first(optimizer, steps), lrs.CosineAnnealingLR(optimizer, total - steps)]
        return lrs.SequentialLR(optimizer, parts, [steps])

    return make


def _chained(optimizer: Optimizer, steps: int, total: int) -> lrs.ChainedScheduler:
    return lrs.ChainedScheduler([_linear_lr(optimizer, steps), lrs.CosineAnnealingLR(optimizer, total)])


def _by_function(factor: Callable[[int], float]) -> SchedulerFactory:
    return lambda optimizer: lrs.LambdaLR(optimizer, factor)


def _linear_cosine(t: int, steps: int, total: int) -> float:
    if t < steps:
        return (t + 1) / steps
    return (1 + math.cos(math.pi * (t - steps) / (total - steps))) / 2


def _untuned(warmup: str, beta2: float, total: int) -> Callable[[int], float]:
    def factor(t: int) -> float:
        grown = (1 - beta2) * (t + 1)
        weight = min(1.0, grown / 2) if warmup == "untunedlinear" else -math.expm1(-grown)
        return weight * (1 + math.cos(math.pi * t / total)) / 2

    return factor
