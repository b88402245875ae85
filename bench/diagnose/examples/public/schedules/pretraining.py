"""The schedules of pretraining code: nanoGPT, torchtitan, Megatron-LM, DeepSpeed, fairseq.

Read in nanoGPT's train.py of 2024, torchtitan 0.3.0 (torchtitan/components/optimizer/lr_scheduler.py), megatron-core
0.16.1 (megatron/core/optimizer_param_scheduler.py), DeepSpeed 0.19.8 (deepspeed/runtime/lr_schedules.py), fairseq
0.12.2 (fairseq/optim/lr_scheduler/).
"""

from __future__ import annotations

import math

from .schedule import PublicPlan, public

TITAN = "torchtitan 0.3.0, components/optimizer/lr_scheduler.py, linear_warmup_stable_decay"
MEGATRON = "megatron-core 0.16.1, core/optimizer_param_scheduler.py, OptimizerParamScheduler"
DEEPSPEED = "DeepSpeed 0.19.8, runtime/lr_schedules.py"
FAIRSEQ = "fairseq 0.12.2, optim/lr_scheduler"
#: The part of the run that torchtitan's decay takes here, and Megatron's annealing.
TITAN_DECAY, MEGATRON_DECAY = 0.2, 0.15


@public("nanogpt", "nanoGPT train.py (2024), get_lr", "stays", floors=True)
def nanogpt(t: int, plan: PublicPlan) -> float:
    """A hand-written cosine, set before each update."""
    if t < plan.warmup:
        return plan.base * (t + 1) / (plan.warmup + 1)
    return falling_cosine(t, plan)


@public("nanogpt-2023", "nanoGPT train.py (2023), get_lr", "stays", floors=True)
def nanogpt_old(t: int, plan: PublicPlan) -> float:
    """As nanoGPT was before the warmup's zero was removed; many copies still have it."""
    if t < plan.warmup:
        return plan.base * t / plan.warmup
    return falling_cosine(t, plan)


def falling_cosine(t: int, plan: PublicPlan) -> float:
    """The decay of both."""
    low = plan.floor * plan.base
    if t > plan.total:
        return low
    share = (t - plan.warmup) / plan.decay
    return low + 0.5 * (1.0 + math.cos(math.pi * share)) * (plan.base - low)


def titan(t: int, plan: PublicPlan, shape: str, falling: int) -> float:
    """Warmup, a stable phase, decay; each phase looks one step ahead, and nothing is clamped."""
    until = plan.total + 1 - falling
    if t < plan.warmup:
        return plan.base * (t + 1) / plan.warmup
    if t < until:
        return plan.base
    part = (t + 1 - until) / falling
    if shape == "linear":
        factor = 1 - part
    elif shape == "sqrt":
        factor = 1 - math.sqrt(part)
    else:
        factor = 0.5 * (1.0 + math.cos(math.pi * part))
    return plan.base * (plan.floor + (1 - plan.floor) * factor)


@public("torchtitan-linear", f"{TITAN}, decay_type='linear', no decay_ratio", "negative", floors=True)
def titan_linear(t: int, plan: PublicPlan) -> float:
    """The default: no stable phase but one step."""
    return titan(t, plan, "linear", plan.decay)


@public("torchtitan-cosine", f"{TITAN}, decay_type='cosine', no decay_ratio", "rises", floors=True)
def titan_cosine(t: int, plan: PublicPlan) -> float:
    """The same with a half wave."""
    return titan(t, plan, "cosine", plan.decay)


@public("torchtitan-wsd-sqrt", f"{TITAN}, decay_type='sqrt' with decay_ratio", "negative", floors=True)
def titan_root(t: int, plan: PublicPlan) -> float:
    """A long stable phase, then 1 − √x."""
    return titan(t, plan, "sqrt", min(round(plan.total * TITAN_DECAY), plan.decay))


def megatron(t: int, plan: PublicPlan, style: str) -> float:
    """The phases that all styles share; the warmup includes its last step."""
    low = plan.floor * plan.base
    if plan.warmup > 0 and t <= plan.warmup:
        return plan.base * t / plan.warmup
    if t > plan.total:
        return low
    if style == "inverse-square-root":
        return max(low, plan.base * math.sqrt(max(plan.warmup, 1)) / math.sqrt(max(t, 1)))
    share = (t - plan.warmup) / plan.decay
    if style == "linear":
        part = 1.0 - share
    elif style == "cosine":
        part = 0.5 * (math.cos(math.pi * share) + 1.0)
    else:
        annealing = max(1, int(plan.total * MEGATRON_DECAY))
        begun = t - (plan.total - annealing)
        part = 1.0 if begun <= 0 else 2.0 * math.pow(0.5, begun / annealing) - 1.0
    return low + part * (plan.base - low)


@public("megatron-cosine", f"{MEGATRON}, 'cosine'", "stays", floors=True)
def megatron_cosine(t: int, plan: PublicPlan) -> float:
    """The style of most published configurations."""
    return megatron(t, plan, "cosine")


