"""Uses that every schedule with such an argument is tried with; an LR within bounds is due, or a refusal."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .library import LibrarySchedule

#: Arguments that are LRs, and that the LR ends at or does not fall below.
FLOORS = ("min_lr", "lr_min", "eta_min", "end_lr", "lr_end", "final_lr", "end_value", "end", "final_value")
#: Arguments by which each cycle is longer than the one before.
MULTIPLIERS = ("cycle_mul", "cycle_mult", "t_mul", "t_mult")
#: Updates that are enough for cycles which halve to come to an end.
CYCLING = 40
#: Below every other base LR; it can be above the default of an argument that is left out.
LOW_LR = 3e-4
_PLACE = re.compile(r"\{([^{}]+)\}")


def unusual(schedule: LibrarySchedule) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """An axis, its call, and its numbers."""
    fields = schedule.fields
    used = {name for name in fields if name in schedule.takes}
    for name in MULTIPLIERS:
        if name in used:
            for number in (0.5, 1.5):
                yield f"{name}{number}", schedule.call, {name: number, "total_steps": CYCLING}
    for name in sorted(used - {*MULTIPLIERS, *FLOORS}):
        if isinstance(fields[name], float) and fields[name] and "div" not in name:
            yield f"zero-{name}", schedule.call, {name: 0.0}
    for name in sorted(used & set(FLOORS))[:1]:
        yield f"below-{name}", schedule.call, {name: LOW_LR, "base_lr": LOW_LR / 2}
    short = without(schedule.call, {*fields} | (set() if schedule.rate else {"base_lr"}))
    if short != schedule.call and "partial(" not in schedule.call:  # which takes any arguments
        yield "defaults", short, {}
        yield "defaults-base3e-4", short, {"base_lr": LOW_LR}


def without(call: str, names: set[str]) -> str:
    """The call without the keyword arguments whose value is made of these names alone.

    >>> without("Cosine(optimizer, steps={total_steps}, min_lr={min_lr}, by_epoch=False)", {"min_lr"})
    'Cosine(optimizer, steps={total_steps}, by_epoch=False)'
    """
    values = {f"__{i}__": place for i, place in enumerate(_PLACE.findall(call))}
    numbered = iter(values)
    tree = ast.parse(_PLACE.sub(lambda _: next(numbered), call), mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            node.keywords = [word for word in node.keywords if not _only(word.value, values, names)]
    text = ast.unparse(tree)
    if text == ast.unparse(ast.parse(_PLACE.sub(lambda _: "0", call), mode="eval")):
        return call
    for name, value in values.items():
        text = text.replace(name, "{" + value + "}")
    return text


def _only(value: ast.expr, values: Mapping[str, str], names: set[str]) -> bool:
    places = [values[node.id] for node in ast.walk(value) if isinstance(node, ast.Name) and node.id in values]
    used = set[str]().union(*(_names(ast.parse(place, mode="eval")) for place in places))
    return bool(places) and used <= names


def _names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
