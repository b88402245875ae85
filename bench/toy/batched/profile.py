"""Where the time of a batched step goes.

``python -m bench.toy.batched.profile small64`` prints the share of each operation.
"""

from __future__ import annotations

import argparse

import torch

from bench.toy.rates import grid
from reference import parse
from suite.shared.console import plain_console, plain_table

from .batched import Batched
from .speed import WIDTHS

#: The first steps allocate.
FIRST, COUNTED = 2, 3


def operations(runs: Batched, steps: int) -> dict[str, float]:
    """Seconds that each operation of torch itself takes on the CPU, over some steps, the longest first.

    What is left of a step is Python and the operations' own dispatch. Only the caller's thread is seen:
    `runs` should have one.
    """
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        runs.run(steps)
    found = {event.key: event.self_cpu_time_total * 1e-6 for event in profiler.key_averages()}
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def main() -> None:
    """Profile one width and print it."""
    parser = argparse.ArgumentParser(prog="python -m bench.toy.batched.profile", description=__doc__)
    parser.add_argument("name", choices=WIDTHS)
    parser.add_argument("--rows", type=int, default=15, metavar="N", help="operations to print (default: 15)")
    args = parser.parse_args()
    config, count, _ = WIDTHS[args.name]
    runs = Batched(config, grid([parse("linear0+hold")] * count, [1e-3] * count, FIRST + COUNTED), list(range(count)))
    runs.run(FIRST)
    found = operations(runs, COUNTED)
    whole = sum(found.values())
    table = plain_table()
    table.add_column("operation")
    table.add_column("% of the time in operations", justify="right")
    for name, seconds in list(found.items())[: args.rows]:
        table.add_row(name, f"{100 * seconds / whole:.1f}")
    console = plain_console()
    console.print(f"{args.name}, K={count}, one thread, {1e3 * whole / COUNTED / count:.3g} ms for a replica's step")
    console.print(table)


if __name__ == "__main__":
    main()
