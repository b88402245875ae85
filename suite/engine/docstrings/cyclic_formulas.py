"""What the docstrings of OneCycleLR and CyclicLR say, evaluated in NumPy and compared with what they do."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from suite.engine.loop import dummy_optimizer
from suite.engine.subject import Subject

from .finding import BASE_LR, make
from .formulas import STEPS, T, Trace, trace, unequal


def first_rate(subject: Subject) -> str:
    actual = trace(subject, "OneCycleLR", max_lr=0.6, div_factor=4.0)[:1]
    return unequal(actual, np.array([0.6 / 4.0]))


def last_rate(subject: Subject) -> str:
    actual = trace(subject, "OneCycleLR", max_lr=0.6, total_steps=STEPS, div_factor=4.0, final_div_factor=8.0)
    return unequal(actual[-1:], np.array([0.6 / 4.0 / 8.0]))


def product_of_epochs(subject: Subject) -> str:
    by_epochs = trace(subject, "OneCycleLR", total_steps=None, epochs=4, steps_per_epoch=5)
    return unequal(by_epochs, trace(subject, "OneCycleLR", total_steps=20))


def precedence(subject: Subject) -> str:
    both = trace(subject, "OneCycleLR", total_steps=20, epochs=7, steps_per_epoch=9)
    return unequal(both, trace(subject, "OneCycleLR", total_steps=20))


def either_length(subject: Subject) -> str:
    attempts: tuple[dict[str, Any], ...] = ({}, {"epochs": 3}, {"steps_per_epoch": 3})
    for given in attempts:
        try:
            make(subject, "OneCycleLR", dummy_optimizer(BASE_LR), total_steps=None, **given)
        except (TypeError, ValueError):
            continue
        return f"total_steps=None with {given or 'nothing else'} is accepted"
    return ""


def momentum_at_peak(name: str) -> Callable[[Subject], str]:
    def check(subject: Subject) -> str:
        given: dict[str, Any] = {"base_momentum": 0.6, "max_momentum": 0.9}
        rates, momenta = (trace(subject, name, key=key, **given) for key in ("lr", "momentum"))
        at_peak = momenta[int(rates.argmax())]
        if not math.isclose(at_peak, 0.6):
            return f"momentum {at_peak:.6g} at the peak of the LR, documented 0.6"
        return "" if math.isclose(momenta[0], 0.9) else f"momentum {momenta[0]:.6g} at the start, documented 0.9"

    return check


def cycle_iterations(subject: Subject) -> str:
    asked: list[float] = []

    def scale(x: float) -> float:
        asked.append(x)
        return 1.0

    trace(subject, "CyclicLR", step_size_up=2, scale_fn=scale, scale_mode="iterations")
    return f"scale_fn is asked for {max(asked):g} although a cycle has 4 iterations" if max(asked) >= 4 else ""


def _cycle_form(subject: Subject, mode: str, gamma: float = 1.0) -> tuple[Trace, Trace, Trace, Trace]:
    """The trace, the iteration within its cycle, the cycle's number, and the triangle between 0 and 1."""
    actual = trace(subject, "CyclicLR", base_lr=0.1, max_lr=0.5, step_size_up=3, mode=mode, gamma=gamma)
    within = np.asarray(T % 6, dtype=np.float64)
    cycle = np.asarray(T // 6, dtype=np.float64)
    return actual, within, cycle, np.asarray(1 - np.abs(within / 3 - 1))


def triangular(subject: Subject) -> str:
    actual, _, _, triangle = _cycle_form(subject, "triangular")
    return unequal(actual, 0.1 + 0.4 * triangle)


def triangular2(subject: Subject) -> str:
    actual, _, cycle, triangle = _cycle_form(subject, "triangular2")
    return unequal(actual, 0.1 + 0.4 * triangle * 0.5**cycle)


def exp_range(subject: Subject) -> str:
    """The argument scale_mode defines cycle iterations as those since the start of the cycle."""
    actual, within, _, triangle = _cycle_form(subject, "exp_range", 0.9)
    return unequal(actual, 0.1 + 0.4 * triangle * 0.9**within)


def mode_ignored(subject: Subject) -> str:
    given: dict[str, Any] = {"scale_fn": lambda x: 1.0, "scale_mode": "cycle"}
    return unequal(trace(subject, "CyclicLR", mode="exp_range", **given), trace(subject, "CyclicLR", **given))


def fall_like_rise(subject: Subject) -> str:
    return unequal(trace(subject, "CyclicLR", step_size_down=None), trace(subject, "CyclicLR", step_size_down=3))


def symmetric_phases(subject: Subject) -> str:
    actual = trace(subject, "OneCycleLR", total_steps=20, pct_start=0.3, three_phase=True)
    peak = int(actual.argmax())
    return unequal(actual[: peak + 1], actual[peak : 2 * peak + 1][::-1])


def batches_computed(name: str) -> Callable[[Subject], str]:
    """Built again after five batches with last_epoch=5, the schedule continues with its sixth LR."""

    def check(subject: Subject) -> str:
        optimizer = dummy_optimizer(BASE_LR)
        given: dict[str, Any] = {"cycle_momentum": False}
        make(subject, name, optimizer, **given)  # leaves in the groups what a resumed scheduler needs
        make(subject, name, optimizer, last_epoch=5, **given)
        return unequal(np.array([optimizer.param_groups[0]["lr"]]), trace(subject, name, **given)[5:6])

    return check
