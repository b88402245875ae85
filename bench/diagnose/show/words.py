"""The parts of a diagnosis as texts, the same on a terminal and on a page."""

from __future__ import annotations

from bench.diagnose.core.diagnosis import Diagnosis, Explanation

from .comparison import compare

#: Runners-up that are named, where no more of them tie.
MOST_OTHERS = 3
HEADLINES = {"healthy": "Healthy", "fault": "A fault", "unknown": "Unknown"}


def verdict_line(diagnosis: Diagnosis) -> str:
    """The verdict and what it is about, in a few words."""
    best = diagnosis.best
    headline = HEADLINES[diagnosis.verdict]
    return headline if best is None or diagnosis.verdict == "unknown" else f"{headline}: {best.title}"


def difference(diagnosis: Diagnosis) -> str:
    """Where the log first differs from what it is held against, and by how much."""
    held, trace = compare(diagnosis), diagnosis.trace
    if held is None:
        return "Nothing is known that it could be held against."
    slug = f"{held.schedule.slug} at base LR {held.base_lr:g}"
    if held.first is None:
        return f"All {trace.steps.size} logged LRs are those of {slug}, within the rounding of the log."
    wrong = int(held.differs.sum())
    return (
        f"Of {trace.steps.size} logged LRs {wrong} {'differs' if wrong == 1 else 'differ'} from {slug}; the first is"
        f" at step {trace.steps[held.first]}, where {trace.lrs[held.first]:.6g} was logged and"
        f" {held.lrs[held.first]:.6g} is {held.label}."
    )


def misfit_text(explanation: Explanation) -> str:
    """How well an explanation fits, in units of what the rounding of the log allows."""
    return "fits" if explanation.fits else f"does not fit: off by {explanation.misfit:.2g} times the log's rounding"


def runner_up_text(explanation: Explanation) -> str:
    """A runner-up in words: what it is called, how well it fits, and what it says beyond its name."""
    text = f"{explanation.title} ({misfit_text(explanation)})"
    return text if explanation.title in explanation.sentence else f"{text}: {explanation.sentence}"


def runners_up(diagnosis: Diagnosis) -> tuple[Explanation, ...]:
    """What else it could be, the best first: those that tie with the best, and the next ones up to `MOST_OTHERS`."""
    others = diagnosis.explanations[diagnosis.verdict != "unknown" :]
    if diagnosis.verdict == "healthy":  # what does not fit is no doubt about what does
        others = tuple(other for other in others if other.fits)
    return others[: max(MOST_OTHERS, diagnosis.tied - 1)]


def parameters(explanation: Explanation) -> dict[str, str]:
    """The parameters that were found, by name, as texts."""
    return {
        name: f"{value:.6g}" if isinstance(value, float) else str(value)
        for name, value in explanation.parameters.items()
    }
