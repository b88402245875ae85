"""Speed-up of the batched trainer over a loop with nn.Transformer and Adam(fused=True).

Run ``python -m pytest bench/speed/test_batched_speed.py --benchmark-only -s``. Both sides use the same number of
threads and the same allocator settings, and take turns in one process. ``WARMUP_BENCH_COMPILED=1`` compiles the
batched pass, which takes minutes; ``WARMUP_BENCH_THREADS`` sets the number of threads. On a CPU both passes are
measured, that of torch and that in C.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.toy.batched.speed import WIDTHS
from bench.toy.machine import MALLOC

#: The required ratios; widths without one are only reported.
BARS = {"small16": 8.0, "small32": 5.0, "small64": 3.3, "tutorial": 1.9, "tutorial_ff512": 1.9}
NATIVE_BARS = {"small16": 15.0, "small32": 9.0, "small64": 3.3, "tutorial": 1.9, "tutorial_ff512": 1.9}
COMPILED_BARS = {"small16": 15.0, "small32": 9.0}
GPU_BARS = {"small16": 100.0}
COMPILED = os.environ.get("WARMUP_BENCH_COMPILED") == "1"
THREADS = os.environ.get("WARMUP_BENCH_THREADS", "2")
#: Below this share of free cores, refuse to measure.
QUIET = 0.9
ROOT = Path(__file__).parents[2]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One benchmark for each width and way: torch's pass on a CPU, the pass in C, torch's pass on a GPU."""
    metafunc.parametrize("name", COMPILED_BARS if COMPILED else WIDTHS)
    metafunc.parametrize("way", ["cpu", "cuda"] if COMPILED else ["cpu", "native", "cuda"])


def measured(name: str, way: str) -> dict[str, Any]:
    """One measurement, in a process started with the allocator's settings."""
    device = "cuda" if way == "cuda" else "cpu"
    command = [sys.executable, "-m", "bench.toy.batched.speed", name, "--device", device, "--threads", THREADS]
    command += ["--compiled"] * COMPILED + ["--native"] * (way == "native")
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **MALLOC}, stdout=subprocess.PIPE, text=True, check=True
    )
    speed: dict[str, Any] = json.loads(done.stdout)
    return speed


def test_batched_speed(name: str, way: str, benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Batched replica steps per second over sequential steps per second; a missed bar is reported but does not fail."""
    if way == "cuda" and not torch.cuda.is_available():
        pytest.skip("device=cuda must be available: torch sees no GPU")
    speed = benchmark.pedantic(measured, args=(name, way), rounds=1)
    bars = {"cuda": GPU_BARS, "native": NATIVE_BARS, "cpu": COMPILED_BARS if COMPILED else BARS}
    bar = bars[way].get(name)
    verdict = "no bar" if bar is None else f"bar {bar:g} {'met' if speed['ratio'] >= bar else 'MISSED'}"
    if way != "cuda" and speed["cores"] < QUIET:
        verdict = f"NOT MEASURED: other programs left only {speed['cores']:.0%} of the cores"
    benchmark.extra_info.update(speed, bar=bar, verdict=verdict, compiled=COMPILED, torch=torch.__version__)
    with capsys.disabled():
        print(
            f"\n{name:15} {way:6} K={speed['replicas']:<4} threads={speed['threads']}: "
            f"{speed['ratio']:5.1f} times as fast ({speed['ratio_min']:.1f} to {speed['ratio_max']:.1f}, "
            f"best round against best {speed['ratio_of_best']:.1f}), matrix products alone {speed['floor_ratio']:.1f}, "
            f"{verdict}" + (f", compiled in {speed['compile_seconds']:.0f} s" if COMPILED else "")
        )
    assert speed["ratio"] > 0
