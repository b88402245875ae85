"""Schedules in words: family, warmup and decay with their numbers."""

from __future__ import annotations

from bench.diagnose.core.words import number
from bench.diagnose.hypotheses.anatomy import as_pair
from reference import (
    ChainedScheduler,
    Clocked,
    ConstantDecay,
    ConstantWarmup,
    CosineDecay,
    CosineRestartsDecay,
    CosineWarmup,
    Delayed,
    ExponentialDecay,
    ExponentialWarmup,
    InverseSqrtDecay,
    LambdaLR,
    LinearDecay,
    LinearWarmup,
    LogWarmup,
    MultiStepDecay,
    PiecewiseDecay,
    PolynomialDecay,
    PolynomialWarmup,
    Schedule,
    SequentialLR,
    StableDecay,
    StepDecay,
    StepWarmup,
    TanhDecay,
    WarmRestartsDecay,
    WarmupDecay,
)
from suite.shared.words import counted

WARMUPS = {
    LinearWarmup: "linear",
    ExponentialWarmup: "exponential",
    CosineWarmup: "cosine",
    PolynomialWarmup: "polynomial",
    ConstantWarmup: "constant",
    StepWarmup: "stepwise",
    LogWarmup: "logarithmic",
}
DECAYS = {
    ConstantDecay: "hold",
    CosineDecay: "cosine",
    LinearDecay: "linear",
    PolynomialDecay: "polynomial",
    ExponentialDecay: "exponential",
    StepDecay: "step",
    MultiStepDecay: "multistep",
    PiecewiseDecay: "piecewise constant",
    InverseSqrtDecay: "inverse square root",
    StableDecay: "warmup-stable-decay",
    TanhDecay: "hyperbolic tangent",
    CosineRestartsDecay: "cosine with restarts",
    WarmRestartsDecay: "cosine with restarts",
}
#: The shapes of a stable decay that are not called what they are.
SHAPES = {"sqrt": "square root", "exponential": "2·½ˣ − 1", "geometric": "exponential"}
#: The fields of decays that are numbers.
NUMBERS = (
    *("decay_steps", "stable_steps", "min_lr", "gamma", "step_size", "timescale", "power"),
    *("cycles", "first_steps", "growth", "shrink", "lower", "upper"),
)
#: How a decay continues after its end, where it does not stay there.
PAST_END = {"periodic": "then rising again", "restart": "then restarting", "unbounded": "then continuing downwards"}


def family_of(pair: WarmupDecay) -> str:
    """The letter A–G of a pair's convention; empty where it has no warmup or belongs to no family.

    >>> from reference import parse
    >>> family_of(parse("familyb.linear4+cosine8")), family_of(parse("linear4+cosine8"))
    ('B', 'A')
    """
    rule, w = pair.convention, pair.warmup.warmup_steps
    if w == 0 or rule.clock in ("absolute", "meeting"):
        return ""
    if rule.clock == "multiplicative":
        return "G"
    if rule.end == "closed":
        return "C" if rule.start == "first" else ""
    if rule.start == "affine" and abs(pair.warmup.start_factor * (w + 1) - 1) < 1e-6:
        return "F"
    return {"zero": "A", "first": "B", "linspace": "D", "affine": "E"}[rule.start]


def kinds(pair: WarmupDecay) -> dict[str, str]:
    """The kinds of the warmup and of the decay; a schedule without warmup has none.

    >>> from reference import parse
    >>> kinds(parse("linear20+cosine180"))
    {'warmup': 'linear', 'decay': 'cosine'}
    """
    warmup = WARMUPS.get(type(pair.warmup), "untuned") if pair.warmup.warmup_steps else "missing"
    return {"warmup": warmup, "decay": DECAYS[type(pair.decay)]}


def in_words(schedule: Schedule, base: float) -> str:
    """Any schedule in words: as warmup and decay where it is one, else as the composition that it is.

    >>> from reference import parse
    >>> in_words(parse("linear20+cosine180"), 0.1)
    'linear warmup of 20 steps (family A), cosine decay from base LR 0.1 over 180 steps'
    >>> in_words(parse("seq2_m20.linearlr_s0p1.exponentiallr0p9"), 0.1)
    'LinearLR, from step 20 on ExponentialLR; base LR 0.1'
    """
    pair, pair_base = as_pair(schedule, base)
    return f"{_composition(schedule, base)}; base LR {number(base)}" if pair is None else describe(pair, pair_base)


