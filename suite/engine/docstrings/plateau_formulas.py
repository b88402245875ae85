"""What the docstring of ReduceLROnPlateau says, step by step, compared with what it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from suite.engine.subject import Subject

from .finding import BASE_LR
from .formulas import trace

NAME = "ReduceLROnPlateau"
#: Metrics with improvements smaller and larger than the threshold of 0.1, of both signs.
METRICS = (1.0, 0.95, 0.5, 0.5, -0.2, -0.21, -0.3, -0.3, 0.7, 1.4, 1.45, 2.0)


def threshold(mode: str, threshold_mode: str) -> Callable[[Subject], str]:
    """The dynamic threshold of one mode: a metric beyond it is an improvement."""

    def check(subject: Subject) -> str:
        sign = 1.0 if mode == "max" else -1.0
        best, lr, documented = METRICS[0], BASE_LR, [BASE_LR, BASE_LR]
        for metric in METRICS[1:]:
            limit = best * (1 + sign * 0.1) if threshold_mode == "rel" else best + sign * 0.1
            if sign * metric > sign * limit:
                best = metric
            else:
                lr *= 0.5
            documented.append(lr)
        given: dict[str, Any] = {"mode": mode, "threshold_mode": threshold_mode, "threshold": 0.1}
        actual = trace(subject, NAME, list(METRICS), factor=0.5, patience=0, **given).tolist()
        if actual == documented:
            return ""
        first = next(i for i, (a, b) in enumerate(zip(actual, documented, strict=True)) if a != b)
        return f"after metric {first} the LR is {actual[first]:.6g}, documented {documented[first]:.6g}"

    return check


def remains_the_same(subject: Subject) -> str:
    """A metric that stays at the baseline, with no patience."""
    actual = trace(subject, NAME, [1.0, 1.0], factor=0.5, patience=0)
    return f"the LR falls from {actual[1]:.6g} to {actual[2]:.6g}" if actual[2] != actual[1] else ""


def patience(subject: Subject) -> str:
    """The first two bad epochs are ignored, the third reduces the LR."""
    actual = trace(subject, NAME, [1.0, 2.0, 2.0, 2.0], factor=0.5, patience=2) / BASE_LR
    return "" if actual.tolist() == [1.0, 1.0, 1.0, 1.0, 0.5] else f"the factors are {actual.tolist()}"


def no_patience(subject: Subject) -> str:
    """Without patience, each worse epoch after the first reduces the LR."""
    actual = trace(subject, NAME, [1.0, 2.0, 2.0], factor=0.5, patience=0) / BASE_LR
    return "" if actual.tolist() == [1.0, 1.0, 0.5, 0.25] else f"the factors are {actual.tolist()}"


def factor(subject: Subject) -> str:
    """One reduction."""
    actual = trace(subject, NAME, [1.0, 2.0], factor=0.3, patience=0)
    return "" if actual[2] == BASE_LR * 0.3 else f"the new LR is {actual[2]:.6g}, documented {BASE_LR * 0.3:.6g}"


def smallest_change(subject: Subject) -> str:
    """A difference that is exactly eps is not smaller than eps; exact in binary."""
    actual = trace(subject, NAME, [1.0, 2.0], factor=0.5, patience=0, eps=0.25, base_lr_of_optimizer=0.5)
    return "" if actual[2] == 0.25 else "a difference of exactly eps is ignored too"


def cooldown(subject: Subject) -> str:
    """Two bad epochs are ignored after a reduction, the third reduces again."""
    actual = trace(subject, NAME, [1.0, 2.0, 2.0, 2.0, 2.0], factor=0.5, patience=0, cooldown=2) / BASE_LR
    return "" if actual.tolist() == [1.0, 1.0, 0.5, 0.5, 0.5, 0.25] else f"the factors are {actual.tolist()}"


def number_of_bad_epochs(subject: Subject) -> str:
    """Two epochs without improvement, with a patience of two."""
    actual = trace(subject, NAME, [1.0, 2.0, 2.0, 2.0], factor=0.5, patience=2) / BASE_LR
    bad = actual.tolist().index(0.5) - 1  # the first metric is the baseline
    return "" if bad == 2 else f"with patience=2 it takes {bad} epochs"
