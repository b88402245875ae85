"""What can be changed after a failure: the warmup, at the same length of the run, or the base LR."""

from __future__ import annotations

import dataclasses
from typing import Any

from reference import Decay, Noam, Schedule, StableDecay, Warmup, WarmupDecay
from reference.check import integer

#: Longer warmups to try, as shares of the run.
WARMUP_SHARES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75)
#: LRs to try, as multiples of the base LR: 1/√2, 1/2 … 1/16; and higher ones in case the run was too slow.
LR_SHARES = tuple(2 ** (-k / 2) for k in range(1, 9))
FASTER = (4.0, 16.0)


def warmup_length(schedule: Schedule) -> int | None:
    """The length of a schedule's warmup in steps; None where it cannot be chosen.

    >>> from reference import parse
    >>> [warmup_length(parse(slug)) for slug in ("linear20+cosine180", "noam4000_d512", "untunedlinear+hold")]
    [20, 4000, None]
    """
    warmup: Any = schedule.warmup if isinstance(schedule, WarmupDecay) else schedule
    if not isinstance(schedule, WarmupDecay | Warmup | Noam) or not has_field(warmup, "warmup_steps"):
        return None
    return int(warmup.warmup_steps)


def has_field(schedule: Any, name: str) -> bool:
    """Whether a schedule takes an argument of this name; untuned warmups have a length but no such argument."""
    return name in {field.name for field in dataclasses.fields(schedule)}


def with_warmup(schedule: Schedule, warmup_steps: int) -> Schedule:
    """The same schedule with another warmup length, ending at the same step as before.

    What the warmup gains is taken from the decay (first from a plateau), down to 0 steps.
    Raises ValueError for a schedule whose warmup length cannot be chosen, and for an invalid length.

    >>> from reference import parse
    >>> with_warmup(parse("linear20+cosine180"), 50).slug, with_warmup(parse("linear0+hold"), 50).slug
    ('linear50+cosine150', 'linear50+hold')
    """
    before = warmup_length(schedule)
    if before is None:
        raise ValueError(f"schedule={schedule.slug} must have a warmup length that can be chosen")
    if not isinstance(schedule, WarmupDecay):
        without_decay: Any = schedule
        lengthened: Schedule = dataclasses.replace(without_decay, warmup_steps=warmup_steps)
        return lengthened
    warmup: Any = schedule.warmup
    grown = 0 if schedule.convention.clock != "prefix" else integer("warmup_steps", warmup_steps) - before
    changed = dataclasses.replace(warmup, warmup_steps=warmup_steps)
    return dataclasses.replace(schedule, warmup=changed, decay=_shorter(schedule.decay, grown))


def _shorter(decay: Decay, steps: int) -> Decay:
    """The decay, shortened by this many steps."""
    if isinstance(decay, StableDecay):
        plateau = max(decay.stable_steps - steps, 0)
        rest = steps - (decay.stable_steps - plateau)
        return dataclasses.replace(decay, stable_steps=plateau, decay_steps=max(decay.decay_steps - rest, 0))
    sized: Any = decay
    if not has_field(sized, "decay_steps"):
        return decay
    shorter: Decay = dataclasses.replace(sized, decay_steps=max(sized.decay_steps - steps, 0))
    return shorter


def longer_warmups(schedule: Schedule, steps: int) -> list[str]:
    """Slugs with longer warmups, the shortest first; none if the warmup length cannot be chosen.

    >>> from reference import parse
    >>> longer_warmups(parse("linear50+cosine150"), 200)
    ['linear70+cosine130', 'linear100+cosine100', 'linear150+cosine50']
    """
    before = warmup_length(schedule)
    if before is None:
        return []
    lengths = [int(share * steps + 0.5) for share in WARMUP_SHARES]
    return [with_warmup(schedule, length).slug for length in dict.fromkeys(lengths) if length > before]


def lower_lrs(base_lr: float) -> list[float]:
    """Lower base LRs, the highest first, rounded to 3 digits.

    >>> lower_lrs(0.1)[:3]
    [0.0707, 0.05, 0.0354]
    """
    return [float(f"{base_lr * share:.3g}") for share in LR_SHARES]
