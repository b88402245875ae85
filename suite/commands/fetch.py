"""`python -m suite fetch`: bring the scheduler files of torch releases into the cache, and show what is there."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console
from rich.table import Table

from suite.releases import cache, index
from suite.releases.cache import ReleaseError, canonical
from suite.releases.groups import fetch_with_progress
from suite.releases.load import distinct

BAD_INPUT, DONE = 2, 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fetch`."""
    parser.add_argument("releases", nargs="*", metavar="RELEASE", help="e.g. 2.8.0; every release by default")
    parser.add_argument("--offline", action="store_true", help="use what is cached and never ask the index")
    parser.add_argument("--list", action="store_true", help="download nothing, only show what is cached")


def run(args: argparse.Namespace) -> int:
    """Fetch, print the table, and return the exit code: 0 all there, 2 not all to be had."""
    try:
        named = tuple(dict.fromkeys(map(canonical, args.releases)))
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    releases = named
    if not named:
        releases, asked = index.available(offline=args.offline)
        if not (asked or args.offline):
            print("pip named no torch releases, so the list of this version is used", file=sys.stderr)
    failed = {} if args.list else fetch_with_progress(releases, offline=args.offline)
    Console().print(_table(releases))
    reasons = list(failed.values())
    for line in reasons if named else reasons[:3]:
        print(line, file=sys.stderr)
    if failed:
        have = len(cache.cached())
        print(f"{len(failed)} of {len(releases)} releases are not to be had; {have} are cached", file=sys.stderr)
    return BAD_INPUT if failed else DONE


def _table(releases: tuple[str, ...]) -> Table:
    have = [release for release in releases if cache.read(release) is not None]
    code = {release: group[0] for group in distinct(have) for release in group}
    text = {release: group[0] for group in distinct(have, by_text=True) for release in group}
    title = f"{len(have)} of {len(releases)} releases cached, {len(set(code.values()))} different in code"
    table = Table("release", "cached", "code", "text of lr_scheduler.py", title=title)
    for release in releases:
        table.add_row(release, "yes" if release in have else "no", _same(release, code), _same(release, text))
    return table


def _same(release: str, first: dict[str, str]) -> str:
    """Which release, if any, has the same file and is older."""
    if release not in first:
        return ""
    return "new" if first[release] == release else f"as {first[release]}"