def _composition(schedule: Schedule, base: float) -> str:
    if isinstance(schedule, LambdaLR):
        return _composition(schedule.lr_lambda, base)
    if isinstance(schedule, Clocked):
        pace = f"once every {schedule.every} updates" if schedule.every > 1 else f"{schedule.times} times per update"
        return f"{_composition(schedule.schedule, base)} stepped {pace}"
    if isinstance(schedule, Delayed):
        return f"{_composition(schedule.schedule, base)} {counted(schedule.steps, 'step')} late"
    if isinstance(schedule, WarmupDecay):
        return f"({describe(schedule, base)})"
    parts = [
        f"({_composition(part, base)})"
        if isinstance(part, SequentialLR | ChainedScheduler)
        else _composition(part, base)
        for part in getattr(schedule, "schedulers", ())
    ]
    if isinstance(schedule, SequentialLR):
        later = (f"from step {m} on {part}" for m, part in zip(schedule.milestones, parts[1:], strict=True))
        return ", ".join([parts[0], *later])
    if isinstance(schedule, ChainedScheduler):
        return " chained with ".join(parts)
    return type(schedule).__name__


def describe(pair: WarmupDecay, base: float) -> str:
    """A warmup and its decay in words."""
    w, letter = pair.warmup.warmup_steps, family_of(pair)
    if not w:
        return f"no warmup, {_decay(pair, base)}"
    warmup = f"{WARMUPS.get(type(pair.warmup), 'untuned')} warmup of {w} steps"
    if pair.warmup.start_factor:
        warmup += f" from {number(pair.warmup.start_factor * base)}"
    if pair.convention.clock == "meeting":
        warmup += f" to {number(float(pair(w, base)))}"
    text = f"{warmup}{f' (family {letter})' if letter else ''}, {_decay(pair, base)}"
    return f"{text}, counted from step 0" if pair.convention.clock in ("absolute", "meeting") else text


def _decay(pair: WarmupDecay, base: float) -> str:
    decay = pair.decay
    if isinstance(decay, ConstantDecay):
        return f"then constant at {number(base)}" if pair.warmup.warmup_steps else f"constant LR {number(base)}"
    kind = DECAYS[type(decay)]
    if isinstance(decay, StableDecay):
        kind = f"constant for {decay.stable_steps} steps, then {SHAPES.get(decay.shape, decay.shape)}"
    if isinstance(decay, InverseSqrtDecay) and decay.stable_steps:
        kind = f"constant for {decay.stable_steps} steps, then {kind}"
    if isinstance(decay, CosineRestartsDecay | WarmRestartsDecay):
        return _restarts(decay, base)
    text = f"{kind} decay from base LR {number(base)}"
    if isinstance(decay, StepDecay):
        return f"{text} by a factor of {number(decay.gamma)} every {decay.step_size} steps"
    if isinstance(decay, PiecewiseDecay):
        levels = ", ".join(
            f"{number(f * base)} after {m} steps" for m, f in zip(decay.milestones, decay.factors, strict=True)
        )
        return f"{text}: {levels}"
    if isinstance(decay, MultiStepDecay):
        return f"{text} by a factor of {number(decay.gamma)} after {', '.join(map(str, decay.milestones))} steps"
    length = getattr(decay, "decay_steps", None)
    if length is not None:
        text += f" over {length} steps"
    elif isinstance(decay, ExponentialDecay):
        text += f" by a factor of {decay.gamma:.6g} per step"
    low = getattr(decay, "min_lr", 0.0)
    text += f" to {number(low)}" if low else ""
    past_end = pair.convention.past_end
    return text if length is None or past_end == "clamp" else f"{text}, {PAST_END[past_end]}"


def _restarts(decay: CosineRestartsDecay | WarmRestartsDecay, base: float) -> str:
    low = f" to {number(decay.min_lr)}" if decay.min_lr else ""
    if isinstance(decay, CosineRestartsDecay):
        cycles = counted(decay.cycles, "cosine decay")
        return f"{cycles} from base LR {number(base)}{low}, one after the other in {decay.decay_steps} steps"
    change = [f"{decay.growth} times as long"] if decay.growth > 1 else []
    change += [f"{number(decay.shrink)} times as high"] if decay.shrink < 1 else []
    each = f", each {' and '.join(change)} as the one before" if change else ""
    return f"cosine decay from base LR {number(base)}{low} over {decay.first_steps} steps, then warm restarts{each}"


def numbers(pair: WarmupDecay, base: float) -> dict[str, float | int | str]:
    """The names and numbers of a schedule as parameters of an explanation."""
    parameters: dict[str, float | int | str] = {
        "family": family_of(pair),
        "warmup": WARMUPS.get(type(pair.warmup), "untuned"),
        "decay": DECAYS[type(pair.decay)],
        "warmup_steps": pair.warmup.warmup_steps,
        "base_lr": base,
        "start_factor": pair.warmup.start_factor,
    }
    for name in NUMBERS:
        value = getattr(pair.decay, name, None)
        if value:
            parameters[name] = value
    if isinstance(pair.decay, MultiStepDecay | PiecewiseDecay):
        parameters["milestones"] = ", ".join(map(str, pair.decay.milestones))
    return parameters
