"""The schedules of transformers, and of torchtune and OpenNMT-py, which are written alike.

Read in transformers 5.24.0 (transformers/optimization.py), torchtune 0.6.1 (torchtune/training/lr_schedulers.py),
OpenNMT-py 3.5.1 (onmt/utils/optimizers.py).
"""

from __future__ import annotations

import math

from .schedule import PublicPlan, public

TRANSFORMERS = "transformers 5.24.0, transformers/optimization.py"
#: What get_polynomial_decay_schedule_with_warmup takes as its last LR unless told otherwise.
LR_END = 1e-7


def rise(t: int, plan: PublicPlan) -> float:
    """The warmup of all of them: a share of the base LR, 0 at the first update."""
    return plan.base * t / max(1, plan.warmup)


def progress(t: int, plan: PublicPlan) -> float:
    """How much of the decay is over; above 1 after the end."""
    return (t - plan.warmup) / max(1, plan.decay)


@public("transformers-constant", f"{TRANSFORMERS}, get_constant_schedule_with_warmup", "unended")
def constant(t: int, plan: PublicPlan) -> float:
    """Warm up, then hold."""
    return rise(t, plan) if t < plan.warmup else plan.base


@public(
    "transformers-linear",
    f"{TRANSFORMERS}, get_linear_schedule_with_warmup",
    "stays",
)
def linear(t: int, plan: PublicPlan) -> float:
    """Warm up, then fall in a line to 0, and stay there."""
    if t < plan.warmup:
        return rise(t, plan)
    return plan.base * max(0.0, (plan.total - t) / max(1, plan.decay))


@public(
    "transformers-cosine",
    f"{TRANSFORMERS}, get_cosine_schedule_with_warmup",
    "rises",
)
def cosine(t: int, plan: PublicPlan) -> float:
    """Warm up, then half a wave; the wave continues after the end."""
    return waves(t, plan, 0.5)


def waves(t: int, plan: PublicPlan, cycles: float) -> float:
    """Warm up, then as many waves as num_cycles says."""
    if t < plan.warmup:
        return rise(t, plan)
    return plan.base * max(0.0, 0.5 * (1.0 + math.cos(math.pi * cycles * 2.0 * progress(t, plan))))


@public(
    "transformers-cosine-min-lr",
    f"{TRANSFORMERS}, get_cosine_with_min_lr_schedule_with_warmup",
    "rises",
    floors=True,
)
def cosine_min_lr(t: int, plan: PublicPlan) -> float:
    """Half a wave down to a share of the base LR; the warmup starts at 0 nevertheless."""
    if t < plan.warmup:
        return rise(t, plan)
    wave = 0.5 * (1.0 + math.cos(math.pi * progress(t, plan)))
    return plan.base * max(0.0, wave * (1.0 - plan.floor) + plan.floor)


@public(
    "transformers-cosine-warmup-min-lr",
    f"{TRANSFORMERS}, get_cosine_with_min_lr_schedule_with_warmup_lr_rate",
    "rises",
    floors=True,
)
def cosine_warmup_min_lr(t: int, plan: PublicPlan) -> float:
    """As the one above, with both clocks one step ahead: 1/W at the first update, the floor at the last."""
    if t < plan.warmup:
        return plan.base * (t + 1.0) / max(1.0, plan.warmup)
    wave = 0.5 * (1.0 + math.cos(math.pi * (t - plan.warmup + 1.0) / max(1.0, plan.decay)))
    return plan.base * max(0.0, wave * (1.0 - plan.floor) + plan.floor)


@public(
    "transformers-cosine-restarts",
    f"{TRANSFORMERS}, get_cosine_with_hard_restarts_schedule_with_warmup with num_cycles=3",
    "stays",
)
def cosine_restarts(t: int, plan: PublicPlan) -> float:
    """Three half waves, each from the base LR."""
    return restarting(t, plan, 3)


def restarting(t: int, plan: PublicPlan, cycles: int) -> float:
    """Several half waves; 0 after the end."""
    if t < plan.warmup:
        return rise(t, plan)
    part = progress(t, plan)
    if part >= 1.0:
        return 0.0
    return plan.base * max(0.0, 0.5 * (1.0 + math.cos(math.pi * ((cycles * part) % 1.0))))


