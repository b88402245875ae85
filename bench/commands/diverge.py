"""Train the toy model under schedules and say which fail, how, what warned of it, and what would have held."""

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
from bench.toy.config import CONFIGS
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
        "--schedule", action="append", required=True, metavar="SLUG", help="e.g. linear20+cosine180; may be repeated"
    )
    parser.add_argument("--base-lr", type=float, required=True, metavar="B", help="the LR that the schedule multiplies")
    parser.add_argument("--steps", type=int, default=200, metavar="T", help="optimizer steps (default: 200)")
    parser.add_argument("--config", choices=[*CONFIGS], default="small16", help="the model (default: small16)")
    parser.add_argument("--norm", choices=NORMS, default="post", help="LayerNorm's place (default: post)")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="seeds 0 … N−1 of each (default: 3)")
    parser.add_argument("--table", type=Path, metavar="CSV", help="what holds is read from this runs.csv of a sweep")
    parser.add_argument("--no-advice", action="store_true", help="do not look for what would have held")
    parser.add_argument("--sharpness", action="store_true", help="measure the preconditioned sharpness of one run too")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the instruments")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the report as one page")
    parser.add_argument("--runs", type=Path, metavar="FOLDER", help="keep finished runs here, and read them again")
    parser.add_argument("--json", action="store_true", help="print JSON")


def settings_of(args: argparse.Namespace) -> list[TrainingSetup]:
    """What is to be run; TypeError or ValueError for what cannot be."""
    batched_config(args.config)
    steps, base = integer("steps", args.steps, 2), real("base_lr", args.base_lr, above=0.0)
    if integer("seeds", args.seeds, 1) > SEARCH_SEEDS[0]:
        raise ValueError(f"seeds={args.seeds} must be <= {SEARCH_SEEDS[0]}: others are kept for the search")
    found = [
        TrainingSetup(args.config, args.norm, steps, parse(slug).slug, base) for slug in dict.fromkeys(args.schedule)
    ]
    for setting in found:
        planned(parse(setting.schedule), steps, base)
    check_files(args, ("plot", "html"))
    for name in ("matplotlib", "jinja2") if args.html is not None else ():
        importlib.import_module(name)
    return found


def run(args: argparse.Namespace) -> int:
    """Train and judge; exit code 1 where a run failed, or was too slow."""
    with checked_input():
        settings = settings_of(args)
        rows = None
        if args.table is not None:
            from bench.diverge.sweep_table import candidates, read_table

            rows = read_table(args.table)
            for setting in settings:
                candidates(setting, rows)  # find out now, not after the training
    with progress(quiet=args.json) as report:
        trainer = functools.partial(train, folder=args.runs, report=report)
        try:
            verdicts = [judged(one, range(args.seeds), trainer, rows, not args.no_advice) for one in settings]
        except OSError as error:
            raise InputError(f"runs={args.runs} must be a folder that takes files: {error.strerror}") from error
    curvatures = {}
    if args.sharpness:
        from bench.diverge.sharpness import sharpness_of
        from bench.diverge.verdict_report import shown_run

        for k, one in enumerate(verdicts):
            curvatures[k] = sharpness_of(one.setting.plans(one.seeds)[shown_run(one)])
    if args.json:
        found = [to_json(one) for one in verdicts]
        for k, (steps, values) in curvatures.items():
            found[k]["sharpness"] = {"steps": steps.tolist(), "over_limit": values.tolist()}
        print(json.dumps({"definitions": definitions(), "schedules": found}, indent=1))
    else:
        from bench.diverge.verdict_report import print_verdict

        console = plain_console()
        for one in verdicts:
            print_verdict(console, one)
        console.print(definitions())
    with checked_input():
        if args.plot is not None:
            from bench.diverge.verdict_report import write_picture

            write_picture(verdicts, args.plot, curvatures)
        if args.html is not None:
            from bench.diverge.verdict_report import write_html

            write_html(verdicts, args.html, curvatures)
    return int(any(found.failed or found.kind == TOO_SLOW for one in verdicts for found in one.outcomes))
