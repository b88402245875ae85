"""The time of a diagnosis, imports excluded, for traces of a thousand and of a million steps.

Run ``python -m pytest bench/speed/test_diagnosis_speed.py --benchmark-only -s``; plain ``pytest`` times nothing.
The bar applies to the slowest combination, so every kind of trace is diagnosed with every kind of information.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.diagnose import Trace, diagnose
from reference import CosineAnnealingLR, LinearLR, SequentialLR, parse

BASE_LR = 3e-4
#: Seconds that the slowest combination may take, by the number of logged steps.
BARS = {1_000: 0.5, 1_000_000: 5.0}
ROUNDS = 3
TRACES = ("healthy", "ahead", "horizon", "restarted", "rounded", "noise")
#: What the user says about the schedule.
GIVEN = ("schedule", "settings", "nothing")


def trace(kind: str, steps: int) -> Trace:
    """A linear warmup over a tenth of the steps and a cosine, healthy or with a fault."""
    warmup, t = steps // 10, np.arange(steps)
    expected = parse(f"linear{warmup}+cosine{steps - warmup}").trace(steps + 1, BASE_LR)
    lrs: NDArray[np.float64] = expected[:-1]
    if kind == "ahead":
        lrs = expected[1:]
    elif kind == "horizon":
        parts = LinearLR(0.01, total_iters=warmup), CosineAnnealingLR(steps)
        lrs = SequentialLR(parts, (warmup,)).trace(steps, BASE_LR)
    elif kind == "restarted":
        lrs = expected[np.where(t < steps // 2, t, t - steps // 2)]
    elif kind == "rounded":
        lrs = np.array([float(f"{lr:.4g}") for lr in lrs])
    elif kind == "noise":
        lrs = lrs * np.random.default_rng(0).uniform(0.5, 1.0, steps)
    return Trace(t, lrs)


def run_diagnosis(logged: Trace, given: str) -> None:
    """Diagnose with the schedule, its settings, or nothing."""
    steps = logged.steps.size
    if given == "schedule":
        diagnose(logged, parse(f"linear{steps // 10}+cosine{steps - steps // 10}"), base_lr=BASE_LR)
    elif given == "settings":
        diagnose(logged, base_lr=BASE_LR, warmup_steps=steps // 10, total_steps=steps)
    else:
        diagnose(logged)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One benchmark for each length, kind of information and kind of trace."""
    metafunc.parametrize("steps", BARS)
    metafunc.parametrize("given", GIVEN)
    metafunc.parametrize("kind", TRACES)


def test_diagnosis_speed(steps: int, given: str, kind: str, benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The best round is within the bar."""
    logged = trace(kind, steps)
    run_diagnosis(logged, given)  # imports at first use are not timed
    benchmark.pedantic(run_diagnosis, args=(logged, given), rounds=ROUNDS)
    best, bar = benchmark.stats.stats.min, BARS[steps]
    with capsys.disabled():
        print(f"\n{kind:10} given {given:9} {steps:8} steps: {best:6.3f} s (bar {bar:g} s)", end="")
    assert best <= bar
