"""Where the time of a batched step on one thread goes.

``python -m bench.toy.batched.profile small64`` prints each operation's time, what Python and dispatch cost beside
them, torch's matrix products alone, and the pass in C. Start it with the allocator's settings (`MALLOC` of
`bench/toy/machine.py`). The operations are timed from outside: torch.profiler allocates while it records, so that
operations with large results seem to take several times as long as they do.

Measured on one AMD EPYC core at d=64, in ms per replica step: 3.8, of which 2.2 in products, 0.5 in Python, 0.3 in the
arithmetic of attention, 0.17 in LayerNorm, 0.16 in Adam, 0.1 in copies. The products run at 65 to 70 GFLOP/s, the same
shapes at 90 while their matrices stay in the cache: a group of replicas does not fit, and smaller groups cost more
Python than they save. With all but the products gone the step would take 2.4 ms, just what 3.3 times the plain loop
asks for; with 512 hidden features at d=128, 8.6 of 11.9 ms. The pass in C takes 2.1 and 8.8 ms for the whole step.
With the tutorial's 2048 hidden features the step takes 29 ms, its products alone 23 and the step in C 24, which is 1.5
times the plain loop's rate: its products, too, are most of the time, and the core's peak of 117 GFLOP/s allows 2.2.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from bench.toy.rates import grid
from reference import parse
from suite.shared.console import plain_console, plain_table

from .batched import Batched
from .speed import WIDTHS, products_of

#: Steps before the profile, as the first ones allocate, and steps in it.
FIRST, COUNTED = 2, 8


class Operations(TorchFunctionMode):
    """Notes the name and the seconds of every torch operation that the caller's thread starts, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, float]] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run and time one operation."""
        start = time.perf_counter()
        result = func(*args, **(kwargs or {}))
        self.calls.append((getattr(func, "__name__", str(func)), time.perf_counter() - start))
        return result


def operations(runs: Batched, steps: int) -> dict[str, float]:
    """Seconds in each torch operation of a step, longest first, without attributes and views by index.

    Every step has the same calls; of each call the shortest of `steps` counts, as other programs disturb the rest.
    `runs` should use one thread.
    """
    taken = []
    for _ in range(steps):
        with Operations() as counted:
            runs.run(1)
        taken.append(counted.calls)
    seconds: dict[str, float] = {}
    for calls in zip(*taken, strict=True):
        name = calls[0][0]
        if not name.startswith("__"):
            seconds[name] = seconds.get(name, 0.0) + min(elapsed for _, elapsed in calls)
    return dict(sorted(seconds.items(), key=lambda pair: -pair[1]))


def seconds_of(function: Callable[[], object], times: int) -> float:
    """The least CPU time of `times` calls."""
    used = []
    for _ in range(times):
        start = time.process_time()
        function()
        used.append(time.process_time() - start)
    return min(used)


def main() -> None:
    """Profile one width and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.toy.batched.profile", description=__doc__)
    parser.add_argument("name", choices=WIDTHS)
    parser.add_argument("--rows", type=int, default=15, metavar="N", help="operations to print (default: 15)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    config, count, _ = WIDTHS[args.name]
    rates = grid([parse("linear0+hold")] * count, [1e-3] * count, FIRST + 3 * COUNTED)
    runs = Batched(config, rates, list(range(count)))
    runs.run(FIRST)
    step = seconds_of(lambda: runs.run(1), COUNTED)
    profile = operations(runs, COUNTED)
    in_c = Batched(config, rates, list(range(count)), native=True)
    in_c.run(FIRST)
    scale = 1e3 / count
    rows = {
        **dict(list(profile.items())[: args.rows]),
        "other operations": sum(list(profile.values())[args.rows :]),
        "Python and dispatch": max(step - sum(profile.values()), 0.0),
        "a step": step,
        "its products alone": seconds_of(products_of(config, runs), COUNTED),
        "a step with the pass in C": seconds_of(lambda: in_c.run(1), COUNTED),
    }
    table = plain_table()
    table.add_column("operation")
    table.add_column("ms per replica step", justify="right")
    for name, seconds in rows.items():
        table.add_row(name, f"{scale * seconds:.3f}")
    console = plain_console()
    console.print(f"{args.name}, K={count}, one thread")
    console.print(table)


if __name__ == "__main__":
    main()
