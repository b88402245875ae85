"""Python source for a script, formatted like ruff: the optimizer, the schedulers, their arguments."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Sequence
from typing import Any

from reference import ChainedScheduler, ExponentialLR, LinearLR, ReduceLROnPlateau, Schedule

from .axes import BASE_LRS, Setup
from .build import arguments, for_group
from .case import Case
from .optimizers import OPTIMIZERS, parameter_code
from .subject import installed

#: The formatter's default line length.
WIDTH = 88

#: Readable variable names for the parts of a composition; the second of a kind gets a number.
NAMES = {
    "ChainedScheduler": "chain",
    "CosineAnnealingLR": "cosine",
    "CosineAnnealingWarmRestarts": "restarts",
    "ExponentialLR": "exponential",
    "LambdaLR": "factor",
    "LRScheduler": "base",
    "MultiplicativeLR": "multiplicative",
    "OneCycleLR": "one_cycle",
    "PolynomialLR": "polynomial",
    "ReduceLROnPlateau": "plateau",
    "SequentialLR": "sequence",
    "StepLR": "drops",  # not `step`, which counts the updates
    "SWALR": "swa",
}

Argument = str | tuple[str, list[str]]  # a text, or the prefix and items of a list


def literal(value: Any) -> str:
    """A value as Python source: NaN and infinity have no literal of their own."""
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return json.dumps(value) if isinstance(value, str) else repr(value)


def listed(before: str, items: Sequence[str], indent: str = "", end: str = "") -> str:
    """A list on one line if it fits, else one item per line."""
    flat = f"{before}[{', '.join(items)}]{end}"
    if len(flat) <= WIDTH:
        return flat
    return "\n".join([f"{before}[", *(f"{indent}    {item}," for item in items), f"{indent}]{end}"])


def call(target: str, name: str, args: Sequence[Argument], indent: str = "", width: int = WIDTH) -> str:
    """``target name(args)``: on one line, else all arguments on a second line, else one per line."""
    texts = [arg if isinstance(arg, str) else f"{arg[0]}[{', '.join(arg[1])}]" for arg in args]
    flat, inner = ", ".join(texts), f"{indent}    "
    if len(f"{target}{name}({flat})") <= width:
        return f"{target}{name}({flat})"
    if len(inner + flat) <= width:
        return f"{target}{name}(\n{inner}{flat}\n{indent})"
    lines = [inner + arg + "," if isinstance(arg, str) else listed(inner + arg[0], arg[1], inner, ",") for arg in args]
    return "\n".join([f"{target}{name}(", *lines, f"{indent})"])


def printed(text: str) -> str:
    """A print call for one sentence, split if it is long."""
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


def optimizer_code(setup: Setup, function: bool) -> str:
    """The optimizer, as a function or as plain statements."""
    device = "" if setup.device == "cpu" else f', device="{setup.device}"'
    zeros, indent = f"{parameter_code(setup.optimizer)}{device})", "    " if function else ""
    rates = [repr(r) if setup.lr_type == "float" else f"torch.tensor({r}{device})" for r in BASE_LRS]
    if setup.conversion.kind == "lr":
        rates = [setup.conversion.written(repr(r)) for r in BASE_LRS]
    lines = ["def make_optimizer():"] if function else []
    if setup.lr_type == "shared":
        lines.append(f"{indent}lr = {rates[0]}  # one tensor for all groups")
        rates = ["lr"] * setup.groups
    args: list[Argument] = [("", [zeros]), f"lr={rates[0]}"]
    if setup.groups > 1:
        groups = [f'{{"params": [{zeros}], "lr": {rate}}}' for rate in rates[: setup.groups]]
        lines.append(listed(f"{indent}groups = ", groups, indent))
        args = ["groups"]
    cls, options = OPTIMIZERS[setup.optimizer]
    args += [f"{key}={value}" for key, value in options.items()]
    target = f"{indent}{'return ' if function else 'optimizer = '}"
    lines.append(call(target, f"torch.optim.{cls.__name__}", args, indent))
    return "\n".join(lines)


def formula(schedule: Schedule) -> str:
    """A factor as a formula in t if a person would write one, else an empty string."""
    if isinstance(schedule, ExponentialLR):
        return f"{schedule.gamma}**t" if schedule.gamma >= 0 else f"({schedule.gamma})**t"
    if isinstance(schedule, LinearLR) and schedule.total_iters:
        s, e, n = schedule.start_factor, schedule.end_factor, schedule.total_iters
        return f"{s} + ({e} - {s}) * min(t, {n}) / {n}"
    # A chain is a product where its parts multiply: omit a factor of 1, put a sum in brackets.
    parts = [s for s in getattr(schedule, "schedulers", ()) if s != ExponentialLR(1.0)]
    texts = [formula(s) if isinstance(s, ExponentialLR | LinearLR) else "" for s in parts]
    if not isinstance(schedule, ChainedScheduler) or not all(texts):
        return ""
    return texts[0] if len(texts) == 1 else " * ".join(f"({text})" if "+" in text else text for text in texts)


class Schedulers:
    """The schedulers of a case as statements, in the construction order that the case requires."""

    def __init__(self, case: Case, last: int) -> None:
        self.case, self.last = case, last
        self.metrics = isinstance(case.schedule, ReduceLROnPlateau)
        self.tables: dict[str, list[float]] = {}
        self.kinds: set[str] = set()
        #: Name, class and arguments of each scheduler, in the order of construction; the outermost is last.
        self.made: list[tuple[str, str, list[Argument]]] = []
        self._names: dict[str, int] = {}
        self._add(case.schedule, "scheduler")

    def constants(self) -> list[str]:
        """Metrics and tables of factors, if the schedulers use any."""
        constants = dict(self.tables)
        if isinstance(self.case.schedule, ReduceLROnPlateau):
            constants["METRICS"] = list(self.case.schedule.metrics)
        return [listed(f"{name} = ", [literal(value) for value in values]) for name, values in constants.items()]

    def imports(self, code: str) -> list[str]:
        """The lines that import the scheduler classes, and those that other lines of the script name."""
        self.kinds |= {name for name in installed().public_names() if re.search(rf"\b{name}\b", code)}
        names = sorted(self.kinds - {"SWALR"}, key=lambda name: (name.lower(), name))
        line = f"from torch.optim.lr_scheduler import {', '.join(names)}"
        if len(line) > WIDTH:
            rows = [f"    {name}," for name in names]
            line = "\n".join(["from torch.optim.lr_scheduler import (", *rows, ")"])
        return [line] * bool(names) + ["from torch.optim.swa_utils import SWALR"] * ("SWALR" in self.kinds)

    def statements(self, result: str, *, indent: str = "", last_epoch: bool = False) -> list[str]:
        """One statement per scheduler; with `last_epoch`, the ones that the case restarts take that variable."""
        lines = []
        # Converted numbers are long, and a script about warnings indents everything once more.
        width = WIDTH - 4 if self.case.setup.numbers else WIDTH
        for i, (name, kind, args) in enumerate(self.made):
            target = result if i == len(self.made) - 1 else f"{name} = "
            restarted = kind != "ChainedScheduler" if self.case.setup.resume == "lastepoch" else target == result
            again = ["last_epoch=last_epoch"] if last_epoch and restarted else []
            lines.append(call(indent + target, kind, [*args, *again], indent, width))
        return lines

    def _add(self, schedule: Schedule, name: str) -> None:
        kind = type(schedule).__name__
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
            self._add(part, self._name(part))
            blocks.append(self.made[start:])
            del self.made[start:]
        for block in reversed(blocks) if setup.reverse else blocks:
            self.made += block
        names, conversion = [block[-1][0] for block in blocks], setup.conversion
        parts: Argument = ("", names)
        if conversion.kind == "parts":
            parts = conversion.written(f"[{', '.join(names)}]")
        if kind == "ChainedScheduler":
            self.made.append((name, kind, [parts]))
        else:
            milestones = self._argument("milestones", kwargs.get("milestones", []), schedule)
            self.made.append((name, kind, ["optimizer", parts, milestones]))

    def _name(self, schedule: Schedule) -> str:
        kind = type(schedule).__name__
        name = NAMES.get(kind, kind.removesuffix("LR").lower())
        self._names[name] = self._names.get(name, 0) + 1
        return name if self._names[name] == 1 else f"{name}{self._names[name]}"

    def _argument(self, key: str, value: Any, schedule: Schedule) -> Argument:
        setup = self.case.setup
        factor, conversion = getattr(schedule, key), setup.conversion
        field = next(f for f in dataclasses.fields(schedule) if f.name == key)  # type: ignore[arg-type]
        converted = conversion.takes(field)
        if isinstance(factor, Schedule):
            if isinstance(value, list):
                each = [for_group(schedule, g) for g in range(setup.groups)]
                return f"{key}=", [self._function(getattr(own, key)) for own in each]
            function = self._function(factor)
            return f"{key}={conversion.written(function) if converted else function}"
        if isinstance(value, list):
            items = [literal(item) for item in value]
            if converted and conversion.kind == "milestones":
                return f"{key}={conversion.written('[' + ', '.join(items) + ']')}"
            return f"{key}=", [conversion.written(item) for item in items] if converted else items
        return f"{key}={conversion.written(literal(value)) if converted else literal(value)}"

    def _function(self, factor: Schedule) -> str:
        result = self.case.setup.conversion
        convert = result.written if result.kind == "result" else str
        text = formula(factor)
        if text and (result.kind != "result" or len(convert(text)) <= WIDTH - len("    lr_lambda=lambda t: ,")):
            return f"lambda t: {convert(text)}"
        table = factor.trace(max(256, self.last + 16)).tolist()
        while len(table) > 1 and table[-1] == table[-2]:
            table.pop()
        name = f"FACTORS{len(self.tables) + 1 if self.tables else ''}"
        # A table that never comes to rest is cut a little after the last step of the script.
        ends = len(table) <= self.last
        self.tables[name] = table if ends else table[: self.last + 16]
        value = f"{name}[{f'min(t, {len(table) - 1})' if ends else 't'}]"
        return f"lambda t: {convert(value)}"
