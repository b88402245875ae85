"""The numbers of a schedule's call, solved from the values of its expressions."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from suite.libraries.core.library import LibrarySchedule

Equation = tuple[str, Any, bool]
LENGTHS = ("warmup_steps", "total_steps")


@dataclasses.dataclass
class SolvedNumbers:
    """The arguments that a call's values determine."""

    fields: Collection[str]
    values: dict[str, Any] = dataclasses.field(default_factory=dict)

    def unknown(self, expression: str) -> set[str]:
        """The names in an expression that are not known yet."""
        return names_in(expression, self.fields) - self.values.keys()

    def value(self, expression: str, **others: Any) -> Any:
        """The value of an expression; None where it has none."""
        names = {**self.values, **others}
        try:
            if "warmup_steps" in names and "total_steps" in names:
                names["decay_steps"] = names["total_steps"] - names["warmup_steps"]
            return eval(expression, {}, names)  # templates are ours
        except (ArithmeticError, NameError, TypeError, ValueError):
            return None


def names_in(expression: str, fields: Collection[str]) -> set[str]:
    """The arguments that an expression uses, `decay_steps` as the two that it is made of.

    >>> sorted(names_in("min(decay_steps, cycle)", ["cycle"]))
    ['cycle', 'total_steps', 'warmup_steps']
    """
    names = set(re.findall(r"[A-Za-z_]\w*", expression))
    return (names & {*fields, *LENGTHS, "base_lr"}) | (set(LENGTHS) if "decay_steps" in names else set())


def solved(
    schedule: LibrarySchedule, equations: Iterable[Equation], known: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Every argument that follows from the equations, those of values that were written before those of defaults."""
    rest = sorted(equations, key=lambda equation: equation[2])
    numbers = SolvedNumbers(tuple(schedule.fields), dict(known or {}))
    for unknowns in (1, 1, 2, 1, 3, 1):
        for only_written in (True, False):
            for expression, value, is_default in rest:
                unknown = numbers.unknown(expression)
                if not unknown or len(unknown) > unknowns or (only_written and is_default):
                    continue
                for found in _solutions(numbers, expression, value, unknown, schedule.fields):
                    numbers.values.update(found)
                    break
    return numbers.values


def violations(schedule: LibrarySchedule, equations: Iterable[Equation]) -> float:
    """How many of the equations cannot hold at once; those of defaults count half."""
    equations = list(equations)
    numbers = SolvedNumbers(tuple(schedule.fields), solved(schedule, equations))
    wrong = [
        0.5 if is_default else 1.0
        for expression, value, is_default in equations
        if not numbers.unknown(expression) and not _equal(numbers.value(expression), value)
    ]
    return sum(wrong)


def _solutions(
    numbers: SolvedNumbers, expression: str, value: Any, unknown: set[str], usual: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Values of the unknown arguments that give the value; all but one are guessed where there are several."""
    # The lengths last: an argument with a usual value of its own is what a person changes on purpose.
    for name in sorted(unknown, key=lambda name: (name in LENGTHS, name == "total_steps", name)):
        guesses: dict[str, Any] = {}
        for other in unknown - {name}:
            if other in usual:
                guesses[other] = usual[other]
            elif other == "warmup_steps":
                guesses[other] = 0
            elif isinstance(value, int) and value >= 1:
                guesses[other] = value + numbers.values.get("warmup_steps", 0)
        for guess in _guesses(numbers, expression, value, name, guesses):
            number = guess
            if name in LENGTHS:
                if not _is_number(guess) or (name == "total_steps" and (guess != int(guess) or guess < 1)):
                    continue
                number = int(guess) if guess == int(guess) else guess
            if _equal(numbers.value(expression, **guesses, **{name: number}), value):
                yield {**guesses, name: number}


def _guesses(
    numbers: SolvedNumbers, expression: str, value: Any, name: str, guesses: Mapping[str, Any]
) -> Iterator[Any]:
    yield value
    if isinstance(value, str):  # a length with its unit
        yield from map(int, re.findall(r"^\d+(?!\d|dur)", value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    for one, other in ((1, 2), (1000, 1001), (10**6, 10**6 + 1)):  # linear in the unknown, if only from somewhere on
        first = numbers.value(expression, **guesses, **{name: one})
        second = numbers.value(expression, **guesses, **{name: other})
        if _is_number(first) and _is_number(second) and first != second:
            guess = one + (value - first) * (other - one) / (second - first)
            yield from _rounded(guess)
    if value:
        yield from _rounded(1.0 / value)
    yield from _rounded(value + numbers.values.get("warmup_steps", 0))


def _rounded(guess: float) -> Iterator[Any]:
    if math.isfinite(guess):
        if math.isclose(guess, round(guess), rel_tol=1e-9, abs_tol=1e-9):
            yield round(guess)
        yield guess


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _equal(one: Any, other: Any) -> bool:
    if _is_number(one) and _is_number(other):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-15)
    return bool(one == other)
