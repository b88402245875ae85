"""A case as a script that needs torch alone, ready for an upstream report."""

from __future__ import annotations

import dataclasses
import difflib
import textwrap
from collections.abc import Iterator
from typing import Any

from . import tolerances
from .case import Case, Refused, expected, expected_momenta, validated
from .cases import all_cases
from .known import Known, cause_of, readings
from .loop import RESTORES, Loop
from .repro_code import Schedulers, call, listed, printed, tensor
from .setup import BASE_LRS, Setup
from .subject import installed
from .verdict import Verdict, verdict_of

#: A script calls two floats equal up to these: wider than `tolerances`, so that a reader has nothing to derive.
REL_TOL, ABS_TOL = "1e-6", "1e-9"


def find(case_id: str) -> Case:
    """The case of this id, also with ``-cuda`` after it; raises ValueError with the nearest ids."""
    cases = {case.id: case for case in all_cases("cuda" if "-cuda" in case_id else "cpu")}
    if case_id not in cases:
        near = difflib.get_close_matches(case_id, cases, n=3, cutoff=0.5)
        hint = f"; nearest: {', '.join(near)}" if near else "; `python -m suite check --json` lists them"
        raise ValueError(f"case={case_id!r} is no case: its id must be one of {len(cases)}{hint}")
    return cases[case_id]


def script(case: Case, verdict: Verdict | None = None) -> str:
    """A Python script that shows what the case shows on the installed torch; imports nothing of ours.

    Its last line is ``first deviation: …`` or ``no deviation``, unless torch raises: then its traceback is.
    """
    return _Script(case, verdict or verdict_of(case, installed())).text()


