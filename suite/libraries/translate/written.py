"""A call as a person wrote it: parsed, never executed here; its numbers, and what in it is not a number."""

from __future__ import annotations

import ast
import dataclasses
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from suite.libraries.core.syntax import statements
from suite.shared.cli import InputError

EXAMPLE = "get_cosine_schedule_with_warmup(opt, 500, 10000)"
#: More digits than this are no number of steps.
_LARGEST = 10**15

_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{function.__name__: function for function in (int, float, round, min, max, abs, sum, tuple, list)},
    **{f"math.{name}": getattr(math, name) for name in ("ceil", "floor", "sqrt", "cos", "exp", "log")},
}


class NotPlainError(ValueError):
    """A part of a call is not made of numbers, texts, None, True and False alone."""


@dataclasses.dataclass(frozen=True)
class WrittenCall:
    """The syntax tree of a call, and the name of what it calls."""

    node: ast.Call

    @property
    def name(self) -> str:
        """The last part of the name: ``OneCycleLR`` of ``torch.optim.lr_scheduler.OneCycleLR(...)``."""
        return called(self.node)


def called(node: ast.expr) -> str:
    """The last part of the name of what a call calls; empty where it has none.

    >>> called(ast.parse("optim.lr_scheduler.StepLR(opt, 5)", mode="eval").body)
    'StepLR'
    """
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def written(text: str) -> WrittenCall:
    """Parse a call, or a line that keeps its result; raises InputError.

    >>> written("scheduler = transformers.get_linear_schedule_with_warmup(opt, 5, 50)").name
    'get_linear_schedule_with_warmup'
    """
    try:
        body = statements(text.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "it has a null byte or is nested too deeply"
        raise InputError(f"call={text.strip()!r} must be one call in Python, such as {EXAMPLE}: {reason}") from None
    node = body[0] if len(body) == 1 else None
    value = node.value if isinstance(node, ast.Expr | ast.Assign | ast.AnnAssign) else None
    while isinstance(value, ast.Subscript):  # create_scheduler_v2(...)[0]
        value = value.value
    if not isinstance(value, ast.Call) or not called(value):
        raise InputError(f"call={text.strip()!r} must be one call, such as {EXAMPLE}")
    return WrittenCall(value)


def value_of(node: ast.expr) -> Any:
    """The value of an expression of numbers, texts, None, True and False; raises NotPlainError for any other.

    >>> value_of(ast.parse("int(0.1 * 10_000), [5, -1e-3]", mode="eval").body)
    (1000, [5, -0.001])
    """
    try:
        return _value(node)
    except (ArithmeticError, TypeError, ValueError, RecursionError) as error:
        raise NotPlainError(str(error)) from None


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value) if value is None or isinstance(value, bool | int | float | str):
            return value
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            first, second = _value(left), _value(right)
            if not all(isinstance(part, bool | int | float) and abs(part) < _LARGEST for part in (first, second)):
                raise NotPlainError("not a number")
            if isinstance(op, ast.Pow) and abs(second) > 100:
                raise NotPlainError("too large a power")
            return _OPERATORS[type(op)](first, second)
        case ast.Call(func=func, args=args, keywords=[]) if ast.unparse(func) in FUNCTIONS:
            return FUNCTIONS[ast.unparse(func)](*map(_value, args))
        case ast.Attribute() if ast.unparse(node) == "math.pi":
            return math.pi
        case ast.List(elts=parts):
            return [_value(part) for part in parts]
        case ast.Tuple(elts=parts):
            return tuple(_value(part) for part in parts)
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            return {_value(key): _value(value) for key, value in pairs if key is not None}
    raise NotPlainError(ast.unparse(node))


def numbers_in(node: ast.expr) -> Iterator[float]:
    """Every number in an expression, of nested calls too; what is computed counts once, as its result."""
    try:
        values = value_of(node)
    except NotPlainError:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.keyword):
                yield from numbers_in(child.value)
            elif isinstance(child, ast.expr):
                yield from numbers_in(child)
        return
    todo = [values]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            todo += value.values()
        elif isinstance(value, list | tuple):
            todo += value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield value
