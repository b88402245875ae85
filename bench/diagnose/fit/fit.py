"""Fit healthy schedules to learning rates: warmup and decay separately, then joined and compared."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bench.diagnose.core.diagnosis import FITS
from bench.diagnose.hypotheses.evidence import common, misfit
from reference import (
    ConstantDecay,
    Convention,
    CosineDecay,
    CosineWarmup,
    ExponentialWarmup,
    LinearDecay,
    LinearWarmup,
    Schedule,
    Warmup,
    WarmupDecay,
)
from reference.check import Rates, Steps

from .effort import Effort
from .fall import Fall, cosine_lengths, falls, line_length
from .places import digits
from .rise import Rise, rises, short_decimals

#: Warmups and decays of one split of the trace that are joined, simplest first.
JOINED = 5
#: Warmup lengths for which every decay is tried, if the length is unknown.
BENT = 10
#: What the fits of all warmups of one length cost, in units of `Effort`.
RISES = 20
#: What each significant digit of W and of the base LR costs: of many that fit, users write the round ones.
DIGIT = 0.02
#: Steps between two logged ones at which a warmup may end, at most.
ENDS = 32


@dataclasses.dataclass(frozen=True)
class LoggedLRs:
    """Logged steps `t` with LRs `y` to within `tol`, and the settings that are known (base LR, W, total).

    `effort`: what the fits of all versions of these LRs may still cost.
    """

    t: Steps
    y: Rates
    tol: NDArray[np.float64]
    base: float | None = None
    w: int | None = None
    total: int | None = None
    effort: Effort = dataclasses.field(default_factory=Effort)

    @property
    def last(self) -> int:
        """The last logged step."""
        return int(self.t[-1])


@dataclasses.dataclass(frozen=True)
class Fit:
    """A healthy schedule at its base LR that reproduces the LRs; `cost` counts the numbers that were fitted.

    `whole`: the schedule, where it is more than its `pair` of warmup and decay: one step late, say.
    """

    pair: WarmupDecay
    base: float
    cost: float
    misfit: float
    whole: Schedule | None = None

    @property
    def schedule(self) -> Schedule:
        """The schedule that gives the LRs."""
        return self.pair if self.whole is None else self.whole


def fits(data: LoggedLRs, most: int = 8, *, thorough: bool = True) -> list[Fit]:
    """The healthy schedules that fit, simplest first; of those equal to three digits the one with the shortest slug.

    Without `thorough` only those with a prefix clock, and the decays that take long to fit only for a known W.
    """
    kept: dict[str, Fit] = {}
    for pair, base, cost in _pairs(data, thorough):
        off = misfit(data.y, pair(data.t, base), data.tol)
        if off <= FITS:
            cost += DIGIT * (digits(pair.warmup.warmup_steps) + digits(base))
            fit, key = Fit(pair, base, cost, off), alike(pair)
            rival = kept.get(key)
            if rival is None or (round(cost, 2), len(pair.slug)) < (round(rival.cost, 2), len(rival.pair.slug)):
                kept[key] = fit
    return sorted(kept.values(), key=lambda f: (round(f.cost, 2), f.misfit))[:most]


def alike(pair: WarmupDecay) -> str:
    """The slug with its fractions rounded to three digits."""
    return re.sub(r"\d+p\d+", lambda m: f"{float(m[0].replace('p', '.')):.2e}", pair.slug)


def _pairs(data: LoggedLRs, thorough: bool) -> Iterator[tuple[WarmupDecay, float, float]]:
    lengths = warmup_ends(data)
    for i, w in enumerate(lengths):
        if not data.effort.spend(RISES):
            return
        yield from _prefix(data, w, bent=len(lengths) <= 3 or (thorough and i < BENT))
    if thorough:
        for w in lengths[:3]:
            if w > 0:
                yield from _product(data, w)


def warmup_ends(data: LoggedLRs) -> list[int]:
    """Possible warmup lengths: the known one, or those around the highest LR."""
    if data.w is not None:
        return [data.w]
    top = int(np.argmax(data.y))
    peak = int(data.t[top])
    if data.y[0] >= data.y[top] - data.tol[top]:
        return [0]
    before = int(data.t[top - 1]) if top else 0
    after = int(data.t[top + 1]) if top + 1 < data.t.size else peak + 1
    near = [
        peak,
        peak + 1,
        *range(peak + 2, min(after, peak + ENDS) + 1),
        *range(peak - 1, max(before, peak - ENDS), -1),
    ]
    if after == peak + 1 or before == peak - 1:
        near = [peak, peak + 1]
    return near


def lengths(data: LoggedLRs, w: int, n: Steps, y: Rates, base: float) -> list[int]:
    """Possible lengths of the decay: the rest of the run, or what its curvature tells."""
    if data.total is not None:
        return [data.total - w]
    stride = int(np.median(np.diff(data.t)))
    left = list(range(data.last + 1 - w, data.last + stride + 1 - w))
    return left[:1] + cosine_lengths(n, y, base) + line_length(n, y, base) + left[1:ENDS]


def _prefix(data: LoggedLRs, w: int, bent: bool) -> Iterator[tuple[WarmupDecay, float, float]]:
    inside = data.t < w
    if w > 0 and inside.any():
        up = rises(data.t, data.y, data.tol, w, data.base)
        if not up and data.base is None and data.t[np.argmax(data.y)] in (w - 1, w):
            up = rises(data.t, data.y, data.tol, w, float(data.y.max()))
        elif data.base is None and data.t[np.argmax(data.y)] in (w - 1, w):  # some step had the base LR
            up = rises(data.t, data.y, data.tol, w, float(data.y.max())) + up
    else:
        first = float(data.y[0]) if data.base is None else data.base
        up = [Rise(LinearWarmup(w), "zero", first, 0.0)]
    down = ~inside
    n, y, tol = data.t[down] - w, data.y[down], data.tol[down]
    for base in _distinct([r.base for r in up]):
        mine = [r for r in up if abs(r.base - base) <= 1e-6 * base][:JOINED]
        for end in ("open", "closed"):
            closed = end == "closed"
            if closed and not any(r.start == "first" for r in mine):
                continue
            if n.size:
                decays = falls(n + closed, y, tol, base, lengths(data, w, n + closed, y, base), w, bent, data.effort)[
                    :JOINED
                ]
            else:
                decays = [Fall(ConstantDecay(), 0.0)]
            for r in mine:
                if closed and r.start != "first":
                    continue
                for f in decays:
                    pair = WarmupDecay(r.warmup, f.decay, Convention(r.start, end))
                    yield pair, base, r.cost + f.cost + 0.2 * closed


def _distinct(bases: list[float]) -> list[float]:
    """The base LRs without those equal up to rounding."""
    kept: list[float] = []
    for base in bases:
        if all(abs(base - other) > 1e-6 * other for other in kept):
            kept.append(base)
    return kept


def _product(data: LoggedLRs, w: int) -> Iterator[tuple[WarmupDecay, float, float]]:
    """Both at once: the decay is the LR divided by the warmup."""
    total = data.total if data.total is not None else data.last + 1
    tail = data.t >= w
    if not tail.any():
        return
    base = data.base
    if base is None:
        for kind in (CosineDecay, LinearDecay):
            share = kind(total)(data.t[tail], 1.0)
            use = share > 1e-3
            peak = common(*((data.y[tail] + s * data.tol[tail])[use] / share[use] for s in (-1, 1)))
            for b in short_decimals(peak, 2e-5) if peak is not None and peak > 0 else []:
                yield from _divided(data, w, b, total)
        return
    yield from _divided(data, w, base, total)


def _divided(data: LoggedLRs, w: int, base: float, total: int) -> Iterator[tuple[WarmupDecay, float, float]]:
    first = float(data.y[0] / base) if data.t[0] == 0 else 0.0
    weights: list[tuple[Warmup, str, float]] = [(LinearWarmup(w), s, 0.0) for s in ("zero", "first", "linspace")]
    weights += [(CosineWarmup(w), s, 0.5) for s in ("zero", "first")]
    for s in short_decimals(first, 1e-4):
        if 0 < s < 1:
            weights += [(LinearWarmup(w, s), "affine", 0.3), (LinearWarmup(w, s), "linspace", 0.6)]
            weights += [(CosineWarmup(w, s), "affine", 0.8), (ExponentialWarmup(w, s), "zero", 0.5)]
    for warmup, start, price in weights:
        rule = Convention(start, "open", "multiplicative")
        weight = WarmupDecay(warmup, ConstantDecay(), Convention(start))(data.t, 1.0)
        use = weight > 0
        if not use.any():
            continue
        y, tol = data.y[use] / weight[use], data.tol[use] / weight[use]
        for f in falls(data.t[use], y, tol, base, [total], w, False, data.effort)[:2]:
            if not isinstance(f.decay, ConstantDecay):
                yield WarmupDecay(warmup, f.decay, rule), base, price + f.cost + 0.3
