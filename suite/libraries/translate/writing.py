"""The lines that a person writes for a call: its import, what is built before it, itself, and what each step needs."""

from __future__ import annotations

import ast
import textwrap
from typing import Any

from suite.libraries.core.arguments import Arguments
from suite.libraries.core.library import LibrarySchedule
from suite.libraries.core.syntax import expression, statements

from .signatures import Signatures
from .written import NotPlainError, called, value_of

_USUAL_STEP, _USUAL_OPTIMIZER = "scheduler.step()", "torch.optim.SGD({groups}, lr={lr})"


def call_text(schedule: LibrarySchedule, numbers: Arguments, signatures: Signatures) -> str:
    """The call, without arguments that have their default value."""
    text = numbers.filled(schedule.call)
    try:
        node = expression(text)
    except SyntaxError:
        return text
    shorter: ast.expr = _Simplifier().visit(_Shortener(signatures).visit(node))
    return ast.unparse(shorter)


class _Shortener(ast.NodeTransformer):
    """Leaves out keyword arguments that have their default value."""

    def __init__(self, signatures: Signatures) -> None:
        self._signatures = signatures

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """The call with the keywords that say something."""
        parameters = self._signatures.parameters(called(node))
        if parameters is not None and not any(keyword.arg is None for keyword in node.keywords):
            kept = [key for key in node.keywords if not _is_default(key.value, parameters.defaults.get(key.arg or ""))]
            node = ast.Call(node.func, node.args, kept)
        return self.generic_visit(node)


def _is_default(node: ast.expr, default: ast.expr | None) -> bool:
    if default is None:
        return False
    try:
        value, usual = value_of(node), value_of(default)
    except NotPlainError:
        return False
    return type(value) is type(usual) and bool(value == usual)


class _Simplifier(ast.NodeTransformer):
    """Writes x for 0.0 + x, for 1.0 * x, and for the warmup of no steps in ``t / 0 if t < 0 else x``."""

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        """What holds from step 0 on, where no step is before it."""
        match node.test:
            case ast.Compare(left=ast.Name(), ops=[ast.Lt()], comparators=[ast.Constant(value=0)]):
                return self.visit(node.orelse)  # type: ignore[no-any-return]
        return self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """The sum or product without a part that does nothing."""
        node.left, node.right = self.visit(node.left), self.visit(node.right)
        first = node.left.value if isinstance(node.left, ast.Constant) else None
        if (isinstance(node.op, ast.Add) and first == 0.0) or (isinstance(node.op, ast.Mult) and first == 1.0):
            return node.right
        return node


def import_lines(imports: str, used: str, signatures: Signatures) -> list[str]:
    """The imports that these lines use, and of this release alone where the declaration tries one after another."""
    try:
        body = statements(imports).body
        words = _used(statements(used))
    except SyntaxError:
        return imports.splitlines()
    for node in reversed(body):  # what a helper uses is imported before it
        if _defined(node) & words:
            words |= _used(node)
    return [line for node in body if _defined(node) & words for line in _chosen(node, signatures)]


def _used(node: ast.AST) -> set[str]:
    """The names that a tree mentions."""
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _defined(node: ast.stmt) -> set[str]:
    """The names that a statement defines."""
    names = set()
    for part in ast.walk(node):
        if isinstance(part, ast.alias):
            names.add(part.asname or part.name.partition(".")[0])
        elif isinstance(part, ast.FunctionDef | ast.ClassDef):
            names.add(part.name)
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            names.add(part.id)
    return names


def _chosen(node: ast.stmt, signatures: Signatures) -> list[str]:
    if not isinstance(node, ast.Try):
        return ast.unparse(node).splitlines()
    branches = [node.body, *(handler.body for handler in node.handlers)]
    for branch in branches:
        modules = [part.module for part in branch if isinstance(part, ast.ImportFrom) and part.module]
        if modules and all(signatures.has_module(module) for module in modules):
            return [line for part in branch for line in _chosen(part, signatures)]
    return ast.unparse(node).splitlines()


def lines_of(schedule: LibrarySchedule, numbers: Arguments, text: str, signatures: Signatures) -> tuple[str, ...]:
    """All lines, those that every schedule has left out: building the optimizer, and a plain scheduler.step()."""
    filled = numbers.filled
    lines = []
    if schedule.optimizer != _USUAL_OPTIMIZER and not schedule.rate:
        optimizer = filled(schedule.optimizer.replace("{groups}", "parameters").replace("{lr}", repr(numbers.base_lr)))
        lines.append(f"optimizer = {optimizer}")
    lines += _block(filled(schedule.setup))
    lines += [f"scheduler = {text}", *_block(filled(schedule.first))]
    if schedule.rate:
        lines.append(f"lr = {filled(schedule.rate)}  # of update t, from 0")
        return (*import_lines(filled(schedule.imports), "\n".join(lines), signatures), *lines)
    before = _block(filled(schedule.before))
    lines += _with_comment(before, "before update t, from 0") if before else []
    if filled(schedule.step).strip() != _USUAL_STEP and (filled(schedule.step).strip() or not before):
        lines += _with_comment(_block(filled(schedule.step)), "after update t, from 0")
    return (*import_lines(filled(schedule.imports), "\n".join(lines), signatures), *lines)


def _block(text: str) -> list[str]:
    return textwrap.dedent(text).strip("\n").splitlines()


def _with_comment(lines: list[str], comment: str) -> list[str]:
    return [f"{lines[0]}  # {comment}", *lines[1:]] if lines else [f"# nothing to call {comment}"]


def shown(value: Any) -> str:
    """A number for a table: seven digits are what an LR needs."""
    return f"{value:.7g}"
