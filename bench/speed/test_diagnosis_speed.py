"""How long a diagnosis takes, after import: traces of a thousand and of a million steps.

Run ``python -m pytest bench/speed/test_diagnosis_speed.py --benchmark-only -s``; plain ``pytest`` times nothing.
A bar is for the slowest kind of question, so every kind is asked of every kind of trace.

asv imports this module too, in environments without pytest: so it imports no pytest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.diagnose import Trace, diagnose
from reference import CosineAnnealingLR, LinearLR, SequentialLR, parse

if TYPE_CHECKING:
    import pytest

BASE_LR = 3e-4
#: Seconds that the slowest may take, by the number of logged steps.
BARS = {1_000: 0.5, 1_000_000: 5.0}
ROUNDS = 3
TRACES = ("healthy", "ahead", "horizon", "restarted", "rounded", "noise")
TOLD = ("schedule", "settings", "nothing")


def trace(kind: str, steps: int) -> Trace:
    """A linear warmup of a tenth and a cosine, and what may have happened to them."""
    warmup, t = steps // 10, np.arange(steps)
    meant = parse(f"linear{warmup}+cosine{steps - warmup}").trace(steps + 1, BASE_LR)
    lrs: NDArray[np.float64] = meant[:-1]
    if kind == "ahead":
        lrs = meant[1:]
    elif kind == "horizon":
        parts = LinearLR(0.01, total_iters=warmup), CosineAnnealingLR(steps)
        lrs = SequentialLR(parts, (warmup,)).trace(steps, BASE_LR)
    elif kind == "restarted":
        lrs = meant[np.where(t < steps // 2, t, t - steps // 2)]
    elif kind == "rounded":
        lrs = np.array([float(f"{lr:.4g}") for lr in lrs])
    elif kind == "noise":
        lrs = lrs * np.random.default_rng(0).uniform(0.5, 1.0, steps)
    return Trace(t, lrs)


def ask(given: Trace, told: str) -> None:
    """Diagnose with the schedule, its settings, or nothing."""
    steps = given.steps.size
    if told == "schedule":
        diagnose(given, parse(f"linear{steps // 10}+cosine{steps - steps // 10}"), base_lr=BASE_LR)
    elif told == "settings":
        diagnose(given, base_lr=BASE_LR, warmup_steps=steps // 10, total_steps=steps)
    else:
        diagnose(given)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One benchmark for each trace and question (a hook, as this module imports no pytest)."""
    metafunc.parametrize("steps", BARS)
    metafunc.parametrize("told", TOLD)
    metafunc.parametrize("kind", TRACES)


def test_diagnosis_speed(steps: int, told: str, kind: str, benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The best of some rounds is within the bar."""
    given = trace(kind, steps)
    ask(given, told)  # what is imported at first use is not timed
    benchmark.pedantic(ask, args=(given, told), rounds=ROUNDS)
    best, bar = benchmark.stats.stats.min, BARS[steps]
    with capsys.disabled():
        print(f"\n{kind:10} told {told:9} {steps:8} steps: {best:6.3f} s (bar {bar:g} s)", end="")
    assert best <= bar
