"""Formulas and exact statements of the docstrings, evaluated in NumPy and compared with what the class does."""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.engine import tolerances
from suite.engine.loop import dummy_optimizer
from suite.engine.subject import Subject

from .finding import BASE_LR, make

Trace = NDArray[np.float64]
STEPS = 20
STEPS_PRINTED = 4


def trace(subject: Subject, name: str, metrics: list[float] | None = None, key: str = "lr", **changes: Any) -> Trace:
    """The LR (or `key`) in force at each of the first updates."""
    optimizer = dummy_optimizer(changes.pop("base_lr_of_optimizer", BASE_LR))
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler = make(subject, name, optimizer, **changes)
        for update in range(len(metrics) + 1 if metrics else STEPS):
            rows.append(float(optimizer.param_groups[0][key]))
            optimizer.step()
            if not metrics:
                scheduler.step()
            elif update < len(metrics):
                scheduler.step(metrics[update])
    return np.array(rows)


def unequal(actual: Trace, documented: Any) -> str:
    """Where two traces part, in words; empty where they agree up to rounding."""
    documented = np.broadcast_to(documented, actual.shape)
    allowed = (
        tolerances.relative(actual.size) * np.abs(documented) + tolerances.of_peak(actual.size) * abs(actual).max()
    )
    wrong = np.flatnonzero(~(np.abs(actual - documented) <= allowed))
    if not wrong.size:
        return ""
    first = int(wrong[0])
    return f"step {first}: {actual[first]:.6g}, documented {documented[first]:.6g}"


T = np.arange(STEPS)


def closed_cosine(subject: Subject) -> str:
    low, length = 0.01, 6
    documented = low + 0.5 * (BASE_LR - low) * (1 + np.cos(T * math.pi / length))
    return unequal(trace(subject, "CosineAnnealingLR", T_max=length, eta_min=low), documented)


def recursive_cosine(subject: Subject) -> str:
    """The recursion with its limit where it is 0/0: the closed form."""
    low, length = 0.01, 6
    rows = [BASE_LR]
    for t in range(STEPS - 1):
        above = 1 + math.cos((t + 1) * math.pi / length)
        below = 1 + math.cos(t * math.pi / length)
        limit = low + (BASE_LR - low) * above / 2
        rows.append(limit if t % (2 * length) == length else low + (rows[-1] - low) * above / below)
    return unequal(trace(subject, "CosineAnnealingLR", T_max=length, eta_min=low), np.array(rows))


def restarts(subject: Subject) -> str:
    low, length = 0.01, 5
    documented = low + 0.5 * (BASE_LR - low) * (1 + np.cos(T % length / length * math.pi))
    return unequal(trace(subject, "CosineAnnealingWarmRestarts", T_0=length, eta_min=low), documented)


def restart_minimum(subject: Subject) -> str:
    low = 0.01
    lowest = trace(subject, "CosineAnnealingWarmRestarts", T_0=5, eta_min=low).min()
    return "" if math.isclose(lowest, low) else f"T_cur is never T_i, so the lowest LR is {lowest:.6g}, not {low}"


def restarts_example(subject: Subject) -> str:
    optimizer = dummy_optimizer(BASE_LR)
    scheduler = make(subject, "CosineAnnealingWarmRestarts", optimizer)
    for epoch in [None] * 20 + [26, None]:
        optimizer.step()
        scheduler.step(*[] if epoch is None else [epoch])
    return "" if scheduler.last_epoch == 27 else f"the last call is step({scheduler.last_epoch})"


def linear_reaches_one(subject: Subject) -> str:
    actual = trace(subject, "LinearLR", start_factor=0.25, end_factor=0.5, total_iters=4) / BASE_LR
    return unequal(actual[4:5], np.array([1.0]))


def first_and_last_factor(subject: Subject) -> str:
    actual = trace(subject, "LinearLR", start_factor=0.25, end_factor=0.5, total_iters=4) / BASE_LR
    return unequal(actual[[0, 4]], np.array([0.25, 0.5]))


def constant_steps(subject: Subject) -> str:
    actual = trace(subject, "ConstantLR", factor=0.5, total_iters=4) / BASE_LR
    return unequal(actual, np.where(T < 4, 0.5, 1.0))


def polynomial(subject: Subject) -> str:
    actual = trace(subject, "PolynomialLR", total_iters=6, power=2.0) / BASE_LR
    return unequal(actual, (1 - np.minimum(T, 6) / 6) ** 2.0)


