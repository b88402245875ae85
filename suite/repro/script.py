"""A case as a script that needs torch alone, ready for an upstream report."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator
from typing import Any

from suite.engine import tolerances
from suite.engine.case import Case, Refused, expected, expected_momenta, validated
from suite.engine.loop import RESTORES, Loop
from suite.engine.subject import installed
from suite.engine.verdict import Verdict, verdict_of
from suite.known.deviations import entry_for, readings

from .code import Schedulers, listed, optimizer_code, printed

#: A script calls two floats equal up to these.
#: They are wider than `tolerances`, so that a reader has nothing to derive.
REL_TOL, ABS_TOL = "1e-6", "1e-9"


def script(case: Case, verdict: Verdict | None = None) -> str:
    """A Python script that shows what the case shows on the installed torch; it imports nothing of ours.

    Its last line is ``first deviation: …`` or ``no deviation``, unless torch raises: then its traceback is.
    """
    return _Script(case, verdict or verdict_of(case, installed())).text()


class _Script:
    """The parts of one script; each holds only what its case needs."""

    def __init__(self, case: Case, verdict: Verdict) -> None:
        self.case, self.setup, self.verdict = case, case.setup, verdict
        self.entry = entry_for(case, verdict, installed().release) if verdict.kind == "deviates" else None
        self.positions = _positions(case)
        self.schedulers = Schedulers(case, max(self.positions))
        self.rule = ""
        try:
            validated(case.schedule)
        except Refused as refused:
            self.rule = str(refused)

    def text(self) -> str:
        """The whole script."""
        constants = [*self.schedulers.constants(), *([] if self.rule else [self.expected()])]
        functions = [optimizer_code(self.setup), self.make_scheduler()] if self.setup.resume else []
        functions += [] if self.rule or self.setup.groups == 1 else self.helpers()
        body = self.refusal() if self.rule else self.comparison()
        top = "\n".join([*self.header(), "", *self.imports(body, functions)])
        blocks = [top + "\n\n" + "\n".join(constants) if constants else top, *functions]
        # Two blank lines stand around functions, one elsewhere.
        return "\n\n\n".join(blocks) + ("\n\n\n" if functions else "\n\n") + body + "\n"

    # -- the comment at the top ---------------------------------------------------

    def header(self) -> list[str]:
        """What is expected, on which reading of the documentation, and what was seen."""
        entry, release = self.entry, installed().release
        title = entry.title if entry else f"A case of {type(self.case.schedule).__name__}"
        free = {"error": ", without an exception", "warns": ", without a warning"}.get(self.verdict.shape, "")
        due = f"{self.quantity} of the list below in {len(self.positions)} updates{free}"
        if self.rule:
            due = f"an exception at construction, because {self.rule}"
        lines = [f"{title}.", f"Expected: {due}."]
        if entry and entry.reading:
            lines.append(f"Why: {readings()[entry.reading]['reading']}")
        seen = self.verdict.detail.rstrip(".: ") or "just this"
        if self.verdict.shape == "warns":
            seen = seen.split(". ")[0]  # the first sentence of the warning
        lines.append(f"Seen with torch {release}: {seen}.")
        lines += entry.links if entry else []
        return [f"# {row}" for line in lines for row in textwrap.wrap(line, 86, break_long_words=False)]

    def imports(self, body: str, functions: list[str]) -> Iterator[str]:
        """The standard library first, then torch."""
        code = "\n".join([body, *functions])
        standard = [f"import {name}" for name in ("io", "math", "warnings") if f"{name}." in code]
        yield from [*standard, ""] if standard else []
        yield "import torch"
        yield from self.schedulers.imports()

    # -- values -------------------------------------------------------------------

    @property
    def quantity(self) -> str:
        """What the table compares, in words."""
        other = {"momentum": "the momenta", "reported": "from get_last_lr() the LRs"}
        return other.get(self.verdict.shape, "the LRs")

    @property
    def close(self) -> str:
        """The tolerance that the script compares with, as keyword arguments of math.isclose."""
        if self.setup.lr_type == "float":
            return f"rel_tol={REL_TOL}, abs_tol={ABS_TOL}"
        bounds = (bound(self.case.steps, "float32") for bound in (tolerances.relative, tolerances.of_peak))
        return "rel_tol={:.0e}, abs_tol={:.0e}".format(*bounds)

    @property
    def rounding(self) -> str:
        """Why the values need not be equal."""
        kind = "" if self.setup.lr_type == "float" else " in float32"
        return f"torch multiplies step by step: leave room for its rounding{kind}"

    def helpers(self) -> list[str]:
        """Comparing and printing the rows of several groups."""
        compared = f"    # {self.rounding}\n    return math.isclose(actual, expected, {self.close})"
        shown = '    return " ".join(f"{value:<12.6g}" for value in row)'
        return [f"def close(actual, expected):\n{compared}", f"def show(row):\n{shown}"]

    def expected(self) -> str:
        """The values due in each update, exact."""
        wanted = expected(self.case, self.positions)
        if self.verdict.shape == "momentum":
            momenta = expected_momenta(self.case, self.positions)
            if momenta is None:
                raise ValueError(f"case={self.case.id!r} must cycle momentum to deviate in it")
            wanted = momenta
        rows = wanted.tolist()
        many = self.setup.groups > 1
        return listed("EXPECTED = ", [repr(row if many else row[0]) for row in rows])

    def reading(self) -> list[str]:
        """The value in force, inside the loop: a number for one group, a list for more."""
        many, shape = self.setup.groups > 1, self.verdict.shape
        if shape == "reported":
            source, value = "lr in scheduler.get_last_lr()", "lr" if many else "scheduler.get_last_lr()[0]"
        else:
            momentum = '["betas"][0]' if self.setup.optimizer == "adam" else '["momentum"]'
            source = "group in optimizer.param_groups"
            value = "group" if many else "optimizer.param_groups[0]"
            value += momentum if shape == "momentum" else '["lr"]'
        if self.setup.lr_type != "float" and shape != "momentum":
            value = f"float({value})"
        return [f"    actual = [{value} for {source}]" if many else f"    actual = {value}"]

    # -- the run ------------------------------------------------------------------

    def make_scheduler(self) -> str:
        """The scheduler as a function of the optimizer, where it is made again."""
        again = self.setup.resume.startswith("lastepoch")
        head = f"def make_scheduler(optimizer{', last_epoch=-1' if again else ''}):"
        return "\n".join([head, *self.schedulers.statements("return ", indent="    ", last_epoch=again)])

    def start(self) -> list[str]:
        """Optimizer and scheduler before the first update."""
        if self.setup.resume:
            return ["optimizer = make_optimizer()", "scheduler = make_scheduler(optimizer)"]
        order = ["# the parts are built last to first"] if self.setup.reverse else []
        return [optimizer_code(self.setup), *order, *self.schedulers.statements("scheduler = ")]

    def restore(self) -> list[str]:
        """Stop, and go on from the states, inside the loop."""
        setup = self.setup
        if not setup.resume:
            return []
        cuts = f"== {setup.cuts[0]}" if len(setup.cuts) == 1 else f"in {setup.cuts}"
        names = [name for name in ("optimizer", "scheduler") if name in RESTORES[setup.resume]]
        if setup.saved:
            states = ", ".join(f"{name}.state_dict()" for name in names)
            what = f"({states})" if len(names) > 1 else states
            lines = ["file = io.BytesIO()", f"torch.save({what}, file)", "file.seek(0)"]
            back = ", ".join(f"{name}_state" for name in names)
            lines.append(f"{back} = torch.load(file, weights_only=False)")
        else:
            lines = [f"{name}_state = {name}.state_dict()" for name in names]
        position = {"step": "step", "micro": "2 * step", "epoch": "step // 3"}[setup.clock]
        does = {
            "build": "scheduler = make_scheduler(optimizer)",
            "rebuild": f"scheduler = make_scheduler(optimizer, last_epoch={position} - 1)",
            "optimizer": "optimizer.load_state_dict(optimizer_state)",
            "scheduler": "scheduler.load_state_dict(scheduler_state)",
        }
        lines += ["optimizer = make_optimizer()", *(does[action] for action in RESTORES[setup.resume])]
        head = f"    if step {cuts}:  # stop, and go on from a checkpoint"
        return [head, *(f"        {line}" for line in lines)]

    def advance(self) -> list[str]:
        """The calls of scheduler.step() after an update, inside the loop."""
        at = {"step": ("step",), "micro": ("2 * step", "2 * step + 1"), "epoch": ("step // 3",)}[self.setup.clock]
        calls = [f"scheduler.step({f'METRICS[{i}]' if self.schedulers.metrics else ''})" for i in at]
        if self.setup.clock == "micro":
            return [f"    {calls[0]}  # twice per update", f"    {calls[1]}"]
        if self.setup.clock == "epoch":
            return ["    if step % 3 == 2:  # after every third update", f"        {calls[0]}"]
        lines = []
        for i, epoch in enumerate(self.setup.jumps):
            lines += [f"    {'el' if i else ''}if step == {2 + i}:", f"        scheduler.step({epoch})"]
        return [*lines, "    else:", f"        {calls[0]}"] if lines else [f"    {calls[0]}"]

    def loop(self) -> list[str]:
        """The training loop; its table is printed row by row, so an exception leaves it standing."""
        lines = ["for step, expected in enumerate(EXPECTED):", *self.restore(), *self.reading()]
        if self.setup.groups > 1:
            lines.append("    same = all(map(close, actual, expected))")
            row = "{show(expected)} {show(actual)}"
        else:
            lines += [f"    # {self.rounding}", f"    same = math.isclose(actual, expected, {self.close})"]
            row = "{expected:<12.6g} {actual:<12.6g}"
        lines += ["    if not same:", "        wrong.append(step)", '    mark = "" if same else "<-- differs"']
        return [*lines, f'    print(f"{{step:4}} {row} {{mark}}")', "    optimizer.step()", *self.advance()]

    # -- the two forms of a script ------------------------------------------------

    def comparison(self) -> str:
        """A table of expected and actual values, with what the verdict is about."""
        before = ["wrong = []", f'print("step {"expected":<{13 * self.setup.groups}}actual")']
        end = 'print(f"first deviation: step {wrong[0]}" if wrong else "no deviation")'
        code = [*self.start(), "", *before, *self.loop()]
        if self.verdict.shape == "warns":
            begin = "with warnings.catch_warnings(record=True) as caught:"
            told = ["for warning in caught:", '    print(f"{warning.category.__name__}: {warning.message}")']
            end = 'print("first deviation: a warning of right calls" if caught else "no deviation")'
            return "\n".join([begin, _indented(['warnings.simplefilter("always")', *code]), *told, end])
        if self.verdict.shape == "error":
            due = f"expected: {self.quantity} below in {len(self.positions)} updates, without an exception"
            return "\n".join([f'print("{due}")', "print(*EXPECTED)", *code, end])
        if 0 < len(self.verdict.expected) < self.case.steps:  # it deviates first and fails later
            tried = ["try:", _indented(self.loop()), "finally:", f"    {end}"]
            return "\n".join([*self.start(), "", *before, *tried])
        return "\n".join([*code, end])

    def refusal(self) -> str:
        """No LRs are due: say what is, then build the composition and show the LRs that it gives."""
        lines = [printed(f"expected: an exception, because {self.rule}"), *self.start(), ""]
        lines += ['print("accepted; the LRs are")', f"for step in range({len(self.positions)}):"]
        lines += [*self.restore(), *self.reading(), "    print(step, actual)"]
        lines += ["    optimizer.step()", *self.advance()]
        return "\n".join([*lines, 'print("first deviation: accepted at construction")'])


def _indented(lines: list[str]) -> str:
    return textwrap.indent("\n".join(lines), "    ")


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
