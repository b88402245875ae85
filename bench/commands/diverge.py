"""Train the toy model under several schedules; report which diverge, the early warnings, and what would prevent it."""

from __future__ import annotations

import argparse
import functools
import importlib
import json
from pathlib import Path

from bench.diverge.outcome import TOO_SLOW
from bench.diverge.remedy import SEARCH_SEEDS, TrainingSetup
from bench.diverge.runs import train
from bench.diverge.verdict import definitions, judged, to_json
from bench.sweep.inputs import check_files
from bench.sweep.options import batched_config
from bench.sweep.progress import progress
from bench.sweep.spec import NORMS
from bench.toy.config import CONFIGS, named
from bench.toy.rates import planned
from reference import parse
from reference.check import integer, real
from suite.shared.cli import InputError, checked_input
from suite.shared.console import plain_console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `diverge`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"{definitions()}\n\nexit codes: 0 no run failed, 1 one failed or was too slow, 2 bad input"
    parser.add_argument(
        "--schedule", action="append", required=True, metavar="SLUG", help="such as linear20+cosine180; repeatable"
    )
    parser.add_argument("--base-lr", type=float, required=True, metavar="B", help="the LR that the schedule scales")
    parser.add_argument("--steps", type=int, default=200, metavar="T", help="optimizer steps (default: 200)")
    parser.add_argument("--config", choices=[*CONFIGS], default="small16", help="the toy model (default: small16)")
    parser.add_argument("--norm", choices=NORMS, default="post", help="position of LayerNorm (default: post)")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="run seeds 0 … N−1 (default: 3)")
    parser.add_argument("--table", type=Path, metavar="CSV", help="look up remedies in this runs.csv of a sweep")
    parser.add_argument("--no-advice", action="store_true", help="do not search for a remedy")
    parser.add_argument("--sharpness", action="store_true", help="also measure the sharpness of one run")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write a picture of loss, gradients, updates")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report as one web page")
    parser.add_argument("--runs", type=Path, metavar="FOLDER", help="cache finished runs in this folder")
    parser.add_argument("--json", action="store_true", help="print JSON")


def setups_of(args: argparse.Namespace) -> list[TrainingSetup]:
    """The setups to run; TypeError or ValueError for invalid arguments."""
    batched_config(args.config)
    steps, base = integer("steps", args.steps, 2), real("base_lr", args.base_lr, above=0.0)
    if integer("seeds", args.seeds, 1) > SEARCH_SEEDS[0]:
        raise ValueError(f"seeds={args.seeds} must be <= {SEARCH_SEEDS[0]}: higher seeds are reserved for the search")
    setups = [
        TrainingSetup(args.config, args.norm, steps, parse(slug).slug, base) for slug in dict.fromkeys(args.schedule)
    ]
    for setup in setups:
        planned(parse(setup.schedule), steps, base)
    check_files(args, ("plot", "html"))
    for name in ("matplotlib", "jinja2") if args.html is not None else ():
        importlib.import_module(name)
    return setups


def run(args: argparse.Namespace) -> int:
    """Train and report; exit code 1 if a run failed or was too slow."""
    with checked_input():
        setups = setups_of(args)
        rows = None
        if args.table is not None:
            from bench.diverge.sweep_table import candidates, read_table

            rows = read_table(args.table)
            for setup in setups:
                candidates(setup, rows)  # fail now, not after the training
    with progress(quiet=args.json) as report:
        trainer = functools.partial(train, folder=args.runs, report=report)
        try:
            verdicts = [judged(setup, range(args.seeds), trainer, rows, not args.no_advice) for setup in setups]
        except OSError as error:
            raise InputError(f"runs={args.runs} must be a writable folder: {error.strerror}") from error

    curvatures = {}
    if args.sharpness:
        from bench.diverge.sharpness import sharpness_of
        from bench.diverge.verdict_report import shown_run

        for k, verdict in enumerate(verdicts):
            curvatures[k] = sharpness_of(verdict.setup.plans(verdict.seeds)[shown_run(verdict)])
    if args.json:
        schedules = [to_json(verdict) for verdict in verdicts]
        for k, (steps, values) in curvatures.items():
            schedules[k]["sharpness"] = {"steps": steps.tolist(), "over_limit": values.tolist()}
        print(json.dumps({"definitions": definitions(), "schedules": schedules}, indent=1))
    else:
        from bench.diverge.verdict_report import print_verdict

        console = plain_console()
        for verdict in verdicts:
            print_verdict(console, verdict)
        console.print(definitions())
        if named(args.config).task != "numbers":
            console.print("all losses are above the entropy of the task, the least that is possible")
    with checked_input():
        if args.plot is not None:
            from bench.diverge.verdict_report import write_picture

            write_picture(verdicts, args.plot, curvatures)
        if args.html is not None:
            from bench.diverge.verdict_report import write_html

            write_html(verdicts, args.html, curvatures)
    outcomes = [outcome for verdict in verdicts for outcome in verdict.outcomes]
    return int(any(outcome.failed or outcome.kind == TOO_SLOW for outcome in outcomes))
