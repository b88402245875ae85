"""Profile of a batched step.

``python -m bench.toy.batched.profile small64`` prints each operation's share of the time.
"""

from __future__ import annotations

import argparse

import torch

from bench.toy.rates import grid
from reference import parse
from suite.shared.console import plain_console, plain_table

from .batched import Batched
from .speed import WIDTHS

#: Steps before the profile, as the first ones allocate, and steps in it.
FIRST, COUNTED = 2, 3


def operations(runs: Batched, steps: int) -> dict[str, float]:
    """Seconds of CPU time in each torch operation over some steps, excluding nested operations; longest first.

    The rest of a step is Python and dispatch. Only the caller's thread is profiled, so `runs` should use one thread.
    """
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        runs.run(steps)
    seconds = {event.key: event.self_cpu_time_total * 1e-6 for event in profiler.key_averages()}
    return dict(sorted(seconds.items(), key=lambda pair: -pair[1]))


def main() -> None:
    """Profile one width and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.toy.batched.profile", description=__doc__)
    parser.add_argument("name", choices=WIDTHS)
    parser.add_argument("--rows", type=int, default=15, metavar="N", help="operations to print (default: 15)")
    args = parser.parse_args()
    config, count, _ = WIDTHS[args.name]
    runs = Batched(config, grid([parse("linear0+hold")] * count, [1e-3] * count, FIRST + COUNTED), list(range(count)))
    runs.run(FIRST)
    profile = operations(runs, COUNTED)
    total = sum(profile.values())
    table = plain_table()
    table.add_column("operation")
    table.add_column("% of time in operations", justify="right")
    for name, seconds in list(profile.items())[: args.rows]:
        table.add_row(name, f"{100 * seconds / total:.1f}")
    console = plain_console()
    console.print(f"{args.name}, K={count}, one thread, {1e3 * total / COUNTED / count:.3g} ms per replica step")
    console.print(table)


if __name__ == "__main__":
    main()
