"""Schedules of public libraries as compositions of the reference, beside formulas written from their documentation."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from reference import parse
from reference.clock import Delayed
from reference.decay import InverseSqrtDecay, PiecewiseDecay
from reference.restarts import CosineRestartsDecay, WarmRestartsDecay
from reference.schedule import Schedule
from reference.timed_decay import StableDecay, TanhDecay
from reference.warmup import LinearWarmup, LogWarmup

#: Warmup, all steps, and the base LR of the examples; the warmup is short, so that each of its steps counts.
W, T, BASE = 4, 24, 0.3
#: Both sides round a few times; nothing cancels in either.
TOLERANCE = 1e-13


def deepspeed(t: int) -> float:
    """WarmupDecayLR with warmup_type='log': the counter is at −1 before the first step() and at 0 after it."""
    count = max(t - 1, 0)
    if count < W:
        return BASE * math.log(count + 1) / math.log(W)
    return BASE * max(0.0, (T - count) / (T - W))


def opennmt(t: int) -> float:
    """decay_method: rsqrt, which is T5's schedule with a counter from 1."""
    return BASE * math.sqrt(W) / math.sqrt(max(t + 1, W))


def tanh(t: int) -> float:
    """timm's TanhLRScheduler with lb=-7, ub=3, warmup_t=W, warmup_lr_init=0.003."""

    def curve(n: int) -> float:
        return BASE / 2 * (1 - math.tanh(-7 + 10 * n / T)) if n < T else 0.0

    return 0.003 + t * (curve(W) - 0.003) / W if t < W else curve(t)


def megatron(t: int) -> float:
    """lr_decay_style WSD with lr_wsd_decay_style exponential, the last 8 steps anneal to 0.03."""
    if t <= W:
        return BASE * t / W
    share = max(t - (T - 8), 0) / 8
    return 0.03 + (BASE - 0.03) * (2 * 0.5**share - 1) if t <= T else 0.03


def tri_stage(t: int) -> float:
    """fairseq's tri_stage: a line from init_lr_scale 0.01, 10 steps constant, then down to final_lr_scale 0.05."""
    if t < W:
        return BASE * (0.01 + 0.99 * t / W)
    return BASE * math.exp(math.log(0.05) * min(max(t - W - 10, 0), 10) / 10)


def shrinking(t: int) -> float:
    """fairseq's cosine with t_mult=2 and lr_shrink=0.1, whose periods have 5, 10, 20, … updates."""
    if t < W:
        return BASE * t / W
    period, start, length = 0, W, 5
    while t >= start + length:
        period, start, length = period + 1, start + length, length * 2
    return BASE * 0.1**period * (1 + math.cos(math.pi * (t - start) / length)) / 2


def hard_restarts(t: int) -> float:
    """get_cosine_with_hard_restarts_schedule_with_warmup with num_cycles=5: each of the cycles has 4 steps."""
    if t < W:
        return BASE * t / W
    return BASE * (1 + math.cos(math.pi * ((t - W) % 4) / 4)) / 2 if t < T else 0.0


def detectron(t: int) -> float:
    """WarmupCosineLR of detectron2: the warmup leads from a thousandth to the cosine, which counts from step 0."""

    def wave(n: int) -> float:
        return (1 + math.cos(math.pi * min(n, T) / T)) / 2

    return BASE * (wave(W) * t / W + 0.001 * (1 - t / W)) if t < W else BASE * wave(t)


def timm_default(t: int) -> float:
    """timm's CosineLRScheduler with warmup_prefix=False: it jumps from the base LR to the cosine."""
    if t < W:
        return 0.003 + t * (BASE - 0.003) / W
    return BASE * (1 + math.cos(math.pi * min(t, T) / T)) / 2


