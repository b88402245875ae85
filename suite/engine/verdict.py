"""From a run to a verdict: does it follow the reference, and if not, in what shape does it leave it?"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from . import tolerances
from .case import Case, Refused, expected, expected_momenta, validated
from .loop import CaseRun, run_case
from .subject import Subject

Rates = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What one case showed.

    `kind` is follows, deviates or absent.  For a deviation, `shape` is one of: shifted, scaled, stuck, reset,
    differs, error, accepted, warns, reported, momentum; `step` is the first deviating update (None where it has
    none), `size` the largest error as a share of the largest rate due, `detail` the sentence a reader sees.
    """

    kind: str
    shape: str = ""
    step: int | None = None
    size: float = 0.0
    detail: str = ""
    expected: tuple[float, ...] = ()
    actual: tuple[float, ...] = ()

    @property
    def follows(self) -> bool:
        """True where the subject does what its documentation promises."""
        return self.kind == "follows"


def close(actual: Rates, wanted: Rates, kind: str) -> NDArray[np.bool_]:
    """Where `actual` equals `wanted` up to the rounding that torch's recursion is entitled to."""
    steps = wanted.shape[0]
    peak = np.abs(wanted).max(initial=0.0)
    allowed = tolerances.relative(steps, kind) * np.abs(wanted) + tolerances.of_peak(steps, kind) * peak
    return np.asarray(np.abs(actual - wanted) <= allowed)


def shape_of(actual: Rates, wanted: Rates, first: int, kind: str) -> tuple[str, str]:
    """The shape of a deviation in one group, with the sentence that says it."""
    tail, goal = actual[first:], wanted[first:]
    if not np.isfinite(tail).all():
        return "differs", "the LR becomes non-finite"
    for k in (1, -1, 2, -2, 3, -3):
        ahead = wanted[max(0, first + k) : actual.size + k]
        seen = tail[max(0, -k - first) :][: ahead.size]
        # A flat stretch matches every shift, so the matched stretch must move.
        if (
            seen.size >= 3
            and np.ptp(ahead) > 1e-6 * np.abs(ahead).max()
            and close(seen, ahead[: seen.size], kind).all()
        ):
            return "shifted", f"the trace runs {abs(k)} step{'s' if abs(k) > 1 else ''} {'ahead' if k > 0 else 'late'}"
    nonzero = goal != 0
    if nonzero.sum() >= 2:
        ratio = float(np.median(tail[nonzero] / goal[nonzero]))
        if ratio and close(tail, ratio * goal, kind).all():
            return "scaled", f"every later LR is {ratio:.6g} times what it should be"
    if tail.size >= 2 and close(tail, np.full(tail.shape, tail[0]), kind).all() and np.ptp(goal) > 0:
        return "stuck", f"the LR stays at {tail[0]:.6g}"
    if first > 0 and tail.size >= 2 and close(tail, wanted[: tail.size], kind).all():
        return "reset", "the schedule starts again from its first step"
    wrong = ~close(tail, goal, kind)
    if not wrong[-1] and wrong.sum() < tail.size:
        return "differs", f"the LR is wrong for {int(wrong.sum())} of {tail.size} steps, then right again"
    return "differs", "the LR leaves the schedule"


def _deviation(case: Case, actual: Rates, wanted: Rates, kind: str) -> Verdict | None:
    wrong = ~close(actual, wanted, kind)
    wrong |= ~np.isfinite(actual)
    if not wrong.any():
        return None
    first = int(np.argmax(wrong.any(axis=1)))
    group = int(np.argmax(wrong.any(axis=0)))
    first_here = int(np.argmax(wrong[:, group]))
    shape, words = shape_of(actual[:, group], wanted[:, group], first_here, kind)
    # By how much, as a share of the largest rate that is due: finite also where that rate is 0.
    peak = max(np.abs(wanted).max(initial=0.0), max(case.setup.base_lrs()) if not wanted.any() else 0.0)
    size = float(np.abs(np.nan_to_num(actual - wanted, nan=np.inf)).max() / peak)
    detail = f"step {first_here}: LR {actual[first_here, group]:.6g}, expected {wanted[first_here, group]:.6g}; {words}"
    if case.setup.groups > 1:
        detail += f" (group {group})"
    return Verdict(
        "deviates", shape, first, size, detail, tuple(wanted[:, group].tolist()), tuple(actual[:, group].tolist())
    )


def _refusal(run: CaseRun, rule: str) -> Verdict:
    """The reference refuses this composition: torch must too, clearly and before training starts."""
    if not run.built and isinstance(run.error, TypeError | ValueError | NotImplementedError | KeyError):
        return Verdict("follows", detail=f"refused: {rule}")
    if run.error is None:
        return Verdict("deviates", "accepted", None, 0.0, f"accepted without a word, although {rule}")
    when = f"at step {len(run.lrs)}" if run.built else "at construction"
    detail = f"{type(run.error).__name__} {when} ({run.error}), although a clear refusal is due: {rule}"
    return Verdict("deviates", "error", len(run.lrs) if run.built else None, 0.0, detail)


def judge(case: Case, run: CaseRun) -> Verdict:
    """The verdict on a finished run."""
    if run.absent:
        return Verdict("absent", detail=f"{run.absent} does not exist in this release")
    try:
        validated(case.schedule)
    except Refused as refused:
        return _refusal(run, str(refused))
    kind = case.setup.precision
    if run.lrs:
        actual = np.array(run.lrs)
        found = _deviation(case, actual, expected(case, run.positions), kind)
        if found is not None:
            return found
    if run.error is not None:
        when = f"before update {len(run.lrs)}" if run.built else "at construction"
        text = str(run.error).splitlines()[0] if str(run.error) else ""
        detail = f"{type(run.error).__name__} {when}: {text}"
        return Verdict("deviates", "error", len(run.lrs) if run.built else None, 0.0, detail)
    for name, rows, wanted in (
        ("reported", run.last_lrs, np.array(run.lrs)),
        ("momentum", run.momenta, expected_momenta(case, run.positions)),
    ):
        if wanted is not None:
            off = _deviation(case, np.array(rows), wanted, kind if name == "reported" else "float")
            if off is not None:
                what = "get_last_lr() is not the LR in force" if name == "reported" else "momentum leaves its schedule"
                return dataclasses.replace(off, shape=name, detail=f"{what}; {off.detail}")
    unexpected = [w for w in run.warned if not (case.setup.jumps and "epoch parameter" in w)]
    if unexpected:
        return Verdict("deviates", "warns", None, 0.0, f"a correct loop is warned: {unexpected[0][:160]}")
    return Verdict("follows")


def verdict_of(case: Case, subject: Subject) -> Verdict:
    """CaseRun the case and judge it."""
    return judge(case, run_case(case.schedule, case.setup, case.steps, subject))
