"""ReduceLROnPlateau on every kind of metric, in every mode: with NaN, infinities, values below 0, and wrong arguments.

Every shape of metrics meets both modes, both threshold modes and four of the rows of the other arguments.
The rows are taken in turn, so that any two values of different arguments meet in some case.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from reference import ReduceLROnPlateau, Schedule
from suite.engine.axes import Setup
from suite.engine.build import unvalidated
from suite.engine.case import Case

NAN, INF = float("nan"), float("inf")
#: Metrics in mode "min"; mode "max" takes them with the other sign. No number lies on the bar of another.
SHAPES: dict[str, tuple[float, ...]] = {
    "falls": (1.0, 0.8, 0.75, 0.74, 0.5, 0.6, 0.6, 0.6, 0.6),
    "falls below 0": (1.0, 0.5, 0.0, -0.5, -0.45, -0.4, -0.35, -0.3, -0.3),
    "negative": (-1.0, -0.95, -0.85, -0.8, -1.2, -0.5, -0.5, -0.5, -0.5),
    "constant": (1.0,) * 9,
    "constant below 0": (-1.0,) * 9,
    "zero": (0.0,) * 9,
    "NaN first": (NAN, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5),
    "NaN inside": (1.0, NAN, NAN, NAN, NAN, 0.5, 0.5, 0.6),
    "NaN only": (NAN,) * 9,
    "worst infinity first": (INF, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5),
    "worst infinity inside": (1.0, INF, INF, INF, INF, 0.5, 0.5, 0.6),
    "best infinity": (1.0, 1.0, -INF, -INF, -INF, -1.0, -1.0, -1.0, NAN),
    "huge": (1.7e308, 1.2e308, 1.1e308, 1e300, 1e300, -1e308, -1e308, -1e308),
    "tiny": (1e-300, 1e-300, 1e-310, 5e-324, 5e-324, 0.0, 0.0, -5e-324, -5e-324),
}
#: The other arguments: factor, patience, cooldown, eps, and min_lr of the first group.
ROWS = list(itertools.product((0.7, 0.1), (0, 1), (0, 2), (1e-8, 1e-2), (0.0, 0.02, 0.06)))
#: Of the values of min_lr, the one that is given as a list with a value for each group.
LISTED = 0.06
EACH = 4


def _case(schedule: ReduceLROnPlateau, setup: Setup | None = None) -> Case:
    return Case("plateau", schedule, setup or Setup(), len(schedule.metrics))


def grid() -> Iterator[Case]:
    """Every shape of metrics × mode × threshold mode, with `EACH` of the rows."""
    # 37 is coprime to the number of rows, so all of them are taken before one is taken again.
    rows = itertools.cycle(ROWS[37 * k % len(ROWS)] for k in range(len(ROWS)))
    for shape, mode, relation in itertools.product(SHAPES.values(), ("min", "max"), ("rel", "abs")):
        metrics = shape if mode == "min" else tuple(-metric for metric in shape)
        for factor, patience, cooldown, eps, min_lr in itertools.islice(rows, EACH):
            twin = ReduceLROnPlateau(metrics, mode, factor, patience, 0.1, relation, cooldown, min_lr, eps)
            yield _case(twin, Setup(groups=3, lists=True) if min_lr == LISTED else None)


def limits() -> Iterator[Case]:
    """Arguments at the ends of their ranges."""
    constant, crossing = SHAPES["constant"], SHAPES["falls below 0"]
    yield _case(ReduceLROnPlateau(constant, factor=0.0, patience=1))
    yield _case(ReduceLROnPlateau(constant, factor=0.0, patience=1, min_lr=0.05), Setup(groups=3))
    yield _case(ReduceLROnPlateau(constant, factor=0.7, patience=0, min_lr=0.5), Setup(groups=3))
    yield _case(ReduceLROnPlateau(constant, factor=0.7, patience=0, eps=0.0, min_lr=0.1), Setup(groups=3))
    yield _case(ReduceLROnPlateau(constant, factor=0.7, patience=20))
    yield _case(ReduceLROnPlateau(constant, factor=0.7, patience=1, cooldown=20))
    yield _case(ReduceLROnPlateau((1.0,) * 12, factor=0.7, patience=0, cooldown=3))
    for mode, relation in itertools.product(("min", "max"), ("rel", "abs")):
        metrics = crossing if mode == "min" else tuple(-metric for metric in crossing)
        for threshold in (0.0, 1.0, 1.5):
            yield _case(ReduceLROnPlateau(metrics, mode, 0.7, 1, threshold, relation))
    # A reduction by exactly eps: 0.3 - 0.15, and 0.3 - 0.2 in floating-point numbers.
    yield _case(ReduceLROnPlateau(constant, factor=0.5, patience=1, eps=0.3 - 0.3 * 0.5))
    yield _case(ReduceLROnPlateau(constant, patience=1, eps=0.3 - 0.2, min_lr=0.2))


def wrong() -> Iterator[Schedule]:
    """Arguments that mean nothing: misspelt words, negative counts and shares, fractions of an epoch, NaN."""
    values: dict[str, tuple[object, ...]] = {
        "mode": ("mean", "minimum", ""),
        "threshold_mode": ("relative", ""),
        "factor": (1.0, 1.5, -0.5, NAN),
        "patience": (-1, 2.5),
        "cooldown": (-1, 1.5),
        "threshold": (-0.1, NAN),
        "eps": (-0.01, NAN),
        "min_lr": ((0.01, 0.02), (), NAN),  # a list for another number of groups
    }
    for name, bad in values.items():
        for value in bad:
            yield unvalidated(ReduceLROnPlateau, **{"metrics": (1.0,) * 16, name: value})


def cases() -> Iterator[Case]:
    """Every case of this file."""
    yield from grid()
    yield from limits()
    for schedule in wrong():
        yield Case("refused", schedule)