def keras(t: int) -> float:
    """Keras CosineDecayRestarts(0.3, 5, t_mul=1, m_mul=0.5, alpha=0.1): the part above alpha is halved each time."""
    return BASE * ((1 - 0.1) * 0.5 ** (t // 5) * (1 + math.cos(math.pi * (t % 5) / 5)) / 2 + 0.1)


def timm_cycles(t: int) -> float:
    """timm's CosineLRScheduler with t_initial=5, lr_min=0.03, cycle_decay=0.5, cycle_limit=0."""
    return 0.03 + (BASE * 0.5 ** (t // 5) - 0.03) * (1 + math.cos(math.pi * (t % 5) / 5)) / 2


def deepseek(t: int) -> float:
    """DeepSeek LLM: warmup, then 31.6 % after 80 % and 10 % after 90 % of the steps (here after 12 and 16)."""
    return BASE * t / W if t < W else BASE * (1 if t < 16 else 0.316 if t < 20 else 0.1)


FORMS: dict[str, Callable[[int], float]] = {
    "delayed1.familyd.logwarmup4+lineardecay20": deepspeed,
    "with_szero_eclosed_kprefix_pclamp.linear0+invsqrt4_s4": opennmt,
    "with_saffine_eopen_kmeeting_pclamp.linear4_s0p01+tanh24": tanh,
    "linear4+wsd12_d8_hexponential_m0p03": megatron,
    "familye.linear4_s0p01+wsd10_d10_hgeometric_m0p015": tri_stage,
    "linear4+restarts5_g2_r0p1": shrinking,
    "linear4+cosinerestarts20_c5": hard_restarts,
    "restarts5_r0p5_krange_m0p03": keras,
    "restarts5_r0p5_ktop_m0p03": timm_cycles,
    "linear4+piecewise12x16_f0p316x0p1": deepseek,
    "with_saffine_eopen_kmeeting_pclamp.linear4_s0p001+cosine24": detectron,
    "with_saffine_eopen_kabsolute_pclamp.linear4_s0p01+cosine24": timm_default,
}


@pytest.mark.parametrize("slug", FORMS)
def test_composition_is_the_form_of_the_library(slug: str) -> None:
    """Every step of the run, and some after its end, has the LR that the library documents."""
    schedule: Schedule = parse(slug)
    values = schedule.trace(T + 8, BASE)
    assert values.tolist() == pytest.approx([FORMS[slug](t) for t in range(T + 8)], rel=TOLERANCE, abs=1e-15 * BASE)
    assert parse(schedule.slug) == schedule


def test_other_forms_differ() -> None:
    """Each form differs from every other one, so that a mistake in a slug would show."""
    curves = [tuple(round(form(t), 9) for t in range(T)) for form in FORMS.values()]
    assert len(set(curves)) == len(curves)


BAD: list[tuple[Callable[[], object], str]] = [
    (lambda: InverseSqrtDecay(4, -1), "stable_steps=-1 must be >= 0"),
    (lambda: InverseSqrtDecay(4, 0, 0.5)(1, 0.49), "min_lr=0.5 must be <= base_lr=0.49"),
    (lambda: LogWarmup(4, 1.5), "start_factor=1.5 must be <= 1"),
    (lambda: TanhDecay(4, 3.0, 3.0), "lower=3.0 must be < 3"),
    (lambda: TanhDecay(4, upper=400.0), "upper=400.0 must be <= 300"),
    (lambda: CosineRestartsDecay(4, 0), "cycles=0 must be >= 1"),
    (lambda: CosineRestartsDecay(2**50, 2**13), f"cycles=8192 must be < 2**63 / decay_steps={2**50}"),
    (lambda: CosineRestartsDecay(4, 2, 0.5)(1, 0.49), "min_lr=0.5 must be <= base_lr=0.49"),
    (lambda: WarmRestartsDecay(0), "first_steps=0 must be >= 1"),
    (lambda: WarmRestartsDecay(4, 1.5), "growth=1.5 must be an integer"),  # type: ignore[arg-type]
    (lambda: WarmRestartsDecay(4, 2, 1.5), "shrink=1.5 must be <= 1"),
    (lambda: WarmRestartsDecay(4, min_lr=0.5)(1, 0.49), "min_lr=0.5 must be <= base_lr=0.49"),
    (lambda: WarmRestartsDecay(4, 2, 0.5, "both"), "shrinks='both' must be one of all, range, top"),
    (lambda: PiecewiseDecay((2, 6), (0.1,)), "factors=(0.1,) must be a tuple of 2 numbers, one for each milestone"),
    (lambda: PiecewiseDecay((2,), (1.5,)), "factors[0]=1.5 must be <= 1"),
    (lambda: Delayed(LinearWarmup(4), -1), "steps=-1 must be >= 0"),
    (lambda: StableDecay(2, 2, "geometric"), "min_lr=0.0 must be > 0"),
]


@pytest.mark.parametrize(("make", "message"), BAD, ids=[f"{i}-{message}" for i, (_, message) in enumerate(BAD)])
def test_bad_values_say_name_value_and_rule(make: Callable[[], object], message: str) -> None:
    """A bad parameter raises, with its name, its value and the rule that it breaks."""
    with pytest.raises((TypeError, ValueError)) as caught:
        make()
    assert str(caught.value) == message
