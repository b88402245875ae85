"""Train the toy model under several schedules, paired by seed: same initial weights, same batches."""

from __future__ import annotations

import argparse
import json
import math

from bench.sweep.inputs import add_model, check_device, check_files, chosen, config_of
from bench.sweep.options import batched_config
from bench.sweep.versus import about, draw, print_comparison, train_paired, write_csv
from bench.toy.rates import planned
from reference.check import integer
from suite.shared.cli import checked_input
from suite.shared.console import plain_console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `compare`."""
    parser.add_argument("schedules", nargs="+", metavar="SLUG[@LR]", help="e.g. linear20+cosine180@0.01 noam40_d16")
    add_model(parser)
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="seeds per schedule (default: 5)")
    parser.add_argument("--first-seed", type=int, default=0, metavar="S", help="seeds are S … S+N−1 (default: 0)")


def run(args: argparse.Namespace) -> int:
    """Train and compare; exit code 2 for bad input."""
    with checked_input():
        schedules = [chosen(text, args.base_lr) for text in args.schedules]
        batched_config(args.config)
        config = config_of(args)
        integer("steps", args.steps, 1)
        first = integer("first-seed", args.first_seed)
        seeds = range(first, first + integer("seeds", args.seeds, 1))
        for each in schedules:
            planned(each.schedule, args.steps, each.base_lr)
        check_device(args.device)
        check_files(args)
    paired = train_paired(args, schedules, config, seeds)
    with checked_input():
        if args.csv is not None:
            write_csv(paired, args)
        if args.plot is not None:
            draw(paired, args)
    if args.json:
        rows = [{name: _plain(value) for name, value in row.items()} for row in paired.rows()]
        print(json.dumps({"about": about(args), "schedules": rows}, indent=1))
    else:
        print_comparison(plain_console(), paired, args)
    return 0


def _plain(value: object) -> object:
    """The value, or None for a number that JSON cannot represent."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
