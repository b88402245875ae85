"""The learning rates of a scheduler call, and how the same schedule is written in other libraries."""

from __future__ import annotations

import argparse
import gzip
import json
import math
from pathlib import Path

from suite.libraries.catalogue import library
from suite.libraries.translate.opened import Shelf, names_of
from suite.libraries.translate.pairs import all_pairs, pair_counts, pairs_csv, pairs_text
from suite.libraries.translate.report import TranslationResult, print_translation, translation_as_json
from suite.libraries.translate.source import release_of, source_of
from suite.libraries.translate.translation import looked_for, run_source, translations
from suite.shared.cli import AS_EXPECTED, InputError, checked_input
from suite.shared.console import plain_console, progress_bar
from suite.shared.files import write_whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `translate`."""
    parser.add_argument(
        "call",
        nargs="?",
        metavar="CALL",
        help="the call as you wrote it: 'get_cosine_schedule_with_warmup(opt, 5, 50)'",
    )
    parser.add_argument(
        "--from",
        dest="origin",
        default="",
        metavar="LIBRARY",
        help="its library, or LIBRARY/SCHEDULE, if several have it",
    )
    parser.add_argument("--to", nargs="+", default=[], metavar="LIBRARY", help="only these libraries (default: all)")
    parser.add_argument("--base-lr", type=float, metavar="LR", help="the optimizer's LR (default: 0.001)")
    parser.add_argument("--total-steps", type=int, metavar="N", help="updates, where the call does not say how many")
    parser.add_argument("--release", metavar="R", help="the release of the library that the call is written for")
    parser.add_argument("--all", action="store_true", help="every declared schedule in every library, as a table")
    parser.add_argument(
        "--csv", type=Path, metavar="FILE", help="with --all: write each pair into FILE (.csv, .csv.gz)"
    )
    parser.add_argument("--offline", action="store_true", help="use what the cache has, and fetch nothing")
    parser.add_argument("--json", action="store_true", help="print every LR of every run as JSON")


def run(args: argparse.Namespace) -> int:
    """Translate and print; exit code 2 for a call or an option that cannot be used."""
    if args.csv is not None and not args.all:
        raise InputError(f"csv={str(args.csv)!r} must come with --all")
    if args.all:
        return _run_all(args)
    if args.call is None:
        raise InputError("call='' must be a scheduler call, such as 'get_cosine_schedule_with_warmup(opt, 500, 10000)'")
    if args.base_lr is not None and not (math.isfinite(args.base_lr) and args.base_lr > 0):
        raise InputError(f"base_lr={args.base_lr} must be above 0")
    chosen = _chosen(args.to)
    origin = args.origin and f"{library(args.origin.partition('/')[0]).name}"
    releases = release_of(args.call, origin, args.release) if args.release else {}
    with Shelf(offline=args.offline, releases=releases) as shelf:
        source = source_of(args.call, shelf, args.origin, args.base_lr, args.total_steps)
        values, error = run_source(source)
        names = [name for name in names_of(chosen) if chosen or name != source.opened.library.name]
        with progress_bar(quiet=args.json) as progress:
            task = progress.add_task("running other libraries", total=len(names))
            found, failed = translations(
                shelf, names, looked_for(source, values, error), lambda: progress.advance(task)
            )
        result = TranslationResult(source, values, error, found, failed, names)
        if args.json:
            print(json.dumps(translation_as_json(result), indent=1))
        else:
            print_translation(plain_console(), result)
    return AS_EXPECTED


def _chosen(names: list[str]) -> list[str]:
    return [library(name).name for name in dict.fromkeys(names)]


def _run_all(args: argparse.Namespace) -> int:
    """Every schedule in every library; exit code 0 where all libraries could be read."""
    if args.call is not None:
        raise InputError(f"call={args.call!r} must be left out with --all")
    names = names_of(_chosen(args.to))
    with Shelf(offline=args.offline) as shelf, progress_bar(quiet=args.json) as progress:
        task = progress.add_task("writing every schedule in every library", total=2 * len(names))
        pairs, failed = all_pairs(shelf, names, lambda: progress.advance(task))
    if args.csv is not None:
        with checked_input():
            content = pairs_csv(pairs).encode()
            write_whole(args.csv, gzip.compress(content, mtime=0) if args.csv.suffix == ".gz" else content)
    if args.json:
        print(json.dumps({**pair_counts(pairs), "failed": failed, "table": [pair.row() for pair in pairs]}, indent=1))
    else:
        console = plain_console()
        console.print(pairs_text(pairs))
        for name, reason in failed.items():
            console.print(f"not compared: {name}: {reason}")
    return AS_EXPECTED
