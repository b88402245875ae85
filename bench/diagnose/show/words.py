"""The parts of a diagnosis as texts, the same on a terminal and on a page."""

from __future__ import annotations

from bench.diagnose.core.diagnosis import Diagnosis, Explanation
from bench.diagnose.fit.describe import in_words

from .comparison import compare

#: Other explanations that are listed where fewer of them tie.
MOST_OTHERS = 3
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
    wrong = int(comparison.differs.sum())
    return (
        f"{wrong} of {count} logged LRs {'differs' if wrong == 1 else 'differ'} from {schedule}; first at step"
        f" {trace.steps[comparison.first]}: logged {trace.lrs[comparison.first]:.6g}, {comparison.label}"
        f" {comparison.lrs[comparison.first]:.6g}."
    )


def compared_with(diagnosis: Diagnosis) -> tuple[str, str]:
    """The schedule that the log is compared with, in words (if the sentence does not have them) and as options.

    Both are empty where there is no such schedule.
    """
    comparison = compare(diagnosis)
    if comparison is None:
        return "", ""
    schedule, base_lr = comparison.schedule, comparison.base_lr
    words = in_words(schedule, base_lr)
    short = f"{base_lr:g}" if float(f"{base_lr:g}") == base_lr else repr(base_lr)
    return (
        "" if words in diagnosis.sentence() else f"{comparison.label.capitalize()}: {words}",
        f"(--expect {schedule.slug} --base-lr {short})",
    )


def facts_lines(diagnosis: Diagnosis) -> list[str]:
    """The most telling facts, without the one that the sentence has already said."""
    said = diagnosis.sentence()
    return [fact.sentence for fact in diagnosis.facts if fact.sentence not in said][:MOST_FACTS]


def other_text(explanation: Explanation) -> str:
    """Another explanation in words: its title, and its sentence if that says more."""
    title = explanation.title
    return title if title in explanation.sentence else f"{title}: {explanation.sentence}"


def other_explanations(diagnosis: Diagnosis) -> tuple[Explanation, ...]:
    """The other explanations that fit, best first: those that tie with the best, and the next ones."""
    if diagnosis.verdict == "healthy" and diagnosis.expected is not None:  # a fault later on casts no doubt on it
        return ()
    others = tuple(other for other in diagnosis.explanations[1:] if other.fits)
    return others[: max(MOST_OTHERS, diagnosis.tied - 1)]


def parameters(explanation: Explanation) -> dict[str, str]:
    """The parameters of an explanation as texts, by a readable name."""
    return {
        LABELS.get(name, name.replace("_", " ")): f"{value:.6g}" if isinstance(value, float) else str(value)
        for name, value in explanation.parameters.items()
        if value != ""
    }
