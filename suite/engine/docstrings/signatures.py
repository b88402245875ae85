"""Documented arguments against the signature: names, order, defaults, types, deprecations."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from typing import Any

from suite.engine.subject import Subject

from .finding import METHODS, DocFinding, parameters, takes
from .parse import Docstring, DocumentedArgument, parse

#: Names of an annotation → the words of `DocumentedArgument.kinds`.
ANNOTATED = {
    "Dict": "dict",
    "List": "list",
    "Iterable": "list",
    "Sequence": "list",
    "Callable": "callable",
    "SupportsFloat": "float",
}


def documented_parts(subject: Subject, name: str) -> Iterator[tuple[str, Any, Docstring]]:
    """The class and each public method that it defines itself: label, object, docstring."""
    cls = subject.scheduler_class(name)
    yield name, cls, parse(cls)
    for method in METHODS:
        if method in vars(cls):
            yield f"{name}.{method}", vars(cls)[method], parse(vars(cls)[method])


def _default_code(label: str, argument: str, expression: str) -> str:
    """A comparison of a default, for a script."""
    lines = [f'parameter = inspect.signature({label}).parameters["{argument}"]', "default = parameter.default"]
    lines += [f'text = {label}.__doc__.split("{argument} (")[1].split("):")[1]', f"deviates = {expression}"]
    return "\n".join([*lines, f"print({argument!r}, default, text)"])


def names(subject: Subject, name: str) -> list[DocFinding]:
    """Documented but not an argument; an argument but not documented; documented in another order; no docstring."""
    findings: list[DocFinding] = []
    for label, owner, docstring in documented_parts(subject, name):
        taken = [p.name for p in parameters(owner) if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        said = [argument.name for argument in docstring.arguments or ()]
        if not docstring.text and not label.endswith(".get_lr"):
            findings.append(
                DocFinding("undocumented", label, f"{label} has no docstring", f"deviates = not {label}.__doc__")
            )
        for argument in said:
            if argument not in taken:
                sentence = f"{argument} is documented, but {label}() takes no such argument ({', '.join(taken)})"
                code = f"{takes(label, argument)}\ndeviates = documented and not taken"
                findings.append(DocFinding("not-an-argument", argument, sentence, code))
        for argument in taken if docstring.text else ():
            if argument not in said:
                sentence = f"{label}() takes {argument}, which its docstring does not list"
                code = f"{takes(label, argument)}\ndeviates = taken and not documented"
                findings.append(DocFinding("not-documented", argument, sentence, code))
        common = [argument for argument in said if argument in taken]
        if common != [argument for argument in taken if argument in said]:
            sentence = f"{label}() documents {', '.join(said)} in this order, but takes {', '.join(taken)}"
            code = f"taken = [*inspect.signature({label}).parameters]\ndeviates = taken != {said!r}\nprint(taken)"
            findings.append(DocFinding("order", "", sentence, code))
    return findings


def _number(node: ast.expr) -> Any:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return _number(node.left) / _number(node.right)
    return ast.literal_eval(node)


def value_of(text: str) -> Any:
    """The value of a documented default such as ``1./3.`` or ``'rel'.``; raises ValueError where it is none."""
    for candidate in (text.strip("`"), text.strip("`").rstrip(".").strip("`"), text.rstrip(".").strip("`")):
        try:
            return _number(ast.parse(candidate, mode="eval").body)
        except (SyntaxError, ValueError):
            continue
    raise ValueError(f"default={text!r} must be a Python literal")


def defaults(subject: Subject, name: str) -> list[DocFinding]:
    """The default that is said is not the signature's; one is said but the argument is required; none is said."""
    findings: list[DocFinding] = []
    for label, owner, docstring in documented_parts(subject, name):
        documented = {argument.name: argument for argument in docstring.arguments or ()}
        for parameter in parameters(owner):
            argument = documented.get(parameter.name)
            if argument is not None:
                findings += _default(label, argument, parameter)
        taken = {parameter.name for parameter in parameters(owner)}
        findings += [
            DocFinding(
                "default-of-nothing",
                a.name,
                f"{label}() says a default of {a.name}, but takes none",
                f"{takes(label, a.name)}\ndeviates = documented and not taken",
            )
            for a in documented.values()
            if a.default is not None and a.name not in taken
        ]
    return findings


def _default(label: str, argument: DocumentedArgument, parameter: inspect.Parameter) -> Iterator[DocFinding]:
    required = parameter.default is parameter.empty
    if argument.default is None:
        if not required and "optional" not in argument.type_text:
            sentence = f"{argument.name} of {label}() has the default {parameter.default!r}, which is not documented"
            unsaid = _default_code(label, argument.name, f"default is {parameter.default!r}")
            yield DocFinding("default-unsaid", argument.name, sentence, unsaid)
        return
    if required:
        sentence = f"{argument.name} of {label}() is documented with the default {argument.default}, but is required"
        code = _default_code(label, argument.name, "default is inspect.Parameter.empty")
        yield DocFinding("default-required", argument.name, sentence, code)
        return
    try:
        value = value_of(argument.default)
    except ValueError:
        value = argument.default
    if value != parameter.default or isinstance(value, bool) != isinstance(parameter.default, bool):
        sentence = f"{argument.name} of {label}() defaults to {parameter.default!r}; documented: {argument.default}"
        code = _default_code(label, argument.name, f"default != {value!r}")
        yield DocFinding("default-differs", argument.name, sentence, code)


def annotated_kinds(annotation: Any) -> frozenset[str]:
    """The kinds that an annotation allows, None apart; empty where there is no annotation."""
    if annotation is inspect.Parameter.empty:
        return frozenset()
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return frozenset(_kinds(ast.parse(text, mode="eval").body)) - {"None", "Any"}


def _kinds(node: ast.expr) -> set[str]:
    if isinstance(node, ast.BinOp):
        return _kinds(node.left) | _kinds(node.right)
    if isinstance(node, ast.Constant):
        return {"None"} if node.value is None else _kinds(ast.parse(str(node.value), mode="eval").body)
    if isinstance(node, ast.Subscript):
        outer = _kinds(node.value)
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if outer <= {"Union", "Optional"}:
            return set().union(*map(_kinds, inner))
        if outer == {"Literal"}:
            return {type(ast.literal_eval(item)).__name__ for item in inner}
        return outer
    last = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return {ANNOTATED.get(last, last)}


def documented_types(subject: Subject, name: str) -> list[DocFinding]:
    """The documented type of an argument is not the annotated one."""
    findings: list[DocFinding] = []
    for label, owner, docstring in documented_parts(subject, name):
        documented = {argument.name: argument for argument in docstring.arguments or ()}
        for parameter in parameters(owner):
            argument = documented.get(parameter.name)
            annotated = annotated_kinds(parameter.annotation)
            if argument is not None and argument.kinds and annotated and argument.kinds != annotated:
                sentence = (
                    f"{parameter.name} of {label}() is documented as {argument.type_text}, "
                    f"but annotated as {' or '.join(sorted(annotated))}"
                )
                code = _default_code(label, parameter.name, f"{argument.type_text!r} != parameter.annotation")
                findings.append(DocFinding("annotation", parameter.name, sentence, code))
    return findings
