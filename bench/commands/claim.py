"""Measure one or all of the published claims, and write each as a text, a table and a picture."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from bench.claims.publish import publish
from reference.check import integer
from suite.shared.cli import checked_input, needs_clone
from suite.shared.console import plain_console

#: File name → question. Each is a module of bench/claims with `claim(seeds, folder of finished runs) -> Claim`.
CLAIMS = {
    "warmup_length": "does a longer warmup lower the sensitivity to the LR, and where does it saturate?",
    "warmup_kind": "do the kinds of warmup differ at equal effective period?",
    "noam": "does the tutorial's Noam schedule train the task, and what would?",
    "cost": "what does each way to apply a schedule cost in throughput?",
    "advice": "is 5-10% warmup enough, and how do a longer warmup and a lower peak LR compare?",
}
RESULTS = Path(__file__).parents[2] / "results" / "claims"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `claim`."""
    names = "\n".join(f"  {name:14} {question}" for name, question in CLAIMS.items())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"claims:\n{names}"
    parser.add_argument("names", nargs="+", choices=[*CLAIMS, "all"], metavar="NAME", help="a claim below, or all")
    parser.add_argument(
        "--seeds", type=int, default=10, metavar="N", help="run each setting with N seeds (default: 10)"
    )
    parser.add_argument(
        "--out", type=Path, default=RESULTS, metavar="FOLDER", help="write the results here (default: results/claims)"
    )


def run(args: argparse.Namespace) -> int:
    """Publish the claims; exit code 2 for fewer than 5 seeds or a folder that is not writable."""
    if args.out == RESULTS:
        needs_clone("claim", "it writes results/claims", "--out FOLDER")
    with checked_input():
        seeds = integer("seeds", args.seeds, 5)
        try:
            (args.out / "shards").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"out={args.out} must be a writable folder: {error.strerror}") from error
    console = plain_console()
    for name in CLAIMS if "all" in args.names else args.names:
        published = importlib.import_module(f"..claims.{name}", __package__).claim(seeds, args.out / "shards")
        for path in publish(published, args.out):
            console.print(str(path))
        console.print("\n".join(published.answer))
    return 0
