"""All facts about a trace, without a fit of any named schedule."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from bench.diagnose.core.fact import Fact, telling
from bench.diagnose.core.trace import Trace
from bench.diagnose.core.words import listed, number, percent
from reference.check import Rates, Steps
from suite.shared.words import counted

from .extent import ends, floor, never_moves, not_finite, peak, sign, still_rising, zeros
from .order import again, cycles, jumped, stuck
from .phases import Floats, phases
from .rows import FEW_STAIRS, Stairs, interleaved, jumps, noise, stairs, wrong_updates
from .words import phases_text

#: More jumps than this are stairs or noise.
MANY_JUMPS = 24


@dataclasses.dataclass(frozen=True)
class Told:
    """The settings that the user gave, None where not."""

    base_lr: float | None = None
    warmup_steps: int | None = None
    total_steps: int | None = None


def gather_facts(trace: Trace, told: Told | None = None) -> tuple[Fact, ...]:
    """The facts about a trace, the most telling first; `told`: settings that some facts are compared with.

    >>> lrs = np.concatenate([np.arange(20) / 20, np.ones(30)]) * 1e-3
    >>> gather_facts(Trace(np.arange(50), lrs))[0].sentence
    'Rises linearly from 0 to 0.001 over steps 0-20, then holds 0.001 until step 49.'
    """
    told = Told() if told is None else told
    facts = not_finite(trace)
    fine = trace.finite
    t, y, tol = trace.steps[fine], trace.lrs[fine], trace.tolerance[fine]
    if not y.size:
        return telling(facts)
    facts += [*sign(t, y, tol), *zeros(t, y, tol), *ends(t, y)]
    constant = never_moves(t, y, tol, told.base_lr, told.warmup_steps)
    if constant:
        facts += constant
        return telling(facts)
    count = interleaved(y, tol)
    if count is not None:
        facts.append(_shared(y, count))
        t, y, tol = t[::count], y[::count], tol[::count]
    wrong = wrong_updates(t, y, tol)
    if wrong:
        facts.append(_wrong(t, y, wrong))
        right = np.ones(t.size, bool)
        right[wrong] = False
        t, y, tol = t[right], y[right], tol[right]
    return telling([*facts, *_shape(t, y, tol, told)])


def _shape(t: Steps, y: Rates, tol: Floats, told: Told) -> list[Fact]:
    """The facts about the course of the right rows."""
    top = float(np.abs(y).max())
    facts = peak(t, y, tol, told.base_lr, told.total_steps)
    jitter = noise(y, tol)
    if jitter is not None:
        facts.append(
            Fact(
                "noise",
                f"Changes back and forth by {percent(jitter)} of the peak from row to row.",
                {"typical": jitter},
                True,
            )
        )
        return facts
    found_stairs = stairs(t, y, tol)
    last = int(t[-1])
    if found_stairs is not None:
        facts.append(_levels(y, found_stairs))
        if found_stairs.starts.size > FEW_STAIRS:
            at = found_stairs.starts
            t, y, tol = t[at], y[at], tol[at]
    places = jumps(t, y, tol)
    if places.size > MANY_JUMPS:
        places = places[:0]
    edges = [0, *places.tolist(), t.size]
    stretches = [phases(t[a:b], y[a:b], tol[a:b], top) for a, b in itertools.pairwise(edges)]
    found = [phase for stretch in stretches for phase in stretch]
    regular = found_stairs is not None and found_stairs.regular and found_stairs.starts.size > FEW_STAIRS
    text = phases_text(found, found_stairs.width if regular and found_stairs is not None else None)
    facts.append(Fact("phases", text, {"phases": [phase.to_json() for phase in found]}))
    facts += jumped(t, y, stretches, top)
    facts += cycles(found) or again(found, top)
    facts += stuck(found, top)
    facts += floor(found, top, last)
    facts += still_rising(found, told.total_steps)
    return facts


def _shared(y: Rates, count: int) -> Fact:
    middles = [float(np.median(y[k::count])) for k in range(count)]
    names = {2: "two", 3: "three", 4: "four"}
    text = (
        f"The rows alternate between {names[count]} traces with median LRs {', '.join(map(number, middles))}: "
        "the log mixes groups or runs in one column. What follows is about the first."
    )
    return Fact("interleaved", text, {"traces": count, "medians": middles}, True)


def _wrong(t: Steps, y: Rates, wrong: list[int]) -> Fact:
    right = t.size - len(wrong)
    values = ", ".join(number(float(y[i])) for i in wrong[:3])
    text = (
        f"{counted(len(wrong), 'wrong update')} among {right} right ones: LR {values}"
        f"{' and more' if len(wrong) > 3 else ''} at {listed([int(t[i]) for i in wrong])}."
    )
    numbers = {"steps": [int(t[i]) for i in wrong], "lrs": [float(y[i]) for i in wrong]}
    return Fact("wrong-updates", text, numbers, True)


def _levels(y: Rates, found: Stairs) -> Fact:
    count = int(np.unique(y).size)
    numbers = {"levels": count, "stairs": int(found.starts.size), "width": found.width, "regular": found.regular}
    if found.starts.size <= FEW_STAIRS:
        values = ", ".join(number(float(value)) for value in y[found.starts])
        return Fact("levels", f"Has {counted(count, 'level')}: {values}.", numbers)
    each = f"each for {counted(found.width, 'step')}" if found.regular else "for different numbers of steps"
    return Fact("levels", f"A staircase: {count} levels, {each}.", numbers)
