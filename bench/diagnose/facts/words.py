"""Facts in words: numbers as people write them, phases as a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from bench.diagnose.core.words import number
from suite.shared.words import counted

from .phases import Phase

#: How each curve is said after "rises" or "falls".
CURVES = {
    "": "",
    "linear": "linearly ",
    "cosine": "like a cosine ",
    "rsqrt": "as 1/sqrt(step) ",
    "exponential": "exponentially ",
    "sqrt": "like a square root ",
    "square": "quadratically ",
    "cube": "cubically ",
    "log": "logarithmically ",
    "slower": "ever more slowly ",
    "faster": "ever faster ",
    "unevenly": "unevenly ",
}
#: Phases that are listed in full, at most.
LISTED = 6


def phases_text(found: Sequence[Phase], stair: int | None = None) -> str:
    """The phases as one sentence.

    >>> rise = Phase("rises", "linear", 0, 20, 0.0, 1e-3, 1.0, 21)
    >>> fall = Phase("falls", "cosine", 20, 99, 1e-3, 0.0, 1.0, 80, True)
    >>> phases_text([rise, fall])
    'Rises linearly from 0 to 0.001 over steps 0-20, then falls like a cosine to 0 at step 99.'
    """
    parts = []
    for i, phase in enumerate(found[:LISTED]):
        parts.append(_phase_text(phase, None if i == 0 else phase.joined))
    if len(found) > LISTED:
        parts.append(f"and {counted(len(found) - LISTED, 'more phase')} up to step {found[-1].end}")
    text = ", then ".join(parts[:LISTED]) + "".join(f", {part}" for part in parts[LISTED:])
    if stair is not None:
        text += f", in stairs of {counted(stair, 'step')}"
    return f"{text[0].upper()}{text[1:]}."


def _phase_text(phase: Phase, joined: bool | None) -> str:
    """A phase in words; `joined`: None for the first, else whether it starts where the one before ended."""
    if phase.way == "holds":
        where = f"until step {phase.end}" if joined is not None else f"over steps {phase.start}-{phase.end}"
        return f"holds {number(phase.last)} {where}"
    verb = phase.way if phase.way == "wanders" else f"{phase.way} {CURVES[phase.curve]}".strip()
    if joined:
        return f"{verb} to {number(phase.last)} at step {phase.end}"
    return f"{verb} from {number(phase.first)} to {number(phase.last)} over steps {phase.start}-{phase.end}"
