"""`python -m suite prove RELEASE…`: a release's schedulers beside the installed torch against that release itself.

Each release is really installed in an environment of its own, every case runs there, and the result is compared
bit for bit with the one that its scheduler file gives in this process.
On Linux an install brings several GB of CUDA packages; it is removed before the next one starts.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from suite.cases.catalogue import all_cases
from suite.engine.case import Case
from suite.engine.loader import BadModule
from suite.engine.subject import Subject
from suite.installs import installed_run
from suite.installs.installed_run import Row
from suite.installs.temporary_env import CASES_PATIENCE, ROOT, InstallError, call, environment
from suite.releases import load
from suite.releases.cache import ReleaseError, canonical, numbers

#: Where the records are kept.
INSTALLS = ROOT / "results" / "installs"
IDENTICAL, DIFFERENT, BAD_INPUT = 0, 1, 2
#: What is compared of a case, in this order; `message` is shown but not compared: torch words its own errors anew.
PARTS = ("lrs", "last_lrs", "momenta", "error", "absent", "warned")
#: A difference that has no explanation.
UNEXPLAINED = "unexplained"
#: Differences printed of each release; the record has them all.
SHOWN = 10


@dataclasses.dataclass(frozen=True)
class Difference:
    """One case whose result here is not the installed release's, and the first place where they part."""

    case: str
    part: str
    step: int | None
    installed: str
    in_process: str
    explanation: str