def step(subject: Subject) -> str:
    return unequal(trace(subject, "StepLR", step_size=3, gamma=0.7) / BASE_LR, 0.7 ** (T // 3))


def exponential(subject: Subject) -> str:
    return unequal(trace(subject, "ExponentialLR", gamma=0.9) / BASE_LR, 0.9**T)


def multi_step(subject: Subject) -> str:
    actual = trace(subject, "MultiStepLR", milestones=[3, 7], gamma=0.7) / BASE_LR
    return unequal(actual, 0.7 ** (1.0 * (T >= 3) + (T >= 7)))


def repeated_milestone(subject: Subject) -> str:
    actual = trace(subject, "MultiStepLR", milestones=[3, 3, 7], gamma=0.7) / BASE_LR
    return unequal(actual, 0.7 ** (2.0 * (T >= 3) + (T >= 7)))


def piecewise_cosine(subject: Subject) -> str:
    """The closed form, and a step of its own kind from each minimum."""
    low, length = 0.01, 6
    rows = [BASE_LR]
    for t in range(1, STEPS):
        if (t - 1) % (2 * length) == length:
            rows.append(rows[-1] + 0.5 * (BASE_LR - low) * (1 - math.cos(math.pi / length)))
        else:
            rows.append(low + 0.5 * (BASE_LR - low) * (1 + math.cos(t / length * math.pi)))
    return unequal(trace(subject, "CosineAnnealingLR", T_max=length, eta_min=low), np.array(rows))


def growing_restarts(subject: Subject) -> str:
    """Cycles of 2, 4, 8 … iterations."""
    within = np.array([0, 1, *range(4), *range(8), *range(16)][:STEPS])
    length = np.array([2] * 2 + [4] * 4 + [8] * 8 + [16] * 16)[:STEPS]
    documented = 0.5 * BASE_LR * (1 + np.cos(within / length * math.pi))
    return unequal(trace(subject, "CosineAnnealingWarmRestarts", T_0=2, T_mult=2), documented)


def integer_epochs(subject: Subject) -> str:
    asked: list[float] = []

    def factor(epoch: float) -> float:
        asked.append(epoch)
        return 1.0

    trace(subject, "LambdaLR", lr_lambda=factor)
    other = [epoch for epoch in asked if not isinstance(epoch, int)]
    return f"lr_lambda is asked for {other[0]!r}" if other else ""


def lambda_product(subject: Subject) -> str:
    return unequal(trace(subject, "LambdaLR", lr_lambda=lambda epoch: 1 / (1 + epoch)), BASE_LR / (1 + T))


def annealed(subject: Subject) -> str:
    actual = trace(subject, "SWALR", swa_lr=0.05, anneal_epochs=5, anneal_strategy="linear")
    return unequal(actual, 0.05 + (BASE_LR - 0.05) * (1 - np.minimum(T, 5) / 5))


def annealed_cosine(subject: Subject) -> str:
    actual = trace(subject, "SWALR", swa_lr=0.05, anneal_epochs=5)
    return unequal(actual, 0.05 + (BASE_LR - 0.05) * (1 + np.cos(np.minimum(T, 5) / 5 * math.pi)) / 2)


def initial_rate(name: str) -> Callable[[Subject], str]:
    """The group's initial_lr is the LR that it had before."""

    def check(subject: Subject) -> str:
        optimizer = dummy_optimizer(BASE_LR)
        make(subject, name, optimizer)
        initial = optimizer.param_groups[0].get("initial_lr")
        return "" if initial == BASE_LR else f"initial_lr is {initial}, not {BASE_LR}"

    return check


def decays(subject: Subject) -> str:
    """With the defaults; rises are what the text excludes."""
    actual = trace(subject, "LinearLR")
    rise = int(np.argmax(np.diff(actual) > 0))
    return f"by default it rises from {actual[rise]:.6g} to {actual[rise + 1]:.6g}" if np.diff(actual).max() > 0 else ""


def only_initial(subject: Subject) -> str:
    """The LR after the first one stays."""
    actual = trace(subject, "LambdaLR", lr_lambda=lambda epoch: 1 / (1 + epoch))
    return "" if np.ptp(actual) == 0 else "it sets the LR of every epoch"


def printed_updates(name: str) -> Callable[[Subject], str]:
    """With verbose=True, at least one line for each of four steps; ReduceLROnPlateau reduces from the second on."""

    def check(subject: Subject) -> str:
        output = io.StringIO()
        optimizer = dummy_optimizer(BASE_LR)
        with contextlib.redirect_stdout(output), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scheduler = make(subject, name, optimizer, verbose=True)
            for _ in range(STEPS_PRINTED + 1):
                optimizer.step()
                scheduler.step(*[1.0] if name == "ReduceLROnPlateau" else [])
        lines = len(output.getvalue().splitlines())
        return "" if lines >= STEPS_PRINTED else f"verbose=True prints {lines} lines in {STEPS_PRINTED} steps"

    return check
