"""The script of a case: what is run is what a report upstream shows."""

from __future__ import annotations

import ast
import dataclasses
import textwrap

from .case import LibraryCase


@dataclasses.dataclass(frozen=True)
class LibraryScript:
    """The imports of a case, and the lines that leave its learning rates in `lrs`, a list for each update."""

    imports: str
    body: str

    @property
    def text(self) -> str:
        """The whole script."""
        return f"{self.imports}\n\n{self.body}\n"


def script_of(case: LibraryCase) -> LibraryScript:
    """The script that runs the case and needs the library alone."""
    schedule, filled = case.schedule, case.arguments.filled
    imports = filled(schedule.imports)
    if schedule.rate:
        lines = [*_lines(filled(schedule.setup)), f"scheduler = {filled(schedule.call)}", "lrs = []"]
        loop = [f"lrs.append([float({filled(schedule.rate)})])"]
        return LibraryScript(imports, "\n".join([*lines, f"for t in range({case.steps}):", *_indented(loop)]))
    known = {line for line in imports.splitlines() if line.startswith("import ")}
    own = [f"import {name}" for name in (["copy"] if case.resume else []) + ["torch"]]
    lines = _built_again(case) if case.resume else [*_optimizer(case), *_scheduler(case)]
    loop = [
        *(_checkpoint(case) if case.resume else []),
        *_lines(filled(schedule.before)),
        'lrs.append([float(group["lr"]) for group in optimizer.param_groups])',
        "optimizer.step()",
        *_lines(filled(schedule.step)),
    ]
    body = [*lines, "lrs = []", f"for t in range({case.steps}):", *_indented(loop)]
    return LibraryScript("\n".join([*(line for line in own if line not in known), imports]), "\n".join(body))


def _lines(text: str) -> list[str]:
    return textwrap.dedent(text).strip("\n").splitlines()


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _optimizer(case: LibraryCase) -> list[str]:
    """The lines that build the optimizer; the last group has its LR, the others one of their own."""
    lrs = [f"torch.tensor({lr!r})" if case.tensor else repr(lr) for lr in case.lrs]
    one = "[torch.nn.Parameter(torch.zeros(1))]"
    groups = one
    if len(lrs) > 1:
        own = [f'{{"params": {one}, "lr": {lr}}}' for lr in lrs[:-1]]
        groups = f'[{", ".join(own)}, {{"params": {one}}}]'
    text = case.arguments.but(groups=_Verbatim(groups), lr=_Verbatim(lrs[-1])).filled(case.schedule.optimizer)
    return [f"optimizer = {text}"]


class _Verbatim(str):
    """Code that is filled into a template as it is."""

    def __repr__(self) -> str:
        return str(self)


def _scheduler(case: LibraryCase) -> list[str]:
    schedule, filled = case.schedule, case.arguments.filled
    return [*_lines(filled(schedule.setup)), f"scheduler = {filled(schedule.call)}", *_lines(filled(schedule.first))]


def _built_again(case: LibraryCase) -> list[str]:
    """Functions that build both, since a new process does so again; and the first two."""
    built = _scheduler(case)
    others = sorted(_assigned(built) - {"scheduler"})
    return [
        "def new_optimizer():",
        *_indented([*_optimizer(case), "return optimizer"]),
        "def new_scheduler(optimizer):",
        *_indented([*([f"global {', '.join(others)}"] if others else []), *built, "return scheduler"]),
        "optimizer = new_optimizer()",
        "scheduler = new_scheduler(optimizer)",
    ]


def _checkpoint(case: LibraryCase) -> list[str]:
    """Save the states before update t, and load them as a new process does."""
    assert case.resume is not None
    at, optimizer_first = case.resume
    save, load = case.schedule.state or ("", "")
    build, restore = "scheduler = new_scheduler(optimizer)", "optimizer.load_state_dict(of_optimizer)"
    lines = [
        "of_optimizer = copy.deepcopy(optimizer.state_dict())",
        *([f"saved = copy.deepcopy({save})"] if save else []),
        "optimizer = new_optimizer()",
        *([restore, build] if optimizer_first else [build, restore]),
        *([load] * case.loads if load else []),
        *_lines(case.arguments.filled(case.schedule.resumed)),
    ]
    return [f"if t == {at}:  # a checkpoint is saved, and loaded by a new process", *_indented(lines)]


def _assigned(lines: list[str]) -> set[str]:
    """The names that lines of the top level assign to: other objects than the scheduler that its step needs."""
    assignments = [node for node in ast.parse("\n".join(lines)).body if isinstance(node, ast.Assign)]
    return {target.id for node in assignments for target in node.targets if isinstance(target, ast.Name)}
