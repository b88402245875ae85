"""The parts of a diagnosis as texts, the same on a terminal and on a page."""

from __future__ import annotations

from typing import NamedTuple

from bench.diagnose.core.diagnosis import Diagnosis, Explanation
from bench.diagnose.core.words import capitalized, number, number_pair
from bench.diagnose.fit.describe import in_words

from .comparison import compare, rows_around

#: Less likely causes that are listed.
MOST_OTHERS = 2
#: Facts that are shown.
MOST_FACTS = 6
HEADLINES = {"healthy": "Healthy", "fault": "Fault", "unknown": "Unknown"}
#: Names of parameters for a reader; k and n are those of the cause's sentence.
LABELS = {
    "base": "base LR of the run",
    "base_lr": "base LR",
    "c": "factor",
    "d": "decay steps of the run",
    "first_lr": "expected first LR",
    "leaps": "jumps",
    "m": "start of the decay",
    "meant": "expected",
    "min_lr": "floor",
    "r": "from step",
    "value": "LR",
    "w": "warmup steps of the run",
}


def verdict_line(diagnosis: Diagnosis) -> str:
    """The verdict and the name of its cause."""
    best = diagnosis.best
    headline = HEADLINES[diagnosis.verdict]
    return headline if best is None or diagnosis.verdict == "unknown" else f"{headline}: {best.title}"


def difference(diagnosis: Diagnosis) -> str:
    """Where the log first differs from what it is compared with, and by how much; empty without a schedule."""
    comparison, trace = compare(diagnosis), diagnosis.trace
    if comparison is None:
        return ""
    count, schedule = trace.steps.size, f"the {comparison.label} schedule"
    if comparison.first is None:
        return f"All {count} logged LRs match {schedule} within the rounding of the log."
    wrong, i = int(comparison.differs.sum()), comparison.first
    logged, other = number_pair(float(trace.lrs[i]), float(comparison.lrs[i]))
    return (
        f"{wrong} of {count} logged LRs {'differs' if wrong == 1 else 'differ'} from {schedule}; first at step"
        f" {trace.steps[i]}: logged {logged}, {comparison.label} {other}."
    )


def compared_with(diagnosis: Diagnosis) -> str:
    """The schedule that the log is compared with, in words; empty without one, or if the sentence has it."""
    comparison = compare(diagnosis)
    if comparison is None:
        return ""
    words = in_words(comparison.schedule, comparison.base_lr)
    return "" if words in diagnosis.sentence() else f"{comparison.label.capitalize()}: {words}."


class TextRow(NamedTuple):
    """One line of the table: step, expected and logged LR as texts, and whether they differ."""

    step: str
    expected: str
    logged: str
    differs: bool


def table_rows(diagnosis: Diagnosis) -> list[TextRow]:
    """The few rows around the first difference; none where every row agrees."""
    comparison = compare(diagnosis)
    if comparison is None or comparison.first is None:
        return []
    rows = []
    for row in rows_around(diagnosis):
        texts = number_pair(row.expected, row.logged) if row.differs else (number(row.expected), number(row.logged))
        rows.append(TextRow(str(row.step), *texts, row.differs))
    return rows


def facts_lines(diagnosis: Diagnosis) -> list[str]:
    """The most telling facts, without the one that the sentence has already said."""
    said = diagnosis.sentence()
    return [fact.sentence for fact in diagnosis.facts if fact.sentence[1:] not in said][:MOST_FACTS]


def other_explanations(diagnosis: Diagnosis) -> list[str]:
    """Less likely causes of a fault that also fit, in words, best first; those that tie are in the sentence."""
    if diagnosis.verdict != "fault":
        return []
    others = [other for other in diagnosis.explanations[max(diagnosis.tied, 1) :] if other.fits]
    return [f"{capitalized(other.title)}." for other in others[:MOST_OTHERS]]


def parameters(explanation: Explanation) -> dict[str, str]:
    """The parameters of an explanation as texts, by a readable name."""
    return {
        LABELS.get(name, name.replace("_", " ")): number(value) if isinstance(value, float) else str(value)
        for name, value in explanation.parameters.items()
        if value != ""
    }