@public("megatron-linear", f"{MEGATRON}, 'linear'", "stays", floors=True)
def megatron_linear(t: int, plan: PublicPlan) -> float:
    """The default style."""
    return megatron(t, plan, "linear")


@public("megatron-inverse-sqrt", f"{MEGATRON}, 'inverse-square-root'", "stays", floors=True)
def megatron_root(t: int, plan: PublicPlan) -> float:
    """It jumps to the floor after the last decay step."""
    return megatron(t, plan, "inverse-square-root")


@public("megatron-wsd", f"{MEGATRON}, 'WSD' with lr_wsd_decay_style='exponential'", "stays", floors=True)
def megatron_wsd(t: int, plan: PublicPlan) -> float:
    """Stable until the annealing, whose curve is 2·½^x − 1."""
    return megatron(t, plan, "WSD")


def deepspeed_warmup(last: int, plan: PublicPlan, kind: str) -> float:
    """The factor of the warmup after `last` + 1 calls of step()."""
    length = max(2, plan.warmup)
    return math.log(last + 1) / math.log(length) if kind == "log" else last / length


def deepspeed_decayed(t: int, plan: PublicPlan, kind: str) -> float:
    """Before its first step() the scheduler has counted to −1, which gives the lowest LR; 0 gives it again."""
    last = t - 1
    if last < 0:
        return 0.0
    if last < max(2, plan.warmup):
        return plan.base * deepspeed_warmup(last, plan, kind)
    return plan.base * max(0.0, (plan.total - last) / max(1.0, plan.total - max(2, plan.warmup)))


@public("deepspeed-warmup-log", f"{DEEPSPEED}, WarmupLR with the default warmup_type='log'", "unended")
def deepspeed_log(t: int, plan: PublicPlan) -> float:
    """A logarithmic warmup, then constant."""
    last = t - 1
    if last < 0:
        return 0.0
    return plan.base * (deepspeed_warmup(last, plan, "log") if last < max(2, plan.warmup) else 1.0)


@public("deepspeed-decay-log", f"{DEEPSPEED}, WarmupDecayLR with the default warmup_type='log'", "stays")
def deepspeed_decay_log(t: int, plan: PublicPlan) -> float:
    """A logarithmic warmup, then a line to 0."""
    return deepspeed_decayed(t, plan, "log")


@public("deepspeed-decay-linear", f"{DEEPSPEED}, WarmupDecayLR with warmup_type='linear'", "stays")
def deepspeed_decay_linear(t: int, plan: PublicPlan) -> float:
    """A linear warmup, then a line to 0."""
    return deepspeed_decayed(t, plan, "linear")


@public(
    "fairseq-inverse-sqrt",
    f"{FAIRSEQ}/inverse_square_root_schedule.py",
    "unended",
)
def fairseq_root(t: int, plan: PublicPlan) -> float:
    """Warm up from 0, then √W/√t."""
    if t < plan.warmup:
        return t * (plan.base / plan.warmup)
    return plan.base * math.sqrt(plan.warmup) / math.sqrt(t)


@public("fairseq-cosine", f"{FAIRSEQ}/cosine_lr_scheduler.py with lr_shrink=0.1", "restarts", floors=True)
def fairseq_cosine(t: int, plan: PublicPlan, shrink: float = 0.1) -> float:
    """Warm up from the floor, then periods of a half wave, each a tenth as high as the one before."""
    low = plan.floor * plan.base
    if t < plan.warmup:
        return low + t * (plan.base - low) / plan.warmup
    period, place = divmod(t - plan.warmup, plan.decay)
    least, most = low * shrink**period, plan.base * shrink**period
    return least + 0.5 * (most - least) * (1 + math.cos(math.pi * place / plan.decay))


@public(
    "fairseq-polynomial",
    f"{FAIRSEQ}/polynomial_decay_schedule.py",
    "stays",
)
def fairseq_polynomial(t: int, plan: PublicPlan) -> float:
    """The default power of 1: a line to 0."""
    if plan.warmup > 0 and t <= plan.warmup:
        return t / plan.warmup * plan.base
    if t >= plan.total:
        return 0.0
    return plan.base * (1 - (t - plan.warmup) / plan.decay)


@public("fairseq-tri-stage", f"{FAIRSEQ}/tri_stage_lr_scheduler.py with phase_ratio 0.1, 0.4, 0.5", "stays")
def fairseq_stages(t: int, plan: PublicPlan, first: float = 0.01, last: float = 0.05) -> float:
    """Warm up from a hundredth, hold, then fall by a constant ratio (wav2vec 2.0's recipe)."""
    hold = int(0.4 * plan.total)
    if t < plan.warmup:
        return plan.base * (first + (1 - first) * t / plan.warmup)
    if t < plan.warmup + hold:
        return plan.base
    falling = plan.total - plan.warmup - hold
    place = min(t - plan.warmup - hold, falling)
    return plan.base * math.exp(math.log(last) * place / falling)
