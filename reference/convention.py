"""The four choices that decide what "warmup of W steps" means, and the families A–G as presets.

Below: t the step, W the warmup steps, n the step on the decay's own clock, D the decay steps.
Everything here is whole numbers; the curves divide only once, at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .check import Steps, one_of

STARTS = ("zero", "first", "affine", "linspace")
ENDS = ("open", "closed")
CLOCKS = ("prefix", "multiplicative")
PAST_ENDS = ("clamp", "periodic", "restart", "unbounded")


@dataclass(frozen=True)
class Convention:
    """How a warmup and a decay share the steps.

    ``start``: the progress x of the warmup at t < W; at t >= W the factor is 1.

    * ``zero``: x = t/W, and the warmup starts at a factor of 0;
      kinds that have no 0 (geometric, constant) start at their own factor;
    * ``affine``: x = t/W from any start factor s; ``zero`` is ``affine`` with s = 0;
    * ``first``: x = (t+1)/W, so the first step already counts;
    * ``linspace``: x = t/(W−1), W evenly spaced points;
      W = 1 is the start point, as in ``numpy.linspace``.

    ``end``: ``open`` puts the end of the decay one step after the last (n = t−W),
    ``closed`` on the last step (n = t−W+1).

    ``clock``: ``prefix`` starts the decay when the warmup is over (D = T−W for T steps in all),
    ``multiplicative`` lets the decay run from step 0 (n = t, D = T); the LR is the product of both.

    ``past_end``: what a decay with a length does past it. ``clamp`` stays at the end value,
    ``periodic`` runs back and forth (a cosine's own rise), ``restart`` begins again after D steps,
    ``unbounded`` goes on with the formula (a linear decay becomes negative).
    Decays without a length ignore it.

    Raises ValueError for an unknown choice. Source: the libraries' own code, table in the README.

    >>> Convention(start="first").end
    'open'
    """

    start: str = "zero"
    end: str = "open"
    clock: str = "prefix"
    past_end: str = "clamp"

    def __post_init__(self) -> None:
        one_of("start", self.start, STARTS)
        one_of("end", self.end, ENDS)
        one_of("clock", self.clock, CLOCKS)
        one_of("past_end", self.past_end, PAST_ENDS)


#: The families in use, by letter. F is E with start_factor 1/(W+1), that is (t+1)/(W+1).
FAMILIES: dict[str, Convention] = {
    "A": Convention("zero"),
    "B": Convention("first"),
    "C": Convention("first", "closed"),
    "D": Convention("linspace"),
    "E": Convention("affine"),
    "F": Convention("affine"),
    "G": Convention("first", "open", "multiplicative"),
}


def progress(start: str, t: Steps, warmup_steps: int) -> tuple[Steps, int]:
    """The warmup's progress num/den at steps 0 <= t < W, as whole numbers (num, den), den >= 1.

    >>> progress("first", np.array([0, 3]), 4)
    (array([1, 4]), 4)
    """
    if start == "first":
        return t + 1, warmup_steps
    if start == "linspace":
        return t, max(warmup_steps - 1, 1)  # W = 1: t is 0, and 0/1 is the start point
    return t, warmup_steps


def fold(n: Steps, length: int | None, past_end: str, closed: bool = False) -> Steps:
    """The decay's clock n >= 0 after the rules for its end: a whole number, 0 … D unless ``unbounded``.

    A closed end counts from 1. It is added after ``restart``, so that the cycle is 1 … D
    and the last step of each cycle is the end of the decay; with an open end the cycle is 0 … D−1.
    A decay of no length (D = 0) is over before it starts and has no period: n stays as it is.

    >>> [fold(np.arange(6), 3, p).tolist() for p in ("clamp", "periodic", "restart")]
    [[0, 1, 2, 3, 3, 3], [0, 1, 2, 3, 2, 1], [0, 1, 2, 0, 1, 2]]
    >>> fold(np.arange(6), 3, "restart", closed=True).tolist()
    [1, 2, 3, 1, 2, 3]
    """
    if length and past_end == "restart":
        n = n % length
    if closed:
        n = np.minimum(n, np.iinfo(np.int64).max - 1) + 1
    if not length or past_end in ("restart", "unbounded"):
        return n
    if past_end == "clamp":
        return np.minimum(n, length)
    n = n % (2 * length)
    return np.minimum(n, 2 * length - n)
