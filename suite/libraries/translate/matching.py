"""A person's call beside the template of a declared schedule: which number of the one is which of the other."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from suite.libraries.core.arguments import Arguments
from suite.libraries.core.syntax import expression

from .signatures import ReadParameters, Signatures
from .written import NotPlainError, called, value_of

_PLACE = re.compile(r"\{([^{}]+)\}")
_MARK = re.compile(r"_place_(\d+)_")
#: What a difference from the template counts: another called name, another constant, an argument it does not have.
OTHER_CALL, OTHER_CONSTANT, ADDED = 4.0, 1.0, 0.5


@dataclasses.dataclass(frozen=True)
class CallTemplate:
    """The syntax tree of a schedule's `call`, its expressions in braces replaced by names."""

    node: ast.expr
    places: tuple[str, ...]

    def expression(self, node: ast.AST) -> str | None:
        """The expression in braces that a node is the place of."""
        mark = _MARK.fullmatch(node.id) if isinstance(node, ast.Name) else None
        return None if mark is None else self.places[int(mark[1])]

    def text(self, node: ast.expr, numbers: Arguments) -> str:
        """The text of a tree in which places are left, with the values of their expressions."""
        return _MARK.sub(lambda mark: numbers.filled("{" + self.places[int(mark[1])] + "}"), ast.unparse(node))

    def calls(self) -> Iterator[ast.Call]:
        """The calls that a person may write: the outermost one, and those whose result it uses directly."""
        node: ast.expr | None = self.node
        while node is not None:
            if isinstance(node, ast.Call):
                yield node
                node = node.func
            elif isinstance(node, ast.Subscript | ast.Attribute):
                node = node.value
            else:
                node = None
        outermost = next((part for part in (self.node,) if isinstance(part, ast.Call)), None)
        if outermost is not None:
            for part in (*outermost.args, *(keyword.value for keyword in outermost.keywords)):
                if isinstance(part, ast.Call):
                    yield part


def template_of(call: str) -> CallTemplate | None:
    """The template of a declared call; None where it is not one expression."""
    places = tuple(_PLACE.findall(call))
    numbers = iter(range(len(places)))
    try:
        node = expression(_PLACE.sub(lambda place: f"_place_{next(numbers)}_", call))
    except SyntaxError:
        return None
    return CallTemplate(node, places)


@dataclasses.dataclass
class CallMatch:
    """What a call and a template have in common, and how far they differ.

    `equations`: an expression of the template, the value that it must have, and whether that is only a default.
    `swaps`: the id of a node of the call → the node of the template that is run in its place.
    `unclear`: an argument's name, and its text, where it must be a number.
    """

    difference: float = 0.0
    equations: list[tuple[str, Any, bool]] = dataclasses.field(default_factory=list)
    swaps: dict[int, ast.expr] = dataclasses.field(default_factory=dict)
    unclear: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    other: list[str] = dataclasses.field(default_factory=list)


