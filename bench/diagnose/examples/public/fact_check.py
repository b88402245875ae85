"""Whether the facts of a diagnosis are true of the run behind the log, at every update and not only at logged ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.diagnose.core.diagnosis import Diagnosis
from bench.diagnose.core.fact import Fact

Floats = NDArray[np.float64]
#: A phase is right if its curve, through any two ends, gives the LRs of the run within this share of the peak.
CLOSE = 0.02
#: LRs of a share of the run that must be said to be 0 or negative.
SAID = 0.05
#: Parts of half a wave that a cosine phase may be.
PARTS = np.linspace(0.1, 1.0, 46)
#: How the LR moves in a phase: the sign of its changes.
WAYS = {"rises": 1.0, "falls": -1.0, "holds": 0.0}


def facts_are_right(diagnosis: Diagnosis, steps: NDArray[np.int64], lrs: Floats, stride: int) -> bool:
    """Whether the phases describe the run (`lrs` at `steps`), and the facts name its negative and zero LRs.

    Between the last row of a phase and the first of the next one, at most `stride` steps apart, anything may happen.
    """
    named = {fact.id: fact for fact in diagnosis.facts}
    first, last = int(diagnosis.trace.steps[0]), int(diagnosis.trace.steps[-1])
    inside = (steps >= first) & (steps <= last)
    t, y = steps[inside], lrs[inside]
    peak = float(np.abs(y).max())
    if peak == 0:
        return "zero" in named or "constant" in named
    below, first_below = named.get("negative"), int(t[np.argmax(y < 0)])
    said = below is not None and abs(int(below.numbers["first"]) - first_below) <= stride
    if (y < -SAID * peak).any() and not said:
        return False
    if (y == 0).mean() > SAID and "zero" not in named:
        return False
    if "constant" in named:
        return bool(np.ptp(y) <= CLOSE * peak)
    return "phases" in named and _phases_are_right(named["phases"], named.get("levels"), t, y, peak, stride)


def _phases_are_right(
    phases: Fact, levels: Fact | None, t: NDArray[np.int64], y: Floats, peak: float, stride: int
) -> bool:
    if levels is not None and levels.numbers.get("stairs", 0) > len(
        phases.numbers["phases"]
    ):  # the edges of the stairs
        edge = np.append(True, np.abs(np.diff(y)) > 0)
        t, y = t[edge], y[edge]
    end = -np.inf
    for phase in phases.numbers["phases"]:
        if phase["way"] == "wanders" or (end != -np.inf and phase["start"] - end > 2 * stride + 1):
            return False
        end = phase["end"]
        mine = (t >= phase["start"]) & (t <= phase["end"])
        if not _follows(phase, t[mine].astype(np.float64), y[mine], peak):
            return False
    return bool(end >= t[-1] - stride)


def _follows(phase: dict[str, Any], t: Floats, y: Floats, peak: float) -> bool:
    """Whether the run moves as the phase says, along its curve."""
    ends = float(phase["first"]), float(phase["last"])
    if t.size < 3:
        return True
    way = WAYS[str(phase["way"])]
    if way == 0:
        return bool(np.ptp(y) <= CLOSE * peak)
    back = np.maximum.accumulate(way * y) - way * y
    if back.max() > CLOSE * peak or abs(y[0] - ends[0]) > CLOSE * peak or abs(y[-1] - ends[1]) > CLOSE * peak:
        return False
    x = np.interp(t, [t[0], t[-1]], [0.0, 1.0])
    curve = str(phase["curve"])
    if curve in ("", "faster", "slower", "unevenly"):
        return True
    return bool(min(_off(basis, y) for basis in _bases(curve, x, t, y)) <= CLOSE * peak)


def _bases(curve: str, x: Floats, t: Floats, y: Floats) -> list[Floats]:
    """The curves of a name, up to level and height."""
    safe = np.maximum(y, np.finfo(float).tiny)
    bases: dict[str, list[Floats]] = {
        "linear": [x],
        "sqrt": [np.sqrt(x), np.sqrt(1 - x)],
        "square": [x**2, (1 - x) ** 2],
        "cube": [(1 - x) ** 3],
        "log": [np.log1p(t), np.log1p(t - t[0])],
        "cosine": [np.cos(np.pi * (s + p * x)) for p in PARTS for s in (0.0, 1.0 - p)],
    }
    if curve == "exponential":
        slope, level = np.polyfit(x, np.log(safe), 1, w=safe / safe.max())
        return [np.exp(level + slope * x)]
    if curve == "rsqrt":
        slope, level = np.polyfit(x, (y[0] / safe) ** 2, 1, w=(safe / safe.max()) ** 3)
        return [1 / np.sqrt(np.maximum(level + slope * x, np.finfo(float).tiny))]
    return bases[curve]


def _off(basis: Floats, y: Floats) -> float:
    """The largest residual of the best a + b·basis."""
    slope, level = np.polyfit(basis, y, 1) if np.ptp(basis) > 0 else (0.0, float(y.mean()))
    return float(np.abs(level + slope * basis - y).max())
