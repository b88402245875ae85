"""Train the toy model once, plainly, and show the learning rate that every optimizer step really used."""

from __future__ import annotations

import argparse
import json

from bench.sweep.inputs import add_model, check_device, check_files, chosen, config_of
from bench.sweep.single import OPTIMIZERS, about, draw, print_run, trained, write_csv
from bench.toy.rates import CLOCKS, planned
from reference.check import integer
from suite.shared.console import finite, plain_console
from suite.shared.errors import checked_input


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `train`."""
    parser.add_argument("--schedule", required=True, metavar="SLUG[@LR]", help="e.g. linear20+cosine180@0.01")
    add_model(parser)
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="draws weights and batches (default: 0)")
    parser.add_argument("--clock", choices=CLOCKS, default="step", help="what moves the schedule (default: step)")
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="adam", help="default: adam")
    parser.add_argument("--validate-every", type=int, default=0, metavar="N", help="default: ten times in all")


def run(args: argparse.Namespace) -> int:
    """Train; exit code 2 for input that cannot be used."""
    with checked_input():
        what, config = chosen(args.schedule, args.base_lr), config_of(args)
        integer("steps", args.steps, 1)
        integer("seed", args.seed)
        integer("validate-every", args.validate_every)
        planned(what.schedule, args.steps, what.base_lr)
        check_device(args.device)
        check_files(args)
    done = trained(args, what, config)
    with checked_input():
        if args.csv is not None:
            write_csv(done, args)
        if args.plot is not None:
            draw(done, args, what)
    if args.json:
        steps = {"lrs": finite(done.lrs), "losses": finite(done.losses)}
        validation = dict(zip(done.validation, finite(done.validation.values()), strict=True))
        print(json.dumps({"about": about(args, what), **steps, "validation": validation}))
    else:
        print_run(plain_console(), done, args, what)
    return 0
