"""`python -m suite fetch`: bring the scheduler files of releases into the cache, and show what is there.

All 33 releases until 2.15.0 take about 43 MB the first time. pip finds the wheels, with the user's own index,
certificates and proxy; only three files are read of each. A server that cannot send parts of a file costs
the whole wheels: 43 to 140 MB for each release.

`--libraries` does the same for the other libraries whose schedules are compared: 0.1 to 2 MB for each of them.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable

from rich.console import Console

from suite.libraries.catalogue import libraries, library
from suite.libraries.core.library import Library
from suite.libraries.wheels.files import fetch_all
from suite.libraries.wheels.library_index import LibraryIndex
from suite.libraries.wheels.wanted import KNOWN, add_to_known, wanted
from suite.releases import cache
from suite.releases.cache import canonical
from suite.releases.groups import fetch_with_progress
from suite.releases.index import PipIndex, available
from suite.releases.load import distinct
from suite.shared import streams
from suite.shared.cli import AS_EXPECTED, InputError, needs_clone
from suite.shared.console import plain_console, plain_table, printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `fetch`."""
    parser.add_argument("releases", nargs="*", metavar="RELEASE", help="e.g. 2.8.0; every release by default")
    parser.add_argument(
        "--libraries",
        nargs="*",
        metavar="LIBRARY",
        help="instead of torch: the releases that are compared of these libraries, by default of all",
    )
    parser.add_argument("--offline", action="store_true", help="use only the cache, never the network")
    parser.add_argument("--list", action="store_true", help="show what is cached, fetch nothing")
    parser.add_argument(
        "--write-hashes",
        action="store_true",
        help="for maintainers, after a fetch into an empty cache: add new releases to known_releases.sha256,"
        " or those of libraries to known_files.sha256",
    )


def run(args: argparse.Namespace) -> int:
    """Fetch and print the table; raises InputError where a release could not be fetched."""
    if args.write_hashes:
        needs_clone("fetch --write-hashes", "it writes the lists of known files")
    if args.libraries is None:
        return _torch(args)
    if args.releases:
        raise InputError(f"releases={args.releases} must be empty with --libraries: all compared releases are fetched")
    return _libraries(args)


def _libraries(args: argparse.Namespace) -> int:
    chosen = [library(name) for name in dict.fromkeys(args.libraries)] or list(libraries().values())
    index = LibraryIndex()
    pairs = [(one, release) for one in chosen if one.project for release in one.releases]
    failed = {} if args.list else fetch_all(pairs, offline=args.offline, index=index)
    console = plain_console()
    have = _print_libraries(console, chosen)
    if index.traffic.bytes:
        console.print(index.summary())
    if args.write_hashes:
        console.print(f"added to {KNOWN.name}: {', '.join(map(str, add_to_known(libraries().values()))) or 'nothing'}")
    if not failed:
        return AS_EXPECTED
    for line in failed.values() if args.libraries else _by_reason(failed.values()):
        streams.say(printable(line))
    raise InputError(f"{len(failed)} of {len(pairs)} releases could not be fetched; {have} are cached")


def _print_libraries(console: Console, chosen: Iterable[Library]) -> int:
    """The table; returns how many of the compared releases are cached."""
    table = plain_table()
    for name in ("library", "cached", "releases"):
        table.add_column(name)
    total = 0
    for one in chosen:
        if one.project:
            there = [release for release in one.releases if wanted(one, release).read() is not None]
            table.add_row(one.name, f"{len(there)} of {len(one.releases)}", ", ".join(there))
            total += len(there)
        else:
            table.add_row(one.name, "", "written out here, no files")
    console.print(table)
    return total


def _torch(args: argparse.Namespace) -> int:
    named = tuple(dict.fromkeys(map(canonical, args.releases)))
    index, releases = PipIndex(), named
    if not named:
        releases, listed = available(offline=args.offline, index=index)
        if not (listed or args.offline):
            streams.say("pip listed no torch releases: using the list of this version")
    failed = {} if args.list else fetch_with_progress(releases, offline=args.offline, index=index)
    console = plain_console()
    _print_releases(console, releases)
    if index.traffic.bytes:
        console.print(f"{index.traffic.bytes / 1e6:.1f} MB fetched in {index.traffic.requests} requests")
    if args.write_hashes:
        console.print(f"added to {cache.KNOWN.name}: {', '.join(cache.add_to_known()) or 'nothing'}")
    if not failed:
        return AS_EXPECTED
    for line in failed.values() if named else _by_reason(failed.values()):
        streams.say(printable(line))
    have = len(cache.cached())
    raise InputError(f"{len(failed)} of {len(releases)} releases could not be fetched; {have} are cached")


def _by_reason(lines: Iterable[str]) -> list[str]:
    """One line for each reason: that of the first release, and how many share it."""
    groups: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        groups[line.partition(" ")[2]].append(line)
    return [same[0] + (f" (and {len(same) - 1} more)" if same[1:] else "") for same in groups.values()]


def _print_releases(console: Console, releases: tuple[str, ...]) -> None:
    have = [release for release in releases if cache.read(release) is not None]
    code = {release: group[0] for group in distinct(have) for release in group}
    text = {release: group[0] for group in distinct(have, by_text=True) for release in group}
    table = plain_table()
    for name in ("release", "cached", "code", "text of lr_scheduler.py"):
        table.add_column(name)
    for release in releases:
        table.add_row(release, "yes" if release in have else "no", _same(release, code), _same(release, text))
    console.print(
        f"{len(have)} of {len(releases)} releases cached, {len(set(code.values()))} different in code or docstrings"
    )
    console.print(table)


def _same(release: str, first: dict[str, str]) -> str:
    """The oldest release with the same file; "new" where it is this one."""
    if release not in first:
        return ""
    return "new" if first[release] == release else f"as {first[release]}"
