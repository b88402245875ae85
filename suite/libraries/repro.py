"""A case of a library as a script that needs the library alone, ready for an upstream report."""

from __future__ import annotations

import textwrap

from suite.engine.verdict import Verdict

from .catalogue import library
from .core.case import LibraryCase, cases_of
from .core.program import script_of
from .findings import LibraryFinding

WIDTH = 100
#: A script treats two LRs as equal within this share of the peak: rounder and wider than the tolerance of the judge.
REL_TOL = "1e-6"


def find_library_case(case_id: str) -> LibraryCase:
    """The case with this id, library/schedule/axis; raises ValueError for an unknown one."""
    name = case_id.partition("/")[0]
    cases = {case.id: case for case in cases_of(library(name))}
    if case_id not in cases:
        schedules = ", ".join(dict.fromkeys(case.schedule.name for case in cases.values()))
        raise ValueError(f"case={case_id!r} must be {name}/SCHEDULE/AXIS, with a schedule of {schedules}")
    return cases[case_id]


def library_script(finding: LibraryFinding) -> str:
    """The script; its last line of output is ``first deviation: …`` or ``no deviation``, unless the library raises."""
    case, own = finding.case, finding.case.library
    head = [f"{own.name} {finding.release}, {case.schedule.name}: {_title(finding)}"]
    if case.schedule.docs:
        head.append(f"Documented ({case.schedule.docs})" if "\n" not in case.schedule.docs else case.schedule.docs)
    for entry in finding.entries:
        head += [entry.symptom, f"Instead: {entry.workaround}"]
    if own.project:
        head.append(f"Needs: pip install {own.project}=={finding.release}")
    comment = [
        line for text in head for line in textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ")
    ]
    script = script_of(case)
    parts = ["\n".join(comment), script.imports, script.body, *_comparison(case, finding.verdict)]
    return "\n\n".join(parts) + "\n"


def _title(finding: LibraryFinding) -> str:
    if finding.entries:
        return finding.entries[0].title
    return "follows its documentation" if finding.verdict.follows else finding.verdict.detail


def _comparison(case: LibraryCase, verdict: Verdict) -> list[str]:
    """The lines that compare; where only bounds are due, they look for an LR outside them."""
    peaks = [lr * case.schedule.peak for lr in case.lrs]
    end = 'print(next(wrong, "no deviation"))'
    if case.rule != "follows":
        lines = [
            f"peaks = {peaks!r}  # no LR may be negative, above these, or NaN",
            "wrong = (",
            '    f"first deviation: step {t}: LR {lr:.6g} is not within 0 and {peak}"',
            "    for t, row in enumerate(lrs)",
            "    for lr, peak in zip(row, peaks)",
            f"    if not -{REL_TOL} * peak <= lr <= (1 + {REL_TOL}) * peak",
            ")",
            end,
        ]
        return ["\n".join(lines)]
    rows = [f"    {[float(f'{lr:.9g}') for lr in row]!r}," for row in case.due().tolist()]
    lines = [
        "expected = [  # a row for each update, an LR for each group",
        *rows,
        "]",
        "wrong = (",
        '    f"first deviation: step {t}: LR {lr:.6g}, expected {due:.6g}"',
        "    for t, (row, right) in enumerate(zip(lrs, expected))",
        f"    for lr, due, peak in zip(row, right, {peaks!r})",
        f"    if not abs(lr - due) <= {REL_TOL} * peak",
        ")",
        end,
    ]
    return ["\n".join(lines)]
