"""`python -m suite atlas`: every case on every distinct release, written to results/atlas/.

An atlas that covers fewer releases than the committed one is refused, unless `--partial` and a folder ask for it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from pathlib import Path

from suite.across_releases.atlas import (
    RESULTS,
    AtlasRow,
    committed_releases,
    files,
    measure,
    ranges_off,
    unexplained,
)
from suite.across_releases.same_result import same
from suite.releases.cache import numbers
from suite.releases.groups import chosen_groups, labels
from suite.shared.cli import InputError, checked_input, needs_clone
from suite.shared.console import plain_console, progress_bar
from suite.shared.files import write_whole

#: Releases named in a message; more are counted.
NAMED = 5
#: Lines of one kind that are printed; more are counted.
LISTED = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `atlas`."""
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where to write (default: results/atlas)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file in FOLDER differs")
    parser.add_argument(
        "--partial",
        action="store_true",
        help="accept missing releases, which otherwise exit 2; needs --out with a folder other than results/atlas",
    )
    parser.add_argument("--offline", action="store_true", help="only the releases in the cache, no network")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def run(args: argparse.Namespace) -> int:
    """Make the atlas; exit code 1 for unexplained deviations (or, with --check, other files), 2 for bad input."""
    start = time.monotonic()
    uninstalled = [name for name in ("jinja2", "matplotlib") if importlib.util.find_spec(name) is None]
    if uninstalled:  # before a minute of work, not after it
        raise InputError(f"atlas needs {' and '.join(uninstalled)}: pip install '.[atlas]'")
    if args.out is None:
        needs_clone("atlas", "it writes results/atlas", "--out FOLDER")
    out: Path = args.out or RESULTS
    if args.partial and out.resolve() == RESULTS.resolve():
        raise InputError("partial must come with --out FOLDER, other than results/atlas: that one is complete")
    groups, failed = chosen_groups(args.offline)
    if not args.partial:
        _refuse_incomplete(groups, failed)
    rows = _measured(groups, args.json)
    made = all_files(rows, groups)
    different = [name for name, data in made.items() if not same(out / name, data)]
    if not args.check:
        with checked_input():  # the folder may be a file, or not ours to write
            out.mkdir(parents=True, exist_ok=True)
            for name, data in made.items():
                write_whole(out / name, data)
    news, off = unexplained(rows), ranges_off(rows)
    summary = {
        "releases": sum(map(len, groups)),
        "distinct": len(groups),
        "rows": sum(map(len, rows.values())),
        "deviating": sum(row.verdict.kind == "deviates" for group in rows.values() for row in group),
        "unexplained": [f"{row.case.id} on {row.release}: {row.verdict.detail}" for row in news],
        "ranges_off": off,
        "different_files": different if args.check else [],
        "unavailable": failed,
        "seconds": round(time.monotonic() - start, 1),
    }
    if args.json:
        print(json.dumps(summary, indent=1))
    else:
        _print(summary, None if args.check else out)
    return 1 if news or off or (args.check and different) else 0


def _refuse_incomplete(groups: list[tuple[str, ...]], failed: dict[str, str]) -> None:
    """Raise InputError if a release could not be fetched, or if the committed atlas has one that is not here."""
    here = {release for group in groups for release in group}
    missing = sorted({*failed, *committed_releases()} - here, key=numbers)
    if not missing:
        return
    rest = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    why = f" ({failed[missing[0]]})" if missing[0] in failed else ""
    raise InputError(
        f"releases={','.join(missing[:NAMED])}{rest} must be in the atlas, but could not be fetched{why}; nothing is "
        "written: retry with `python -m suite fetch`, or write what there is with --partial --out FOLDER"
    )


def _measured(groups: list[tuple[str, ...]], quiet: bool) -> dict[str, list[AtlasRow]]:
    with progress_bar(quiet=quiet) as progress:
        task = progress.add_task("releases", total=len(groups))
        return measure([group[0] for group in groups], lambda release: progress.advance(task))


def all_files(rows: dict[str, list[AtlasRow]], groups: list[tuple[str, ...]]) -> dict[str, bytes]:
    """The content of each file of results/atlas/."""
    from suite.across_releases.atlas_page import page, picture  # matplotlib and jinja2 take a second to import

    names = labels(groups)
    lines = ["release,label,same code as"] + [f"{g[0]},{names[g[0]]},{' '.join(g[1:])}" for g in groups]
    extra = {"releases.csv": ("\n".join(lines) + "\n").encode()}
    return {**files(rows), **extra, "index.html": page(rows, names), "atlas.png": picture(rows, names)}


def _print(summary: dict[str, object], written_to: Path | None) -> None:
    console = plain_console()
    console.print(
        f"{summary['rows']} rows: {summary['distinct']} distinct scheduler files of {summary['releases']} releases, "
        f"{summary['deviating']} deviations, in {summary['seconds']} s"
    )
    for name, lines in (
        ("unexplained deviation", summary["unexplained"]),
        ("release range of a known deviation is wrong", summary["ranges_off"]),
        ("differs from the committed file", summary["different_files"]),
    ):
        assert isinstance(lines, list)
        for line in lines[:LISTED]:
            console.print(f"  {name}: {line}")
        if len(lines) > LISTED:
            console.print(f"  … and {len(lines) - LISTED} more")
    unavailable = summary["unavailable"]
    assert isinstance(unavailable, dict)
    for release, why in unavailable.items():
        console.print(f"  torch {release} is left out: {why}")
    if written_to:
        console.print(f"written to {written_to}")