class _Script:
    """The parts of one script; each holds only what its case needs."""

    def __init__(self, case: Case, verdict: Verdict) -> None:
        self.case, self.setup, self.verdict = case, case.setup, verdict
        release = installed().release
        self.entry: Known | None = cause_of(case, verdict, release) if verdict.kind == "deviates" else None
        self.positions = _positions(case)
        self.schedulers = Schedulers(case, max(self.positions))
        self.rule = ""
        try:
            validated(case.schedule)
        except Refused as refused:
            self.rule = str(refused)

    def text(self) -> str:
        """The whole script, as ruff format leaves it."""
        constants = [*self.schedulers.constants(), *([] if self.rule else [self.expected()])]
        resumed = bool(self.setup.resume)
        functions = [self.make_optimizer(), self.make_scheduler()] if resumed else []
        functions += [] if self.rule or self.setup.groups == 1 else self.helpers()
        body = self.refusal() if self.rule else self.comparison()
        top = "\n".join([*self.header(), "", *self.imports(body, functions)])
        blocks = [top + "\n\n" + "\n".join(constants) if constants else top, *functions]
        # Two blank lines stand around functions, one elsewhere.
        return "\n\n\n".join(blocks) + ("\n\n\n" if functions else "\n\n") + body + "\n"

    # -- the comment at the top ---------------------------------------------------

    def header(self) -> list[str]:
        """What is expected, on which reading of the documentation, and what was seen."""
        if self.rule:
            due = f"The constructor refuses this, because {self.rule}."
        else:
            due = f"{len(self.positions)} updates with the {self.quantity} below, without an exception or warning."
        lines = [
            f"{self.entry.title[0].upper()}{self.entry.title[1:]}." if self.entry else f"Case {self.case.id}."
        ]
        lines += [f"Expected: {due}"]
        if self.entry and self.entry.reading:
            lines += [f"Why: {readings()[self.entry.reading]['reading']}"]
        lines += [f"Seen with torch {installed().release}: {self.verdict.detail or 'what is expected'}."]
        lines += [f"See {link}" for link in self.entry.links] if self.entry else []
        return [f"# {row}" for line in lines for row in textwrap.wrap(line, 86, break_long_words=False)]

    def imports(self, body: str, functions: list[str]) -> Iterator[str]:
        """The standard library first, then torch."""
        code = "\n".join([body, *functions])
        standard = [f"import {name}" for name in ("io", "math", "warnings") if f"{name}." in code]
        yield from [*standard, ""] if standard else []
        yield "import torch"
        yield from self.schedulers.imports()

    # -- the parts of the run -----------------------------------------------------

    @property
    def quantity(self) -> str:
        """What the table compares, in words."""
        if self.verdict.shape == "momentum":
            return "momentum"
        return "LRs from get_last_lr()" if self.verdict.shape == "reported" else "LRs"

    @property
    def rounding(self) -> str:
        """Why the values need not be equal."""
        return "torch multiplies step by step: leave room for its rounding" + (
            "" if self.setup.lr_type == "float" else " in float32"
        )

    def helpers(self) -> list[str]:
        """Comparing and printing the rows of several groups."""
        close = f"def close(actual, expected):\n    # {self.rounding}\n    return math.isclose(actual, expected, {self.close})"
        return [close, 'def show(lrs):\n    return " ".join(f"{lr:<12.6g}" for lr in lrs)']

    def expected(self) -> str:
        """The values due in each update, exact."""
        if self.verdict.shape == "momentum":
            wanted = expected_momenta(self.case, self.positions)
            if wanted is None:
                raise ValueError(f"case={self.case.id!r} cycles no momentum that could deviate")
        else:
            wanted = expected(self.case, self.positions)
        rows = wanted.tolist()
        single = self.setup.groups == 1
        values = [repr(row[0]) if single else f"[{', '.join(map(repr, row))}]" for row in rows]
        return listed("EXPECTED = ", values)

    def make_optimizer(self) -> str:
        """The optimizer: a function where it is made again, a plain statement elsewhere."""
        setup = self.setup
        zeros = tensor("zeros", "1", setup)
        lrs = ["lr" if setup.lr_type == "shared" else _rate(rate, setup) for rate in BASE_LRS[: setup.groups]]
        shared = [f"lr = {_rate(BASE_LRS[0], setup)}"] if setup.lr_type == "shared" else []
        name = {"adam": "torch.optim.Adam", "sgd": "torch.optim.SGD"}[setup.optimizer]
        momentum = ["momentum=0.9"] if setup.optimizer == "sgd" else []
        inside = "    " if setup.resume else ""
        target = f"{inside}return " if setup.resume else "optimizer = "
        if setup.groups == 1:
            lines = [inside + line for line in shared]
            lines.append(call(target, name, [f"[{zeros}]", f"lr={lrs[0]}", *momentum], inside))
        else:
            groups = [f'{{"params": [{zeros}], "lr": {lr}}}' for lr in lrs]
            lines = [inside + line for line in shared]
            lines += [
                listed(f"{inside}groups = ", groups, inside),
                call(target, name, ["groups", *momentum], inside),
            ]
        return "\n".join(["def make_optimizer():", *lines] if setup.resume else lines)

    def make_scheduler(self) -> str:
        """The scheduler as a function of the optimizer."""
        again = self.setup.resume == "lastepoch"
        *parts, last = self.schedulers.statements(last_epoch=again, indent="    ", result="return ")
        head = f"def make_scheduler(optimizer{', last_epoch=-1' if again else ''}):"
        return "\n".join([head, *parts, last])

    def start(self) -> list[str]:
        """Optimizer and scheduler before the first update."""
        if self.setup.resume:
            return ["optimizer = make_optimizer()", "scheduler = make_scheduler(optimizer)"]
        return [self.make_optimizer(), *self.schedulers.statements(result="scheduler = ")]

    def restore(self) -> list[str]:
        """Stop, and go on from the states, inside the loop."""
        setup = self.setup
        if not setup.resume:
            return []
        cuts = f"== {setup.cuts[0]}" if len(setup.cuts) == 1 else f"in {setup.cuts}"
        names = [name for name in ("optimizer", "scheduler") if name in RESTORES[setup.resume]]
        states, saved = (", ".join(f"{n}{end}" for n in names) for end in ("_state", ".state_dict()"))
        if setup.saved:
            what = f"({saved})" if len(names) > 1 else saved
            lines = ["file = io.BytesIO()", f"torch.save({what}, file)", "file.seek(0)"]
            lines += [f"{states} = torch.load(file, weights_only=False)"]
        else:
            lines = [f"{name}_state = {name}.state_dict()" for name in names]
        index = {"step": "step", "micro": "2 * step", "epoch": "step // 3"}[setup.clock]
        does = {
            "build": "scheduler = make_scheduler(optimizer)",
            "rebuild": f"scheduler = make_scheduler(optimizer, last_epoch={index} - 1)",
            "optimizer": "optimizer.load_state_dict(optimizer_state)",
            "scheduler": "scheduler.load_state_dict(scheduler_state)",
        }
        lines += ["optimizer = make_optimizer()", *(does[action] for action in RESTORES[setup.resume])]
        return [
            f"    if step {cuts}:  # stop, and go on from a checkpoint",
            *(f"        {line}" for line in lines),
        ]

    def advance(self) -> list[str]:
        """The calls of scheduler.step() after an update, inside the loop."""
        metrics = self.schedulers.metrics
        first, second = ("METRICS[2 * step]", "METRICS[2 * step + 1]") if metrics else ("", "")
        if self.setup.clock == "micro":
            return [f"    scheduler.step({first})  # twice per update", f"    scheduler.step({second})"]
        if self.setup.clock == "epoch":
            metric = "METRICS[step // 3]" if metrics else ""
            return ["    if step % 3 == 2:  # after every third update", f"        scheduler.step({metric})"]
        lines = []
        for i, epoch in enumerate(self.setup.jumps):
            lines += [f"    {'el' if i else ''}if step == {2 + i}:", f"        scheduler.step({epoch})"]
        plain = f"scheduler.step({'METRICS[step]' if metrics else ''})"
        return [*lines, "    else:", f"        {plain}"] if lines else [f"    {plain}"]

    def reading(self) -> list[str]:
        """The value in force, inside the loop: a number for one group, a list for more."""
        many, value = self.setup.groups > 1, '["lr"]'
        if self.verdict.shape == "reported":
            source, value = (
                ("lr in scheduler.get_last_lr()", "lr") if many else ("", "scheduler.get_last_lr()[0]")
            )
        else:
            if self.verdict.shape == "momentum":
                value = '["betas"][0]' if self.setup.optimizer == "adam" else '["momentum"]'
            source = "group in optimizer.param_groups"
            value = f"group{value}" if many else f"optimizer.param_groups[0]{value}"
        if self.setup.lr_type != "float" and self.verdict.shape != "momentum":
            value = f"float({value})"
        return [f"    actual = [{value} for {source}]" if many else f"    actual = {value}"]

    # -- the two forms of a script --------------------------------------------------

    @property
    def close(self) -> str:
        """The tolerance that the script compares with, as keyword arguments of math.isclose."""
        if self.setup.lr_type == "float":
            return f"rel_tol={REL_TOL}, abs_tol={ABS_TOL}"
        bounds = (bound(self.case.steps, "float32") for bound in (tolerances.relative, tolerances.of_peak))
        return "rel_tol={}, abs_tol={}".format(*(f"{bound:.0e}" for bound in bounds))

    def loop(self) -> list[str]:
        """The training loop; its table is printed row by row, so an exception leaves it standing."""
        lines = ["for step, expected in enumerate(EXPECTED):", *self.restore(), *self.reading()]
        if self.setup.groups > 1:
            lines += ["    same = all(map(close, actual, expected))"]
            row = "{show(expected)} {show(actual)}"
        else:
            # The sentence stands where the number does.
            lines += [f"    # {self.rounding}", f"    same = math.isclose(actual, expected, {self.close})"]
            row = "{expected:<12.6g} {actual:<12.6g}"
        lines += [
            "    if not same:",
            "        wrong.append(step)",
            '    mark = "" if same else "<-- differs"',
        ]
        return [*lines, f'    print(f"{{step:4}} {row} {{mark}}")', "    optimizer.step()", *self.advance()]

    def comparison(self) -> str:
        """A table of expected and actual values, and what the verdict is about."""
        before = ["wrong = []", f'print("step {"expected":<{13 * self.setup.groups}}actual")']
        end = 'print(f"first deviation: step {wrong[0]}" if wrong else "no deviation")'
        code = [*self.start(), "", *before, *self.loop()]
        if self.verdict.shape == "warns":
            caught = [
                "with warnings.catch_warnings(record=True) as caught:",
                '    warnings.simplefilter("always")',
            ]
            told = ["for warning in caught:", '    print(f"{warning.category.__name__}: {warning.message}")']
            end = 'print("first deviation: a warning of right calls" if caught else "no deviation")'
            return "\n".join([*caught, _indented(code), *told, end])
        if self.verdict.shape == "error":
            due = f'print("expected: {len(self.positions)} updates without an exception, with these LRs:")'
            return "\n".join([due, "print(*EXPECTED)", *code, end])
        if 0 < len(self.verdict.expected) < self.case.steps:  # it deviates first and fails later
            return "\n".join(
                [*self.start(), "", *before, "try:", _indented(self.loop()), "finally:", f"    {end}"]
            )
        return "\n".join([*code, end])

    def refusal(self) -> str:
        """No LRs are due: say what is, then build the composition and show the LRs that it gives."""
        lines = [printed(f"expected: the constructor raises, because {self.rule}"), *self.start(), ""]
        lines += [
            'print("the constructor accepts it; the LRs are")',
            f"for step in range({len(self.positions)}):",
        ]
        lines += [
            *self.restore(),
            *self.reading(),
            "    print(step, actual)",
            "    optimizer.step()",
            *self.advance(),
        ]
        return "\n".join([*lines, 'print("first deviation: accepted at construction")'])


def _indented(lines: list[str]) -> str:
    return textwrap.indent("\n".join(lines), "    ")


def _rate(rate: float, setup: Setup) -> str:
    return repr(rate) if setup.lr_type == "float" else tensor("tensor", repr(rate), setup)


class _Still:
    """A scheduler that does nothing, to let the loop's own clock run."""

    def step(self, *_: Any) -> None:
        """Stand still."""


def _positions(case: Case) -> list[int]:
    """The step of the schedule at each update of an undisturbed run."""
    loop = Loop(case.schedule, dataclasses.replace(case.setup, device="cpu"), installed())
    loop.scheduler = _Still()
    found = []
    for update in range(case.steps):
        found.append(loop.position)
        loop.advance(update)
    return found
