"""Keras 3: functions of the number of updates made; older releases need TensorFlow and are left out."""

from __future__ import annotations

import numpy as np

from reference import CosineDecay, ExponentialDecay, PiecewiseDecay, PolynomialDecay, StepDecay
from reference.check import Rates, Steps
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import Formula, RateFunction, rising_from
from suite.libraries.core.library import Library, LibrarySchedule

RATE = "scheduler(t)"


def _import(name: str) -> str:
    return f"from keras.src.optimizers.schedules.learning_rate_schedule import {name}"


def _cycling(steps: int, low: float, power: float) -> RateFunction:
    """The fall ends at the first multiple of the steps that is not below the step."""

    def lr(t: Steps, base: float) -> Rates:
        length = steps * np.maximum(np.ceil(t / steps), 1)
        return np.asarray((base - low) * (1 - t / length) ** power + low)

    return lr


def _restarts(a: Arguments) -> Formula:
    """Half cosines, each `t_mul` times as long as the one before; the share of the LR above the floor is lower."""
    lengths = a.first * a.t_mul ** np.arange(12)
    starts = np.cumsum([0.0, *lengths])

    def lr(t: Steps, base: float) -> Rates:
        cycle = np.searchsorted(starts, t, side="right") - 1
        share = a.m_mul**cycle * (1 + np.cos(np.pi * (t - starts[cycle]) / lengths[cycle])) / 2
        return np.asarray(base * (a.alpha + (1 - a.alpha) * share))

    return Formula(lr)


def _inverse_time(a: Arguments) -> Formula:
    return Formula(lambda t, base: np.asarray(base / (1 + 0.5 * (np.floor(t / 4) if a.staircase else t / 4))))


LIBRARY = Library(
    "keras",
    project="keras",
    files=("keras/src/optimizers/schedules/learning_rate_schedule.py",),
    stand_ins={"keras.src.ops": "suite.libraries.sandbox.keras_ops"},
    releases=("3.0.5", "3.3.3", "3.6.0", "3.9.0", "3.12.0", "3.15.1"),
    schedules=(
        LibrarySchedule(
            "warmup-cosine",
            _import("CosineDecay"),
            "CosineDecay({start}, {decay_steps}, alpha={alpha}, warmup_target={base_lr}, warmup_steps={warmup_steps})",
            lambda a: rising_from(
                a.start, a.base_lr, a.warmup_steps, CosineDecay(a.decay_steps, a.alpha * a.base_lr)
            ),
            rate=RATE, precision="float32",
            fields={"start": 0.0, "alpha": 0.0},
            variants={"start": {"start": 1e-5}, "integer": {"start": 0}, "alpha": {"alpha": 0.1}},
            docs="docstring: from initial_learning_rate to warmup_target, then to warmup_target * alpha",
        ),
        LibrarySchedule(
            "cosine",
            _import("CosineDecay"),
            "CosineDecay({base_lr}, {total_steps}, alpha={alpha})",
            lambda a: CosineDecay(a.total_steps, a.alpha * a.base_lr),
            rate=RATE, precision="float32",
            fields={"alpha": 0.0}, variants={"alpha": {"alpha": 0.1}}, docs="docstring",
        ),
        LibrarySchedule(
            "cosine-restarts",
            _import("CosineDecayRestarts"),
            "CosineDecayRestarts({base_lr}, {first}, t_mul={t_mul}, m_mul={m_mul}, alpha={alpha})",
            _restarts,
            rate=RATE, precision="float32",
            fields={"first": 2, "t_mul": 2.0, "m_mul": 1.0, "alpha": 0.0},
            variants={
                "equal": {"first": 4, "t_mul": 1.0},
                "lower": {"m_mul": 0.5, "alpha": 0.1},
                "half": {"t_mul": 1.5},
                "half-long": {"first": 4, "t_mul": 1.5, "total_steps": 130},
                "three": {"first": 1, "t_mul": 3.0, "total_steps": 130},
            },
            docs="docstring: each restart runs for t_mul times more steps, with m_mul times the initial learning rate",
        ),
        LibrarySchedule(
            "exponential",
            _import("ExponentialDecay"),
            "ExponentialDecay({base_lr}, 4, 0.5, staircase={staircase})",
            lambda a: StepDecay(4, 0.5) if a.staircase else ExponentialDecay(gamma=0.5**0.25),
            rate=RATE, precision="float32",
            fields={"staircase": False}, variants={"staircase": {"staircase": True}}, docs="docstring",
        ),
        LibrarySchedule(
            "inverse-time",
            _import("InverseTimeDecay"),
            "InverseTimeDecay({base_lr}, 4, 0.5, staircase={staircase})",
            _inverse_time,
            rate=RATE, precision="float32",
            fields={"staircase": False}, variants={"staircase": {"staircase": True}}, docs="docstring",
        ),
        LibrarySchedule(
            "piecewise",
            _import("PiecewiseConstantDecay"),
            "PiecewiseConstantDecay([3, 8], [{base_lr}, {0.5 * base_lr}, {0.1 * base_lr}])",
            lambda a: PiecewiseDecay((4, 9), (0.5, 0.1)),
            rate=RATE, precision="float32",
            left_out={"integer-lr": "the backend decides what an integer among floats becomes"},
            docs="docstring: values[0] when step <= boundaries[0], 100001 steps for a boundary of 100000",
        ),
        LibrarySchedule(
            "polynomial",
            _import("PolynomialDecay"),
            "PolynomialDecay({base_lr}, {total_steps}, end_learning_rate={end}, power={power})",
            lambda a: PolynomialDecay(a.total_steps, a.power, a.end),
            rate=RATE, precision="float32",
            fields={"end": 0.0, "power": 1.0}, variants={"end": {"end": 1e-5}, "square": {"power": 2.0}},
            docs="docstring",
        ),
        LibrarySchedule(
            "polynomial-cycle",
            _import("PolynomialDecay"),
            "PolynomialDecay({base_lr}, 5, end_learning_rate={end}, power={power}, cycle=True)",
            lambda a: Formula(_cycling(5, a.end, a.power)),
            rate=RATE, precision="float32",
            fields={"end": 0.0, "power": 1.0}, variants={"end": {"end": 1e-5}, "square": {"power": 2.0}},
            docs="docstring: a multiple of decay_steps, the first one that is bigger than step",
        ),
    ),
)  # fmt: skip
