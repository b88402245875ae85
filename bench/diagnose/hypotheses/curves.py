"""Build LR functions: a schedule at a base LR, one function after another, and a schedule past its end."""

from __future__ import annotations

import dataclasses

import numpy as np

from reference import CosineDecay, Schedule, WarmupDecay
from reference.check import Rates

from .anatomy import SAME, Anatomy, decay_length
from .evidence import LRFunction

#: LRs up to this step are computed once and looked up.
TABLE = 60_000


@dataclasses.dataclass(frozen=True)
class PastEnd:
    """A way in which a schedule can continue past its end: its name, the LRs, and a schedule of the same curve."""

    name: str
    at: LRFunction
    schedule: Schedule | None


def evaluated(schedule: Schedule, base: float) -> LRFunction:
    """The LRs of a schedule at a base LR; before step 0 that of step 0."""
    return lambda t: schedule(np.maximum(t, 0), base)


def switched(edge: int, before: LRFunction, after: LRFunction) -> LRFunction:
    """One function before a step, another from it on."""
    return lambda t: np.where(t < edge, before(t), after(t))


def tabulated(at: LRFunction, last: int) -> LRFunction:
    """The same LRs up to step `last`, computed once if they are few."""
    if not 0 <= last <= TABLE:
        return at
    table = at(np.arange(last + 1))
    return lambda t: table[np.clip(t, 0, last)]


def end_of(pair: WarmupDecay) -> int | None:
    """The step at which the decay of a pair is over; None if it never is."""
    length = decay_length(pair.decay)
    if length is None:
        return None
    closed = pair.convention.end == "closed"
    return length + (pair.warmup.warmup_steps if pair.convention.clock == "prefix" else 0) - closed


def ways_past_end(expected: Anatomy, pair: WarmupDecay | None, base: float, last: int) -> list[PastEnd]:
    """How a pair can continue up to step `last`: as it is written first, then all other ways that differ there."""
    if pair is None:
        return [PastEnd("own", expected.at, expected.schedule)]
    own = pair is expected.pair
    ways = [
        PastEnd(
            pair.convention.past_end,
            expected.at if own else evaluated(pair, base),
            expected.schedule if own else pair,
        )
    ]
    end = end_of(pair)
    if end is None or last < end:
        return ways
    for past in ("clamp", "periodic", "restart", "unbounded"):
        cosine = isinstance(pair.decay, CosineDecay)
        power = float(getattr(pair.decay, "power", 1.0))
        if past == pair.convention.past_end or (past == "unbounded" and (cosine or not power.is_integer())):
            continue
        other = dataclasses.replace(pair, convention=dataclasses.replace(pair.convention, past_end=past))
        ways.append(PastEnd(past, evaluated(other, base), other))
    written = ways[0].at
    held = end - 1  # a decay that stops one step before its end, as mmengine's
    ways.append(PastEnd("held", lambda t: written(np.minimum(t, held)), None))
    t = np.linspace(max(end - 1, 0), last, 10).astype(np.int64)
    seen: list[tuple[PastEnd, Rates]] = []
    for way in ways:
        values = way.at(t)
        if all(np.abs(values - other).max() > SAME * base for _, other in seen):
            seen.append((way, values))
    return [way for way, _ in seen]


def name_past_end(way: PastEnd, pair: WarmupDecay, lowest: float) -> str:
    """The cause that a run past the end of its decay shows; ``horizon-short`` where nothing happens there."""
    if way.name in ("clamp", "held", "own"):
        return "horizon-short"
    if way.name in ("restart", "shrinking"):
        return "restarts-after-end"
    if way.name == "unbounded" and not isinstance(pair.decay, CosineDecay) and lowest < 0:
        return "negative"
    return "rises-again"