class CallMatcher:
    """Compares calls with templates, with the parameters of one library's release."""

    def __init__(self, signatures: Signatures) -> None:
        self._signatures = signatures

    def match(self, template: CallTemplate, call: ast.Call) -> CallMatch | None:
        """The match with the first call of the template that has the same name; None where there is none."""
        name = called(call)
        for depth, part in enumerate(template.calls()):
            if called(part) == name:
                result = CallMatch(difference=0.0 if depth == 0 else ADDED)
                self._of_calls(template, part, call, result)
                return result
        return None

    def _of_calls(self, template: CallTemplate, part: ast.Call, call: ast.Call, result: CallMatch) -> None:
        chained = part.func.value if isinstance(part.func, ast.Attribute) else None
        given_chain = call.func.value if isinstance(call.func, ast.Attribute) else None
        if isinstance(chained, ast.Call) and isinstance(given_chain, ast.Call):
            self._of_nodes(template, chained, given_chain, result, called(part))
        else:
            result.swaps[id(call.func)] = part.func
        parameters = self._signatures.parameters(called(call))
        expected, given = bound(part, parameters), bound(call, parameters)
        for name, node in given.items():
            if name in expected:
                self._of_nodes(template, expected[name], node, result, name)
            else:
                self._added(name, node, parameters, result)
        for name, node in expected.items():
            if name not in given:
                self._left_out(template, name, node, parameters, result)

    def _added(self, name: str, node: ast.expr, parameters: ReadParameters | None, result: CallMatch) -> None:
        default = None if parameters is None else parameters.defaults.get(name)
        try:
            value = value_of(node)
        except NotPlainError:
            if not isinstance(node, ast.Lambda | ast.Call):
                result.unclear.append((name, ast.unparse(node)))
            result.difference += ADDED
            return
        if default is None or not _same(value, default):
            result.difference += ADDED
            result.other.append(f"{name}={value!r}")

    def _left_out(
        self,
        template: CallTemplate,
        name: str,
        node: ast.expr,
        parameters: ReadParameters | None,
        result: CallMatch,
    ) -> None:
        """An argument of the template that the call leaves at its default."""
        default = None if parameters is None else parameters.defaults.get(name)
        expression = template.expression(node)
        if default is None:
            result.difference += 0.0 if expression is not None or parameters is None else OTHER_CONSTANT
            return
        try:
            value = value_of(default)
        except NotPlainError:
            return
        if expression is not None:
            result.equations.append((expression, value, True))
        elif not (isinstance(node, ast.Constant) and _same(value, node)):
            result.difference += OTHER_CONSTANT

    def _of_nodes(
        self, template: CallTemplate, expected: ast.expr, given: ast.expr, result: CallMatch, name: str
    ) -> None:
        expression = template.expression(expected)
        if expression is not None:
            try:
                result.equations.append((expression, value_of(given), False))
            except NotPlainError:
                result.unclear.append((name, ast.unparse(given)))
        elif isinstance(expected, ast.Name):  # the optimizer, or what the setup has built
            result.swaps[id(given)] = expected
            if expected.id != "optimizer":
                result.difference += 0.0 if isinstance(given, ast.Name) else ADDED
        elif isinstance(expected, ast.Call) and isinstance(given, ast.Call):
            if called(expected) == called(given):
                self._of_calls(template, expected, given, result)
            else:
                result.difference += OTHER_CALL
        elif isinstance(expected, ast.List | ast.Tuple) and isinstance(given, ast.List | ast.Tuple):
            self._of_lists(template, expected.elts, given.elts, result, name)
        elif isinstance(expected, ast.Lambda):
            result.difference += 0.0 if self._same_shape(template, expected, given, result) else OTHER_CALL
        else:
            self._of_constants(template, expected, given, result, name)

    def _of_lists(
        self,
        template: CallTemplate,
        expected: Sequence[ast.expr],
        given: Sequence[ast.expr],
        result: CallMatch,
        name: str,
    ) -> None:
        if len(expected) != len(given):
            result.difference += OTHER_CALL
            return
        for i, (one, other) in enumerate(zip(expected, given, strict=True)):
            self._of_nodes(template, one, other, result, f"{name}[{i}]")

    def _of_constants(
        self, template: CallTemplate, expected: ast.expr, given: ast.expr, result: CallMatch, name: str
    ) -> None:
        try:
            value = value_of(given)
        except NotPlainError:
            if not isinstance(given, ast.Call | ast.Lambda):
                result.unclear.append((name, ast.unparse(given)))
            result.difference += OTHER_CONSTANT
            return
        text = expected.value if isinstance(expected, ast.Constant) else None
        if isinstance(text, str) and isinstance(value, str) and _MARK.search(text):
            parts = _MARK.split(text)  # texts and the numbers of places in turn
            pattern = "".join(re.escape(part) if i % 2 == 0 else r"(\d+)" for i, part in enumerate(parts))
            units = re.fullmatch(pattern, value)  # '500ba'
            if units is not None:
                places = [template.places[int(part)] for part in parts[1::2]]
                result.equations += [(place, int(n), False) for place, n in zip(places, units.groups(), strict=True)]
                return
        if not _same(value, expected):
            result.difference += OTHER_CALL if isinstance(value, str) else OTHER_CONSTANT

    def _same_shape(self, template: CallTemplate, expected: ast.AST, given: ast.AST, result: CallMatch) -> bool:
        """Compare two formulas node by node; a number in the place of an expression is an equation."""
        expression = template.expression(expected)
        if expression is not None and isinstance(given, ast.expr):
            try:
                result.equations.append((expression, value_of(given), False))
            except NotPlainError:
                return False
            return True
        if isinstance(expected, ast.Name | ast.arg) and type(expected) is type(given):
            return True  # the variable may have any name
        if type(expected) is not type(given):
            return False
        if isinstance(expected, ast.Constant) and isinstance(given, ast.Constant):
            return bool(expected.value == given.value)
        pairs = list(zip(ast.iter_child_nodes(expected), ast.iter_child_nodes(given), strict=False))
        same_length = len(list(ast.iter_child_nodes(expected))) == len(list(ast.iter_child_nodes(given)))
        return same_length and all(self._same_shape(template, one, other, result) for one, other in pairs)


def bound(call: ast.Call, parameters: ReadParameters | None) -> Mapping[str, ast.expr]:
    """The arguments of a call by the names of the parameters, or by their positions where these are not known."""
    names = () if parameters is None else parameters.names[: parameters.positional]
    arguments: dict[str, ast.expr] = {}
    for i, node in enumerate(call.args):
        arguments[names[i] if i < len(names) else f"argument {i + 1}"] = node
    for keyword in call.keywords:
        arguments[keyword.arg or f"**{ast.unparse(keyword.value)}"] = keyword.value
    return arguments


def _same(value: Any, node: ast.expr) -> bool:
    try:
        return bool(value == value_of(node))
    except NotPlainError:
        return False
