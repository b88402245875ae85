"""A real install of a release compared, bit for bit, with its scheduler file run in this process."""

from __future__ import annotations

import dataclasses
import json
import platform
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from suite.cases.catalogue import all_cases
from suite.engine.case import Case
from suite.engine.subject import Subject
from suite.releases.cache import numbers

from . import installed_run
from .installed_run import InstallRow
from .temporary_env import CASES_PATIENCE, ROOT, InstallError, call, environment

#: Where the records are kept.
INSTALLS = ROOT / "results" / "installs"
#: What is compared of a case, in this order; `message` is shown but not compared: torch rewords its own errors.
PARTS = ("lrs", "last_lrs", "momenta", "error", "absent", "warned")
#: A difference that has no explanation.
UNEXPLAINED = "unexplained"


@dataclasses.dataclass(frozen=True)
class InstallDifference:
    """One case whose result here is not the installed release's, and the first place where they differ."""

    case: str
    part: str
    step: int | None
    installed: str
    in_process: str
    explanation: str


def _text(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else json.dumps(value) if isinstance(value, dict) else str(value)


def _first_difference(there: InstallRow, here: InstallRow) -> tuple[str, int | None, str, str] | None:
    """Part, step and both values of the first difference; None for rows that are equal to the last bit."""
    for part in PARTS:
        theirs, ours = there.get(part), here.get(part)
        if theirs == ours:
            continue
        if not (isinstance(theirs, list) and isinstance(ours, list)):
            return part, None, _text(theirs), _text(ours)
        steps = enumerate(zip(theirs, ours, strict=False))
        step = next((i for i, (a, b) in steps if a != b), min(len(theirs), len(ours)))
        values = [_text(rows[step]) if step < len(rows) else "no such step" for rows in (theirs, ours)]
        return part, step, values[0], values[1]
    return None


def explain(case: Case | None, there: InstallRow, here: InstallRow) -> str:
    """The part of torch outside the scheduler file that causes a difference, or UNEXPLAINED."""
    if case is not None and case.setup.saved and any("weights_only" in row.get("message", "") for row in (there, here)):
        return "torch.load: its weights_only argument"
    return UNEXPLAINED


def compare(
    there: Iterable[InstallRow], here: Iterable[InstallRow], cases: Mapping[str, Case]
) -> list[InstallDifference]:
    """Every difference, in the order of the rows here; a case that only one side has is a difference too."""
    theirs, ours = ({row["case"]: row for row in rows} for rows in (there, here))
    differences = []
    for name in [*ours, *(n for n in theirs if n not in ours)]:
        if name not in theirs or name not in ours:
            presence = ("", "present") if name in ours else ("present", "")
            differences.append(InstallDifference(name, "case", None, *presence, UNEXPLAINED))
        elif (first := _first_difference(theirs[name], ours[name])) is not None:
            explanation = explain(cases.get(name), theirs[name], ours[name])
            differences.append(InstallDifference(name, *first, explanation))
    return differences


def as_record(
    release: str,
    there: Mapping[str, str],
    here: Mapping[str, str],
    cases: int,
    differences: list[InstallDifference],
) -> dict[str, Any]:
    """The outcome for one release as plain data: versions, counts, every difference; no time and no path."""
    return {
        "release": release,
        "installed": {key: there[key] for key in ("torch", "numpy", "python")},
        "in_process": {key: here[key] for key in ("torch", "numpy", "python")},
        "platform": f"{platform.system()} {platform.machine()}",
        "scheduler_files_equal": there["schedulers"] == here["schedulers"],
        "cases": cases,
        "identical": cases - len(differences),
        "different": len(differences),
        "explanations": dict(sorted(Counter(d.explanation for d in differences).items())),
        "differences": [dataclasses.asdict(d) for d in differences],
    }


def write_table(folder: Path) -> None:
    """Write README.md of the records: one row for each release, oldest first."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]
    lines = [
        "# Real installs",
        "",
        "Each row: a torch release installed in its own environment, where every case was run.",
        "In process, on another torch, the scheduler file of the same release ran the same cases.",
        "A case is identical if every LR, every reported LR and every momentum has the same bits,",
        "and the exception's type and the number of warnings of each category are the same.",
        "",
        "`python -m suite prove RELEASE…` regenerates the records and this table.",
        "",
        "| Release | In process on | Python | NumPy: there, here | Platform | Cases | Identical | Explained | Open |",
        "|---|---|---|---|---|---:|---:|---:|---:|",
    ]
    for r in sorted(records, key=lambda r: numbers(r["release"])):
        unexplained = r["explanations"].get(UNEXPLAINED, 0)
        versions = f"{r['installed']['numpy']}, {r['in_process']['numpy']}"
        lines.append(
            f"| [{r['release']}]({r['release']}.json) | torch {r['in_process']['torch']} | {r['installed']['python']} "
            f"| {versions} | {r['platform']} | {r['cases']} | {r['identical']} "
            f"| {r['different'] - unexplained} | {unexplained} |"
        )
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _run_installed(release: str, python: Path | None) -> tuple[dict[str, str], list[InstallRow]]:
    """Run every case in the real install; raises InstallError."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "dump.jsonl"
        command = ["-m", f"{__package__}.installed_run", "--out", str(out)]
        if python is not None:
            call([str(python), *command], CASES_PATIENCE, Path(folder))
        else:
            with environment(release) as interpreter:
                call([str(interpreter), *command], CASES_PATIENCE, Path(folder))
        try:
            versions, rows = installed_run.read(out)
        except ValueError as error:
            raise InstallError(str(error)) from None
    if versions["torch"] != release:
        raise InstallError(f"torch={versions['torch']} must be {release} in the environment")
    return versions, rows


def prove(release: str, subject: Subject, python: Path | None, folder: Path) -> list[InstallDifference]:
    """Install a release (or use the interpreter `python` that has it), run both sides, compare, write the record."""
    versions, there = _run_installed(release, python)
    cases = {case.id: case for case in all_cases()}
    here = list(installed_run.rows(cases.values(), subject))
    differences = compare(there, here, cases)
    folder.mkdir(parents=True, exist_ok=True)
    record = as_record(release, versions, installed_run.versions(subject), len(here), differences)
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    (folder / f"{release}.json").write_text(text, encoding="utf-8", newline="\n")
    write_table(folder)
    return differences
