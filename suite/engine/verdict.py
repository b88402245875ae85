"""From a run to a verdict: whether it follows the reference, and the shape of the deviation if not."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from reference.check import Rates
from suite.shared.words import without_addresses

from . import tolerances
from .bookkeeping import out_of_bounds
from .case import Case, Refused, asks_for_negative, expected, expected_momenta, unfit_optimizer, validated
from .loop import run_case
from .run import CaseRun
from .subject import Subject

#: What is judged, each on its own, in the order of importance.
CHANNELS = {
    "refusal": "a composition or an argument that must be refused",
    "lr": "the learning rate of each update",
    "bounds": "never negative, never above the peak that was asked for",
    "error": "no exception",
    "applied": "the learning rate that the update of the parameters used",
    "reported": "get_last_lr()",
    "momentum": "momentum or beta1",
    "settings": "every other setting of the groups",
    "bookkeeping": "last_epoch, base_lrs, initial_lr",
    "warnings": "a warning where one is due, and none elsewhere",
    "type": "the types in the groups",
    "state": "the state: its types, whether it can be saved and loaded",
    "objects": "identity, repr, pickling, copying",
    "docs": "docstrings against signatures and behaviour",
}


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The result of one case.

    `kind` is follows, deviates or absent.  A deviation is in one of `CHANNELS`; a case that deviates in several has
    the most important one here and the others in `others`.  `shape` is one of: shifted, scaled, stuck, reset, differs,
    negative, above, error, accepted, warns, silent, or what an action or its check names; `step` is the first deviating
    update (None if there is none), `size` the largest error as a share of the largest expected rate, `detail` a
    sentence for people.
    """

    kind: str
    shape: str = ""
    step: int | None = None
    size: float = 0.0
    detail: str = ""
    expected: tuple[float, ...] = ()
    actual: tuple[float, ...] = ()
    channel: str = ""
    others: tuple[Verdict, ...] = ()

    @property
    def follows(self) -> bool:
        """True where the subject does what its documentation promises."""
        return self.kind == "follows"

    @property
    def label(self) -> str:
        """The shape of an LR, an error, a refusal, a warning or a docstring; for every other channel its name."""
        return self.shape if self.channel in ("", "lr", "error", "refusal", "warnings", "docs") else self.channel

    @property
    def deviations(self) -> tuple[Verdict, ...]:
        """Every deviation of the case, each in its own channel; none where it follows or is absent."""
        return (self, *self.others) if self.kind == "deviates" else ()


def close(actual: Rates, target: Rates, kind: str, last: int = 0) -> NDArray[np.bool_]:
    """Where `actual` equals `target` up to the rounding error of torch's recursion; `last` is the farthest step."""
    steps = target.shape[0]
    peak = np.nanmax(np.abs(target), initial=0.0)  # NaN: the group does not exist
    relative = tolerances.relative(steps, kind) + tolerances.of_angle(last)
    allowed = relative * np.abs(target) + tolerances.of_peak(steps, kind) * peak
    return np.asarray(np.abs(actual - target) <= allowed)


def shape_of(actual: Rates, target: Rates, first: int, kind: str, last: int = 0) -> tuple[str, str]:
    """The shape of a deviation in one group, and a sentence about it."""
    tail, target_tail = actual[first:], target[first:]
    if not np.isfinite(tail).all():
        return "differs", "the LR becomes non-finite"
    for k in (1, -1, 2, -2, 3, -3):
        ahead = target[max(0, first + k) : actual.size + k]
        matched = tail[max(0, -k - first) :][: ahead.size]
        # Constant rates match every shift, so the matched part must vary.
        if (
            matched.size >= 3
            and np.ptp(ahead) > 1e-6 * np.abs(ahead).max()
            and close(matched, ahead[: matched.size], kind, last).all()
        ):
            return "shifted", f"the trace runs {abs(k)} step{'s' if abs(k) > 1 else ''} {'ahead' if k > 0 else 'late'}"
    nonzero = target_tail != 0
    if nonzero.sum() >= 2:
        ratio = float(np.median(tail[nonzero] / target_tail[nonzero]))
        if ratio and close(tail, ratio * target_tail, kind, last).all():
            return "scaled", f"every later LR is {ratio:.6g} times what it should be"
    if tail.size >= 2 and close(tail, np.full(tail.shape, tail[0]), kind, last).all() and np.ptp(target_tail) > 0:
        return "stuck", f"the LR stays at {tail[0]:.6g}"
    if first > 0 and tail.size >= 2 and close(tail, target[: tail.size], kind, last).all():
        return "reset", "the schedule starts again from its first step"
    wrong = ~close(tail, target_tail, kind, last)
    if not wrong[-1] and wrong.sum() < tail.size:
        return "differs", f"the LR is wrong for {int(wrong.sum())} of {tail.size} steps, then right again"
    return "differs", "the LR leaves the schedule"


