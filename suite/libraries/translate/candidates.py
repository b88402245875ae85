"""Calls of another library that may have the LRs of a run, ranked by the closed forms of their documentation."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from reference.check import Rates
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.library import Library, LibrarySchedule

#: Steps at which closed forms are compared; the first and the last ones and those around W are always among them.
SAMPLES = 160
#: Schedules of a library whose other arguments are varied, and how often each argument is.
SCHEDULES, ROUNDS = 4, 2
#: Closed forms this near, as a share of the peak, are equal: the simpler call is the better one.
NEAR = 1e-9
#: A schedule with this mean difference, as a share of the peak, is not looked into further.
HOPELESS = 0.4
#: Other lengths than the person's are taken only where they leave less than this share of the difference, and other
#: values of an argument where they leave less than that.
HALF, LESS = 0.5, 0.9
_CYCLES, _COUNT = re.compile("cycle|restart"), re.compile("num_cycles|cycle_limit|count|restarts")
_GROWS = re.compile("mul|cycle|period|epoch|initial|length|restart|^t_")
_FACTOR = re.compile("mul|mult|decay|gamma|scale")
_STEPS = re.compile("steps|cycle|period|hold|anneal|timescale|initial|epoch|length|decay_t$|_t$|iters")


@dataclasses.dataclass(frozen=True)
class LookedFor:
    """The LRs of a run, and every number that may be an argument of a call that has them.

    `values`: the LR of each update.  `given`: numbers that the source's call has, and `named` those with a name.
    `error`: the exception that ended the run.  `deviating`: schedules of the searched library that are known not to do
    what they document, often a step early or late: their closed forms are compared with a step more or less too.
    """

    values: Rates
    warmup_steps: int
    total_steps: int
    base_lr: float
    given: tuple[float, ...] = ()
    named: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    error: str = ""
    deviating: frozenset[str] = frozenset()

    @functools.cached_property
    def peak(self) -> float:
        """The highest LR."""
        top = float(np.nanmax(self.values)) if len(self.values) else 0.0
        return top if top > 0 else self.base_lr

    @functools.cached_property
    def sampled(self) -> np.ndarray:
        """The steps that closed forms are compared at, before total_steps."""
        total, warmup = self.total_steps, self.warmup_steps
        near = [*range(6), *range(warmup - 3, warmup + 4), *range(total - 6, total)]
        even = np.linspace(0, total - 1, SAMPLES).round().astype(int)
        return np.unique(np.clip([*near, *even], 0, total - 1))

    @functools.cached_property
    def sampled_key(self) -> str:
        """The sampled steps as a text."""
        return str(self.sampled.tobytes())

    @functools.cached_property
    def at_samples(self) -> Rates:
        """The LRs at the sampled steps."""
        return np.asarray(self.values[self.sampled])

    @functools.cached_property
    def early_and_late(self) -> tuple[Rates, Rates]:
        """The LRs one step before the sampled ones, and one step after them."""
        steps = self.sampled
        return self.values[np.maximum(steps - 1, 0)], self.values[np.minimum(steps + 1, len(self.values) - 1)]

    @functools.cached_property
    def rates(self) -> tuple[float, ...]:
        """LRs and shares of the base LR that the run shows."""
        values, total = self.values, min(self.total_steps, len(self.values))
        tail = values[self.warmup_steps : total]
        shown = [values[0], values[total - 1], *values[total : total + 1]]
        shown += [tail.min(), tail.max()] if len(tail) else []
        seen = [float(value) for value in shown if np.isfinite(value) and value >= 0]
        ratio = [float(values[total - 1] / values[total - 2])] if total > 2 and values[total - 2] > 0 else []
        start = [1.0 / n for n in (self.warmup_steps, self.warmup_steps + 1) if n > 0]
        others = [abs(number) for number in self.given if abs(number) <= 2]
        shares = [rate / self.base_lr for rate in (*others, *seen)]
        products = [rate * self.base_lr for rate in others]
        # What a person wrote comes first: of equally near ones the first is taken.
        pool = (0.0, 0.5, 1.0, 2.0, *others, *products, *start, *shares, *seen, *ratio)
        return tuple(dict.fromkeys(float(f"{value:.12g}") for value in pool))

    @functools.cached_property
    def cycles(self) -> int:
        """How often the LR jumps up after the warmup, and one more."""
        rises = np.diff(self.values[self.warmup_steps : self.total_steps]) > self.peak / 2
        return int(rises[1:].sum()) + 1

    @functools.cached_property
    def lengths(self) -> tuple[int, ...]:
        """Numbers of steps that the run shows, or parts of it in equal cycles."""
        warmup, total = self.warmup_steps, self.total_steps
        rest = total - warmup
        near = np.flatnonzero(self.values[:total] >= self.peak * (1 - 1e-9))
        held = [len(near), len(near) - 1, total - int(near[-1]) - 1, total - int(near[-1])] if len(near) else []
        jumps = np.flatnonzero(np.diff(self.values[:total]) > self.peak / 2) + 1
        periods = [int(step) - warmup for step in jumps[:2]]
        cycles = [rest // count for count in range(2, 7)]
        numbers = [int(number) for number in self.given if number == int(number) and number >= 1]
        pool = (1, 2, *numbers, warmup, total, rest, len(jumps) + 1, *cycles, *held, *periods)
        return tuple(dict.fromkeys(number for number in pool if number >= 0))


@dataclasses.dataclass(frozen=True)
class CandidateCall:
    """A schedule with its numbers, and how far its closed form is from what is looked for, as a share of the peak.

    `mean`: the mean distance, which falls while one of several arguments is on its way to its right value.
    """

    schedule: LibrarySchedule
    numbers: Arguments
    distance: float
    mean: float = 0.0

    @property
    def effort(self) -> tuple[int, int]:
        """Arguments that differ from their usual values, and the place among the library's schedules."""
        usual = self.schedule.fields
        changed = sum(self.numbers[name] != value for name, value in usual.items())
        return changed, len(self.schedule.call)

    @property
    def order(self) -> tuple[float, tuple[int, int]]:
        """The nearest first; of equally near ones the simplest."""
        return 0.0 if self.distance < NEAR else self.distance, self.effort


