"""The generated benchmark: traces with a known mistake, or without one, each from a simulated training loop.

A mistake must show in the trace: at least one logged LR differs from the healthy one, logged in the same way, by more
than one unit of the last logged digit (relative 1e-9 at full precision). Otherwise it is drawn again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bench.diagnose.core.trace import Trace
from reference import Schedule

from .clocks import CLOCK_KINDS
from .lengths import LENGTH_KINDS
from .logs import LOG_KINDS
from .loops import degraded
from .resumes import RESUME_KINDS
from .scales import SCALE_KINDS
from .setting import DrawnRun, FaultKind
from .shapes import SHAPE_KINDS
from .torch_forms import twin

#: Every kind of mistake that is drawn, by name.
KINDS: dict[str, FaultKind] = {
    **CLOCK_KINDS,
    **SCALE_KINDS,
    **SHAPE_KINDS,
    **LENGTH_KINDS,
    **RESUME_KINDS,
    **LOG_KINDS,
}
#: Degraded traces keep 4 significant digits of every 10th step.
DIGITS, EVERY = 4, 10
#: What the diagnosis is given: the expected schedule, only its settings, or nothing. Drawn with these weights
#: among those in which the kind can show.
MODES = {"expect": 0.65, "settings": 0.25, "nothing": 0.1}
#: The share of healthy traces, large enough to measure the rate of false alarms.
HEALTHY = 0.2
#: Draws of one kind before giving up.
TRIES = 200


@dataclasses.dataclass(frozen=True, eq=False)
class Example:
    """A trace with its true cause (``follows`` for a healthy one), and what the diagnosis is given."""

    seed: int
    cause: str
    trace: Trace
    mode: str
    degraded: bool
    expect: Schedule | None
    base_lr: float | None
    warmup_steps: int | None
    total_steps: int | None


def logged(drawn: DrawnRun, coarse: bool) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The steps and LRs in the log of a run."""
    steps, lrs = np.array(drawn.log[0], np.int64), np.array(drawn.log[1], np.float64)
    return degraded(steps, lrs, DIGITS, EVERY) if coarse else (steps, lrs)


def shows(drawn: DrawnRun, coarse: bool) -> bool:
    """Whether the mistake differs from the healthy run by more than the rounding of the log."""
    steps, lrs = logged(drawn, coarse)
    healthy = np.array([drawn.healthy(int(t)) for t in steps])
    if coarse:
        healthy = degraded(steps * EVERY, healthy, DIGITS, EVERY)[1]  # keeps every given step
    unit = 10.0 ** (1 - DIGITS) if coarse else 1e-9
    size = np.maximum(np.abs(healthy), np.abs(lrs))
    return bool((np.abs(lrs - healthy) > unit * size).any())


def example(seed: int, kind: str | None = None) -> Example:
    """The example of a seed, which determines kind, schedule, mistake, log and mode."""
    rng = np.random.default_rng([2026, seed])
    names = [name for name in KINDS if name != "follows"]
    drawn_kind = "follows" if rng.random() < HEALTHY else names[int(rng.integers(len(names)))]
    name = drawn_kind if kind is None else kind
    coarse = bool(rng.random() < 0.5)
    recipe: Callable[[np.random.Generator], DrawnRun | None] = KINDS[name].draw
    for _ in range(TRIES):
        drawn = recipe(rng)
        if drawn is not None and (name == "follows" or shows(drawn, coarse)):
            break
    else:
        raise RuntimeError(f"kind={name!r} does not show in {TRIES} draws of seed {seed}")
    modes = [m for m in MODES if m in KINDS[name].modes and (m == "expect" or drawn.plain)]
    weights = np.array([MODES[m] for m in modes])
    mode = str(rng.choice(modes, p=weights / weights.sum()))
    steps, lrs = logged(drawn, coarse)
    setting, expected = drawn.setting, drawn.expected
    # The expected schedule is a warmup with a decay or, if possible, a composition of torch's schedulers.
    # A cosine of torch rises again after its end, so the run must not be longer.
    composed = twin(setting, nested=bool(rng.random() < 0.3)) if rng.random() < 0.5 else None
    if composed is not None and drawn.plain and drawn.log[0][-1] < setting.total:
        expected = composed
    return Example(
        seed,
        KINDS[name].cause,
        Trace(steps, lrs),
        mode,
        coarse,
        expected if mode == "expect" else None,
        setting.base if mode != "nothing" else None,
        setting.w if mode == "settings" else None,
        setting.total if mode != "nothing" else None,
    )