def _deviation(
    case: Case, actual: Rates, target: Rates, kind: str, channel: str = "lr", last: int = 0
) -> Verdict | None:
    right = close(actual, target, kind, last)
    if right.all() and np.isfinite(actual).all():  # almost always; an infinite peak would allow anything
        return None
    gone = np.isnan(target)  # a group that does not exist at this step
    wrong = np.where(gone | np.isnan(actual), np.isnan(actual) != gone, ~right)
    wrong |= np.isinf(actual)
    if not wrong.any():
        return None
    first = int(np.argmax(wrong.any(axis=1)))
    group = int(np.argmax(wrong.any(axis=0)))
    first_here = int(np.argmax(wrong[:, group]))
    shape, words = shape_of(actual[:, group], target[:, group], first_here, kind, last)
    # The error as a share of the largest expected rate, or of the base LR where all expected rates are 0.
    peak = np.nanmax(np.abs(target), initial=0.0) or max(case.setup.base_lrs())
    size = float(np.abs(np.nan_to_num(actual - target, nan=np.inf))[wrong].max() / peak)
    detail = f"step {first_here}: LR {actual[first_here, group]:.6g}, expected {target[first_here, group]:.6g}; {words}"
    if target.shape[1] > 1:
        detail += f" (group {group})"
    traces = tuple(target[:, group].tolist()), tuple(actual[:, group].tolist())
    return Verdict("deviates", shape, first, size, detail, *traces, channel)


def _bounds(case: Case, actual: Rates, target: Rates) -> Verdict | None:
    """An LR below zero, or above every LR that was asked for, whatever the reference says."""
    found = out_of_bounds(case.setup, actual, target)
    return None if found is None else Verdict("deviates", *found, channel="bounds")


def _refusal(run: CaseRun, rule: str) -> Verdict:
    """The reference refuses this composition: torch must too, clearly and before training starts."""
    clear = isinstance(run.error, TypeError | ValueError | NotImplementedError | KeyError)
    if clear and run.stage != "update":
        return Verdict("follows", detail=f"refused: {rule}")
    if run.error is None:
        return Verdict("deviates", "accepted", detail=f"accepted without a word, although {rule}", channel="refusal")
    when = f"at step {len(run.lrs)}" if run.built else "at construction"
    detail = f"{type(run.error).__name__} {when} ({run.error}), although a clear refusal is due: {rule}"
    return Verdict("deviates", "error", len(run.lrs) if run.built else None, detail=detail, channel="refusal")


def rule_of(case: Case) -> str:
    """Why the case must be refused; empty where it must run."""
    try:
        validated(case.schedule)
    except Refused as refused:
        return str(refused)
    return unfit_optimizer(case) or next((source.refusal for source in case.setup.rules if source.refusal), "")


def _refusable(case: Case) -> str:
    """Why an exception before the first update is as good as a right run; empty where only a right run will do."""
    negative = "an LR is never negative" if asks_for_negative(case) else ""
    return next((source.refusable for source in case.setup.rules if source.refusable), negative)


def judge(case: Case, run: CaseRun) -> Verdict:
    """The verdict on a finished run: each channel on its own, together in the order of `CHANNELS`."""
    if run.absent:
        return Verdict("absent", detail=f"{run.absent} does not exist in this release")
    rule = rule_of(case)
    if rule:
        return _refusal(run, rule)
    if run.error is not None and run.stage != "update" and (refusable := _refusable(case)):
        return Verdict("follows", detail=f"refused: {refusable}")
    return together([*_in_rows(case, run), *_in_the_rest(case, run)])


def together(deviations: list[Verdict]) -> Verdict:
    """One verdict of all deviations, in the order of `CHANNELS`."""
    if not deviations:
        return Verdict("follows")
    found = sorted(deviations, key=lambda verdict: list(CHANNELS).index(verdict.channel))
    return dataclasses.replace(found[0], others=tuple(found[1:]))


def table_of(rows: list[list[float]]) -> Rates:
    """The rows as an array; where a group was added later, NaN before."""
    width = max(map(len, rows))
    if all(len(row) == width for row in rows):
        return np.array(rows)
    return np.array([row + [math.nan] * (width - len(row)) for row in rows])