#: The values of closed forms at a few steps: the same schedules are compared with one run after the other.
_KNOWN: dict[tuple[str, ...], Rates | None] = {}
_MOST_KNOWN = 200_000


def _closed_form(schedule: LibrarySchedule, numbers: Arguments, wanted: LookedFor) -> Rates | None:
    """The closed form at the sampled steps; None where it refuses the numbers."""
    key = (schedule.call, schedule.name, repr(dict(numbers)), wanted.sampled_key)
    if key not in _KNOWN:
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        try:
            with np.errstate(all="ignore"):
                values = schedule.reference(numbers)(wanted.sampled, base_lr=numbers.base_lr)
            _KNOWN[key] = values if np.isfinite(values).all() else None
        except (ArithmeticError, ValueError, TypeError, IndexError, KeyError):
            _KNOWN[key] = None
    return _KNOWN[key]


def candidate(schedule: LibrarySchedule, numbers: Arguments, wanted: LookedFor) -> CandidateCall:
    """A call, and the differences of its closed form from the run at the sampled steps, as shares of the peak."""
    values = _closed_form(schedule, numbers, wanted)
    if values is None:
        return CandidateCall(schedule, numbers, np.inf, np.inf)
    gaps = [np.abs(values - wanted.at_samples)]
    if schedule.name in wanted.deviating:
        early = values[:-1] - wanted.early_and_late[0][:-1]
        late = values[1:] - wanted.early_and_late[1][1:]
        gaps += [np.abs(early), np.abs(late)]
    gap = min(gaps, key=lambda gap: float(gap.sum()) / len(gap)) / wanted.peak
    return CandidateCall(schedule, numbers, float(gap.max()), float(gap.sum()) / len(gap))


def candidates(library: Library, wanted: LookedFor) -> list[CandidateCall]:
    """Calls of a library, the nearest first; each schedule of it has at least one, unless it refuses all numbers."""
    best = [found for schedule in library.schedules if (found := _started(schedule, wanted)) is not None]
    best.sort(key=lambda found: found.order)
    if best and best[0].distance < NEAR:
        return best
    varied = [_varied(found, wanted) for found in best[:SCHEDULES] if found.mean < HOPELESS]
    return sorted([*varied, *best], key=lambda found: found.order)


def _tried(schedule: LibrarySchedule, tries: Iterable[Arguments], wanted: LookedFor) -> list[CandidateCall]:
    found = [candidate(schedule, numbers, wanted) for numbers in tries]
    return [one for one in found if np.isfinite(one.distance)]


def _better(found: CandidateCall, others: Iterable[CandidateCall], share: float) -> CandidateCall:
    """The best of the others where it leaves less than a share of the difference, else the one that was found."""
    best = min(others, key=lambda one: (_level(one.mean), one.effort), default=found)
    if best.distance < NEAR <= found.distance or best.mean < share * found.mean:
        return best
    return found


def _level(mean: float) -> float:
    """A difference in two digits, so that a simpler call is not beaten by noise."""
    return 0.0 if mean < NEAR else float(f"{mean:.1e}")


