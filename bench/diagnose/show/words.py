"""The parts of a diagnosis as texts, the same on a terminal and on a page."""

from __future__ import annotations

from bench.diagnose.core.diagnosis import Diagnosis, Explanation, share_of
from bench.diagnose.fit.describe import in_words

from .comparison import compare

#: Other explanations that are listed where fewer of them tie.
MOST_OTHERS = 3
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
    """Where the log first differs from what it is compared with, and by how much."""
    comparison, trace = compare(diagnosis), diagnosis.trace
    if comparison is None:
        return "There is nothing to compare it with."
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


def misfit_text(explanation: Explanation) -> str:
    """How well an explanation fits: the largest difference as a share of the peak LR."""
    if explanation.fits:
        return "fits"
    if explanation.residual is None:
        return "does not fit"
    return f"does not fit: differs by up to {share_of(explanation.residual, 'the peak')}"


def other_text(explanation: Explanation) -> str:
    """Another explanation in words: its title, how well it fits, and its sentence if that says more."""
    text = f"{explanation.title} ({misfit_text(explanation)})"
    return text if explanation.title in explanation.sentence else f"{text}: {explanation.sentence}"


def other_explanations(diagnosis: Diagnosis) -> tuple[Explanation, ...]:
    """The other explanations, best first: those that tie with the best, and the next ones up to `MOST_OTHERS`."""
    others = diagnosis.explanations[diagnosis.verdict != "unknown" :]
    if diagnosis.verdict == "healthy":  # what does not fit casts no doubt on what does, nor does a fault later on
        others = tuple(other for other in others if other.fits and diagnosis.expected is None)
    return others[: max(MOST_OTHERS, diagnosis.tied - 1)]


def parameters(explanation: Explanation) -> dict[str, str]:
    """The parameters of an explanation as texts, by a readable name."""
    return {
        LABELS.get(name, name.replace("_", " ")): f"{value:.6g}" if isinstance(value, float) else str(value)
        for name, value in explanation.parameters.items()
        if value != ""
    }
