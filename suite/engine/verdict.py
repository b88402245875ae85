"""From a run to a verdict: whether it follows the reference, and the shape of the deviation if not."""

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
    """The result of one case.

    `kind` is follows, deviates or absent.  For a deviation, `shape` is one of: shifted, scaled, stuck, reset,
    differs, error, accepted, warns, reported, momentum; `step` is the first deviating update (None if
    there is none), `size` the largest error as a share of the largest expected rate, `detail` a sentence for people.
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


def close(actual: Rates, target: Rates, kind: str) -> NDArray[np.bool_]:
    """Where `actual` equals `target` up to the rounding error of torch's recursion."""
    steps = target.shape[0]
    peak = np.abs(target).max(initial=0.0)
    allowed = tolerances.relative(steps, kind) * np.abs(target) + tolerances.of_peak(steps, kind) * peak
    return np.asarray(np.abs(actual - target) <= allowed)


def shape_of(actual: Rates, target: Rates, first: int, kind: str) -> tuple[str, str]:
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
            and close(matched, ahead[: matched.size], kind).all()
        ):
            return "shifted", f"the trace runs {abs(k)} step{'s' if abs(k) > 1 else ''} {'ahead' if k > 0 else 'late'}"
    nonzero = target_tail != 0
    if nonzero.sum() >= 2:
        ratio = float(np.median(tail[nonzero] / target_tail[nonzero]))
        if ratio and close(tail, ratio * target_tail, kind).all():
            return "scaled", f"every later LR is {ratio:.6g} times what it should be"
    if tail.size >= 2 and close(tail, np.full(tail.shape, tail[0]), kind).all() and np.ptp(target_tail) > 0:
        return "stuck", f"the LR stays at {tail[0]:.6g}"
    if first > 0 and tail.size >= 2 and close(tail, target[: tail.size], kind).all():
        return "reset", "the schedule starts again from its first step"
    wrong = ~close(tail, target_tail, kind)
    if not wrong[-1] and wrong.sum() < tail.size:
        return "differs", f"the LR is wrong for {int(wrong.sum())} of {tail.size} steps, then right again"
    return "differs", "the LR leaves the schedule"


def _deviation(case: Case, actual: Rates, target: Rates, kind: str) -> Verdict | None:
    wrong = ~close(actual, target, kind)
    wrong |= ~np.isfinite(actual)
    if not wrong.any():
        return None
    first = int(np.argmax(wrong.any(axis=1)))
    group = int(np.argmax(wrong.any(axis=0)))
    first_here = int(np.argmax(wrong[:, group]))
    shape, words = shape_of(actual[:, group], target[:, group], first_here, kind)
    # The error as a share of the largest expected rate, or of the base LR where all expected rates are 0.
    peak = max(np.abs(target).max(initial=0.0), max(case.setup.base_lrs()) if not target.any() else 0.0)
    size = float(np.abs(np.nan_to_num(actual - target, nan=np.inf)).max() / peak)
    detail = f"step {first_here}: LR {actual[first_here, group]:.6g}, expected {target[first_here, group]:.6g}; {words}"
    if case.setup.groups > 1:
        detail += f" (group {group})"
    return Verdict(
        "deviates", shape, first, size, detail, tuple(target[:, group].tolist()), tuple(actual[:, group].tolist())
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
        deviation = _deviation(case, actual, expected(case, run.positions), kind)
        if deviation is not None:
            return deviation
    if run.error is not None:
        when = f"before update {len(run.lrs)}" if run.built else "at construction"
        text = str(run.error).splitlines()[0] if str(run.error) else ""
        detail = f"{type(run.error).__name__} {when}: {text}"
        return Verdict("deviates", "error", len(run.lrs) if run.built else None, 0.0, detail)
    for name, rows, target in (
        ("reported", run.last_lrs, np.array(run.lrs)),
        ("momentum", run.momenta, expected_momenta(case, run.positions)),
    ):
        if target is not None:
            off = _deviation(case, np.array(rows), target, kind if name == "reported" else "float")
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
