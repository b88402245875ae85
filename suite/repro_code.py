"""Python source for a script: optimizer groups, schedulers and their arguments, laid out as ruff format does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from reference import ChainedScheduler, ExponentialLR, LinearLR, ReduceLROnPlateau, Schedule

from .build import arguments, for_group
from .case import Case
from .setup import Setup

#: The formatter's default line length.
WIDTH = 88

#: What a person calls the parts of a composition; a number is added to the second of a kind.
NAMES = {
    "ChainedScheduler": "chain",
    "CosineAnnealingLR": "cosine",
    "CosineAnnealingWarmRestarts": "restarts",
    "ExponentialLR": "exponential",
    "LRScheduler": "base",
    "MultiplicativeLR": "multiplicative",
    "OneCycleLR": "one_cycle",
    "PolynomialLR": "polynomial",
    "ReduceLROnPlateau": "plateau",
    "SequentialLR": "sequence",
    "SWALR": "swa",
}

Argument = str | tuple[str, list[str]]  # a text, or the items of a list with what stands before it


def listed(before: str, items: Sequence[str], indent: str = "", end: str = "") -> str:
    """A list on one line if it fits, else one item on each line."""
    flat = f"{before}[{', '.join(items)}]{end}"
    if len(flat) <= WIDTH:
        return flat
    return "\n".join([f"{before}[", *(f"{indent}    {item}," for item in items), f"{indent}]{end}"])


def call(target: str, name: str, args: Sequence[Argument], indent: str = "") -> str:
    """``target name(args)``: on one line, else all arguments on a second one, else one on each line."""
    texts = [arg if isinstance(arg, str) else f"{arg[0]}[{', '.join(arg[1])}]" for arg in args]
    flat, inner = ", ".join(texts), f"{indent}    "
    if len(f"{target}{name}({flat})") <= WIDTH:
        return f"{target}{name}({flat})"
    if len(inner + flat) <= WIDTH:
        return f"{target}{name}(\n{inner}{flat}\n{indent})"
    lines = [
        inner + arg + "," if isinstance(arg, str) else listed(inner + arg[0], arg[1], inner, ",")
        for arg in args
    ]
    return "\n".join([f"{target}{name}(", *lines, f"{indent})"])


def printed(text: str) -> str:
    """A call of print for one sentence, split where it is long."""
    rows, row = [], ""
    for word in text.split(" "):
        if row and len(row) + len(word) > WIDTH - 8:
            rows.append(row)
            row = ""
        row += f"{word} "
    rows.append(row[:-1])
    if len(rows) == 1:
        return call("", "print", [json.dumps(rows[0], ensure_ascii=False)])
    return "\n".join(["print(", *(f"    {json.dumps(row, ensure_ascii=False)}" for row in rows), ")"])


def tensor(function: str, value: str, setup: Setup) -> str:
    """A tensor on the device of the case."""
    device = "" if setup.device == "cpu" else f', device="{setup.device}"'
    return f"torch.{function}({value}{device})"


def formula(schedule: Schedule) -> str:
    """A factor as a formula of t where a person would write one, else an empty text."""
    if isinstance(schedule, ExponentialLR):
        return f"{schedule.gamma}**t"
    if isinstance(schedule, LinearLR) and schedule.total_iters:
        s, e, n = schedule.start_factor, schedule.end_factor, schedule.total_iters
        return f"{s} + ({e} - {s}) * min(t, {n}) / {n}"
    if isinstance(schedule, ChainedScheduler) and all(
        isinstance(s, ExponentialLR | LinearLR) for s in schedule.schedulers
    ):
        # A factor of 1 is left out, and a sum stands in brackets.
        kept = [s for s in schedule.schedulers if s != ExponentialLR(1.0)]
        parts = [(formula(s), isinstance(s, LinearLR)) for s in kept]
        if len(parts) == 1:
            return parts[0][0]
        return " * ".join(f"({text})" if is_sum else text for text, is_sum in parts)
    return ""


class Schedulers:
    """The schedulers of a case as statements; children are built in the order that the case asks for."""

    def __init__(self, case: Case, last: int) -> None:
        self.case, self.last = case, last
        self.metrics = isinstance(case.schedule, ReduceLROnPlateau)
        self.tables: dict[str, list[float]] = {}
        self.kinds: set[str] = set()
        #: Name, class and arguments of each scheduler, in the order of construction; the outermost is last.
        self.made: list[tuple[str, str, list[Argument]]] = []
        self._names: dict[str, int] = {}
        self._add(case.schedule)

    def constants(self) -> list[str]:
        """Metrics and tables of factors, where the schedulers use any."""
        found = dict(self.tables)
        if isinstance(self.case.schedule, ReduceLROnPlateau):
            found["METRICS"] = list(self.case.schedule.metrics)
        return [listed(f"{name} = ", [repr(value) for value in values]) for name, values in found.items()]

    def imports(self) -> list[str]:
        """The lines that import the classes."""
        names = sorted(self.kinds - {"SWALR"}, key=lambda name: (name.lower(), name))
        line = f"from torch.optim.lr_scheduler import {', '.join(names)}"
        if len(line) > WIDTH:
            line = "\n".join(
                ["from torch.optim.lr_scheduler import (", *(f"    {name}," for name in names), ")"]
            )
        return [line] * bool(names) + ["from torch.optim.swa_utils import SWALR"] * ("SWALR" in self.kinds)

    def statements(
        self, *, last_epoch: bool = False, indent: str = "", result: str = "scheduler = "
    ) -> list[str]:
        """One statement for each scheduler; with `last_epoch` each takes the variable of that name."""
        lines = []
        for i, (name, kind, args) in enumerate(self.made):
            target = result if i == len(self.made) - 1 else f"{name} = "
            again = ["last_epoch=last_epoch"] if last_epoch and kind != "ChainedScheduler" else []
            lines.append(call(indent + target, kind, [*args, *again], indent))
        return lines

    def _add(self, schedule: Schedule) -> None:
        name, kind = self._name(schedule), type(schedule).__name__
        self.kinds.add(kind)
        children = getattr(schedule, "schedulers", None)
        setup = self.case.setup
        kwargs = arguments(schedule, setup.groups, setup.lists)
        if children is None:
            args = ["optimizer", *(self._argument(key, value, schedule) for key, value in kwargs.items())]
            self.made.append((name, kind, args))
            return
        start = len(self.made)
        # Names are given in the order of the list, whatever the order of construction.
        blocks = []
        for part in children:
            self._add(part)
            blocks.append(self.made[start:])
            del self.made[start:]
        for block in reversed(blocks) if setup.reverse else blocks:
            self.made += block
        parts: Argument = ("", [block[-1][0] for block in blocks])
        if kind == "ChainedScheduler":
            self.made.append((name, kind, [parts]))
        else:
            milestones = [repr(m) for m in kwargs.get("milestones", [])]
            self.made.append((name, kind, ["optimizer", parts, ("milestones=", milestones)]))

    def _name(self, schedule: Schedule) -> str:
        kind = type(schedule).__name__
        name = NAMES.get(kind, kind.removesuffix("LR").lower())
        self._names[name] = self._names.get(name, 0) + 1
        return name if self._names[name] == 1 else f"{name}{self._names[name]}"

    def _argument(self, key: str, value: Any, schedule: Schedule) -> Argument:
        setup = self.case.setup
        factor = getattr(schedule, key)
        if isinstance(factor, Schedule):
            if isinstance(value, list):
                each = [for_group(schedule, g) for g in range(setup.groups)]
                return f"{key}=", [self._function(getattr(own, key)) for own in each]
            return f"{key}={self._function(factor)}"
        if isinstance(value, list):
            return f"{key}=", [repr(item) for item in value]
        return f"{key}={json.dumps(value) if isinstance(value, str) else value!r}"

    def _function(self, factor: Schedule) -> str:
        text = formula(factor)
        if text:
            return f"lambda t: {text}"
        table = factor.trace(max(256, self.last + 16)).tolist()
        while len(table) > 1 and table[-1] == table[-2]:
            table.pop()
        name = f"FACTORS{len(self.tables) + 1 if self.tables else ''}"
        # A table that never comes to rest is cut a little after the last step of the script.
        ends = len(table) <= self.last
        self.tables[name] = table if ends else table[: self.last + 16]
        return f"lambda t: {name}[{f'min(t, {len(table) - 1})' if ends else 't'}]"
