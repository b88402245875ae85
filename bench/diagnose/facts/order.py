"""Facts about the order of phases: jumps, restarts, second rises, cycles, a decay that stops half-way."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from bench.diagnose.core.fact import Fact
from bench.diagnose.core.words import listed, number, percent
from reference.check import Rates, Steps
from suite.shared.words import counted

from .phases import Phase

#: A cosine that stops before this part of its half wave has stopped half-way.
COMPLETE = 0.93
#: An LR below this share of the peak is at the bottom; a warm restart goes back up to this share of the last peak.
BOTTOM, UP = 0.12, 0.45
#: Rows with which a decay does not show its bottom; then a return to this share of the last peak is a restart.
FEW_ROWS, FULL = 8, 0.95
#: A second rise is at least this share of the peak.
RISE = 0.05


def jumped(t: Steps, y: Rates, stretches: Sequence[Sequence[Phase]], top: float) -> list[Fact]:
    """Jumps between stretches, each judged by the phases on both sides: restarts, drops, or breaks of a decay."""
    restarts: list[int] = []
    facts = []
    drops: list[tuple[int, float]] = []
    for before, after in itertools.pairwise(stretches):
        left, right = before[-1], after[0]
        step, was, now = right.start, left.last, right.first
        factor = now / was if was else float("inf")
        numbers = {"step": step, "from": was, "to": now, "factor": factor if np.isfinite(factor) else None}
        up = now > was
        decayed = left.way == "falls" and (was <= BOTTOM * top or (left.curve == "cosine" and left.part >= COMPLETE))
        last_peak = max(phase.first for phase in before)
        unseen = left.way == "falls" and left.rows < FEW_ROWS and now >= FULL * last_peak
        if up and ((decayed and now >= UP * last_peak) or unseen):
            restarts.append(step)
            continue
        if right.way == "rises" and not up and was > BOTTOM * top and stretches[0][0].way == "rises":
            alike = right.curve == stretches[0][0].curve and abs(now - stretches[0][0].first) < 0.02 * top
            text = f"Starts over at step {step}: from {number(was)} back to {number(now)}, then the warmup again."
            if alike:
                facts.append(Fact("restart", text, {"steps": [step], "from": was, "to": now}, True))
                continue
        sick = (left.way == "falls" and right.way in ("falls", "rises")) or (left.way == right.way == "rises")
        sick = sick or (left.way == "falls" and up)
        if sick:
            times = f"{factor:.3g} times" if np.isfinite(factor) and factor > 0 else "up"
            text = (
                f"Jumps at step {step} from {number(was)} to {number(now)} ({times}), in the middle of a {_name(left)}."
            )
            facts.append(Fact("jump", text, numbers, True))
        else:
            drops.append((step, factor))
    if restarts:
        text = f"Restarts from the bottom at {listed(restarts)}."
        facts.append(Fact("restart", text, {"steps": restarts}))
    if drops:
        factors = [factor for _, factor in drops]
        steps = [step for step, _ in drops]
        ratio = number(factors[0]) if np.isfinite(factors[0]) else "from 0"
        same = np.allclose(factors, factors[0], rtol=0.01)
        each = f"to {ratio} times the LR before" if same and np.isfinite(factors[0]) else "by different factors"
        text = f"Jumps at {listed(steps)}, {each}."
        facts.append(Fact("jump", text, {"steps": steps, "factors": [f if np.isfinite(f) else None for f in factors]}))
    return facts


def _name(phase: Phase) -> str:
    return {"falls": "decay", "rises": "warmup"}.get(phase.way, "stretch")


def cycles(found: Sequence[Phase]) -> list[Fact]:
    """Linear rises and falls in turn, twice or more: a cyclic schedule."""
    ways = [phase.way for phase in found]
    moving = [phase for phase in found if phase.way in ("rises", "falls")]
    if len(moving) < 4 or len(moving) != len(found) or any(a == b for a, b in itertools.pairwise(ways)):
        return []
    if any(phase.curve == "cosine" for phase in moving):
        return []
    tops = [phase.end for phase in found if phase.way == "rises"]
    period = int(np.median(np.diff(tops))) if len(tops) > 1 else found[1].end - found[0].start
    text = f"Rises and falls in turn, {counted(len(tops), 'peak')}, about every {counted(period, 'step')}."
    return [Fact("cycles", text, {"peaks": tops, "period": period})]


def again(found: Sequence[Phase], top: float) -> list[Fact]:
    """A smooth rise after a fall: the other half of a cosine that runs past its end."""
    for left, right in itertools.pairwise(found):
        if left.way == "falls" and right.way == "rises" and right.joined:
            gain = right.last - right.first
            if gain < RISE * top:
                continue
            text = (
                f"Rises again after its decay: from {number(right.first)} at step {right.start}"
                f" to {number(right.last)} at step {right.end}."
            )
            sick = left.curve == "cosine" and right.curve in ("cosine", "square", "faster", "linear")
            return [Fact("rises-again", text, {"from": right.start, "low": right.first, "high": right.last}, sick)]
    return []


def stuck(found: Sequence[Phase], top: float) -> list[Fact]:
    """A cosine that ends before its bottom and then holds."""
    for left, right in itertools.pairwise(found):
        halfway = left.way == "falls" and left.curve == "cosine" and left.part < COMPLETE
        if halfway and right.way == "holds" and right.joined and right.last > BOTTOM * top:
            text = (
                f"Stops half-way: a cosine ends at step {right.start} and stays at {number(right.last)},"
                f" {percent(right.last / top)} of the peak."
            )
            return [Fact("stuck", text, {"step": right.start, "value": right.last}, True)]
    return []
