"""Printed lines read by the pattern of a line of the same form: all but its digits is the same."""

from __future__ import annotations

import collections
import itertools
import re
from collections.abc import Callable
from typing import NamedTuple

from .printed_line import NamedNumber, learning_rates, steps

DIGITS = re.compile(r"\d+")
#: Digits, padding, or any other character.
TOKEN = re.compile(r"\d+| +|.", re.DOTALL)
#: A form that was met this often gets a pattern, and another one each time that this number doubles: a pattern takes
#: longer to make than a line to read. More than MOST_FORMS forms are free text.
OFTEN, MOST_FORMS = 4, 2000
#: Patterns that are tried before a line is read without one: those that matched last.
TRIED = 8


class LineKind(NamedTuple):
    """What a line names: its steps and then its learning rates."""

    steps: tuple[str, ...] = ()
    lrs: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in the order of the values of a line."""
        return self.steps + self.lrs


class LinePattern(NamedTuple):
    """How lines of one form are read: `places` are the groups of a match that hold the values of `kind`."""

    match: Callable[[str], re.Match[str] | None]
    places: tuple[int, ...]
    kind: LineKind


class LinePatterns:
    """Reads lines, and keeps a pattern for each form of line that it has met often.

    >>> read = LinePatterns().read
    >>> [read(f"step {step:2} lr {0.5 / step:.3g}")[1] for step in (1, 2, 5, 10)]
    [(1.0, 0.5), (2.0, 0.25), (5.0, 0.1), (10.0, 0.05)]
    """

    def __init__(self) -> None:
        self._met: collections.Counter[str] = collections.Counter()
        self._patterns: list[LinePattern] = []
        self._kinds: dict[LineKind, LineKind] = {}

    def read(self, line: str) -> tuple[LineKind, tuple[float, ...]]:
        """What a line names, and the numbers."""
        for i, (match, places, kind) in enumerate(self._patterns):
            found = match(line)
            if found is not None:
                if i:
                    self._patterns.insert(0, self._patterns.pop(i))
                return kind, tuple([float(found[place]) for place in places])
        numbers, lrs = steps(line), learning_rates(line)
        kind = self._kind(numbers, lrs)
        self._learn(line, numbers, lrs, kind)
        return kind, tuple([float(line[number.start : number.end]) for number in (*numbers, *lrs)])

    def _kind(self, numbers: list[NamedNumber], lrs: list[NamedNumber]) -> LineKind:
        """The kind of a line, one object for all lines of that kind."""
        kind = LineKind(tuple([number.name for number in numbers]), tuple([lr.name for lr in lrs]))
        return self._kinds.setdefault(kind, kind)

    def _learn(self, line: str, numbers: list[NamedNumber], lrs: list[NamedNumber], kind: LineKind) -> None:
        """Use a pattern for lines like this one, if they are many."""
        form = DIGITS.sub("0", line)
        if len(self._met) >= MOST_FORMS and form not in self._met:
            return
        self._met[form] += 1
        count = self._met[form]
        if count >= OFTEN and count & (count - 1) == 0:
            pattern = pattern_of(line, numbers, lrs, kind)
            if pattern is not None:
                self._patterns = [pattern, *self._patterns[: TRIED - 1]]


def pattern_of(line: str, numbers: list[NamedNumber], lrs: list[NamedNumber], kind: LineKind) -> LinePattern | None:
    r"""The pattern of the lines that differ from this one in digits and in the spaces that pad them.

    The digits of a name, such as `lr group 0`, are the same in all of them. None where a number has no clear place.

    >>> line = "lr/1 is 0.5  at step  3"
    >>> pattern_of(line, steps(line), learning_rates(line), LineKind()).match("lr/1 is 0.25 at step 12").groups()
    ('0.25', '12')
    """
    spans = sorted({(number.start, number.end) for number in (*numbers, *lrs)})
    said = [number.said for number in lrs]
    starts, ends, text, at = {start for start, _ in spans}, {end for _, end in spans}, "", 0
    for token in TOKEN.finditer(line):
        at, word = token.start(), token[0]
        text += ")" if at in ends else ""
        text += "(" if at in starts else ""
        starts.discard(at)
        ends.discard(at)
        if any(start <= at < end for start, end in said):
            text += re.escape(word)
        elif word[0] == " " and (_is_digit(line, at - 1) or _is_digit(line, token.end())):
            text += " +"
        else:
            text += r"\d+" if word.isdecimal() else re.escape(word)
    text += ")" if len(line) in ends else ""
    if starts or ends - {len(line)} or any(end > start for (_, end), (start, _) in itertools.pairwise(spans)):
        return None
    places = {span: i for i, span in enumerate(spans, 1)}
    ordered = tuple(places[number.start, number.end] for number in (*numbers, *lrs))
    return LinePattern(re.compile(text, re.DOTALL).fullmatch, ordered, kind)


def _is_digit(line: str, at: int) -> bool:
    return 0 <= at < len(line) and line[at].isdecimal()
