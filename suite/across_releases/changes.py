"""What changes for one case between two releases: learning rates, momenta, reported rates, errors or warnings."""

from __future__ import annotations

import dataclasses
import itertools
import textwrap

import numpy as np

from suite.engine.case import Case
from suite.engine.loop import run_case
from suite.engine.run import CaseRun
from suite.engine.subject import Subject
from suite.engine.verdict import Verdict, as_wide, close, judge, table_of
from suite.known.deviations import Known, entry_for
from suite.releases import index
from suite.releases.cache import cached, numbers
from suite.releases.load import load_release

#: What a change does, by the kinds of verdict before and after it; what needs the user's attention comes first.
EFFECTS = {
    "broken": [("follows", "deviates")],
    "altered": [("deviates", "deviates")],
    "removed": [("follows", "absent"), ("deviates", "absent")],
    "fixed": [("deviates", "follows")],
    "added": [("absent", "follows"), ("absent", "deviates"), ("absent", "absent")],
    "equivalent": [("follows", "follows")],
}


@dataclasses.dataclass(frozen=True)
class Change:
    """One composition whose run is not the same under both releases."""

    case: Case
    what: str  # lrs | momenta | last_lrs | error | warnings
    step: int | None
    before: list[float]
    after: list[float]
    words: str
    verdict_before: Verdict
    verdict_after: Verdict
    entry_before: Known | None
    entry_after: Known | None

    @property
    def entry(self) -> Known | None:
        """The known deviation behind the change: of the later release, unless the change repairs it."""
        return self.entry_before if self.effect == "fixed" else self.entry_after or self.entry_before

    @property
    def effect(self) -> str:
        """Whether the later release is right, measured by the documentation: a key of `EFFECTS`."""
        kinds = (self._kind(self.verdict_before), self._kind(self.verdict_after))
        return next(effect for effect, pairs in EFFECTS.items() if kinds in pairs)

    def _kind(self, verdict: Verdict) -> str:
        """The kind of the verdict; beside other changes, a run that only warns is right."""
        return "follows" if verdict.shape == "warns" and self.what != "warnings" else verdict.kind


def failure(run: CaseRun) -> str:
    """The class of the error that ended a run, when, and its first line; empty where there was none."""
    if run.absent:
        return f"{run.absent} does not exist"
    return "" if run.error is None else error_in_words(run.error, len(run.lrs) if run.built else None)


def error_in_words(error: BaseException, step: int | None) -> str:
    """The class of an error, when it came (None: at construction), and its first line."""
    text = str(error).splitlines()
    when = "at construction" if step is None else f"at step {step}"
    return f"{type(error).__name__} {when}" + (f": {text[0][:120]}" if text else "")


def first_difference(before: CaseRun, after: CaseRun, kind: str) -> tuple[str, int | None, str] | None:
    """What differs between two runs, from which step, in words; None where nothing does."""
    for what, name in (("lrs", "LR"), ("momenta", "momentum"), ("last_lrs", "get_last_lr()")):
        shared = min(len(getattr(before, what)), len(getattr(after, what)))
        if not shared:
            continue
        old, new = as_wide(*(table_of(getattr(run, what)[:shared]) for run in (before, after)))
        differs = ~(close(new, old, kind) | (old == new) | (np.isnan(old) & np.isnan(new)))
        if differs.any():
            step = int(np.argmax(differs.any(axis=1)))
            group = int(np.argmax(differs[step]))
            where = f" (group {group})" if old.shape[1] > 1 else ""
            return what, step, f"step {step}: {name} {old[step, group]:.6g} becomes {new[step, group]:.6g}{where}"
    failed, fails = failure(before), failure(after)
    if failed.split(":")[0] != fails.split(":")[0]:
        return "error", None, f"{failed or 'no error'} becomes {fails or 'no error'}"
    if bool(before.warned) != bool(after.warned):
        message = textwrap.shorten((before.warned or after.warned)[0], 100, placeholder=" …")
        return "warnings", None, f"{'no longer warns' if before.warned else 'now warns'}: {message}"
    return None


def change_of(case: Case, old: Subject, new: Subject) -> Change | None:
    """How the case differs between two releases, or None."""
    before, after = (run_case(case.schedule, case.setup, case.steps, side) for side in (old, new))
    # A warning that may come or not, such as one that torch gives once in a process, is no change.
    optional = [text for action in case.setup.actions for text in action.may_warn]
    for run in (before, after):
        run.warned = [warning for warning in run.warned if not any(text in warning for text in optional)]
    difference = first_difference(before, after, case.setup.precision)
    if difference is None:
        return None
    what, step, words = difference
    verdicts = [judge(case, run) for run in (before, after)]
    entries = [
        entry_for(case, verdict, side.release) if verdict.kind == "deviates" else None
        for verdict, side in zip(verdicts, (old, new), strict=True)
    ]
    lrs = [[row[0] for row in run.lrs] for run in (before, after)]
    return Change(case, what, step, lrs[0], lrs[1], words, verdicts[0], verdicts[1], entries[0], entries[1])


def changed_in(case: Case, first: str, last: str) -> list[str]:
    """The releases after `first`, up to `last`, that change more than a warning, in words; only cached ones are run.

    Where releases before one of them are not cached, the answer is a range.
    """
    releases = [release for release in cached() if numbers(first) <= numbers(release) <= numbers(last)]
    runs = [run_case(case.schedule, case.setup, case.steps, load_release(release)) for release in releases]
    words = []
    for (old, new), (before, after) in zip(itertools.pairwise(releases), itertools.pairwise(runs), strict=True):
        difference = first_difference(before, after, case.setup.precision)
        if difference and difference[0] != "warnings":
            gap = any(numbers(old) < numbers(release) < numbers(new) for release in index.FALLBACK)
            words.append(f"after {old}, up to {new}" if gap else new)
    return words
