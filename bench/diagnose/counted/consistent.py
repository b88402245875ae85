"""Causes that what was counted rules out."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from bench.diagnose.core.counts import Counts
from bench.diagnose.core.diagnosis import FITS, Diagnosis
from bench.diagnose.core.trace import Trace
from reference import Schedule

from .faults import counted_faults, unscheduled


def possible(cause: str, counts: Counts) -> bool:
    """Whether the counts leave room for a cause.

    A recording has every update under its number, so nothing is a matter of the log. How often torch's schedulers
    were stepped says nothing about an LR that the loop sets by itself.
    """
    if cause.startswith("log-") and cause not in ("log-rounded", "log-strided"):
        return False
    if cause == "scaler-skips" and not counts.skipped.any():
        return False
    if not counts.moves.any():
        return True
    pace, start = counts.pace, counts.at[0]
    rules = {
        "ahead": counts.moves[0] > 0 or (not math.isnan(start) and start > 0),
        "micro-batch": pace > 1,
        "per-process": pace > 1,
        "per-epoch": pace == 0,
        "staircase": pace == 0,
        "staircase-warmup": pace == 0,
        "late": not counts.moves[1:2].any(),
        "stuck": not counts.moves[-1],
        "restarted": _replaced(counts),
        "resume-shifted": _replaced(counts),
    }
    return bool(rules.get(cause, True))


def _replaced(counts: Counts) -> bool:
    """Whether the scheduler's position changed otherwise than by its steps: another object, a state that was loaded."""
    jumps = np.diff(counts.at) != counts.moves[1:]
    return bool(jumps[~np.isnan(np.diff(counts.at))].any())


def consistent(diagnosis: Diagnosis, counts: Counts) -> Diagnosis:
    """The diagnosis without the causes that the counts rule out; unknown where none is left that fits."""
    left = tuple(e for e in diagnosis.explanations if possible(e.cause, counts))
    if len(left) == len(diagnosis.explanations):
        return diagnosis
    tied = sum(possible(e.cause, counts) for e in diagnosis.explanations[: diagnosis.tied])
    if diagnosis.verdict == "fault" and not (left and left[0].fits):
        return dataclasses.replace(diagnosis, verdict="unknown", explanations=left, tied=0)
    return dataclasses.replace(diagnosis, explanations=left, tied=tied)


def by_counts(trace: Trace, expect: Schedule | None, base_lr: float) -> Diagnosis | None:
    """The faults that were counted; None without one, or where every update ran at the expected LR all the same."""
    if trace.counts is None:
        return None
    faults = counted_faults(trace.counts, trace.steps, trace.lrs)
    if expect is not None and not faults:
        faults = list(unscheduled(trace.counts, trace.lrs))
    if not faults:
        return None
    if expect is not None and (np.abs(trace.lrs - expect(trace.steps, base_lr)) <= FITS * trace.tolerance).all():
        return None
    explanations = tuple(fault.explanation() for fault in faults)
    return Diagnosis(trace, expect, "fault", explanations, 1, None if expect is None else base_lr)
