"""Measure a published claim, recompute it from its runs, or repeat it on fresh seeds; each has a text, table, picture.

The runs are published beside the page: `--from FILE` recomputes everything without training.
`--first-seed 1000` trains the same settings with fresh seeds and compares the numbers with the published ones.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.claims.core.page import page
from bench.claims.core.publish import publish
from bench.claims.core.replication import REPLICATED, verdicts
from bench.claims.core.runs import (
    PUBLISHED,
    REPLICATION,
    part_of,
    read_runs,
    runs_file,
    seeds_of,
    stamped,
    write_runs,
)
from reference.check import integer
from suite.shared.cli import InputError, checked_input, needs_clone
from suite.shared.console import plain_console

if TYPE_CHECKING:
    from pandas import DataFrame

#: File name → question. Each is a module of bench/claims with `train(seeds, folder of finished runs) -> runs` and
#: `claim(runs) -> Claim`.
CLAIMS = {
    "warmup_length": "how much higher may the peak LR be with a warmup, in post-LN and in pre-LN?",
    "warmup_kind": "do the kinds of warmup differ at equal effective period?",
    "noam": "does the tutorial's Noam schedule train the task, and what would?",
    "cost": "what does each way to apply a schedule cost in throughput?",
    "advice": "is 5-10% warmup enough, and how do a longer warmup and a lower peak LR compare?",
}
#: The same for the replications of papers, modules of bench/claims/replications; a `PAPER` with `runs_from` is
#: computed from the published runs of that claim.
PAPERS = {
    "kalra": "does a warmup buy a higher peak LR and little else (Kalra & Barkeshli 2024)?",
    "xiong": "does pre-LN make the warmup unnecessary (Xiong et al. 2020)?",
    "kosson": "does a warmup buy more with larger batches, less with more momentum (Kosson et al. 2024)?",
    "ma": "does an untuned linear warmup do what RAdam does (Ma & Yarats 2021)?",
    "gilmer": "does clipping the gradient replace a warmup with SGD (Gilmer et al. 2021)?",
    "wortsman": "does qk-norm take away most of the LR sensitivity (Wortsman et al. 2023)?",
    "liu": "does a warmup buy less with a lower β2, and little with Lion (after Liu et al. 2020)?",
    "yang": "does the highest LR fall with the width (Yang et al. 2021)?",
}
RESULTS = Path(__file__).parents[2] / "results" / "claims"
SEEDS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `claim`."""
    names, papers = (
        "\n".join(f"  {name:14} {question}" for name, question in each.items()) for each in (CLAIMS, PAPERS)
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"claims (all):\n{names}\n\nstatements of papers, tested:\n{papers}"
    choices = [*CLAIMS, *PAPERS, "all"]
    parser.add_argument("names", nargs="+", choices=choices, metavar="NAME", help="a name below, or all claims")
    parser.add_argument("--seeds", type=int, metavar="N", help=f"run each setting with N seeds (default: {SEEDS})")
    parser.add_argument(
        "--first-seed",
        type=int,
        metavar="S",
        help="repeat a published claim on the fresh seeds S … S+N−1 and compare; exit code 1 if a number differs",
    )
    parser.add_argument(
        "--from", dest="source", type=Path, metavar="FILE", help="recompute from these runs (NAME.runs.csv.gz)"
    )
    parser.add_argument(
        "--out", type=Path, default=RESULTS, metavar="FOLDER", help="write the results here (default: results/claims)"
    )


def run(args: argparse.Namespace) -> int:
    """Publish the claims; exit code 1 if a number is not replicated, 2 for bad options, runs or folders."""
    if args.out == RESULTS:
        needs_clone("claim", "it writes results/claims", "--out FOLDER")
    names = [*CLAIMS] if "all" in args.names else args.names
    with checked_input():
        seeds = integer("seeds", SEEDS if args.seeds is None else args.seeds, 5)
        if args.first_seed is not None:
            integer("first-seed", args.first_seed)
        if args.source is not None and (args.seeds is not None or args.first_seed is not None or len(names) > 1):
            raise ValueError(f"from={args.source} must be used with one claim, without --seeds and --first-seed")
        for package in ("pandas", "scipy", "matplotlib.figure"):
            importlib.import_module(package)  # fail now, not after minutes of work
        try:
            (args.out / "shards").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"out={args.out} must be a writable folder: {error.strerror}") from error
        before = {name: _before(name, args, seeds) for name in names}
    return max(_publish(name, args, seeds, before[name]) for name in names)


def _before(name: str, args: argparse.Namespace, seeds: int) -> DataFrame | None:
    """The runs that exist already and are needed: those of FILE, or the published ones of a replication."""
    if args.source is not None:
        return read_runs(args.source, _module(name).COLUMNS)
    if owner := _owner(name):
        given = [
            f"{word}={value}"
            for word, value in (("seeds", args.seeds), ("first-seed", args.first_seed))
            if value is not None
        ]
        if given:
            raise InputError(f"{given[0]} must be used with {owner}, from whose runs {name} is computed")
        folder = args.out if runs_file(owner, args.out).exists() else RESULTS
        return read_runs(runs_file(owner, folder), _module(name).COLUMNS)
    path = next((path for folder in (args.out, RESULTS) if (path := runs_file(name, folder)).exists()), None)
    if args.first_seed is None:
        return None if path is None else read_runs(path)
    if path is None:
        raise InputError(f"first-seed={args.first_seed} must have published runs to compare with: {name} has none")
    table = read_runs(path)
    known = seeds_of(part_of(table, PUBLISHED))
    if set(known) & set(range(args.first_seed, args.first_seed + seeds)):
        raise InputError(
            f"first-seed={args.first_seed} must be fresh: the published seeds are {known[0]} … {known[-1]}"
        )
    return table


def _module(name: str) -> Any:
    return importlib.import_module(f"..claims.{'replications.' if name in PAPERS else ''}{name}", __package__)


def _owner(name: str) -> str:
    """The claim whose runs are read for this one; empty if it trains its own."""
    return str(_module(name).PAPER.runs_from) if name in PAPERS else ""


def _publish(name: str, args: argparse.Namespace, seeds: int, before: DataFrame | None) -> int:
    import pandas

    module, runs = _module(name), before
    if args.source is None and not _owner(name):
        first = args.first_seed or 0
        new, kept = (PUBLISHED, REPLICATION) if args.first_seed is None else (REPLICATION, PUBLISHED)
        trained = stamped(module.train(range(first, first + seeds), args.out / "shards"), new)
        tables = [trained] if before is None else [trained, part_of(before, kept)]
        runs = pandas.concat([table for table in tables if len(table)], ignore_index=True)
        runs = runs.sort_values("part", kind="stable", ignore_index=True)
        write_runs(runs, runs_file(name, args.out))
    with checked_input():
        published, fresh, more = page(module.claim, runs)
    console = plain_console()
    for path in publish(published, args.out, more):
        console.print(str(path))
    console.print("\n".join([*published.answer, "", *more]))
    judged = [] if fresh is None or args.first_seed is None else verdicts(published.headlines, fresh.headlines)
    return int(any(word != REPLICATED for word in judged))
