"""Measure one or all of the published answers anew, and write each as text, table and picture."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from bench.claims.publish import publish
from reference.check import integer
from suite.shared.cli import checked_input
from suite.shared.console import plain_console

#: Each is a module of bench/claims with `claim(seeds, folder of finished runs) -> Claim`, by the name of its files.
CLAIMS = {
    "warmup_length": "does a longer warmup lower the sensitivity to the LR, and where does it saturate?",
    "warmup_kind": "do kinds of warmup differ at equal effective period?",
    "noam": "does the tutorial's Noam train the task, and what would?",
    "cost": "what does each way to apply a schedule cost in throughput?",
    "advice": "is 5-10 % warmup enough, and what buys as much: a longer warmup or a lower peak?",
}
RESULTS = Path(__file__).parents[2] / "results" / "claims"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `claim`."""
    names = "\n".join(f"  {name:14} {question}" for name, question in CLAIMS.items())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"claims:\n{names}"
    parser.add_argument("names", nargs="+", choices=[*CLAIMS, "all"], metavar="NAME", help="a claim below, or all")
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="seeds of each run (default: 10)")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER", help="default: results/claims")


def run(args: argparse.Namespace) -> int:
    """Publish the claims; exit code 2 for fewer than 5 seeds, or a folder that cannot be written."""
    with checked_input():
        seeds = integer("seeds", args.seeds, 5)
        try:
            (args.out / "shards").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"out={args.out} must be a folder that takes files: {error.strerror}") from error
    console = plain_console()
    for name in CLAIMS if "all" in args.names else args.names:
        made = importlib.import_module(f"bench.claims.{name}").claim(seeds, args.out / "shards")
        for path in publish(made, args.out):
            console.print(str(path))
        console.print("\n".join(made.answer))
    return 0
