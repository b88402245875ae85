"""optax: functions that return a function of the step; with NumPy in the place of jax.numpy they need no jax."""

from __future__ import annotations

import numpy as np

from reference import ConstantDecay, CosineDecay, Decay, LinearDecay, PiecewiseDecay, PolynomialDecay, Schedule
from reference.check import Rates, Steps
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import Formula, RateFunction, ShapedDecay, rising_from, then
from suite.libraries.core.library import Library, LibrarySchedule

RATE = "scheduler(t)"
START_AND_FLOOR = {"init": {"init_value": 1e-5}, "floor": {"end_value": 1e-5}}
ONE_CYCLE = {"pct_start": 0.25, "div_factor": 25.0, "final_div_factor": 1e4}
SGDR = """sgdr_schedule([
    dict(init_value=0.0, peak_value={base_lr}, warmup_steps=2, decay_steps={total_steps // 2}, end_value={end_value}),
    dict(init_value=0.0, peak_value={base_lr / 2}, warmup_steps=2, decay_steps={total_steps // 2}),
])"""


def _from(*names: str) -> str:
    """The import of public functions; 0.1.9 moved them from _src/schedule.py to schedules/."""
    joins = "\n    from optax.schedules._join import join_schedules" if "join_schedules" in names else ""
    moved = ", ".join(name for name in names if name != "join_schedules")
    before = ", ".join(names)
    return f"""try:
    from optax.schedules._schedule import {moved}{joins}
except ImportError:
    from optax._src.schedule import {before}"""


def _polynomial(a: Arguments) -> Schedule:
    if not a.transition_begin:
        return PolynomialDecay(a.total_steps, a.power, a.end_value)
    steps = a.total_steps - a.transition_begin
    return ShapedDecay(steps, lambda p: (1.0 - p) ** a.power, a.end_value, stable_steps=a.transition_begin)


def _cosine(a: Arguments, steps: int, floor: float) -> Decay:
    if a.exponent == 1.0:
        return CosineDecay(steps, floor)
    return ShapedDecay(steps, lambda p: (0.5 * (1.0 + np.cos(np.pi * p))) ** a.exponent, floor)


def _exponential(a: Arguments) -> RateFunction:
    """A factor of decay_rate for each transition_steps after transition_begin."""

    def values(n: Steps, base: float) -> Rates:
        p = np.maximum(n - a.transition_begin, 0) / a.transition_steps
        rates = base * a.decay_rate ** (np.floor(p) if a.staircase else p)
        return np.asarray(rates if a.end_value is None else np.maximum(rates, a.end_value))

    return values


def _warmup_exponential(a: Arguments) -> Schedule:
    rising = rising_from(a.init_value, a.base_lr, a.warmup_steps, ConstantDecay())
    return then(rising, a.warmup_steps, _exponential(a))


def _between(kind: str, edges: list[int], levels: list[float]) -> Schedule:
    """From level to level: straight lines, or half cosines."""

    def values(t: Steps, base: float) -> Rates:
        part = np.interp(t, edges, np.arange(len(edges)))
        i = np.minimum(part.astype(int), len(edges) - 2)
        p = part - i if kind == "linear" else 0.5 * (1.0 - np.cos(np.pi * (part - i)))
        heights = np.array(levels) * base
        return np.asarray(heights[i] * (1.0 - p) + heights[i + 1] * p)

    return Formula(values)


def _linear_onecycle(a: Arguments) -> Schedule:
    low = 1.0 / a.div_factor
    edges = [0, int(a.pct_start * a.total_steps), int(a.pct_final * a.total_steps), a.total_steps]
    return _between("linear", edges, [low, 1.0, low, low / a.final_div_factor])


def _cosine_onecycle(a: Arguments) -> Schedule:
    low, top = 1.0 / a.div_factor, int(a.pct_start * a.total_steps)
    if top == a.total_steps:
        over = Formula(lambda n, base: np.full(n.shape, base * low / a.final_div_factor))
        return then(_between("cosine", [0, top], [low, 1.0]), top, over)
    return _between("cosine", [0, top, a.total_steps], [low, 1.0, low / a.final_div_factor])


def _sgdr(a: Arguments) -> Schedule:
    half = a.total_steps // 2
    first, second = (rising_from(0.0, 1.0, 2, CosineDecay(half - 2, low)) for low in (a.end_value, 0.0))
    return then(first, half, lambda n, base: second(n, base / 2))


