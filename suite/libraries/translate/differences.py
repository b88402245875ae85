"""How two runs differ, in plain words."""

from __future__ import annotations

import dataclasses

import numpy as np

from reference.check import Rates
from suite.engine import tolerances

#: Differences of a library that computes in float32, as a share of the peak.
SINGLE = 4e-6
#: More than this, as a share of the peak, is another schedule, unless it is in fewer than `FEW` of the updates.
OTHER, FEW = 0.15, 0.5


@dataclasses.dataclass(frozen=True)
class RunDifference:
    """One run beside another: the largest difference before the end, as a share of the peak, and in words.

    `after`: the difference in the updates after the end, in words; empty where they are equal.  `near`: whether it is
    the same schedule, but for some of its updates.
    """

    size: float
    words: str
    after: str = ""
    near: bool = True

    @property
    def equal(self) -> bool:
        """Whether every update before the end has the same LR, but for rounding."""
        return self.size <= SINGLE

    @property
    def order(self) -> tuple[bool, float, bool]:
        """The nearest first."""
        return not self.near, (0.0 if self.equal else self.size), bool(self.after)


def difference(
    yours: Rates, other: Rates, steps: int, warmup_steps: int, errors: tuple[str, str] = ("", "")
) -> RunDifference:
    """Compare the LRs of all updates before `steps`, and those after it; `errors` are what ended the two runs."""
    error = errors[1]
    peak = float(np.abs(yours[:steps]).max()) or 1.0
    if len(other) < steps:
        return RunDifference(np.inf, f"ends with {error or 'an error'} before update {len(other)}", near=False)
    one, two = yours[:steps] / peak, other[:steps] / peak
    gap = two - one
    size = float(np.abs(gap).max()) if np.isfinite(gap).all() else np.inf
    allowed = tolerances.between_releases(steps)
    after = _after(yours / peak, other / peak, steps, errors)
    if size <= 2 * allowed:
        return RunDifference(size, f"equal in all {steps} updates", after)
    if size <= SINGLE:
        return RunDifference(size, f"equal in all {steps} updates but for rounding ({size:.0e} of the peak)", after)
    words = _words(one, two, SINGLE, warmup_steps)
    near = size <= OTHER or float(np.mean(~(np.abs(gap) <= SINGLE))) <= FEW or words.startswith(("one step", "2 steps"))
    return RunDifference(size, words, after, near)


def _words(one: Rates, two: Rates, allowed: float, warmup_steps: int) -> str:
    for late in (1, -1, 2, -2):
        if _shifted(one, two, late, allowed):
            count = "one step" if abs(late) == 1 else f"{abs(late)} steps"
            return f"{count} {'late' if late > 0 else 'early'}"
    wrong = np.flatnonzero(~(np.abs(two - one) <= allowed))
    first, last = int(wrong[0]), int(wrong[-1])
    if first == last:
        return f"{_share(two[first])} instead of {_share(one[first])} of the peak at step {first}, else equal"
    parts = []
    if first == 0 and abs(two[0] - one[0]) > allowed and last <= max(warmup_steps, 1):
        parts.append(f"starts at {_share(two[0])} instead of {_share(one[0])} of the peak")
    elif np.argmax(two) != np.argmax(one) and _meets(two, one):
        parts.append(f"peak at step {int(np.argmax(two))} instead of {int(np.argmax(one))}")
    parts.append(_sizes(one, two, first, last))
    if last < len(one) - 2:
        parts.append(f"equal from step {last + 1} on")
    return ", ".join(parts)


def _meets(two: Rates, one: Rates) -> bool:
    return bool(abs(two.max() - one.max()) < OTHER)


def _shifted(one: Rates, two: Rates, late: int, allowed: float) -> bool:
    """Whether the second run is the first, some steps later; what comes before its start is of no interest."""
    if len(one) <= 4 * abs(late):
        return False
    ahead, behind = (one, two) if late > 0 else (two, one)
    return bool((np.abs(ahead[: -abs(late)] - behind[abs(late) :]) <= allowed).all())


def _sizes(one: Rates, two: Rates, first: int, last: int) -> str:
    gap = two - one
    where = int(np.argmax(np.abs(gap)))
    lower, higher = float(-gap.min()), float(gap.max())
    if lower > 10 * higher:
        way = " lower"
    elif higher > 10 * lower:
        way = " higher"
    else:
        way = " off"
    start = f", from step {first} on" if first > 0 and last == len(one) - 1 else ""
    return f"at most {_percent(abs(gap[where]))} of the peak{way} (at step {where}){start}"


def _percent(share: float) -> str:
    """Two digits, three from 100 % on.

    >>> _percent(0.03812), _percent(1.0)
    ('3.8 %', '100 %')
    """
    return f"{share * 100:.0f} %" if share >= 0.995 else f"{share * 100:.2g} %"


def _share(value: float) -> str:
    """A share of the peak as people write it.

    >>> _share(0.002), _share(0.25), _share(0.1234567), _share(0.0), _share(-0.5)
    ('1/500', '1/4', '0.123457', '0', '-0.5')
    """
    if abs(value) <= SINGLE:
        return "0"
    if 0 < value < 1 and abs(1 / value - round(1 / value)) < 1e-6 / value and round(1 / value) < 100_000:
        return f"1/{round(1 / value)}"
    return f"{value:.6g}"


def after_words(values: Rates, steps: int, error: str = "") -> str:
    """What a run does after its end: it stays, rises, restarts, becomes negative, falls, or ends with an error."""
    tail = values[steps:]
    error = error.partition(":")[0]
    if not len(tail):
        return f"ends with {error}" if error else "stays"
    peak = float(np.abs(values[:steps]).max()) or 1.0
    change = np.diff(np.concatenate([values[steps - 1 : steps], tail])) / peak
    if not np.isfinite(tail).all():
        return "is not a number"
    if tail.min() < -SINGLE * peak:
        return "becomes negative"
    later = change[1:] if len(change) > 1 else change
    if change.max() > 0.5:
        return "restarts"
    if change.max() > SINGLE:
        return "rises again"
    if change.min() < -SINGLE and not (abs(later) <= SINGLE).all():
        return "falls further"
    return f"ends with {error}" if error else "stays"


def _after(one: Rates, two: Rates, steps: int, errors: tuple[str, str]) -> str:
    both = min(len(one), len(two))
    equal = len(one) == len(two) and bool((np.abs(one[steps:both] - two[steps:both]) <= SINGLE).all())
    if equal or len(one) <= steps:
        return ""
    mine, other = after_words(one, steps, errors[0]), after_words(two, steps, errors[1])
    if other == mine:
        return f"another LR after step {steps}" if both > steps else ""
    return f"{other} after step {steps}, yours {mine}"
