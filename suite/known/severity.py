"""How much damage a known deviation does to a run: silent or not, how far the LR is off, for how many updates."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from suite.engine.verdict import Verdict, close

from .deviations import Known
from .findings import Finding

#: The classes of damage, the worst first: the name of each, and what it is called after a number of entries.
CLASSES = {
    "rate": "silent: wrong learning rates",
    "silent": "silent: something else is wrong",
    "midway": "an error in the middle of training",
    "construction": "an error at construction",
    "warning": "a warning too many or too few",
    "docs": "the documentation alone",
}
#: Channels that a user does not notice, in words.
QUIET = {
    "refusal": "a wrong argument is accepted",
    "bounds": "an LR out of bounds",
    "momentum": "wrong momentum or betas",
    "reported": "wrong get_last_lr()",
    "settings": "other settings are changed",
    "bookkeeping": "wrong last_epoch, base_lrs or initial_lr",
    "type": "another type in the groups",
    "state": "a wrong state",
    "objects": "wrong objects",
}
#: LRs below this share of the peak are left out: next to its end a decay is near 0, and any ratio is possible.
COUNTED_SHARE = 0.01
#: Past this factor a run is lost, whatever the factor: no entry is worse than others for it.
LOST = 100.0
#: Each axis off its default makes a use this many times rarer: a weight, not a measurement.
RARER = 10.0


@dataclasses.dataclass(frozen=True)
class Damage:
    """What one entry does at worst, in the plainest cases that show it.

    `kind` is a key of CLASSES.  `factor` is the largest factor between an LR and the documented one, infinite where
    it is 0 or not finite, 1 where every LR above COUNTED_SHARE of the peak is right; `steps` of the `total` updates
    of that case have a wrong LR.  `cases` is the number of the plainest cases, `marks` how many axes they have off
    their default.  `detail` is for people: what happens, where no LR is wrong.  `example` is the shortest of
    these cases, with its deviation that the entry explains; `largest` is the id of the case with that factor.
    """

    kind: str
    example: tuple[Finding, Verdict]
    factor: float = 1.0
    low: bool = False
    steps: int = 0
    total: int = 0
    cases: int = 0
    marks: int = 0
    detail: str = ""
    largest: str = ""

    @property
    def silent(self) -> bool:
        """Whether the run continues and nothing says that something is wrong."""
        return self.kind in ("rate", "silent")

    @property
    def short(self) -> str:
        """In a few characters, for a column."""
        if self.kind == "rate":
            return self._factor
        words = {
            "midway": "error in training",
            "construction": "error when built",
            "warning": "warning",
            "docs": "docs",
        }
        return words.get(self.kind, "silent")

    @property
    def words(self) -> str:
        """In a few words: the factor and the number of updates, or what happens."""
        if self.kind != "rate":
            return self.detail
        where = f"in {self.steps} of {self.total} updates" if self.total else "in the update alone"
        return f"LR {self._factor}, {where}"

    @property
    def _factor(self) -> str:
        if math.isinf(self.factor):
            return "≤ 0" if self.low else "not 0 as due"
        if self.factor == 1:
            return "off"
        return f"{self.factor:.3g} × too {'low' if self.low else 'high'}"

    @property
    def order(self) -> tuple[int, float, int]:
        """The key that sorts by damage, the worst first."""
        return list(CLASSES).index(self.kind), -self.factor, -self.steps

    @property
    def reach(self) -> float:
        """How much it matters in plain use: the factor on the LR, times the cases that show it with no axis set.

        Each axis that must be off its default counts as a use RARER times rarer.
        """
        return min(self.factor, LOST) * self.cases / RARER**self.marks if self.kind == "rate" else 0.0

    def as_record(self) -> dict[str, object]:
        """As plain data for JSON."""
        fields = {name: getattr(self, name) for name in ("kind", "silent", "steps", "total", "words")}
        return fields | {"factor": self.factor if math.isfinite(self.factor) else None}


def factor_off(deviation: Verdict) -> tuple[float, bool]:
    """The largest factor between an LR and the documented one, 1 for equal LRs, and whether the LR is too low."""
    pairs = [(e, a) for e, a in zip(deviation.expected, deviation.actual, strict=False) if e == e and a == a]
    floor = COUNTED_SHARE * max((e for e, _ in pairs), default=0.0)
    worst = 1.0, False
    for e, a in pairs:
        if e > floor:
            worst = max(worst, (math.inf if a <= 0 else max(e / a, a / e), a < e))
    if floor <= 0 and any(a > e for e, a in pairs):
        return math.inf, False
    return worst


def _updates(finding: Finding, deviation: Verdict) -> tuple[int, int]:
    """How many updates have a wrong LR, and how many there are."""
    size = min(len(deviation.expected), len(deviation.actual))
    expected, actual = (np.array(rates[:size]).reshape(-1, 1) for rates in (deviation.expected, deviation.actual))
    with np.errstate(invalid="ignore"):
        return int((~close(actual, expected, finding.case.setup.precision)).sum()), size


def kind_of(finding: Finding, deviation: Verdict) -> str:
    """The class of damage of one deviation of a case."""
    if deviation.channel == "docs":
        return "docs"
    if deviation.channel == "warnings":
        return "warning"
    if deviation.shape == "error":
        return "construction" if deviation.step is None else "midway"
    if deviation.channel in ("lr", "applied"):
        stopped = [other for other in finding.verdict.deviations if other.channel == "error"]
        return kind_of(finding, stopped[0]) if stopped else "rate"
    return "silent"


def _words(deviation: Verdict, kind: str) -> str:
    if kind == "midway":
        return f"error in the middle of training: {_error(deviation)}"
    if kind == "construction":
        return f"error at construction: {_error(deviation)}"
    if kind == "warning":
        return "no warning where one is due" if deviation.shape == "silent" else "a warning about a correct loop"
    return "documentation" if kind == "docs" else QUIET.get(deviation.channel, deviation.channel)


def _error(deviation: Verdict) -> str:
    return deviation.detail.split()[0].rstrip(":")


def damage_of(entry: Known, findings: Iterable[Finding]) -> Damage:
    """What the entry does in these cases, all of which show it: its worst class, in the plainest cases of it.

    A deviation that another entry explains too is left out where the entry has one to itself.
    """
    shown = [
        (kind_of(finding, deviation), len(causes) == 1, finding, deviation)
        for finding in findings
        for deviation, causes in zip(finding.verdict.deviations, finding.causes, strict=True)
        if entry in causes
    ]
    kind = min((kind for kind, *_ in shown), key=list(CLASSES).index)
    of_kind = [row for row in shown if row[0] == kind]
    alone = [row for row in of_kind if row[1]] or of_kind
    marks = min(len(finding.case.setup.marks) for _, _, finding, _ in alone)
    plainest = [(f, d) for _, _, f, d in alone if len(f.case.setup.marks) == marks]
    shortest = sorted(plainest, key=lambda pair: (len(pair[0].case.id), pair[0].case.id))
    damage = Damage(kind, shortest[0], cases=len(plainest), marks=marks, detail=_words(shortest[0][1], kind))
    if kind != "rate":
        return damage
    factors = [_comparable(*factor_off(deviation)) for _, deviation in shortest]
    largest = shortest[factors.index(max(factors))]
    example = next((pair for pair, factor in zip(shortest, factors, strict=True) if factor > 1), largest)
    factor, low = factor_off(largest[1])
    steps, total = _updates(*largest)
    damage = dataclasses.replace(damage, example=example, largest=largest[0].case.id)
    return dataclasses.replace(damage, factor=factor, low=low, steps=steps, total=total)


def _comparable(factor: float, low: bool) -> float:
    """The factor, below all others where it is infinite because the documented LR is 0."""
    return 0.0 if math.isinf(factor) and not low else factor


@dataclasses.dataclass(frozen=True)
class Ranked:
    """An entry, the findings that show it, and its damage."""

    entry: Known
    findings: Sequence[Finding]

    @functools.cached_property
    def damage(self) -> Damage:
        """What it does."""
        return damage_of(self.entry, self.findings)


def ranked(groups: Mapping[str, list[Finding]]) -> list[Ranked]:
    """The entries that these findings show, by damage, the worst first."""
    entries = [
        Ranked(next(e for e in findings[0].entries if e.id == name), findings) for name, findings in groups.items()
    ]
    return sorted(entries, key=lambda one: (one.damage.order, one.entry.id))


def worst(entries: Iterable[Ranked], count: int) -> list[Ranked]:
    """The entries that matter most in plain use, by `Damage.reach`: silent, and with wrong learning rates."""
    silent = [one for one in entries if one.damage.reach > 0]
    return sorted(silent, key=lambda one: (-one.damage.reach, one.entry.id))[:count]
