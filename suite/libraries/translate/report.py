"""What `python -m suite translate` prints, and its result as plain data."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Console

from reference.check import Rates
from suite.libraries.known.deviations import LibraryDeviation
from suite.shared.console import finite, plain_table
from suite.shared.words import counted

from .defects import defects_of
from .differences import OTHER, after_words
from .source import SourceCall
from .translation import TranslatedCall
from .writing import lines_of, shown

#: Defects that are printed in full; the others by their ids.
MOST_DEFECTS = 3


@dataclasses.dataclass(frozen=True)
class TranslationResult:
    """A person's call, its run, and the nearest call of every other library.

    `failed`: library → why its files could not be read.  `names`: the libraries that were searched.
    """

    source: SourceCall
    values: Rates
    error: str
    found: Sequence[TranslatedCall]
    failed: Mapping[str, str]
    names: Sequence[str]

    @property
    def near(self) -> list[TranslatedCall]:
        """The calls that have the LRs of the person's call, or nearly so."""
        return [one for one in self.found if one.near]

    @property
    def without(self) -> list[str]:
        """The libraries that have no such schedule."""
        have = {one.opened.library.name for one in self.near}
        return [name for name in self.names if name not in have and name not in self.failed]


def source_defects(source: SourceCall) -> tuple[LibraryDeviation, ...]:
    """The known defects that a person's call may meet."""
    return defects_of(source.opened.library, source.schedule, source.numbers, source.opened.release)


def target_defects(call: TranslatedCall) -> tuple[LibraryDeviation, ...]:
    """The known defects that a call of another library may meet."""
    candidate = call.candidate
    return defects_of(call.opened.library, candidate.schedule, candidate.numbers, call.opened.release)


def print_translation(console: Console, result: TranslationResult) -> None:
    """Print the person's schedule as numbers, then a paragraph for each other library."""
    source = result.source
    release = f"{source.opened.library.name} {source.opened.release}"
    console.print(f"{release}, {source.schedule.name}: {source.text}")
    console.print(_about(source))
    if source.also:
        console.print(
            f"also possible: {', '.join(source.also)}; choose one with --from, such as --from {source.also[0]}"
        )
    _print_steps(console, result)
    for line in _defect_lines(source_defects(source)):
        console.print(line)
    if result.names:
        console.print("\nThe same in other libraries, checked by running both:")
    for call in result.near:
        _print_call(console, call, float(source.numbers.base_lr))
    if result.without:
        console.print(f"\nno schedule within {OTHER:.0%} of the peak: {', '.join(result.without)}")
    for name, reason in result.failed.items():
        console.print(f"not compared: {name}: {reason}")


def _about(source: SourceCall) -> str:
    numbers = source.numbers
    warmup = f"{numbers.warmup_steps:g} steps of warmup" if numbers.warmup_steps else "no warmup"
    updates = counted(source.steps, "update")
    assumed = " (assumed: the call does not say how many; --total-steps does)" if source.assumed else ""
    return f"base LR {shown(numbers.base_lr)}, {warmup}, {updates}{assumed}"


def steps_shown(source: SourceCall, values: Rates) -> list[int]:
    """The steps of the table: the first, those around the end of the warmup and around the end, and some after it."""
    warmup, total = int(source.numbers.warmup_steps), source.steps
    peak = int(np.nanargmax(values[:total])) if np.isfinite(values[:total]).any() else 0
    steps = {0, warmup - 1, warmup, peak, total - 1, total}
    if after_words(values, min(total, len(values))) != "stays":
        steps |= {total + 1, len(values) - 1}
    return sorted(step for step in steps if 0 <= step < len(values))


def _print_steps(console: Console, result: TranslationResult) -> None:
    source, values = result.source, result.values
    table = plain_table()
    table.add_column("step", justify="right")
    table.add_column("learning rate", justify="right")
    table.add_column("")
    total = source.steps
    notes = dict(_notes(source, values, result.error))
    for step in steps_shown(source, values):
        table.add_row(str(step), shown(values[step]), notes.get(step, ""))
    console.print(table)
    if len(values) < total:
        console.print(f"ends before update {len(values)}: {result.error}")
    elif result.error:
        console.print(f"step {len(values)} ends with {result.error}")


def _notes(source: SourceCall, values: Rates, error: str) -> Iterator[tuple[int, str]]:
    warmup, total = int(source.numbers.warmup_steps), source.steps
    peak = int(np.nanargmax(values[:total])) if np.isfinite(values[:total]).any() else 0
    if peak not in (warmup, 0):
        yield peak, "the highest"
    if 0 < warmup < total:
        yield warmup, "the first after the warmup"
    yield min(total, len(values)) - 1, "the last update"
    after = after_words(values, min(total, len(values)), error.partition(":")[0])
    yield total, "after the end" if after == "stays" else f"after the end: {after}"


def _print_call(console: Console, call: TranslatedCall, base_lr: float) -> None:
    words = "; ".join(part for part in (call.difference.words, call.difference.after) if part)
    release = call.opened.release
    console.print(f"\n{call.opened.library.name} {release}: {words}")
    lr = float(call.candidate.numbers.base_lr)
    if lr != base_lr and not call.candidate.schedule.rate:
        console.print(f"    # with the optimizer's lr={lr!r}")
    for line in call.lines:
        console.print(f"    {line}")
    for line in _defect_lines(target_defects(call)):
        console.print(f"    {line}")


def _defect_lines(entries: Sequence[LibraryDeviation]) -> Iterator[str]:
    for entry in entries[:MOST_DEFECTS]:
        yield f"# known defect [{entry.id}] if {entry.who}: {entry.title}"
    if len(entries) > MOST_DEFECTS:
        yield f"# known defects too: {', '.join(entry.id for entry in entries[MOST_DEFECTS:])}"


def translation_as_json(result: TranslationResult) -> dict[str, Any]:
    """The whole result, with every LR of every run."""
    source = result.source
    lines = lines_of(source.schedule, source.numbers, source.text, source.opened.signatures)
    steps = steps_shown(source, result.values)
    return {
        "call": source.text,
        "library": source.opened.library.name,
        "release": source.opened.release,
        "schedule": source.schedule.name,
        "also": list(source.also),
        "lines": list(lines),
        "arguments": {name: value for name, value in dict(source.numbers).items() if _plain(value)},
        "updates": source.steps,
        "updates_assumed": source.assumed,
        "steps": dict(zip(map(str, steps), finite(result.values[steps]), strict=True)),
        "after": after_words(result.values, min(source.steps, len(result.values)), result.error),
        "error": result.error,
        "defects": [entry.id for entry in source_defects(source)],
        "lrs": finite(result.values),
        "others": [_call_as_json(call) for call in result.near],
        "without": result.without,
        "failed": dict(result.failed),
    }


def _plain(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _call_as_json(call: TranslatedCall) -> dict[str, Any]:
    return {
        "library": call.opened.library.name,
        "release": call.opened.release,
        "schedule": call.candidate.schedule.name,
        "base_lr": float(call.candidate.numbers.base_lr),
        "lines": list(call.lines),
        "equal": call.difference.equal,
        "largest_difference": call.difference.size,
        "difference": call.difference.words,
        "after": call.difference.after,
        "error": call.error,
        "defects": [entry.id for entry in target_defects(call)],
        "lrs": finite(call.values),
    }
