"""`python -m bench.history.inside REQUEST`, run in a release's environment: measure, and print the values as JSON.

REQUEST: a JSON list of [benchmark, axes, seconds for each timed combination].  The benchmarks are asv's, called as asv
calls them: a new object and its setup for each combination, garbage collection off, a median of repeated calls.
"""

from __future__ import annotations

import importlib
import itertools
import json
import resource
import statistics
import subprocess
import sys
import time
import timeit
from collections.abc import Callable, Sequence
from typing import Any

from .plan import is_memory

#: A sample takes at least this long; fewer samples than this are no median.
SAMPLE, SAMPLES = 2e-3, 5

Axes = Sequence[Sequence[object] | None]


def timed(call: Callable[[], object], budget: float) -> float:
    """The median seconds of one call, repeated for `budget` seconds after a first one."""
    timer, number = timeit.Timer(call), 1
    while timer.timeit(number) < SAMPLE:
        number *= 2
    samples: list[float] = []
    end = time.perf_counter() + budget
    while len(samples) < SAMPLES or time.perf_counter() < end:
        samples.append(timer.timeit(number) / number)
    return statistics.median(samples)


def combinations(benchmark: type, axes: Axes) -> list[tuple[object, ...]]:
    """The combinations of parameters, in asv's order; None stands for all values of a parameter."""
    chosen = zip(vars(benchmark).get("params") or benchmark.params, axes, strict=True)  # type: ignore[attr-defined]
    return list(itertools.product(*(every if some is None else some for every, some in chosen)))


def measure(name: str, axes: Axes, budget: float) -> dict[str, Any]:
    """The values of one benchmark, by combination; None where this machine or release cannot run it."""
    module, class_name, method = name.split(".")
    benchmark = getattr(importlib.import_module(f"bench.asv_benchmarks.{module}"), class_name)
    given = (benchmark().setup_cache(),) if hasattr(benchmark, "setup_cache") else ()
    rows, values = combinations(benchmark, axes), []
    for row in rows:
        values.append(in_new_process(name, row) if is_memory(name) else one(benchmark, method, (*given, *row), budget))
    return {"params": rows, "values": values}


def one(benchmark: type, method: str, arguments: tuple[Any, ...], budget: float) -> float | None:
    """One combination, or None where its setup skips it."""
    case = benchmark()
    try:
        if hasattr(case, "setup"):
            case.setup(*arguments)
    except NotImplementedError:
        return None
    call = getattr(case, method)
    if method.startswith("time_"):
        return timed(lambda: call(*arguments), budget)
    return float(call(*arguments))


def in_new_process(name: str, row: Sequence[object]) -> float:
    """The peak memory, in bytes, of a process that runs one combination."""
    command = [sys.executable, "-m", "bench.history.inside", "--memory", name, json.dumps(row)]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def memory(name: str, row: Sequence[object]) -> int:
    """The peak memory of this process in bytes after one combination."""
    module, class_name, method = name.split(".")
    case = getattr(importlib.import_module(f"bench.asv_benchmarks.{module}"), class_name)()
    getattr(case, method)(*row)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(argv: Sequence[str]) -> int:
    """Measure what is asked for."""
    if argv[0] == "--memory":
        print(memory(argv[1], json.loads(argv[2])))
        return 0
    requests = json.loads(argv[0])
    requests.sort(key=lambda request: not is_memory(request[0]))
    print(json.dumps({name: measure(name, axes, budget) for name, axes, budget in requests}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