LIBRARY = Library(
    "optax",
    project="optax",
    files=("optax/_src/schedule.py", "optax/schedules/_schedule.py", "optax/schedules/_join.py"),
    stand_ins={"jax.numpy": "numpy", "jax.tree": "builtins"},
    releases=("0.0.1", "0.0.6", "0.1.7", "0.1.9", "0.2.3", "0.2.6", "0.2.7", "0.2.8"),
    schedules=(
        LibrarySchedule(
            "constant",
            _from("constant_schedule"),
            "constant_schedule({base_lr})",
            lambda a: ConstantDecay(),
            rate=RATE,
            docs="docstring: held constant throughout",
        ),
        LibrarySchedule(
            "linear",
            _from("linear_schedule"),
            "linear_schedule({base_lr}, {end_value}, {total_steps})",
            lambda a: LinearDecay(a.total_steps, a.end_value),
            rate=RATE,
            fields={"end_value": 0.0},
            variants={"floor": {"end_value": 1e-5}},
            docs="docstring: from init_value to end_value in transition_steps",
        ),
        LibrarySchedule(
            "polynomial",
            _from("polynomial_schedule"),
            "polynomial_schedule({base_lr}, {end_value}, {power}, {total_steps - transition_begin}, "
            "{transition_begin})",
            _polynomial,
            rate=RATE,
            fields={"end_value": 0.0, "power": 2.0, "transition_begin": 0},
            variants={
                "floor": {"end_value": 1e-5},
                "root": {"power": 0.5},
                "late": {"transition_begin": 3, "end_value": 1e-5},
            },
            docs="docstring: (I - E) (1 - (t - B) / T) ** P + E",
        ),
        LibrarySchedule(
            "piecewise-constant",
            _from("piecewise_constant_schedule"),
            "piecewise_constant_schedule({base_lr}, {scales})",
            lambda a: PiecewiseDecay((4, 8), (0.5, 0.1)),
            rate=RATE,
            fields={"scales": {4: 0.5, 8: 0.2}},
            docs="docstring: scaled by the product of all factors f_i such that t >= b_i",
        ),
        LibrarySchedule(
            "piecewise-interpolate",
            _from("piecewise_interpolate_schedule"),
            "piecewise_interpolate_schedule({kind}, {base_lr}, {scales})",
            lambda a: _between(a.kind, [0, 4, 8], [1.0, 0.5, 0.1]),
            rate=RATE,
            fields={"kind": "linear", "scales": {4: 0.5, 8: 0.2}},
            variants={"cosine": {"kind": "cosine"}},
            docs="docstring: interpolates between the accumulated scaled values",
        ),
        LibrarySchedule(
            "exponential",
            _from("exponential_decay"),
            "exponential_decay({base_lr}, {transition_steps}, {decay_rate}, transition_begin={transition_begin}, "
            "staircase={staircase}, end_value={end_value})",
            lambda a: Formula(_exponential(a)),
            rate=RATE,
            fields={
                "transition_steps": 4,
                "decay_rate": 0.5,
                "transition_begin": 0,
                "staircase": False,
                "end_value": None,
            },
            variants={"stairs": {"staircase": True}, "floor": {"end_value": 1e-4}, "late": {"transition_begin": 3}},
            docs="docstring: init_value * decay_rate ** ((count - transition_begin) / transition_steps)",
        ),
        LibrarySchedule(
            "cosine",
            _from("cosine_decay_schedule"),
            "cosine_decay_schedule({base_lr}, {total_steps}, alpha={alpha})",
            lambda a: CosineDecay(a.total_steps, a.alpha * a.base_lr),
            rate=RATE,
            fields={"alpha": 0.0},
            variants={"floor": {"alpha": 0.1}},
            docs="docstring: a I + (1 - a) I / 2 (1 + cos(pi t / T)), and a I after T",
        ),
        LibrarySchedule(
            "cosine-exponent",
            _from("cosine_decay_schedule"),
            "cosine_decay_schedule({base_lr}, {total_steps}, alpha={alpha}, exponent={exponent})",
            lambda a: _cosine(a, a.total_steps, a.alpha * a.base_lr),
            rate=RATE,
            fields={"alpha": 0.1, "exponent": 2.0},
            docs="docstring: a I + (1 - a) I (1/2 (1 + cos(pi t / T))) ** p, and a I after T",
        ),
        LibrarySchedule(
            "linear-onecycle",
            _from("linear_onecycle_schedule"),
            "linear_onecycle_schedule({total_steps}, {base_lr}, {pct_start}, {pct_final}, {div_factor}, "
            "{final_div_factor})",
            _linear_onecycle,
            rate=RATE,
            fields=ONE_CYCLE | {"pct_final": 0.75},
            variants={"rounded": {"pct_start": 0.3, "pct_final": 0.85}, "no-warmup": {"pct_start": 0.0}},
            reading="optax-onecycle-end",
            docs="docstring: phases up to pct_start and pct_final; final_value = init_value / final_div_factor",
        ),
        LibrarySchedule(
            "cosine-onecycle",
            _from("cosine_onecycle_schedule"),
            "cosine_onecycle_schedule({total_steps}, {base_lr}, {pct_start}, {div_factor}, {final_div_factor})",
            _cosine_onecycle,
            rate=RATE,
            fields=ONE_CYCLE,
            variants={"rounded": {"pct_start": 0.3}, "no-warmup": {"pct_start": 0.0}, "all-warmup": {"pct_start": 1.0}},
            docs="docstring: rises for pct_start of the steps; final_value = init_value / final_div_factor",
        ),
        LibrarySchedule(
            "warmup-constant",
            _from("warmup_constant_schedule"),
            "warmup_constant_schedule({init_value}, {base_lr}, {warmup_steps})",
            lambda a: rising_from(a.init_value, a.base_lr, a.warmup_steps, ConstantDecay()),
            rate=RATE,
            fields={"init_value": 0.0},
            variants={"init": {"init_value": 1e-5}},
            docs="docstring: linear warmup followed by constant schedule",
        ),
        LibrarySchedule(
            "warmup-cosine",
            _from("warmup_cosine_decay_schedule"),
            "warmup_cosine_decay_schedule({init_value}, {base_lr}, {warmup_steps}, {total_steps}, {end_value})",
            lambda a: rising_from(a.init_value, a.base_lr, a.warmup_steps, CosineDecay(a.decay_steps, a.end_value)),
            rate=RATE,
            fields={"init_value": 0.0, "end_value": 0.0},
            variants=START_AND_FLOOR,
            docs="docstring: decay_steps is the total length of the schedule and includes the warmup",
        ),
        LibrarySchedule(
            "warmup-cosine-exponent",
            _from("warmup_cosine_decay_schedule"),
            "warmup_cosine_decay_schedule({init_value}, {base_lr}, {warmup_steps}, {total_steps}, {end_value}, "
            "exponent={exponent})",
            lambda a: rising_from(a.init_value, a.base_lr, a.warmup_steps, _cosine(a, a.decay_steps, a.end_value)),
            rate=RATE,
            fields={"init_value": 0.0, "end_value": 1e-5, "exponent": 2.0},
            docs="docstring: the exponent changes the decay to (1/2 (1 + cos(pi t / T))) ** exponent",
        ),
        LibrarySchedule(
            "warmup-exponential",
            _from("warmup_exponential_decay_schedule"),
            "warmup_exponential_decay_schedule({init_value}, {base_lr}, {warmup_steps}, {transition_steps}, "
            "{decay_rate}, {transition_begin}, {staircase}, {end_value})",
            _warmup_exponential,
            rate=RATE,
            fields={
                "init_value": 0.0,
                "transition_steps": 4,
                "decay_rate": 0.5,
                "transition_begin": 0,
                "staircase": False,
                "end_value": None,
            },
            variants={
                "init": {"init_value": 1e-5},
                "stairs": {"staircase": True},
                "floor": {"end_value": 1e-4},
                "late": {"transition_begin": 3},
            },
            docs="docstring: linear warmup followed by exponential decay",
        ),
        LibrarySchedule(
            "sgdr",
            _from("sgdr_schedule"),
            SGDR,
            _sgdr,
            rate=RATE,
            fields={"end_value": 0.0},
            variants={"floor": {"end_value": 1e-5}},
            docs="docstring: multiple joined cosine decay cycles, each decay_steps long",
        ),
        LibrarySchedule(
            "join",
            _from("linear_schedule", "cosine_decay_schedule", "join_schedules"),
            "join_schedules([linear_schedule(0.0, {base_lr}, {warmup_steps}), "
            "cosine_decay_schedule({base_lr}, {decay_steps})], [{warmup_steps}])",
            lambda a: rising_from(0.0, a.base_lr, a.warmup_steps, CosineDecay(a.decay_steps)),
            rate=RATE,
            docs="docstring: each schedule receives the number of steps since the previous boundary",
        ),
    ),
)
