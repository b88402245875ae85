"""The processor: its model, which decides how results round, and how much of it other programs leave free."""

from __future__ import annotations

import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from .machine import cores

#: Below this share of free cores a measurement of time means little.
QUIET = 0.9
#: Enough for the scheduler of the system to share the cores several times.
PROBE_SECONDS = 0.5


def cpu_model(text: str | None = None) -> str:
    """The model of the processor, and the widest instructions that torch uses on it.

    Two machines on which this is the same round alike. `text`: a /proc/cpuinfo instead of this machine's.

    >>> cpu_model("cpu family: 25\\nmodel: 17\\nmodel name: AMD EPYC\\nstepping: 1\\n").rpartition(",")[0]
    'AMD EPYC, family 25 model 17 stepping 1'
    """
    if text is None:
        file = Path("/proc/cpuinfo")
        text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    numbers = [f"{name.split()[-1]} {found[name]}" for name in ("cpu family", "model", "stepping") if name in found]
    model = ", ".join(part for part in (found.get("model name", "unknown"), " ".join(numbers)) if part)
    return f"{model}, {torch.backends.cpu.get_cpu_capability()}"


def platform_checksum() -> int:
    """A number, 1 … 2³², of the processor's model, its instructions, and the versions of torch and NumPy."""
    return 1 + zlib.crc32(f"{cpu_model()}, torch {torch.__version__}, NumPy {np.__version__}".encode())


def free_share(seconds: float = PROBE_SECONDS) -> float:
    """The share of our cores that other programs leave to us: CPU time over wall time while all of them compute."""
    count, threads = cores(), torch.get_num_threads()
    end = time.perf_counter() + seconds
    matrix = torch.ones(256, 256)

    def compute(_: int) -> float:
        torch.set_num_threads(1)
        start, used = time.perf_counter(), time.thread_time()
        while time.perf_counter() < end:
            torch.mm(matrix, matrix)  # half a millisecond without Python's lock, so that all cores compute
        return (time.thread_time() - used) / max(time.perf_counter() - start, 1e-9)

    try:
        with ThreadPoolExecutor(count) as pool:
            return min(1.0, sum(pool.map(compute, range(count))) / count)
    finally:
        torch.set_num_threads(threads)
