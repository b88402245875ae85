"""A case as a script that needs torch alone, ready for an upstream report."""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Iterator

from suite.engine import tolerances
from suite.engine.action import STANDARD
from suite.engine.case import Case, expected, expected_momenta
from suite.engine.loop import RESTORES
from suite.engine.run import momentum_of
from suite.engine.statements import WIDTH, Schedulers, listed, optimizer_code, printed
from suite.engine.subject import installed
from suite.engine.verdict import Verdict, rule_of, verdict_of
from suite.known.deviations import entry_for, readings

from .measured import failed_check, positions_of

#: A script treats two floats as equal within these: rounder and wider than `tolerances`, so easier to read.
REL_TOL, ABS_TOL = "1e-6", "1e-9"


def script(case: Case, verdict: Verdict | None = None) -> str:
    """A Python script that reproduces the case on the installed torch, without importing anything of ours.

    Its last line of output is ``first deviation: …`` or ``no deviation``, unless torch raises an exception.
    """
    parts = _Script(case, verdict or verdict_of(case, installed()))
    own = (text for action in case.setup.actions if (text := action.script(case, parts.header())))
    return next(own, "") or parts.text()


class _Script:
    """The parts of one script, each with only what its case needs."""

    def __init__(self, case: Case, verdict: Verdict) -> None:
        self.case, self.setup, self.verdict = case, case.setup, verdict
        self.entry = entry_for(case, verdict, installed().release) if verdict.kind == "deviates" else None
        self.positions = positions_of(case)
        self.schedulers = Schedulers(case, max(self.positions))
        self.rule = rule_of(case)
        self.label = verdict.label
        self.failed = failed_check(case, verdict) if verdict.kind == "deviates" else None
        self.many = self.setup.groups > 1
        if not self.rule:
            self.many |= expected(case, self.positions).shape[1] > 1
        self.rebuilds = bool(self.setup.resume) or any(action.rebuilds for action in self.setup.actions)

    def text(self) -> str:
        """The whole script."""
        constants = [*self.schedulers.constants(), *([] if self.rule else [self.expected()])]
        functions = [optimizer_code(self.setup, self.rebuilds), self.make_scheduler()] if self.rebuilds else []
        functions += [] if self.rule or not self.many else self.helpers()
        body = self.refusal() if self.rule else self.comparison()
        top = "\n".join([*self.header(), "", *self.imports(body, functions)])
        blocks = [top + "\n\n" + "\n".join(constants) if constants else top, *functions]
        # Two blank lines around functions, one elsewhere.
        return "\n\n\n".join(blocks) + ("\n\n\n" if functions else "\n\n") + body + "\n"

    # -- the comment at the top ---------------------------------------------------

    def header(self) -> list[str]:
        """What is expected, by which reading of the documentation, and what torch does."""
        entry, release = self.entry, installed().release
        title = entry.title if entry else f"A case of {type(self.case.schedule).__name__}"
        free = {"error": ", without an exception", "warns": ", without a warning"}.get(self.label, "")
        expectation = f"{self.quantity} of the list below in {len(self.positions)} updates{free}"
        if self.negative:
            expectation = f"no negative LR in {len(self.positions)} updates, or an exception at construction"
        if self.rule:
            when = "" if any(action.refusal for action in self.setup.actions) else " at construction"
            expectation = f"an exception{when}, because {self.rule}"
        if self.verdict.channel == "docs":
            expectation = "the docstring says what the class takes and does"
        lines = [f"{title}.", f"Expected: {expectation}."]
        if entry and entry.reading:
            lines.append(f"Why: {readings()[entry.reading]['reading']}")
        actual = self.verdict.detail.rstrip(".: ") or "exactly that"
        if self.label == "warns":
            actual = actual.split(". ")[0]  # the first sentence of the warning
        if self.verdict.channel == "docs":  # each difference is said above the lines that show it
            actual = f"differences: {len(self.verdict.deviations)}"
        lines.append(f"Actual, with torch {release}: {actual}.")
        others = self.verdict.others if self.verdict.channel != "docs" else ()
        lines += [f"Also: {other.detail.rstrip('.: ')}." for other in others]
        lines += entry.links if entry else []
        return [f"# {row}" for line in lines for row in textwrap.wrap(line, 86, break_long_words=False)]

    def imports(self, body: str, functions: list[str]) -> Iterator[str]:
        """The standard library first, then torch."""
        code = "\n".join([body, *functions])
        standard = [f"import {name}" for name in STANDARD if re.search(rf"(?<![\w.]){name}\.", code)]
        yield from [*standard, ""] if standard else []
        yield from ["import numpy as np"] if re.search(r"\bnp\.", code) else []
        yield "import torch"
        yield from self.schedulers.imports(code)

    @property
    def negative(self) -> bool:
        """Whether the LRs are those of the list, and some of them below 0."""
        return self.verdict.channel == "bounds" and self.failed is None

    # -- values -------------------------------------------------------------------

    @property
    def quantity(self) -> str:
        """What the table compares, in words."""
        other = {"momentum": "the momenta", "reported": "from get_last_lr() the LRs"}
        return other.get(self.label, "the LRs")

    @property
    def close(self) -> str:
        """The script's tolerance, as keyword arguments of math.isclose."""
        if self.setup.precision == "float":
            rates = expected(self.case, self.positions).ravel().tolist()
            largest = max(rate for rate in [*self.setup.base_lrs(), *rates] if not math.isnan(rate))
            tiny = 0 < largest < float(ABS_TOL)
            return f"rel_tol={REL_TOL}, abs_tol={f'{largest * float(ABS_TOL):.0e}' if tiny else ABS_TOL}"
        bounds = (bound(self.case.steps, self.setup.precision) for bound in (tolerances.relative, tolerances.of_peak))
        return "rel_tol={:.0e}, abs_tol={:.0e}".format(*bounds)

    @property
    def rounding(self) -> str:
        """Why the values are not compared exactly."""
        kind = "" if self.setup.precision == "float" else f" in {self.setup.precision}"
        return f"torch multiplies step by step: allow for its rounding error{kind}"

    def helpers(self) -> list[str]:
        """Comparing and printing the rows of several groups."""
        compared = f"    # {self.rounding}\n    return math.isclose(actual, expected, {self.close})"
        shown = '    return " ".join(f"{value:<12.6g}" for value in row)'
        return [f"def close(actual, expected):\n{compared}", f"def show(row):\n{shown}"]

    def expected(self) -> str:
        """The exact expected values of each update."""
        values = expected(self.case, self.positions)
        if self.label == "momentum":
            own = momentum_of(self.setup.make_optimizer().param_groups[0])
            values = expected_momenta(self.case, self.positions, own)
        rows = [[value for value in row if not math.isnan(value)] for row in values.tolist()]
        return listed("EXPECTED = ", [repr(row if self.many else row[0]) for row in rows])

    def reading(self) -> list[str]:
        """Read the value in force, inside the loop: a number for one group, a list for more."""
        many, shape = self.many, self.label
        if shape == "reported":
            source, value = "lr in scheduler.get_last_lr()", "lr" if many else "scheduler.get_last_lr()[0]"
        else:
            momentum = '["betas"][0]' if self.setup.has_betas else '["momentum"]'
            source = "group in optimizer.param_groups"
            value = "group" if many else "optimizer.param_groups[0]"
            value += momentum if shape == "momentum" else '["lr"]'
        if (self.setup.lr_type != "float" or self.setup.numbers) and shape != "momentum":
            value = f"float({value})"
        return [f"    actual = [{value} for {source}]" if many else f"    actual = {value}"]

    def lines(self, place: str, indent: str = "    ") -> list[str]:
        """The lines of the actions at a place."""
        texts = [text for action in self.setup.actions if (text := getattr(action, place))]
        return [indent + line for text in texts for line in text.splitlines()]

    # -- the run ------------------------------------------------------------------

    def make_scheduler(self) -> str:
        """The scheduler as a function of the optimizer, for cases that rebuild it."""
        again = self.setup.resume.startswith("lastepoch")
        head = f"def make_scheduler(optimizer{', last_epoch=-1' if again else ''}):"
        return "\n".join([head, *self.schedulers.statements("return ", indent="    ", last_epoch=again)])

    def start(self) -> list[str]:
        """Optimizer and scheduler before the first update."""
        prepare, built = self.lines("prepare", ""), self.lines("built", "")
        if self.rebuilds:
            return ["optimizer = make_optimizer()", *prepare, "scheduler = make_scheduler(optimizer)", *built]
        order = ["# the parts are built last to first"] if self.setup.reverse else []
        start = [optimizer_code(self.setup, False), *prepare, *order]
        return [*start, *self.schedulers.statements("scheduler = "), *built]

    def restore(self) -> list[str]:
        """Stop and resume from the states, inside the loop."""
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
        head = f"    if step {cuts}:  # stop, and resume from a checkpoint"
        return [head, *(f"        {line}" for line in lines)]

    def advance(self) -> list[str]:
        """The calls of scheduler.step() after an update, inside the loop."""
        return [*(self.lines("advance") or self.clock()), *self.lines("after")]

    def clock(self) -> list[str]:
        """The calls of scheduler.step() that the clock of the setup makes."""
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
        """The training loop; it prints its table row by row, so an exception does not lose it."""
        lines = ["for step, expected in enumerate(EXPECTED):", *self.lines("before"), *self.restore(), *self.reading()]
        if self.negative:
            lines.append(f"    same = {'min(actual)' if self.many else 'actual'} >= 0  # no LR may be negative")
        elif self.many:
            length = "len(actual) == len(expected) and " if self.setup.actions else ""
            lines.append(f"    same = {length}all(map(close, actual, expected))")
        else:
            lines += [f"    # {self.rounding}", f"    same = math.isclose(actual, expected, {self.close})"]
        row = "{show(expected)} {show(actual)}" if self.many else "{expected:<12.6g} {actual:<12.6g}"
        lines += ["    if not same:", "        wrong.append(step)", '    mark = "" if same else "<-- differs"']
        return [*lines, f'    print(f"{{step:4}} {row} {{mark}}")', *self.update(), *self.advance()]

    def update(self) -> list[str]:
        """The update of the parameters, inside the loop."""
        return self.lines("update") or ["    optimizer.step()"]

    def ending(self) -> list[str]:
        """What is looked at after the last update, and the last line of output."""
        lines = self.lines("finish", "")
        if self.failed is None:
            return [*lines, 'print(f"first deviation: step {wrong[0]}" if wrong else "no deviation")']
        what, deviation = self.failed.what, f"first deviation: {self.failed.what}"
        lines += [f"actual = {self.failed.actual}", f"expected = {self.failed.expected}"]
        lines += [f'print("{what}:", actual, "expected:", expected)']
        last = f'print("no deviation" if actual == expected else {json.dumps(deviation)})'
        if len(last) > WIDTH:
            lines.append(f"deviation = {json.dumps(deviation)}")
            last = 'print("no deviation" if actual == expected else deviation)'
        return [*lines, last]

    # -- the two forms of a script ------------------------------------------------

    def comparison(self) -> str:
        """A table of expected and actual values, or the warning or error of the verdict."""
        before = ["wrong = []", f'print("step {"expected":<{13 * self.setup.groups}}actual")']
        end = self.ending()
        code = [*self.start(), "", *before, *self.loop()]
        if self.label in ("warns", "silent"):
            context = "with warnings.catch_warnings(record=True) as caught:"
            report = ["for warning in caught:", '    print(f"{warning.category.__name__}: {warning.message}")']
            code = [*code, *self.lines("finish", "")]
            return "\n".join([context, _indented(['warnings.simplefilter("always")', *code]), *report, *self.warned()])
        if self.label == "error":
            message = f"expected: {self.quantity} below in {len(self.positions)} updates, without an exception"
            return "\n".join([f'print("{message}")', "print(*EXPECTED)", *code, *end])
        if 0 < len(self.verdict.expected) < self.case.steps:  # it deviates first and fails later
            attempt = ["try:", _indented(self.loop()), "finally:", _indented(end)]
            return "\n".join([*self.start(), "", *before, *attempt])
        return "\n".join([*code, *end])

    def warned(self) -> list[str]:
        """The last line of a script about a warning that came, or that did not."""
        if self.label == "warns":
            return ['print("first deviation: a warning about correct calls" if caught else "no deviation")']
        text = json.dumps(self.verdict.detail.removeprefix("no warning: "))
        lines = [f"due = {text}", "came = any(due in str(warning.message) for warning in caught)"]
        return [*lines, 'print("no deviation" if came else "first deviation: no warning")']

    def refusal(self) -> str:
        """An exception is expected, no LRs: print why, then build the composition and show its LRs."""
        lines = [printed(f"expected: an exception, because {self.rule}"), *self.start(), ""]
        lines += ['print("accepted; the LRs are")', f"for step in range({len(self.positions)}):"]
        lines += [*self.lines("before"), *self.restore(), *self.reading(), "    print(step, actual)"]
        lines += [*self.update(), *self.advance()]
        return "\n".join([*lines, 'print("first deviation: accepted")'])


def _indented(lines: list[str]) -> str:
    return textwrap.indent("\n".join(lines), "    ")
