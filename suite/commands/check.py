"""Check every case on one torch and report what deviates from the documentation."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fnmatch
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import torch

from suite.cases.catalogue import all_cases
from suite.engine.case import Case
from suite.engine.subject import installed
from suite.engine.verdict import Verdict, verdict_of
from suite.engine.watchdog import Watchdog
from suite.known import junit
from suite.known.ablation import judge_on
from suite.known.deviations import recorded_release, stale_entries
from suite.known.findings import Finding, by_entry, judged
from suite.known.job_summary import check_annotations, check_markdown, news_lines
from suite.known.report import WORST, print_report
from suite.known.severity import ranked, worst
from suite.known.summary import print_summary
from suite.releases.load import subject as release_subject
from suite.shared import github
from suite.shared.cli import AS_EXPECTED, FINDING, InputError, checked_input
from suite.shared.console import finite, plain_console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `check`."""
    printed = parser.add_mutually_exclusive_group()
    printed.add_argument("--json", action="store_true", help="print the whole result as JSON instead of tables")
    printed.add_argument("--summary", action="store_true", help="print one screen: the counts and what matters most")
    printed.add_argument("--details", action="store_true", help="print each known deviation in full")
    parser.add_argument(
        "--junit", type=Path, metavar="FILE", help="also write the result to FILE as JUnit XML, for a CI system"
    )
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="also write a summary to FILE, to paste into a pull request"
    )
    parser.add_argument(
        "--only",
        metavar="TEXT",
        help="only cases whose id or family contains TEXT or matches it as a glob, e.g. sequential or '*onecyclelr*'",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--release", metavar="R", help="check the schedulers of another torch release, e.g. 2.8.0")
    which.add_argument("--module", type=Path, metavar="PATH", help="check this lr_scheduler.py instead of torch's own")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="where parameters and tensor LRs live")


def _selected(case: Case, text: str | None) -> bool:
    if text is None:
        return True
    return any(text in name or fnmatch.fnmatchcase(name, text) for name in (case.id, case.family))


def run(args: argparse.Namespace) -> int:
    """Check and print; exit code 0 where everything is as known, 1 for news."""
    if args.device == "cuda" and not torch.cuda.is_available():
        raise InputError("device=cuda must be available, but this torch has no CUDA device")
    cases = tuple(case for case in all_cases(args.device) if _selected(case, args.only))
    if not cases:
        raise InputError(f"only={args.only!r} must match a case or a family, but it matches none")
    if args.junit is not None:
        with checked_input():
            junit.check_path(args.junit)
    missing = list[str]()
    subject = release_subject(args.release) if args.release else installed()
    name = subject.name
    with contextlib.ExitStack() as stack:
        if args.module is None:
            verdicts: Iterable[Verdict] = (verdict_of(case, subject) for case in cases)
        else:
            watchdog = stack.enter_context(Watchdog(args.module, cases))
            name, missing, verdicts = f"{args.module} on {subject.name}", watchdog.missing(), watchdog.verdicts()
        recorded = args.module is not None or subject.release == recorded_release()
        run = None if recorded else judge_on(subject)
        findings = list(judged(cases, verdicts, subject.release, args.json, run))
    stale = (
        []
        if args.only or args.module
        else stale_entries(subject.release, (entry for f in findings for entry in f.entries))
    )
    news = [f for f in findings if f.standing in ("news", "fixed")]
    code = FINDING if news or stale or missing else AS_EXPECTED
    if args.json:
        print(json.dumps(as_json(name, subject.release, findings, stale, missing, code), indent=1))
    elif args.summary:
        print_summary(plain_console(), name, findings, stale, missing)
    else:
        print_report(name, subject.release, findings, stale, missing, args.details)
    if args.junit is not None:
        with checked_input():
            junit.write(args.junit, junit.as_xml(name, subject.release, findings, stale, missing))
    if args.markdown is not None or github.in_actions():
        lines = check_annotations(news_lines(subject.release, findings, stale, missing))
        markdown = check_markdown(name, subject.release, findings, stale, missing)
        github.publish(markdown, [] if args.json else lines, args.markdown)
    return code


def as_json(
    name: str, release: str, findings: list[Finding], stale: list[str], missing: list[str], code: int
) -> dict[str, object]:
    """The whole result as plain data; rates are exact (shortest text that parses back)."""
    deviations = []
    for f in findings:
        if f.standing == "follows":
            continue
        for deviation, causes in zip(f.verdict.deviations or (f.verdict,), f.causes or ((),), strict=True):
            row: dict[str, object] = {"case": f.case.id, "family": f.case.family, "standing": f.standing}
            row |= dataclasses.asdict(dataclasses.replace(deviation, others=()))
            row["entry"] = causes[0].id if causes else None
            row["entries"] = [entry.id for entry in causes]
            row["size"], row["actual"] = finite([deviation.size])[0], finite(deviation.actual)
            del row["others"]
            deviations.append(row)
    shown = ranked(by_entry(findings, ("known", "news")))
    entries = {one.entry.id: dataclasses.asdict(one.entry) | {"damage": one.damage.as_record()} for one in shown}
    return {
        "subject": name,
        "release": release,
        "recorded_release": recorded_release(),
        "cases": len(findings),
        "standings": dict(Counter(f.standing for f in findings)),
        "missing_classes": missing,
        "entries_no_longer_shown": stale,
        "deviations": deviations,
        "entries": entries,
        "worst": [one.entry.id for one in worst(shown, WORST)],
        "exit_code": code,
    }