def _text(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else json.dumps(value) if isinstance(value, dict) else str(value)


def _parting(there: Row, here: Row) -> tuple[str, int | None, str, str] | None:
    """Part, step and the two values of the first difference; None for rows that are equal to the last bit."""
    for part in PARTS:
        a, b = there.get(part), here.get(part)
        if a == b:
            continue
        if not (isinstance(a, list) and isinstance(b, list)):
            return part, None, _text(a), _text(b)
        step = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
        values = [_text(rows[step]) if step < len(rows) else "no such step" for rows in (a, b)]
        return part, step, values[0], values[1]
    return None


def explain(case: Case | None, there: Row, here: Row) -> str:
    """The part of torch outside the scheduler file that a difference comes from, or UNEXPLAINED."""
    if case is not None and case.setup.saved and any("weights_only" in row.get("message", "") for row in (there, here)):
        return "torch.load: its weights_only argument"
    return UNEXPLAINED


def compare(there: Iterable[Row], here: Iterable[Row], cases: Mapping[str, Case]) -> list[Difference]:
    """Every difference, in the order of the rows here; a case that only one side has is one too."""
    theirs, ours = ({row["case"]: row for row in rows} for rows in (there, here))
    found = []
    for name in [*ours, *(n for n in theirs if n not in ours)]:
        if name not in theirs or name not in ours:
            held = ("", "present") if name in ours else ("present", "")
            found.append(Difference(name, "case", None, *held, UNEXPLAINED))
        elif (parting := _parting(theirs[name], ours[name])) is not None:
            why = explain(cases.get(name), theirs[name], ours[name])
            found.append(Difference(name, *parting, why))
    return found


def as_record(
    release: str, there: Mapping[str, str], here: Mapping[str, str], cases: int, found: list[Difference]
) -> dict[str, Any]:
    """The outcome for one release as plain data: versions, counts, every difference; no time and no place."""
    return {
        "release": release,
        "installed": {key: there[key] for key in ("torch", "numpy", "python")},
        "in_process": {key: here[key] for key in ("torch", "numpy", "python")},
        "platform": f"{platform.system()} {platform.machine()}",
        "scheduler_files_equal": there["schedulers"] == here["schedulers"],
        "cases": cases,
        "identical": cases - len(found),
        "different": len(found),
        "explanations": dict(sorted(Counter(d.explanation for d in found).items())),
        "differences": [dataclasses.asdict(d) for d in found],
    }


def write_table(folder: Path) -> None:
    """README.md of the records: one row for each release, oldest first."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]
    lines = [
        "# Real installs",
        "",
        "Each row: a torch release really installed in an environment of its own, and every case run there.",
        "The scheduler file of the same release ran the same cases in process, on another torch.",
        "A case is identical when every LR, every reported LR and every momentum has the same bits,",
        "and the exception's type and the number of warnings of each category are the same.",
        "",
        "`python -m suite prove RELEASE…` makes the records and this table again.",
        "",
        "| Release | In process on | Python | NumPy: there, here | Platform | Cases | Identical | Explained | Open |",
        "|---|---|---|---|---|---:|---:|---:|---:|",
    ]
    for r in sorted(records, key=lambda r: numbers(r["release"])):
        open_ones = r["explanations"].get(UNEXPLAINED, 0)
        versions = f"{r['installed']['numpy']}, {r['in_process']['numpy']}"
        lines.append(
            f"| [{r['release']}]({r['release']}.json) | torch {r['in_process']['torch']} | {r['installed']['python']} "
            f"| {versions} | {r['platform']} | {r['cases']} | {r['identical']} "
            f"| {r['different'] - open_ones} | {open_ones} |"
        )
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _there(release: str, python: Path | None) -> tuple[dict[str, str], list[Row]]:
    """Every case in the real install; raises InstallError."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "dump.jsonl"
        command = ["-m", "suite.installs.installed_run", "--out", str(out)]
        if python is not None:
            call([str(python), *command], CASES_PATIENCE, Path(folder))
        else:
            with environment(release) as own:
                call([str(own), *command], CASES_PATIENCE, Path(folder))
        try:
            versions, found = installed_run.read(out)
        except ValueError as error:
            raise InstallError(str(error)) from None
    if versions["torch"] != release:
        raise InstallError(f"torch={versions['torch']} must be {release} in the environment")
    return versions, found


def prove(release: str, subject: Subject, python: Path | None, folder: Path) -> list[Difference]:
    """Install, run on both sides, compare, write the record."""
    versions, there = _there(release, python)
    cases = {case.id: case for case in all_cases()}
    here = list(installed_run.rows(cases.values(), subject))
    found = compare(there, here, cases)
    folder.mkdir(parents=True, exist_ok=True)
    outcome = as_record(release, versions, installed_run.versions(subject), len(here), found)
    text = json.dumps(outcome, indent=1, ensure_ascii=False) + "\n"
    (folder / f"{release}.json").write_text(text, encoding="utf-8", newline="\n")
    write_table(folder)
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `prove`."""
    parser.add_argument("releases", nargs="+", metavar="RELEASE", help="a torch release, such as 2.8.0")
    parser.add_argument("--python", type=Path, metavar="PATH", help="an interpreter that has the one RELEASE already")
    parser.add_argument("--out", type=Path, default=INSTALLS, metavar="FOLDER", help="where the records go")


def _report(release: str, found: list[Difference]) -> int:
    """Print the outcome; how many differences lack an explanation."""
    total, unexplained = len(all_cases()), sum(d.explanation == UNEXPLAINED for d in found)
    print(f"torch {release}: {total - len(found)} of {total} cases identical, {unexplained} differences unexplained")
    for d in found[:SHOWN]:
        print(f"  {d.case} {d.part} step {d.step}: installed {d.installed}, in process {d.in_process}; {d.explanation}")
    if len(found) > SHOWN:
        print(f"  and {len(found) - SHOWN} more, in the record")
    return unexplained


def run(args: argparse.Namespace) -> int:
    """Prove each release in turn: 0 identical or explained, 1 a difference without explanation, 2 bad input."""
    unexplained = 0
    try:
        wanted = list(dict.fromkeys(map(canonical, args.releases)))
        if args.python is not None and len(wanted) != 1:
            raise InstallError(f"python={args.python} must come with one RELEASE, not {len(wanted)}")
        subjects = {release: load.subject(release) for release in wanted}  # small: all before the first install
        for release, subject in subjects.items():
            unexplained += _report(release, prove(release, subject, args.python, args.out))
    except (ReleaseError, BadModule, InstallError) as error:
        print(str(error), file=sys.stderr)
        return BAD_INPUT
    return DIFFERENT if unexplained else IDENTICAL