def _in_rows(case: Case, run: CaseRun) -> Iterator[Verdict]:
    """Deviations of what is read at each update."""
    rows = len(run.positions)  # a row whose get_last_lr() failed is left out
    if not rows:
        return
    kind, actual, reported = case.setup.precision, table_of(run.lrs[:rows]), table_of(run.last_lrs[:rows])
    target, last = expected(case, run.positions), max(run.positions)
    off = _deviation(case, *as_wide(actual, target), kind, last=last)
    if off is not None:
        yield _named(case, run, off, actual)
    bounds = _bounds(case, actual, target)
    if bounds is not None:
        yield bounds
    reported, actual = as_wide(reported, actual)
    own = [row for action in case.setup.actions for row in action.by_hand if row < rows]
    reported[own] = actual[own]
    off = _deviation(case, reported, actual, kind, "reported")
    if off is not None:
        yield dataclasses.replace(off, detail=f"get_last_lr() is not the LR in force; {off.detail}")
    momenta = table_of(run.momenta)[:, : case.setup.groups]
    if not np.isnan(run.own_momentum):
        momentum = expected_momenta(case, run.positions, run.own_momentum)
        momentum[np.isnan(target[:, : case.setup.groups])] = np.nan  # a group that was removed
        off = _deviation(case, momenta, momentum, case.setup.conversion.unit, "momentum", last)
        if off is not None:
            detail = f"momentum leaves its schedule; {off.detail.replace('LR', 'momentum')}"
            yield dataclasses.replace(off, detail=detail)


def _named(case: Case, run: CaseRun, off: Verdict, actual: Rates) -> Verdict:
    """The deviation under the name of the trace that it equals, if an action knows that one."""
    for action in case.setup.actions:
        for shape, words, trace in action.known_traces(case, run.positions):
            if actual.shape == trace.shape and close(actual, trace, case.setup.precision).all():
                return dataclasses.replace(off, shape=shape, detail=f"{off.detail.split(';')[0]}; {words}")
    return off


def as_wide(actual: Rates, target: Rates) -> tuple[Rates, Rates]:
    """Both with as many columns: a group that one of them lacks is NaN there."""
    width = max(actual.shape[1], target.shape[1])
    if actual.shape[1] == target.shape[1]:
        return actual, target
    pair = (np.pad(rows, ((0, 0), (0, width - rows.shape[1])), constant_values=np.nan) for rows in (actual, target))
    return next(pair), next(pair)


def _in_the_rest(case: Case, run: CaseRun) -> Iterator[Verdict]:
    """Deviations of what is read once: errors, warnings, and the checks after the last update."""
    if run.error is not None:
        when = f"before update {len(run.lrs)}" if run.built else "at construction"
        text = str(run.error).splitlines()[0] if str(run.error) else ""
        detail = f"{type(run.error).__name__} {when}: {text}"
        yield Verdict("deviates", "error", len(run.lrs) if run.built else None, detail=detail, channel="error")
    if run.unread is not None:
        step, error = run.unread
        detail = f"{type(error).__name__} in get_last_lr() at step {step}: {error}"
        yield Verdict("deviates", "error", step, detail=detail, channel="reported")
    yield from _warnings(case, run)
    channels = set()
    for check, actual, target in run.checks:
        if actual != target and check.channel not in channels:
            channels.add(check.channel)
            detail = without_addresses(f"{check.what} is {actual!r}, expected {target!r}")
            yield Verdict("deviates", check.shape, detail=detail, channel=check.channel)


def _warnings(case: Case, run: CaseRun) -> Iterator[Verdict]:
    """Warnings of correct code, and promised warnings that do not come."""
    due = [text for action in case.setup.actions for text in action.warns]
    allowed = [*due, *(text for action in case.setup.actions for text in action.may_warn)]
    allowed += ["epoch parameter"] if case.setup.jumps else []
    for warning in run.warned:
        if not any(text in warning for text in allowed):
            detail = f"a correct loop is warned: {warning[:160]}"
            yield Verdict("deviates", "warns", detail=detail, channel="warnings")
            break
    for text in due:
        times = sum(text in warning for warning in run.warned)
        if times >= len(run.lrs) > 1:
            detail = f"the warning is given {times} times in {len(run.lrs)} steps: {text}"
            yield Verdict("deviates", "warns", detail=detail, channel="warnings")
    missing = [text for text in due if not any(text in warning for warning in run.warned)]
    if missing and run.error is None:
        yield Verdict("deviates", "silent", detail=f"no warning: {missing[0]}", channel="warnings")


def verdict_of(case: Case, subject: Subject) -> Verdict:
    """Run the case and judge it, or let its action examine the subject without a run."""
    for action in case.setup.actions:
        name = type(case.schedule).__name__
        if subject.scheduler_class(name) is not None and (found := action.examine(case, subject)) is not None:
            return together(found)
    return judge(case, run_case(case.schedule, case.setup, case.steps, subject))