def _started(schedule: LibrarySchedule, wanted: LookedFor) -> CandidateCall | None:
    """The best with the usual fields, those of a variant, or those of the same name in the source's call."""
    usual = dict(schedule.fields)
    named = {name: value for name, value in wanted.named.items() if name in usual}
    settings = [usual, usual | named, *(usual | dict(numbers) for numbers in schedule.variants.values())]
    if any(_CYCLES.search(name) for name in usual):
        equal = {name: _like(value, 1) for name, value in usual.items() if _FACTOR.search(name)}
        jumps = {name: _like(value, wanted.cycles) for name, value in usual.items() if _COUNT.search(name)}
        settings.append(usual | equal | jumps)
    whole = wanted.total_steps - wanted.warmup_steps  # one cycle, or one stage, from the warmup to the end
    lengths = [name for name, value in usual.items() if _STEPS.search(name) and type(value) is int]
    settings += [setting | {name: whole // wanted.cycles} for name in lengths for setting in settings]
    same = {"warmup_steps": wanted.warmup_steps, "total_steps": wanted.total_steps}
    tries = [Arguments(**{**setting, "base_lr": wanted.base_lr, **same}) for setting in settings]
    found = min(_tried(schedule, tries, wanted), key=lambda one: one.order, default=None)
    if found is None:
        return None
    if wanted.peak != wanted.base_lr:
        found = _better(found, _tried(schedule, [found.numbers.but(base_lr=wanted.peak)], wanted), HALF)
    return _better(found, _tried(schedule, _other_lengths(schedule, found.numbers, wanted), wanted), HALF)


def _like(usual: object, number: int) -> object:
    """The number in the type of the usual value."""
    if isinstance(usual, bool) or not isinstance(usual, int | float):
        return usual
    return number if isinstance(usual, int) else float(number)


def _other_lengths(schedule: LibrarySchedule, numbers: Arguments, wanted: LookedFor) -> Iterator[Arguments]:
    """One step more or less in the warmup, in all, or in both; or no warmup."""
    takes = schedule.takes
    warmups = {0, *(wanted.warmup_steps + change for change in (-1, 0, 1))} if "warmup_steps" in takes else {0}
    totals = {wanted.total_steps + change for change in (-1, 0, 1)}
    for warmup, total in itertools.product(sorted(warmups), sorted(totals)):
        if warmup >= 0 and total >= 1:
            yield numbers.but(warmup_steps=warmup, total_steps=total)


def _varied(found: CandidateCall, wanted: LookedFor) -> CandidateCall:
    """Each argument in turn takes every value that the run or the source's call suggests."""
    schedule = found.schedule
    for _ in range(ROUNDS):
        before = found.mean
        for name, usual in schedule.fields.items():
            if found.distance < NEAR:
                return found
            tries = [found.numbers.but(**{name: value}) for value in _values(schedule, name, usual, wanted)]
            found = _better(found, _tried(schedule, tries, wanted), LESS)
        lengths = _other_lengths(schedule, found.numbers, wanted)
        found = _better(found, _tried(schedule, lengths, wanted), HALF)
        if found.mean >= before:
            break
    return found


def _values(schedule: LibrarySchedule, name: str, usual: object, wanted: LookedFor) -> list[Any]:
    """What an argument may be: its usual and other declared values, and numbers of the right kind."""
    known = [usual, *(numbers[name] for numbers in schedule.variants.values() if name in numbers)]
    if name in wanted.named:
        known.append(wanted.named[name])
    is_number = any(isinstance(value, int | float) and not isinstance(value, bool) for value in known)
    if is_number and _STEPS.search(name):
        whole = any(isinstance(value, int) for value in known)
        known += wanted.lengths if whole else (*map(float, wanted.lengths), *wanted.rates)
    elif is_number or usual is None:
        known += wanted.rates
    if _GROWS.search(name) and is_number:  # cycles that shrink to nothing would never end
        known = [value for value in known if not isinstance(value, int | float) or value >= 1]
    return [value for i, value in enumerate(known) if value not in known[:i]]


def neighbours(found: CandidateCall, wanted: LookedFor) -> Iterator[CandidateCall]:
    """The same call with a step more or less, for a library that does otherwise than it documents."""
    takes = found.schedule.takes
    warmup, total = found.numbers.warmup_steps, int(found.numbers.total_steps)
    for change, longer in ((-1, -1), (-1, 0), (0, -1), (1, 1), (1, 0), (0, 1)):
        if (change and "warmup_steps" not in takes) or warmup + change < 0 or total + longer < 1:
            continue
        numbers = found.numbers.but(warmup_steps=warmup + change, total_steps=total + longer)
        yield candidate(found.schedule, numbers, wanted)
