"""Train the toy model once with a plain loop and show the learning rate measured at every optimizer step."""

from __future__ import annotations

import argparse
import dataclasses
import json

from bench.sweep.inputs import add_model, check_device, check_files, chosen, config_of
from bench.sweep.single import about, draw, print_run, trained, write_csv
from bench.toy.config import OPTIMIZERS
from bench.toy.rates import CLOCKS, planned
from reference.check import integer
from suite.shared.cli import checked_input
from suite.shared.console import finite, plain_console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `train`."""
    parser.add_argument("--schedule", required=True, metavar="SLUG[@LR]", help="e.g. linear20+cosine180@0.01")
    add_model(parser)
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="draws weights and batches (default: 0)")
    parser.add_argument("--clock", choices=CLOCKS, default="step", help="when the schedule advances (default: step)")
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="adam", help="default: adam")
    parser.add_argument(
        "--validate-every", type=int, default=0, metavar="N", help="steps between validations (default: T/10)"
    )


def run(args: argparse.Namespace) -> int:
    """Train and report; exit code 2 for bad input."""
    with checked_input():
        schedule, config = (
            chosen(args.schedule, args.base_lr),
            dataclasses.replace(config_of(args), optimizer=args.optimizer),
        )
        integer("steps", args.steps, 1)
        integer("seed", args.seed)
        integer("validate-every", args.validate_every)
        planned(schedule.schedule, args.steps, schedule.base_lr)
        check_device(args.device)
        check_files(args)
    measured = trained(args, schedule, config)
    with checked_input():
        if args.csv is not None:
            write_csv(measured, args)
        if args.plot is not None:
            draw(measured, args, schedule)
    if args.json:
        steps = {"lrs": finite(measured.lrs), "losses": finite(measured.losses)}
        validation = dict(zip(measured.validation, finite(measured.validation.values()), strict=True))
        print(json.dumps({"about": about(args, schedule), **steps, "validation": validation}))
    else:
        print_run(plain_console(), measured, args, schedule)
    return 0
