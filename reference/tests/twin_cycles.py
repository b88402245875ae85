"""Exact values of the cycles, SWALR and ReduceLROnPlateau; the error factors are derived in twins.py."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

from reference import SWALR, CyclicLR, ExponentialLR, OneCycleLR, ReduceLROnPlateau
from reference.tests.exact import INF, NAN, SQUARE, Exact, Random, Refusals, base_of, half_wave, small, steps_of
from reference.tests.twin_factors import LONG, decay_rate, flat, mpf


def _one_cycle(strategy: str, three: bool, momentum: bool) -> Callable[[Random], Exact]:
    def make(draw: Random) -> Exact:
        total, pct, peak = steps_of(draw, 30), float(draw.uniform(0.1, 0.45)), base_of(draw)
        div, final = float(10 ** draw.uniform(0, 4)), float(10 ** draw.uniform(0, 5))
        schedule = OneCycleLR(
            peak,
            total,
            pct_start=pct,
            anneal_strategy=strategy,
            div_factor=div,
            final_div_factor=final,
            three_phase=three,
        )
        start, top, low = mpf(peak) / div, mpf(peak), mpf(peak) / div / final
        if momentum:
            start, top, low = mpf(0.95), mpf(0.85), mpf(0.95)
        rise = mpf(pct) * total - 1
        corners = [(mpf(0), start), (rise, top)]
        if three:
            corners.append((2 * rise, start))
        corners.append((mpf(total - 1), low))

        def phase(t: int) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
            i = next(i for i in range(1, len(corners)) if t <= corners[i][0])
            return corners[i - 1], corners[i]

        def value(t: int) -> Any:
            (begin, a), (end, b) = phase(t)
            p = (t - begin) / (end - begin)
            return a + (b - a) * (p if strategy == "linear" else half_wave(1 - p))

        def factor(t: int) -> float:
            (begin, a), (end, b) = phase(t)
            corner = SQUARE * (1 + total / float(end - begin))
            falls_to_exact_end = end == total - 1 and b <= a
            return corner * (1.0 if falls_to_exact_end else float(max(a, b) / value(t)))

        tested: Any = (lambda t, base: schedule.momentum(t)) if momentum else schedule
        return Exact(tested, 1.0, value, factor, total - 2)

    return make


def _cyclic(mode: str, momentum: bool = False) -> Callable[[Random], Exact]:
    def make(draw: Random) -> Exact:
        low, up, down = base_of(draw), steps_of(draw), steps_of(draw)
        high = low * float(draw.uniform(1, 1e4))
        gamma = decay_rate(draw, LONG)
        options: dict[str, Any] = {"scale_fn": ExponentialLR(0.75)} if mode == "scale_fn" else {"mode": mode}
        schedule = CyclicLR(low, high, up, down, gamma=gamma, **options)

        def height(t: int) -> Any:
            cycle, r = 1 + t // (up + down), t % (up + down)
            h = mpf(r) / up if r < up else mpf(up + down - r) / down
            scale = {
                "triangular": lambda: mpf(1),
                "triangular2": lambda: mpf(2) ** (1 - cycle),
                "exp_range": lambda: mpf(gamma) ** t,
                "scale_fn": lambda: mpf(0.75) ** cycle,
            }[mode]()
            return h * scale

        if momentum:
            tested: Any = lambda t, base: schedule.momentum(t)  # noqa: E731 - called like a schedule
            return Exact(tested, 1.0, lambda t: mpf(0.9) - (mpf(0.9) - mpf(0.8)) * height(t), flat(0.9 / 0.8), 5 * up)
        return Exact(schedule, 1.0, lambda t: low + (mpf(high) - low) * height(t), flat(1), min(5 * (up + down), LONG))

    return make


def _swa(strategy: str) -> Callable[[Random], Exact]:
    def make(draw: Random) -> Exact:
        goal, n, base = base_of(draw), steps_of(draw), base_of(draw)

        def value(t: int) -> Any:
            p = mpf(min(t, n)) / n
            return base + (mpf(goal) - base) * (p if strategy == "linear" else 1 - half_wave(p))

        def blended(t: int) -> float:
            return SQUARE * max(1.0, float(goal / value(t)))

        return Exact(SWALR(goal, n, strategy), base, value, blended, n)

    return make


def _falling(draw: Random, count: int) -> list[float]:
    """Positive metrics that fall with noise, as a loss does."""
    trend = np.exp(-np.arange(count) / draw.uniform(50, 2000))
    return [float(metric) for metric in draw.uniform(0.9, 1.1, count) * trend]


def around_zero(draw: Random, count: int) -> list[float]:
    """Metrics of both signs that fall with noise, among them 0, NaN and, towards the end, both infinities."""
    start, fall = draw.uniform(0, 2), draw.uniform(0, 4 / count)
    metrics = [float(m) for m in draw.normal(start, 0.5, count) - fall * np.arange(count)]
    for k in draw.integers(0, count, count // 20):
        metrics[k] = float(draw.choice([0.0, -0.0, NAN, 1e300, INF]))
    metrics[int(draw.integers(count // 2, count))] = -INF
    return metrics


def plateau_rates(twin: ReduceLROnPlateau, base: float) -> tuple[list[Any], list[int]]:
    """The LR and the number of reductions before the first and after each metric, by the rules of the docstring."""
    lr, best, bad, cooling, reductions = mpf(base), None, 0, 0, 0
    lrs, counts = [lr], [0]
    sign = 1 if twin.mode == "min" else -1
    for metric in map(mpf, twin.metrics):
        if best is None or mpmath.isnan(best):
            good = best is None or not mpmath.isnan(metric)
        elif twin.threshold_mode == "rel":
            good = sign * metric < sign * best * (1 - sign * mpf(twin.threshold))
        else:
            good = sign * metric < sign * best - mpf(twin.threshold)
        if good:
            best, bad = metric, 0
        else:
            bad += 1
        if cooling > 0:
            cooling, bad = cooling - 1, 0
        if bad > twin.patience:
            lower = max(lr * twin.factor, mpf(twin.min_lr))
            if lr - lower >= twin.eps:
                lr, reductions = lower, reductions + 1
            cooling, bad = twin.cooldown, 0
        lrs.append(lr)
        counts.append(reductions)
    return lrs, counts


def _plateau(mode: str, relation: str, drawn: Callable[[Random, int], list[float]]) -> Callable[[Random], Exact]:
    def make(draw: Random) -> Exact:
        count, base, shrink = 3000, base_of(draw), float(draw.uniform(0.5, 0.97))
        mirror: Callable[[float], float] = (lambda m: 1 / m) if drawn is _falling else (lambda m: -m)
        metrics = tuple(metric if mode == "min" else mirror(metric) for metric in drawn(draw, count))
        patience, cooldown = int(draw.integers(0, 20)), int(draw.integers(0, 9))
        threshold, floor, eps = float(draw.uniform(0, 0.02)), base * small(draw), 1e-8
        schedule = ReduceLROnPlateau(metrics, mode, shrink, patience, threshold, relation, cooldown, floor, eps)
        rates = functools.cache(lambda: plateau_rates(schedule, base))
        return Exact(schedule, base, lambda t: rates()[0][t], lambda t: rates()[1][t] + 1, count - 1)

    return make


CYCLES: dict[str, Callable[[Random], Exact]] = {
    **{
        f"OneCycleLR-{strategy}-{'three' if three else 'two'}-{'momentum' if momentum else 'lr'}": _one_cycle(
            strategy, three, momentum
        )
        for strategy in ("cos", "linear")
        for three in (False, True)
        for momentum in (False, True)
    },
    **{f"CyclicLR-{mode}": _cyclic(mode) for mode in ("triangular", "triangular2", "exp_range", "scale_fn")},
    **{
        f"CyclicLR-{mode}-momentum": _cyclic(mode, momentum=True) for mode in ("triangular", "triangular2", "exp_range")
    },
    **{f"SWALR-{strategy}": _swa(strategy) for strategy in ("cos", "linear")},
    **{
        f"ReduceLROnPlateau-{mode}-{rel}-{drawn.__name__.strip('_')}": _plateau(mode, rel, drawn)
        for mode in ("min", "max")
        for rel in ("rel", "abs")
        for drawn in (_falling, around_zero)
    },
}

#: See `exact.Refusals`.
CYCLE_REFUSALS: list[Refusals] = [
    (
        OneCycleLR,
        {"max_lr": 0.1, "total_steps": 20},
        [
            ("max_lr", NAN, "must be finite"),
            ("total_steps", 0, "must be >= 1"),
            ("total_steps", 20.0, "must be an integer"),
            ("total_steps", None, "must be given"),
            ("pct_start", 1, "must be a float"),
            ("pct_start", -0.1, "must be >= 0"),
            ("pct_start", 1.1, "must be <= 1"),
            ("anneal_strategy", "cosine", "must be one of cos, linear"),
            ("cycle_momentum", 1, "must be True or False"),
            ("base_momentum", NAN, "must be finite"),
            ("max_momentum", NAN, "must be finite"),
            ("div_factor", 0.0, "must be > 0"),
            ("final_div_factor", -1.0, "must be > 0"),
            ("three_phase", 0, "must be True or False"),
        ],
    ),
    (
        CyclicLR,
        {"base_lr": 0.1, "max_lr": 0.2},
        [
            ("base_lr", NAN, "must be finite"),
            ("max_lr", "0.2", "must be a real number"),
            ("step_size_up", -1, "must be >= 0"),
            ("step_size_up", 2.5, "must be an integer"),
            ("step_size_down", -1, "must be >= 0"),
            ("step_size_up", 0, "must be >= 1"),
            ("mode", "sine", "must be one of triangular, triangular2, exp_range"),
            ("gamma", INF, "must be finite"),
            ("scale_fn", abs, "must be a schedule"),
            ("scale_mode", "steps", "must be one of cycle, iterations"),
            ("cycle_momentum", None, "must be True or False"),
            ("base_momentum", NAN, "must be finite"),
            ("max_momentum", NAN, "must be finite"),
        ],
    ),
    (
        SWALR,
        {"swa_lr": 0.1},
        [
            ("swa_lr", NAN, "must be finite"),
            ("anneal_epochs", -1, "must be >= 0"),
            ("anneal_epochs", 2.5, "must be an integer"),
            ("anneal_strategy", "exp", "must be one of cos, linear"),
        ],
    ),
    (
        ReduceLROnPlateau,
        {"metrics": (1.0, 0.5)},
        [
            ("metrics", (1.0, "0.5"), "must be a real number"),
            ("metrics", (NAN, True), "must be a real number"),
            ("mode", "mean", "must be one of min, max"),
            ("factor", 1.0, "must be < 1"),
            ("factor", -0.5, "must be >= 0"),
            ("patience", -1, "must be >= 0"),
            ("cooldown", 1.5, "must be an integer"),
            ("threshold", NAN, "must be finite"),
            ("threshold", -0.1, "must be >= 0"),
            ("threshold_mode", "both", "must be one of rel, abs"),
            ("min_lr", INF, "must be finite"),
            ("eps", None, "must be a real number"),
            ("eps", -1e-8, "must be >= 0"),
        ],
    ),
]
