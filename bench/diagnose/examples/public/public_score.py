"""How the diagnosis does on the public examples: right, half right, wrong, wrong and sure, unknown."""

from __future__ import annotations

import dataclasses

import numpy as np

from bench.diagnose.core.diagnosis import Diagnosis
from bench.diagnose.examine import diagnose

from .fact_check import facts_are_right
from .mistake import NOTHING
from .public_example import HEALTHY, PublicExample, public_example

#: A schedule that the diagnosis names has the right facts if it gives every logged LR within this share of the peak.
SAME_CURVE = 0.01
RIGHT, HALF, WRONG, UNKNOWN = "right", "half", "wrong", "unknown"


@dataclasses.dataclass(frozen=True)
class PublicScore:
    """How one example was answered.

    `named`: the cause that came first, ``healthy``, ``unknown`` or the reason of a refusal; `result`: `RIGHT`, `HALF`,
    `WRONG` or `UNKNOWN`; `sure`: no other explanation was tied with the first; `facts`: whether the facts are true of
    the run.
    """

    example: PublicExample
    named: str
    result: str
    sure: bool
    facts: bool

    @property
    def accused(self) -> bool:
        """Whether a healthy run was called faulty."""
        return self.example.label == HEALTHY and self.result == WRONG

    @property
    def informed(self) -> bool:
        """Whether the answer is right or, where nothing was given and nothing wrong is said, the facts are."""
        return self.result == RIGHT or (self.example.mode == NOTHING and self.result != WRONG and self.facts)


def answer(example: PublicExample) -> Diagnosis:
    """The diagnosis of the log, given what its user tells; ValueError if it is refused."""
    return diagnose(
        example.trace,
        example.expect,
        base_lr=example.base_lr,
        warmup_steps=example.warmup_steps,
        total_steps=example.total_steps,
    )


def same_curve(diagnosis: Diagnosis) -> bool:
    """Whether the schedule that the diagnosis names gives the logged LRs, within `SAME_CURVE` of their peak."""
    best = diagnosis.best
    if best is None or best.schedule is None:
        return False
    trace = diagnosis.trace
    lrs = best.schedule(trace.steps, float(best.parameters.get("base_lr", 1.0)))
    return bool(np.abs(lrs - trace.lrs).max() <= SAME_CURVE * np.abs(trace.lrs).max())


def judged(example: PublicExample, diagnosis: Diagnosis) -> PublicScore:
    """Compare an answer with the right one.

    Half right is a cause that points at the same line of code, and, given nothing, a curve with the right facts:
    without a word from the user nobody can know that 300 steps should have been 600.
    """
    made, stride = example.made, max(example.logging.stride, example.trace.stride)
    facts = facts_are_right(diagnosis, np.array(made.steps), np.array(made.lrs), stride)
    if diagnosis.verdict == "healthy" and example.label == HEALTHY:  # by a schedule with a name, or by the facts alone
        return PublicScore(example, HEALTHY, RIGHT, diagnosis.tied == 1, facts)
    if diagnosis.best is None or diagnosis.verdict == "unknown":
        return PublicScore(example, UNKNOWN, UNKNOWN, False, facts)
    healthy = diagnosis.verdict == "healthy"
    named = HEALTHY if healthy else diagnosis.best.cause
    sure = diagnosis.tied == 1
    if named in (*example.right, HEALTHY if example.label == HEALTHY else example.label):
        result = RIGHT
    elif named in example.near or (healthy and example.mode == "nothing" and same_curve(diagnosis)):
        result = HALF
    else:
        result = WRONG
    return PublicScore(example, named, result, sure, facts)


def score_public(seed: int) -> PublicScore:
    """Diagnose the example of a seed and compare; a refusal is no answer, and the table shows it under its name."""
    example = public_example(seed)
    try:
        return judged(example, answer(example))
    except ValueError as error:
        return PublicScore(example, f"refused: {error}", UNKNOWN, False, False)
