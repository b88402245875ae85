"""`python -m suite atlas`: every case on every distinct release, written to results/atlas/."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from pathlib import Path

from suite.across_releases.atlas import RESULTS, Row, files, measure, ranges_off, unexplained
from suite.across_releases.same_result import same
from suite.engine.loader import BadModule
from suite.releases.cache import ReleaseError
from suite.releases.groups import chosen_groups, labels
from suite.shared.console import plain_console, progress_bar
from suite.shared.files import write_whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `atlas`."""
    parser.add_argument(
        "--out", type=Path, default=RESULTS, metavar="FOLDER", help="where to write (default: results/atlas)"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file in FOLDER differs")
    parser.add_argument("--offline", action="store_true", help="only the releases in the cache, no network")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def _measured(groups: list[tuple[str, ...]], quiet: bool) -> dict[str, list[Row]]:
    with progress_bar(quiet=quiet) as progress:
        task = progress.add_task("releases", total=len(groups))
        return measure([group[0] for group in groups], lambda release: progress.advance(task))


def all_files(rows: dict[str, list[Row]], groups: list[tuple[str, ...]]) -> dict[str, bytes]:
    """Everything that results/atlas/ holds."""
    from suite.across_releases.atlas_page import page, picture  # matplotlib and jinja2 take a second to import

    names = labels(groups)
    lines = ["release,label,same code as"] + [f"{g[0]},{names[g[0]]},{' '.join(g[1:])}" for g in groups]
    extra = {"releases.csv": ("\n".join(lines) + "\n").encode()}
    return {**files(rows), **extra, "index.html": page(rows, names), "atlas.png": picture(rows, names)}


def run(args: argparse.Namespace) -> int:
    """Make the atlas; exit code 1 for unexplained deviations (or, with --check, other files), 2 for bad input."""
    start = time.monotonic()
    lacking = [name for name in ("jinja2", "matplotlib") if importlib.util.find_spec(name) is None]
    if lacking:  # said now, not after a minute of work
        print(f"atlas needs {' and '.join(lacking)}: pip install '.[atlas]'", file=sys.stderr)
        return 2
    try:
        groups, failed = chosen_groups(args.offline)
        rows = _measured(groups, args.json)
        made = all_files(rows, groups)
        different = [n for n, data in made.items() if not same(args.out / n, data)]
        if not args.check:
            args.out.mkdir(parents=True, exist_ok=True)
            for name, data in made.items():
                write_whole(args.out / name, data)
    except (ReleaseError, BadModule, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    news = unexplained(rows)
    summary = {
        "releases": sum(map(len, groups)),
        "distinct": len(groups),
        "rows": sum(map(len, rows.values())),
        "deviating": sum(row.verdict.kind == "deviates" for group in rows.values() for row in group),
        "unexplained": [f"{row.case.id} on {row.release}: {row.verdict.detail}" for row in news],
        "ranges_off": (off := ranges_off(rows)),
        "different_files": different if args.check else [],
        "unavailable": failed,
        "seconds": round(time.monotonic() - start, 1),
    }
    if args.json:
        print(json.dumps(summary, indent=1))
    else:
        _print(summary, args)
    return 1 if news or off or (args.check and different) else 0


def _print(summary: dict[str, object], args: argparse.Namespace) -> None:
    console = plain_console()
    console.print(
        f"{summary['rows']} rows: {summary['distinct']} distinct scheduler files of {summary['releases']} releases, "
        f"{summary['deviating']} deviations, in {summary['seconds']} s"
    )
    for name, lines in (
        ("not explained", summary["unexplained"]),
        ("other releases than known.toml says", summary["ranges_off"]),
        ("differs from the committed file", summary["different_files"]),
    ):
        assert isinstance(lines, list)
        for line in lines[:20]:
            console.print(f"  {name}: {line}")
        if len(lines) > 20:
            console.print(f"  … and {len(lines) - 20} more")
    unavailable = summary["unavailable"]
    assert isinstance(unavailable, dict)
    for release, why in unavailable.items():
        console.print(f"  torch {release} is left out: {why}")
    if not args.check:
        console.print(f"written to {args.out}")