@public(
    "transformers-polynomial",
    f"{TRANSFORMERS}, get_polynomial_decay_schedule_with_warmup with power=2",
    "stays",
)
def polynomial(t: int, plan: PublicPlan, power: float = 2.0) -> float:
    """Warm up, then fall as a power of what is left to lr_end, which is a learning rate."""
    if t < plan.warmup:
        return rise(t, plan)
    if t > plan.total:
        return LR_END
    left = 1 - (t - plan.warmup) / plan.decay
    return (plan.base - LR_END) * math.pow(left, power) + LR_END


@public(
    "transformers-inverse-sqrt",
    f"{TRANSFORMERS}, get_inverse_sqrt_schedule with the default timescale",
    "unended",
)
def inverse_sqrt(t: int, plan: PublicPlan) -> float:
    """Warm up, then 1/√t, where the time scale is the warmup's length."""
    if t < plan.warmup:
        return rise(t, plan)
    scale = plan.warmup or 10_000
    return plan.base / math.sqrt((t + scale - plan.warmup) / scale)


def warmup_stable_decay(t: int, plan: PublicPlan, shape: str, share: float) -> float:
    """Three phases; the floor is also where the warmup starts."""
    falling = int(share * plan.total)
    stable = plan.total - plan.warmup - falling
    if t < plan.warmup:
        factor = t / max(1, plan.warmup)
    elif t < plan.warmup + stable:
        return plan.base
    elif t < plan.total:
        part = (t - plan.warmup - stable) / max(1, falling)
        shapes = {
            "linear": 1.0 - part,
            "cosine": 0.5 * (1.0 + math.cos(math.pi * part)),
            "1-sqrt": 1.0 - math.sqrt(part),
        }
        factor = shapes[shape]
    else:
        return plan.base * plan.floor
    return plan.base * max(0.0, factor * (1.0 - plan.floor) + plan.floor)


@public(
    "transformers-wsd-cosine",
    f"{TRANSFORMERS}, get_wsd_schedule with a tenth of the run as decay",
    "stays",
    floors=True,
)
def wsd_cosine(t: int, plan: PublicPlan) -> float:
    """The default decay_type."""
    return warmup_stable_decay(t, plan, "cosine", 0.1)


@public("transformers-wsd-1-sqrt", f"{TRANSFORMERS}, get_wsd_schedule with decay_type='1-sqrt'", "stays", floors=True)
def wsd_root(t: int, plan: PublicPlan) -> float:
    """The decay of MiniCPM's successors: steep at its start."""
    return warmup_stable_decay(t, plan, "1-sqrt", 0.2)


@public(
    "torchtune-cosine",
    "torchtune 0.6.1, torchtune/training/lr_schedulers.py, get_cosine_schedule_with_warmup",
    "rises",
)
def torchtune_cosine(t: int, plan: PublicPlan) -> float:
    """A copy of the cosine of transformers 4.23."""
    return cosine(t, plan)


@public(
    "opennmt-noam",
    "OpenNMT-py 3.5.1, onmt/utils/optimizers.py, noam_decay; its counter starts at 1",
    "unended",
    tells_base=False,
)
def opennmt_noam(t: int, plan: PublicPlan) -> float:
    """The Transformer paper's schedule; the user gives a factor and the width, so the peak is scaled to `base`."""
    count = t + 1
    return plan.base * math.sqrt(plan.warmup) * min(1 / math.sqrt(count), count / math.pow(plan.warmup, 1.5))


@public(
    "opennmt-rsqrt",
    "OpenNMT-py 3.5.1, onmt/utils/optimizers.py, rsqrt_decay; T5 (Raffel et al. 2020, section 3.1.2)",
    "unended",
    tells_base=False,
    warms=False,
)
def constant_then_root(t: int, plan: PublicPlan) -> float:
    """Constant for the first W steps, then 1/√t: it has no rising warmup, on purpose."""
    return plan.base * math.sqrt(plan.warmup) / math.sqrt(max(t + 1, plan.warmup))


@public(
    "annotated-transformer",
    "The Annotated Transformer (v2022), function rate under LambdaLR",
    "unended",
    tells_base=False,
)
def annotated(t: int, plan: PublicPlan) -> float:
    """Noam under LambdaLR, which asks for step 0: the first two updates have the same LR."""
    count = max(t, 1)
    return plan.base * math.sqrt(plan.warmup) * min(1 / math.sqrt(count), count / math.pow(plan.warmup, 1.5))
