"""Mistakes that a recording shows by its counts, before any schedule is fitted."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np

from bench.diagnose.core.causes import CAUSES
from bench.diagnose.core.counts import Counts
from bench.diagnose.core.diagnosis import Explanation
from bench.diagnose.core.words import number
from reference.check import Rates, Steps
from suite.shared.words import counted

#: A schedule that ends before this share of its scheduler's steps is too short for them.
ENDS_WITH_RUN = 0.9
#: A decay that has come this close to its lowest LR, as a share of the peak, has ended.
ENDED = 1e-3
#: A decay that has not lost this share of its peak is not a decay to its end.
DECAYED = 0.5
#: A scheduler that makes less than this share of its schedule's steps is too slow for it.
TOO_SLOW = 0.5
#: A schedule between these shares of the run's updates counts updates.
LIKE_RUN = (0.8, 1.05)
#: The share of updates at which a steady pace may be another.
UNSTEADY = 0.05
#: Leads of a scheduler that are listed.
SHOWN = 3


@dataclasses.dataclass(frozen=True)
class CountedFault:
    """A mistake that was counted: its cause, what was counted, in words, and the first update that it changed."""

    cause: str
    sentence: str
    first_step: int | None
    parameters: dict[str, float | int | str]

    def explanation(self) -> Explanation:
        """The fault as an explanation, which fits because it was counted."""
        cause = CAUSES[self.cause]
        return Explanation(
            cause.id, cause.title, self.sentence, cause.fix, self.first_step, None, 0.0, None, dict(self.parameters)
        )


def counted_faults(counts: Counts, steps: Steps, lrs: Rates) -> list[CountedFault]:
    """The mistakes of one parameter group, the gravest first."""
    if steps.size < 2:
        return []
    rules = (
        _still(counts, lrs),
        _skips(counts, steps),
        _fast(counts, lrs),
        _slow(counts, lrs),
    )
    found = [fault for rule in rules for fault in rule]
    return found or [*_ahead(counts)]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _still(counts: Counts, lrs: Rates) -> Iterator[CountedFault]:
    """An LR that nothing moves: a scheduler that is never stepped, none at all, or one for another optimizer."""
    if counts.moves.any() or not (lrs == lrs[0]).all():
        return
    lr, built_with = float(lrs[0]), counts.built_with
    numbers: dict[str, float | int | str] = {"value": lr}
    stays = f"all {lrs.size} updates ran at LR {number(lr)}"
    if not math.isnan(built_with) and lr != built_with:
        share = f", {lr / built_with:.3g} times" if built_with else " instead of"
        stays += f"{share} the {number(built_with)} that the optimizer was built with"
    if counts.schedulers:
        yield CountedFault("never-stepped", f"The scheduler was built but never stepped: {stays}.", 0, numbers)
    elif counts.idle:
        sentence = f"The scheduler moves an optimizer that never makes an update; this one does, and {stays}."
        yield CountedFault("wrong-optimizer", sentence, 0, numbers)
    elif not math.isnan(built_with) and lr != built_with:
        yield CountedFault("never-stepped", f"The LR was set once and never moved: {stays}.", 0, numbers)
    elif counts.beside_schedulers > 1:
        yield from unscheduled(counts, lrs)


def unscheduled(counts: Counts, lrs: Rates) -> Iterator[CountedFault]:
    """An optimizer without a scheduler beside one that has one.

    That may be on purpose, unless a schedule was expected, or the other one has two schedulers.
    """
    if counts.beside and not counts.schedulers and not counts.moves.any() and (lrs == lrs[0]).all():
        stays = f"all {lrs.size} updates ran at LR {lrs[0]:.6g}"
        sentence = f"No scheduler moves this optimizer: {stays}, while {counts.beside} beside it follows a schedule."
        yield CountedFault("unscheduled", sentence, 0, {"value": float(lrs[0])})


def _skips(counts: Counts, steps: Steps) -> Iterator[CountedFault]:
    """Scheduler steps at updates that the gradient scaler left out."""
    if counts.pace == 0:
        return
    due = counts.pace * (np.arange(steps.size) > 0)
    lead = np.where(counts.skipped > 0, np.clip(counts.moves - due, 0, counts.pace * counts.skipped), 0)
    places = np.flatnonzero(lead)
    if not places.size:
        return
    ahead = np.cumsum(lead)
    shown = places if places.size <= SHOWN else np.append(places[: SHOWN - 1], places[-1])
    said = [f"{ahead[i]} {'from the first update' if i == 0 else f'from update {i}'}" for i in shown.tolist()]
    gap = ", " if places.size <= SHOWN else ", … "
    listed = gap.join([", ".join(said[:-1]), said[-1]]) if len(said) > 1 else said[0]
    skipped = int(counts.skipped.sum())
    sentence = (
        f"The gradient scaler left out {counted(skipped, 'update')}, and the scheduler was stepped all the same. "
        f"Steps ahead: {listed}."
    )
    yield CountedFault("scaler-skips", sentence, int(steps[places[0]]), {"k": int(ahead[-1])})


def ends_at(lrs: Rates) -> float | None:
    """The share of the run at which a decay reaches its lowest LR; None where the LR has not decayed.

    >>> ends_at(np.array([0.5, 1.0, 0.5, 0.0, 0.0])), ends_at(np.array([0.5, 1.0, 1.0]))
    (0.75, None)
    """
    size = np.abs(lrs)
    peak = int(size.argmax())
    after, top = size[peak:], float(size[peak])
    low = float(after.min())
    if low > (1 - DECAYED) * top:
        return None
    return (peak + int(np.argmax(after <= low + ENDED * top))) / (lrs.size - 1)


def _fast(counts: Counts, lrs: Rates) -> Iterator[CountedFault]:
    """A scheduler stepped several times per update, unless its schedule was made for that: it ends with the run."""
    pace, after = counts.pace, counts.moves[1:]
    if pace < 2 or (after == pace).mean() < 1 - UNSTEADY:
        return
    made = float(counts.moves[0] + after.sum() + pace)
    endless = math.isinf(counts.length)
    end = None if endless else ends_at(lrs) if math.isnan(counts.length) else counts.length / made
    if end is not None and end >= ENDS_WITH_RUN:
        return
    numbers: dict[str, float | int | str] = {"k": pace}
    # Calls in two places come after an update; those of micro-batches come before the first one too.
    micro = bool((counts.backwards[1:] == pace).mean() > 1 - UNSTEADY and counts.moves[0] >= pace - 1)
    sentence = f"The scheduler is stepped {pace} times per update{', once per micro-batch' if micro else ''}: "
    sentence += f"the schedule runs {pace} times too fast."
    if end is not None:
        sentence += f" It ends at update {round(end * lrs.size)} of {lrs.size}."
    yield CountedFault("micro-batch" if micro else "stepped-often", sentence, 0, numbers)


def _slow(counts: Counts, lrs: Rates) -> Iterator[CountedFault]:
    """A scheduler stepped once in many updates although its lengths count updates."""
    moved = np.flatnonzero(counts.moves[1:]) + 1
    if counts.pace != 0 or not moved.size or (counts.moves[1:] > 1).any():
        return
    made = int(counts.moves.sum())
    length, run = counts.length, lrs.size
    if math.isnan(length) or made >= TOO_SLOW * length or not LIKE_RUN[0] * run <= length <= LIKE_RUN[1] * run:
        return  # in particular a schedule of more epochs than this run has
    n = int(moved[0]) if moved.size == 1 else round(float(np.median(np.diff(moved))))
    sentence = (
        f"The scheduler is stepped once every {n} updates, {_times(made)} in all, but its schedule has "
        f"{length:g} steps: its lengths count updates."
    )
    yield CountedFault("per-epoch", sentence, int(moved[0]), {"n": n})


def _ahead(counts: Counts) -> Iterator[CountedFault]:
    """A scheduler stepped before the first update, unless it was brought to the step of a resumed optimizer."""
    early = int(counts.moves[0] - counts.skipped[0])
    if early < counts.pace or counts.pace == 0 or counts.state_step > 0:
        return
    stepped = f"the scheduler was stepped {_times(early)} before the first update"
    sentence = f"Every LR comes {counted(early, 'step')} early: {stepped}."
    yield CountedFault("ahead", sentence, 0, {"k": early})
