"""An LR that never moves although a moving one was asked for."""

from __future__ import annotations

import dataclasses

import numpy as np

from bench.diagnose.core.causes import CAUSES
from bench.diagnose.core.diagnosis import Diagnosis, Explanation
from bench.diagnose.core.trace import Trace
from bench.diagnose.core.words import number
from bench.diagnose.facts.gather import Told
from bench.diagnose.hypotheses.anatomy import as_pair, values
from reference import ConstantDecay, Schedule
from suite.shared.words import counted

#: Causes that say more about an LR that never moves, besides what torch does to the expected schedule.
MORE_SPECIFIC = ("lr-zero", "start-kept")


def never_moves(trace: Trace, expect: Schedule | None, base_lr: float, told: Told) -> bool:
    """Whether all logged LRs are one value, and what was asked for changes between these steps."""
    if trace.counts is not None and trace.counts.moves.any():
        return False  # a scheduler was stepped: that says more
    if float(np.ptp(trace.lrs)) > 2 * float(trace.tolerance.max()):
        return False
    if expect is not None:
        return float(np.ptp(values(expect, trace.steps, base_lr))) > 4 * float(trace.tolerance.max())
    return bool(told.warmup_steps) and int(trace.steps[0]) < int(told.warmup_steps or 0)


def as_finding(result: Diagnosis) -> Diagnosis:
    """The diagnosis of a trace that never moves, with that as its first explanation unless it has said more."""
    pair = None if result.expected is None else as_pair(result.expected, 1.0)[0]
    held = pair is not None and isinstance(pair.decay, ConstantDecay)  # a constant LR after its warmup is right
    specific = (*MORE_SPECIFIC, "warmup-lost") if held else MORE_SPECIFIC
    if result.best is not None and result.tied and result.best.cause.startswith((*specific, "torch-")):
        return result
    trace, cause = result.trace, CAUSES["stuck"]
    value, rows = float(trace.lrs[0]), trace.lrs.size
    where = f"at all {counted(rows, 'update')}" if trace.stride == 1 else f"in all {counted(rows, 'row')}"
    finding = Explanation(
        cause.id,
        cause.title,
        f"The LR never moves: {number(value)} {where}. No scheduler reaches this optimizer, or none is stepped.",
        "call scheduler.step() after every optimizer.step(), on a scheduler that was built with this optimizer",
        int(trace.steps[0]),
        None,
        0.0,
        None,
        {"r": int(trace.steps[0]), "value": value},
    )
    return dataclasses.replace(result, verdict="fault", explanations=(finding,), tied=1)
