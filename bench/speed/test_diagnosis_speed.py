"""The time of a diagnosis, imports excluded, for traces of fifteen rows to a million.

Run ``python -m pytest bench/speed/test_diagnosis_speed.py --benchmark-only -s``; plain ``pytest`` times nothing.
The bar applies to the slowest combination, so every kind of trace is diagnosed with every kind of information.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.diagnose import Trace, diagnose
from bench.diagnose.facts.gather import gather_facts
from reference import CosineAnnealingLR, LinearLR, SequentialLR, parse

BASE_LR = 3e-4
#: Seconds that the slowest combination may take, by the number of logged steps.
BARS = {1_000: 0.5, 100_000: 1.0, 1_000_000: 5.0}
#: The same for the facts alone.
FACTS_BARS = {1_000: 0.1, 100_000: 0.1, 1_000_000: 1.0}
#: Few rows, far apart: most warmups and decays are possible.
FEW_ROWS, APART, FEW_ROWS_BAR = 15, 1000, 1.0
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


@pytest.mark.parametrize("kind", TRACES)
@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("steps", BARS)
def test_diagnosis_speed(steps: int, given: str, kind: str, benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The best round is within the bar."""
    logged = trace(kind, steps)
    run_diagnosis(logged, given)  # imports at first use are not timed
    benchmark.pedantic(run_diagnosis, args=(logged, given), rounds=ROUNDS)
    best, bar = benchmark.stats.stats.min, BARS[steps]
    with capsys.disabled():
        print(f"\n{kind:10} given {given:9} {steps:8} steps: {best:6.3f} s (bar {bar:g} s)", end="")
    assert best <= bar


@pytest.mark.parametrize("kind", TRACES)
@pytest.mark.parametrize("steps", FACTS_BARS)
def test_facts_speed(steps: int, kind: str, benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The facts alone are within their bar."""
    logged = trace(kind, steps)
    benchmark.pedantic(gather_facts, args=(logged,), rounds=ROUNDS)
    best, bar = benchmark.stats.stats.min, FACTS_BARS[steps]
    with capsys.disabled():
        print(f"\n{kind:10} facts {steps:8} steps: {best:6.3f} s (bar {bar:g} s)", end="")
    assert best <= bar


@pytest.mark.parametrize("kind", TRACES)
def test_few_rows_speed(kind: str, benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A trace of few rows, far apart, with four digits and no settings is within its bar."""
    dense = trace(kind, FEW_ROWS * APART)
    lrs = np.array([float(f"{lr:.4g}") for lr in dense.lrs[::APART]])
    logged = Trace(dense.steps[::APART], lrs)
    benchmark.pedantic(run_diagnosis, args=(logged, "nothing"), rounds=ROUNDS)
    best = benchmark.stats.stats.min
    with capsys.disabled():
        print(f"\n{kind:10} {FEW_ROWS} rows: {best:6.3f} s (bar {FEW_ROWS_BAR:g} s)", end="")
    assert best <= FEW_ROWS_BAR
