"""Learning rates in the printed lines of a training script, as a table."""

from __future__ import annotations

import collections
import dataclasses
import functools
import re
from collections.abc import Callable, Iterator

from reference.check import Steps

from .columns import STEP_NAMES, Table, Values, of_values
from .line_patterns import LineKind, LinePatterns
from .printed_line import has_step, learning_rates
from .source import Source

COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
#: Characters at both ends of a text in which printed learning rates are looked for.
LOOKED_AT = 2**20


@dataclasses.dataclass(eq=False)
class PrintedRows:
    """Lines that name a learning rate: the number of each, what it names, and the numbers."""

    lines: list[int] = dataclasses.field(default_factory=list)
    kinds: list[LineKind] = dataclasses.field(default_factory=list)
    values: list[tuple[float, ...]] = dataclasses.field(default_factory=list)

    def add(self, line: int, kind: LineKind, values: tuple[float, ...]) -> None:
        """Append a row."""
        self.lines.append(line)
        self.kinds.append(kind)
        self.values.append(values)

    def only(self, keep: Callable[[LineKind], bool]) -> PrintedRows:
        """The rows of some kinds."""
        kinds = {kind for kind in set(self.kinds) if keep(kind)}
        rows = [i for i, kind in enumerate(self.kinds) if kind in kinds]
        if len(rows) == len(self.kinds):
            return self
        return PrintedRows([self.lines[i] for i in rows], [self.kinds[i] for i in rows], [self.values[i] for i in rows])

    def column(self, name: str) -> tuple[Values, Steps | None]:
        """The column of a name, and its rows with a value."""
        places = {kind: kind.names.index(name) if name in kind.names else -1 for kind in set(self.kinds)}
        if len(places) == 1:
            place = next(iter(places.values()))
            return of_values([values[place] for values in self.values])
        at = [places[kind] for kind in self.kinds]
        return of_values([values[i] if i >= 0 else None for i, values in zip(at, self.values, strict=True)])


def is_printed(text: str) -> bool:
    """Whether lines name a learning rate and its number; the first line may be the header of a table.

    >>> is_printed("start\\nstep 1 lr 0.1\\nstep 2 lr 0.2\\n"), is_printed("step lr\\n1 0.1\\n2 0.2\\n")
    (True, False)
    """
    body = text.lstrip().partition("\n")[2] or text.lstrip().partition("\r")[2]
    parts = [body] if len(body) <= 2 * LOOKED_AT else [body[:LOOKED_AT], body[-LOOKED_AT:]]
    return any(learning_rates(line) for part in parts for _, line in _lines(part) if not line.lstrip().startswith("#"))


def read_printed(source: Source, text: str) -> Table:
    """The table of the printed lines that name a learning rate, with the steps that they or the lines before name.

    Raises ValueError if no line names a learning rate.
    """
    own, carried = PrintedRows(), PrintedRows()
    before: tuple[LineKind, tuple[float, ...]] = LineKind(), ()
    read = LinePatterns().read
    for number, line in _lines(text):
        kind, values = read(line)
        if not kind.lrs:
            before = (kind, values) if kind.steps else before
        elif kind.steps:
            own.add(number, kind, values)
        else:
            carried.add(number, LineKind(before[0].steps, kind.lrs), before[1] + values)
    rows = own
    if len(own.lines) < len(carried.lines):
        named = carried.only(lambda kind: has_step(kind.steps))
        rows = named if named.lines else carried
    if not rows.lines:
        raise ValueError(f"{source.shown} must have lines that name a learning rate and its number")
    rows = _with_the_usual_step(_merged(rows))
    column = functools.cache(rows.column)
    names = list(dict.fromkeys(name for kind in dict.fromkeys(rows.kinds) for name in kind.names))
    return Table(
        names,
        lambda name: column(name)[0],
        lambda row: f"line {rows.lines[row]}",
        unfinished=not text.endswith(("\n", "\r")),
        present=lambda name: column(name)[1] if name in names else None,
    )


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines with their numbers; a carriage return, as progress bars print it, starts a line too."""
    for number, line in enumerate(text.split("\n"), 1):
        for part in line.split("\r") if "\r" in line else (line,):
            if part:
                yield number, COLOURS.sub("", part) if "\x1b" in part else part


def _merged(rows: PrintedRows) -> PrintedRows:
    """The rows, where those that follow each other with the same steps and other learning rates are one."""
    if len(set(rows.kinds)) == 1:
        return rows
    merged = PrintedRows()
    for number, kind, values in zip(rows.lines, rows.kinds, rows.values, strict=True):
        if merged.kinds and kind.steps and kind is not merged.kinds[-1]:
            last, count = merged.kinds[-1], len(kind.steps)
            same = last.steps == kind.steps and merged.values[-1][:count] == values[:count]
            if same and not set(kind.lrs) & set(last.lrs):
                merged.kinds[-1] = LineKind(kind.steps, last.lrs + kind.lrs)
                merged.values[-1] += values[count:]
                continue
        merged.add(number, kind, values)
    return merged


def _with_the_usual_step(rows: PrintedRows) -> PrintedRows:
    """The rows that have the kind of step that most rows have: a setting printed at the start has none."""
    kinds = collections.Counter(rows.kinds)
    for name in (*STEP_NAMES, "batch", "epoch"):
        if sum(count for kind, count in kinds.items() if name in kind.steps) > len(rows.lines) / 2:
            return rows.only(lambda kind, name=name: name in kind.steps)  # type: ignore[misc]
    return rows
