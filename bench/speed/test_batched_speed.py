"""How many times faster the batched trainer is than a loop over nn.Transformer with Adam(fused=True).

Run ``python -m pytest bench/speed/test_batched_speed.py --benchmark-only -s``. Both sides have the same
threads and allocator settings, and take turns in one process. ``WARMUP_BENCH_COMPILED=1`` compiles the batched pass,
which takes minutes; ``WARMUP_BENCH_THREADS`` sets the threads.

asv imports this module too, in environments without pytest: so it imports pytest only inside functions.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from bench.toy.batched.speed import WIDTHS
from bench.toy.machine import MALLOC

if TYPE_CHECKING:
    import pytest

#: The ratios that are asked for; what has none is only reported.
BARS = {"small16": 8.0, "small32": 5.0, "small64": 3.3, "tutorial": 1.9, "tutorial_ff512": 1.9}
COMPILED_BARS = {"small16": 15.0, "small32": 9.0}
GPU_BARS = {"small16": 100.0}
COMPILED = os.environ.get("WARMUP_BENCH_COMPILED") == "1"
THREADS = os.environ.get("WARMUP_BENCH_THREADS", "2")
#: With less of its cores than this a measurement is none.
QUIET = 0.9
ROOT = Path(__file__).parents[2]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One benchmark for each width and device (a hook, as this module imports no pytest)."""
    metafunc.parametrize("name", COMPILED_BARS if COMPILED else WIDTHS)
    metafunc.parametrize("device", ["cpu", "cuda"])


def measured(name: str, device: str) -> dict[str, Any]:
    """One measurement, in a process that starts with the allocator's settings."""
    command = [sys.executable, "-m", "bench.toy.batched.speed", name, "--device", device, "--threads", THREADS]
    command += ["--compiled"] * COMPILED
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **MALLOC}, stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_batched_speed(name: str, device: str, benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Batched replica-steps per second over sequential steps per second; a missed bar is said, and fails nothing."""
    import pytest

    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("device=cuda: no GPU is here")
    found = benchmark.pedantic(measured, args=(name, device), rounds=1)
    bars = GPU_BARS if device == "cuda" else COMPILED_BARS if COMPILED else BARS
    bar = bars.get(name)
    verdict = "no bar" if bar is None else f"bar {bar:g} {'met' if found['ratio'] >= bar else 'MISSED'}"
    if device == "cpu" and found["cores"] < QUIET:
        verdict = f"NO MEASUREMENT: other programs left {found['cores']:.0%} of the cores"
    benchmark.extra_info.update(found, bar=bar, verdict=verdict, compiled=COMPILED, torch=torch.__version__)
    with capsys.disabled():
        print(
            f"\n{name:15} {device:4} K={found['replicas']:<4} threads={found['threads']}: "
            f"{found['ratio']:5.1f} times ({found['ratio_min']:.1f} to {found['ratio_max']:.1f}, "
            f"best against best {found['ratio_of_best']:.1f}), matrix products alone {found['floor_ratio']:.1f}, "
            f"{verdict}" + (f", compiled in {found['compile_seconds']:.0f} s" if COMPILED else "")
        )
    assert found["ratio"] > 0
