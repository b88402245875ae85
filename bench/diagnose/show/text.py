"""Diagnoses on a terminal: one answer for each trace, or one table for a folder of runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.diagnose.core.diagnosis import Diagnosis
from bench.diagnose.examine import LogDiagnosis
from bench.diagnose.runs import ExaminedRun
from bench.diagnose.without_schedule import HEALTHY
from suite.shared.console import plain_table

from .comparison import compare
from .words import compared_with, difference, facts_lines, other_explanations, table_rows

if TYPE_CHECKING:
    from rich.console import Console

#: Folders without a readable log that are listed below the table of runs.
MOST_UNREAD = 5
#: Between two sentences; a number's point has no space behind it.
SENTENCE_END = re.compile(r"(?<=[.]) (?=[A-Z])")


def print_answer(console: Console, result: LogDiagnosis) -> None:
    """Print the answer for every trace of a log, then the notes on how it was read."""
    for i, diagnosis in enumerate(result.diagnoses):
        if len(result.diagnoses) > 1:
            console.print(("\n" if i else "") + f"[{diagnosis.trace.name}]")
        _print_diagnosis(console, diagnosis)
    for note in result.notes:
        console.print(f"\nNote: {note}")


def _print_diagnosis(console: Console, diagnosis: Diagnosis) -> None:
    """Headline, the line to change or where to look, the facts, and the rows around the first difference."""
    console.print(diagnosis.sentence())
    if diagnosis.best is not None and diagnosis.verdict == "fault":
        console.print(f"Change: {diagnosis.best.fix}")
    if diagnosis.look:
        console.print(f"Where to look: {diagnosis.look}")
    facts = [*facts_lines(diagnosis), *(line for line in (difference(diagnosis), compared_with(diagnosis)) if line)]
    for i, fact in enumerate(facts):
        console.print(f"\n  {fact}" if i == 0 else f"  {fact}")
    rows = table_rows(diagnosis)
    comparison = compare(diagnosis)
    if rows and comparison is not None:
        table = plain_table()
        for name in ("step", comparison.label, "logged", ""):
            table.add_column(name, justify="right")
        for row in rows:
            table.add_row(row.step, row.expected, row.logged, "differs" if row.differs else "")
        console.print(table)
    others = other_explanations(diagnosis)
    if others:
        console.print(f"Less likely: {' '.join(others)}")


def print_runs(console: Console, examined: Sequence[ExaminedRun]) -> None:
    """Print one table of the runs that were read, in their order, then the others."""
    table = plain_table()
    table.add_column("run", overflow="fold", max_width=max(console.width // 3, 12))
    table.add_column("verdict")
    table.add_column("what", overflow="fold")
    read = [run for run in examined if run.result is not None]
    unread = [run for run in examined if run.result is None]
    for run in read:
        table.add_row(run.name, run.verdict, headline(run.sentence()))
    console.print(table)
    for run in unread[:MOST_UNREAD]:
        console.print(f"Not read: {run.name}: {run.unread}")
    if len(unread) > MOST_UNREAD:
        console.print(f"Not read: {len(unread) - MOST_UNREAD} more")


def headline(sentence: str) -> str:
    """The first sentence of an answer, without the verdict that a column beside it has.

    >>> headline("Healthy: no warmup, constant LR 0.001. A step decay fits equally well.")
    'No warmup, constant LR 0.001.'
    """
    first = SENTENCE_END.split(sentence.removeprefix(HEALTHY), maxsplit=1)[0]
    return f"{first[:1].upper()}{first[1:]}"
