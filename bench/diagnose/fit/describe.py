"""How a schedule is called: its family, its warmup and its decay, in words."""

from __future__ import annotations

from reference import (
    ConstantDecay,
    ConstantWarmup,
    CosineDecay,
    CosineWarmup,
    ExponentialDecay,
    ExponentialWarmup,
    InverseSqrtDecay,
    LinearDecay,
    LinearWarmup,
    MultiStepDecay,
    PolynomialDecay,
    PolynomialWarmup,
    StableDecay,
    StepDecay,
    StepWarmup,
    WarmupDecay,
)

WARMUPS = {
    LinearWarmup: "linear",
    ExponentialWarmup: "exponential",
    CosineWarmup: "cosine",
    PolynomialWarmup: "polynomial",
    ConstantWarmup: "constant",
    StepWarmup: "stepwise",
}
DECAYS = {
    ConstantDecay: "hold",
    CosineDecay: "cosine",
    LinearDecay: "linear",
    PolynomialDecay: "polynomial",
    ExponentialDecay: "exponential",
    StepDecay: "step",
    MultiStepDecay: "multistep",
    InverseSqrtDecay: "inverse square root",
    StableDecay: "warmup-stable-decay",
}


def family_of(pair: WarmupDecay) -> str:
    """The letter A–G of a pair's convention; empty where it has no warmup or is none of them.

    >>> from reference import parse
    >>> family_of(parse("familyb.linear4+cosine8")), family_of(parse("linear4+cosine8"))
    ('B', 'A')
    """
    rule, w = pair.convention, pair.warmup.warmup_steps
    if w == 0:
        return ""
    if rule.clock == "multiplicative":
        return "G"
    if rule.end == "closed":
        return "C" if rule.start == "first" else ""
    if rule.start == "affine" and abs(pair.warmup.start_factor * (w + 1) - 1) < 1e-6:
        return "F"
    return {"zero": "A", "first": "B", "linspace": "D", "affine": "E"}[rule.start]


def describe(pair: WarmupDecay, base: float) -> str:
    """The schedule in words."""
    w, letter = pair.warmup.warmup_steps, family_of(pair)
    parts = []
    if letter:
        parts.append(f"family {letter}")
    parts.append(f"{WARMUPS.get(type(pair.warmup), 'untuned')} warmup of {w} steps" if w else "no warmup")
    kind = DECAYS[type(pair.decay)]
    length = getattr(pair.decay, "decay_steps", None)
    decay = f"base LR {base:.6g} held" if kind == "hold" else f"{kind} decay from base LR {base:.6g}"
    if length is not None:
        decay += f" over {length} steps"
    low = getattr(pair.decay, "min_lr", 0.0)
    if low:
        decay += f" to {low:.6g}"
    return ", ".join([*parts, decay])


def numbers(pair: WarmupDecay, base: float) -> dict[str, float | int | str]:
    """The names and numbers of a schedule as parameters of an explanation."""
    found: dict[str, float | int | str] = {
        "family": family_of(pair),
        "warmup": WARMUPS.get(type(pair.warmup), "untuned"),
        "decay": DECAYS[type(pair.decay)],
        "warmup_steps": pair.warmup.warmup_steps,
        "base_lr": base,
        "start_factor": pair.warmup.start_factor,
    }
    for name in ("decay_steps", "stable_steps", "min_lr", "gamma", "step_size", "timescale", "power"):
        value = getattr(pair.decay, name, None)
        if value:
            found[name] = value
    if isinstance(pair.decay, MultiStepDecay):
        found["milestones"] = ", ".join(map(str, pair.decay.milestones))
    return found
