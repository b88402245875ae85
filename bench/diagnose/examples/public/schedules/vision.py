"""The schedules of vision code: timm, DINO, detectron2, mmengine, lightning-bolts.

Read in timm 1.0.31 (timm/scheduler/), DINO's utils.py (facebookresearch/dino, main), fvcore 0.1.5.post20221221 with
detectron2's solver/lr_scheduler.py (main), mmengine 0.10.7 (mmengine/optim/scheduler/param_scheduler.py),
lightning-bolts 0.7.0 (pl_bolts/optimizers/lr_scheduler.py).
"""

from __future__ import annotations

import math

from .schedule import PublicPlan, public

TIMM = "timm 1.0.31, timm/scheduler"
DETECTRON = "detectron2 solver/lr_scheduler.py over fvcore 0.1.5.post20221221"
#: timm's default start of a warmup in its training script, as a learning rate (warmup_lr), scaled to base 1e-3.
TIMM_START = 1e-2
#: detectron2's default WARMUP_FACTOR.
DETECTRON_START = 1e-3


def timm_rise(t: int, plan: PublicPlan, top: float) -> float:
    """A line from the first LR, which the user gives, towards `top`."""
    first = TIMM_START * plan.base
    return first + t * (top - first) / plan.warmup


@public("timm-cosine-prefix", f"{TIMM}/cosine_lr.py with warmup_prefix=True, t_initial=T−W", "stays", floors=True)
def timm_prefix(t: int, plan: PublicPlan) -> float:
    """The cosine starts when the warmup is over."""
    if t < plan.warmup:
        return timm_rise(t, plan, plan.base)
    return timm_wave(t - plan.warmup, plan, plan.decay)


@public("timm-cosine-default", f"{TIMM}/cosine_lr.py with the default warmup_prefix=False", "stays", floors=True)
def timm_default(t: int, plan: PublicPlan) -> float:
    """The cosine counts from step 0, so the LR jumps down where the warmup ends."""
    if t < plan.warmup:
        return timm_rise(t, plan, plan.base)
    return timm_wave(t, plan, plan.total)


def timm_wave(t: int, plan: PublicPlan, length: int) -> float:
    """Half a wave, then the lowest LR."""
    low = plan.floor * plan.base
    return low if t >= length else low + 0.5 * (plan.base - low) * (1 + math.cos(math.pi * t / length))


@public("timm-step", f"{TIMM}/step_lr.py with decay_rate=0.1", "unended")
def timm_step(t: int, plan: PublicPlan) -> float:
    """A tenth after each third of the run; the warmup comes first (its default)."""
    if t < plan.warmup:
        return timm_rise(t, plan, plan.base)
    return plan.base * 0.1 ** ((t - plan.warmup) // max(1, plan.total // 3))


@public("timm-tanh", f"{TIMM}/tanh_lr.py with its defaults", "stays", floors=True)
def timm_tanh(t: int, plan: PublicPlan) -> float:
    """A hyperbolic tangent; the warmup ends where the curve is at that step."""

    def curve(n: int) -> float:
        low, share = plan.floor * plan.base, n / plan.total
        if n >= plan.total:
            return low
        return low + 0.5 * (plan.base - low) * (1 - math.tanh(-7.0 * (1.0 - share) + 3.0 * share))

    return timm_rise(t, plan, curve(plan.warmup)) if t < plan.warmup else curve(t)


@public(
    "dino-array",
    "facebookresearch/dino utils.py, cosine_scheduler, read by iteration in main_dino.py",
    "fails",
    floors=True,
)
def dino(t: int, plan: PublicPlan) -> float:
    """W evenly spaced points, then half a wave; the array ends with the run."""
    low = plan.floor * plan.base
    if t < plan.warmup:
        return plan.base * t / (plan.warmup - 1)
    if t >= plan.total:
        raise IndexError(f"index {t} is out of bounds for axis 0 with size {plan.total}")
    return low + 0.5 * (plan.base - low) * (1 + math.cos(math.pi * (t - plan.warmup) / plan.decay))


@public("detectron2-cosine", f"{DETECTRON}, WarmupParamScheduler over CosineParamScheduler", "fails")
def detectron_cosine(t: int, plan: PublicPlan) -> float:
    """The warmup leads to where the cosine is at that step, which counts from step 0."""

    def wave(share: float) -> float:
        return 0.5 * (1.0 + math.cos(math.pi * share))

    if t > plan.total:
        raise RuntimeError(f"where in ParamScheduler must be in [0, 1]: got {t / plan.total}")
    if t < plan.warmup:
        share = t / plan.warmup
        return plan.base * (wave(plan.warmup / plan.total) * share + DETECTRON_START * (1 - share))
    return plan.base * wave(t / plan.total)


@public("detectron2-multistep", f"{DETECTRON}, WarmupParamScheduler over MultiStepParamScheduler", "fails")
def detectron_steps(t: int, plan: PublicPlan) -> float:
    """Tenths at two thirds and eight ninths of the run (its 3x and 1x recipes)."""
    if t > plan.total:
        raise RuntimeError(f"where in ParamScheduler must be in [0, 1]: got {t / plan.total}")
    if t < plan.warmup:
        share = t / plan.warmup
        return plan.base * (share + DETECTRON_START * (1 - share))
    drops = sum(t >= milestone for milestone in (2 * plan.total // 3, 8 * plan.total // 9))
    return plan.base * (1.0, 0.1, 0.01)[drops]


@public(
    "mmengine-linear-cosine",
    "mmengine 0.10.7, optim/scheduler/param_scheduler.py, LinearLR(start_factor=0.001) then CosineAnnealingLR",
    "stays",
)
def mmengine(t: int, plan: PublicPlan, first: float = 0.001) -> float:
    """The warmup has W − 1 intervals, and the cosine stops one step before its end."""
    if t < plan.warmup:
        return plan.base * (first + (1 - first) * t / (plan.warmup - 1))
    return plan.base * 0.5 * (1 + math.cos(math.pi * min(t - plan.warmup, plan.decay - 1) / plan.decay))


@public(
    "bolts-cosine",
    "lightning-bolts 0.7.0, pl_bolts/optimizers/lr_scheduler.py, LinearWarmupCosineAnnealingLR",
    "rises",
)
def bolts(t: int, plan: PublicPlan) -> float:
    """W points from 0 to the base LR, then half a wave, which continues after the end."""
    if t < plan.warmup:
        return plan.base * t / (plan.warmup - 1)
    return 0.5 * plan.base * (1 + math.cos(math.pi * (t - plan.warmup) / plan.decay))


@public("yolov5-one-cycle", "ultralytics/yolov5 v7.0, utils/general.py, one_cycle under LambdaLR", "rises", warms=False)
def yolo(t: int, plan: PublicPlan, last: float = 0.1) -> float:
    """A half wave from 1 to lrf; its warmup is written by hand in the loop and left out here."""
    return plan.base * ((1 - math.cos(t * math.pi / plan.total)) / 2 * (last - 1) + 1)
