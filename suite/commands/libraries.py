"""Check the schedules of other libraries against what they document, without installing one of them."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
from pathlib import Path

from suite.libraries.catalogue import libraries, library
from suite.libraries.core.library import Library
from suite.libraries.findings import LibraryFinding, findings_of_all, stale
from suite.libraries.releases import ReleaseOf, findings_of_releases
from suite.libraries.report import libraries_as_json, print_libraries
from suite.libraries.wheels.files import fetch_all, files_of
from suite.shared.cli import AS_EXPECTED, FINDING, InputError, checked_input, needs_clone
from suite.shared.console import plain_console, progress_bar
from suite.shared.files import write_whole

RESULTS = Path(__file__).resolve().parents[2] / "results" / "libraries"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `libraries`."""
    parser.add_argument("names", nargs="*", metavar="LIBRARY", help="only these, e.g. transformers timm (default: all)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--release", metavar="R", help="check this release of the one library that is named")
    which.add_argument("--installed", action="store_true", help="check the libraries that are installed here")
    which.add_argument("--all-releases", action="store_true", help="check every release that is compared")
    which.add_argument("--publish", action="store_true", help="check every compared release, write results/libraries")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER", help="where --publish writes")
    parser.add_argument("--offline", action="store_true", help="use what the cache has, and fetch nothing")
    printed = parser.add_mutually_exclusive_group()
    printed.add_argument("--json", action="store_true", help="print every case with its LRs as JSON")
    printed.add_argument("--details", action="store_true", help="print each known deviation in full")


def run(args: argparse.Namespace) -> int:
    """Check and print; exit code 0 where everything is as known, 1 for news."""
    chosen = [library(name) for name in dict.fromkeys(args.names)] or list(libraries().values())
    if args.release and len(chosen) != 1:
        raise InputError(f"release={args.release!r} must come with one library: transformers --release 4.46.3")
    if args.publish:
        _refuse_partial(args)
    findings, failed = _findings(chosen, args)
    if not findings:
        raise InputError(next(iter(failed.values())))
    if args.publish and failed:
        raise InputError(f"{next(iter(failed.values()))}; nothing is written, every compared release must be there")
    gone = [f"{name} {release}: {entry}" for (name, release), group in findings.items() for entry in stale(group)]
    found = [finding for group in findings.values() for finding in group]
    code = FINDING if gone or any(f.standing in ("news", "fixed") for f in found) else AS_EXPECTED
    if args.publish:
        _publish(findings, args.out)
    if args.json:
        print(json.dumps(libraries_as_json(found, failed, gone, code), indent=1))
    else:
        print_libraries(plain_console(), found, failed, gone, args.details)
    return code


def _refuse_partial(args: argparse.Namespace) -> None:
    if args.out == RESULTS:
        needs_clone("libraries --publish", "it writes results/libraries", "--out FOLDER")
    if args.names and args.out.resolve() == RESULTS.resolve():
        raise InputError(f"names={' '.join(args.names)} must come with --out FOLDER: results/libraries has them all")
    missing = [name for name in ("jinja2", "matplotlib") if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"publish needs {' and '.join(missing)}: pip install '.[atlas]'")


def _findings(
    chosen: list[Library], args: argparse.Namespace
) -> tuple[dict[ReleaseOf, list[LibraryFinding]], dict[str, str]]:
    """The findings of each library and release, and why others are left out."""
    if args.installed:
        return _installed(chosen, args.json)
    every = args.all_releases or args.publish
    pairs = [(own, r) for own in chosen for r in (own.releases if every else (args.release or own.releases[-1],))]
    failed = fetch_all(pairs, offline=args.offline, progress=not args.json)
    jobs = [
        (own, release, files_of(own, release, offline=True))
        for own, release in pairs
        if (own.name, release) not in failed
    ]
    with progress_bar(quiet=args.json) as progress:
        task = progress.add_task("checking", total=len(jobs))
        findings = findings_of_releases(jobs, lambda name: progress.advance(task))
    return findings, {f"{name} {release}": reason for (name, release), reason in failed.items()}


def _installed(chosen: list[Library], quiet: bool) -> tuple[dict[ReleaseOf, list[LibraryFinding]], dict[str, str]]:
    failed: dict[str, str] = {}
    jobs: list[tuple[Library, str, None]] = []
    for own in chosen:
        try:
            release = importlib.metadata.version(own.project) if own.project else own.releases[-1]
        except importlib.metadata.PackageNotFoundError:
            failed[own.name] = f"library={own.name} must be installed: pip install {own.project}"
        else:
            jobs.append((own, release, None))
    with progress_bar(quiet=quiet) as progress:
        task = progress.add_task("checking", total=len(jobs))
        groups = list(findings_of_all(jobs, lambda name: progress.advance(task)))
    return {(own.name, release): group for (own, release, _), group in zip(jobs, groups, strict=True)}, failed


def _publish(findings: dict[ReleaseOf, list[LibraryFinding]], out: Path) -> None:
    from suite.libraries.published.page import files  # matplotlib and jinja2 take a second to import

    made = files(findings)
    with checked_input():  # the folder may be a file, or not ours to write
        out.mkdir(parents=True, exist_ok=True)
        for name, content in made.items():
            write_whole(out / name, content)
