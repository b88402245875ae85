"""Every tolerance of the suite, with its derivation.

torch computes most rates recursively: each step multiplies the current rate, and each such step rounds.
The tolerances cover that rounding and nothing else.
"""

from __future__ import annotations

import math

#: Unit roundoff of a Python float, of the float32 tensor that `lr=torch.tensor(1e-3)` makes, and of the half types.
UNIT = {"float": 2.0**-53, "float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}

#: Roundings per step of the longest update in torch's file: CosineAnnealingLR takes two cosines, two sums,
#: a quotient, a difference, a product and a sum (8); a chain of three such parts takes three times as many.
ROUNDINGS_PER_STEP = 24

#: A quotient (1 + cos a)/(1 + cos b) next to its zero amplifies the rounding of the cosine by up to
#: 2(T/π)² for T steps; the suite's decays have T <= 24, so by at most 117.
CONDITION = 128

#: A tensor rounds only where it takes part: a difference, a product, a sum, and the copy into the group.  The
#: quotients are of Python floats, so nothing amplifies these.  A unit of the half types is too large for more.
ROUNDINGS_OF_TENSOR = 4
HALF = ("float16", "bfloat16")


def relative(steps: int, kind: str = "float") -> float:
    """Allowed relative error of a rate after `steps` steps: 7e-12 for floats after 20."""
    if kind in HALF:
        return of_peak(steps, kind)
    return (steps + 1) * ROUNDINGS_PER_STEP * CONDITION * UNIT[kind]


def of_peak(steps: int, kind: str = "float") -> float:
    """Allowed error as a share of the largest rate of the trace.

    Sums and differences of rates leave an error that does not shrink with the result,
    so a rate that should be exactly 0 may keep a few units in the last place of the peak.
    """
    roundings = ROUNDINGS_OF_TENSOR if kind in HALF else ROUNDINGS_PER_STEP
    return (steps + 1) * roundings * UNIT[kind]


def between_releases(steps: int, kind: str = "float") -> float:
    """Allowed difference of two runs of one scheduler, as a share of the rate and once more of the largest rate.

    Releases differ in the order of a few operations. What CosineAnnealingLR amplifies next to its zero is a share
    of the largest rate, so that `CONDITION`, 1 % of a float32 rate after 64 steps, would hide real changes.
    """
    return of_peak(steps, kind)


def of_angle(position: int) -> float:
    """Allowed relative error, on top, of a rate that a periodic scheduler gives at a far step: 4e-9 at 100 000.

    The angle π·t/T, or the cycle t/T, is rounded twice, by up to t/T units: in period T = 1 by π·t units at most.
    Python floats hold it whatever the type of the LR.  `CONDITION` amplifies it next to a minimum.
    """
    return 2 * math.pi * position * CONDITION * UNIT["float"]


#: The change of an LR that a log of four digits shows.
VISIBLE = 1e-4


def after(steps: int, kind: str = "float") -> float:
    """Allowed relative error after many steps, far from a minimum: 3e-10 for floats after 100 000.

    In float32 rounding alone explains any drift after some ten thousand steps (n·2^-24 a step), and hides as much.
    Whoever reads the documented formula expects its LR, so there the limit is what a reader can see; in the half types
    what one step may round, since one value can be no better.
    """
    if kind in HALF:
        return ROUNDINGS_OF_TENSOR * UNIT[kind]
    return steps * ROUNDINGS_PER_STEP * UNIT["float"] if kind == "float" else VISIBLE
