"""Measure training with a warmup in many torch releases on this CPU, and publish how it changed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.history import asv_files, rounds
from bench.history.plan import DATES, DEFAULT, ROUNDS
from bench.history.publish import publish
from bench.history.rounds import FEWEST
from bench.history.table import changes, label, tabulate, words
from bench.releases import environment
from suite.shared import user_cache
from suite.shared.cli import InputError, checked_input, needs_clone
from suite.shared.console import printable, progress_bar
from suite.shared.release import canonical, numbers

RESULTS = Path(__file__).resolve().parents[2] / "results" / "asv-history"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `history`."""
    parser.add_argument(
        "releases", nargs="*", metavar="RELEASE", help=f"default: {DEFAULT[0]} to {DEFAULT[-1]}, {len(DEFAULT)} of them"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help=f"default: {ROUNDS}; at least {FEWEST}")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="default: results/asv-history")
    parser.add_argument("--busy", action="store_true", help="measure although other programs use the cores")


def chosen(names: list[str]) -> list[str]:
    """The releases to measure, oldest first; raises InputError for one without a date, or fewer than two."""
    releases = sorted({canonical(name) for name in names or DEFAULT}, key=numbers)
    for release in releases:
        if release not in DATES:
            raise InputError(f"release={release} must be one of {', '.join(DATES)}")
    if len(releases) < 2:
        raise InputError(f"releases={' '.join(releases)} must be two or more: a history compares them")
    return releases


def say(line: str) -> None:
    """Print a line on standard error."""
    print(printable(line), file=sys.stderr, flush=True)


def run(args: argparse.Namespace) -> int:
    """Make the environments, measure, publish; exit code 0 whether something changed or not."""
    needs_clone("history", "it runs asv's benchmarks from there")
    releases = chosen(args.releases)
    if args.rounds < FEWEST:
        raise InputError(f"rounds={args.rounds} must be >= {FEWEST}")
    with checked_input():
        import asv  # noqa: F401  # now, not after an hour
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
        import scipy  # noqa: F401
    environment.require_platform()
    rounds.require_quiet(args.busy)
    missing = [release for release in releases if environment.record(release) is None]
    arms = len(releases) + 1
    minutes = (args.rounds * arms * rounds.SECONDS + len(releases) * rounds.ONCE_SECONDS) / 60
    say(
        f"{len(releases)} releases, {args.rounds} rounds: about {minutes:.0f} min on two quiet cores; "
        f"{len(missing)} environments to make first, {len(missing) * environment.MEGABYTES} MB to fetch, "
        f"{len(missing) * environment.ON_DISK / 1000:.1f} GB on disk. Rerun the same command to resume."
    )
    for release in missing:
        environment.make(release, say)
    with progress_bar() as bar:
        task = bar.add_task("measuring", total=args.rounds * arms)
        records = rounds.run(releases, args.rounds, lambda line: bar.update(task, advance=1, description=line))
    table = tabulate(records, [arm.label for arm in rounds.arms(releases)])
    with checked_input():
        said = publish(table, records, releases, args.out)
    for sentence in said:
        print(sentence)
    clear = [one for one in changes(table, releases) if one.is_clear]
    print(f"{len(clear)} clear changes; the largest:" if clear else "no clear change")
    for one in sorted(clear, key=lambda one: -abs(one.ratio.value - 1))[:10]:
        print(f"  {label(one.key)}: {words(one)}")
    print(f"page: {args.out / 'index.html'}")
    for name, command in asv_files.commands(user_cache.root() / "history" / "asv.conf.json", releases).items():
        print(f"{name}: {command}")
    return 0
