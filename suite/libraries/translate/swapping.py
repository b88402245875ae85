"""The text of a person's call as it is run: its optimizer is ours, its functions are those that were imported."""

from __future__ import annotations

import ast
import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

from suite.libraries.core.arguments import Arguments
from suite.libraries.core.library import LibrarySchedule
from suite.shared.cli import InputError

from .matching import CallMatch, CallTemplate
from .opened import OpenedLibrary
from .written import FUNCTIONS, WrittenCall, called


def runnable(
    call: WrittenCall,
    numbers: Arguments,
    match: CallMatch,
    schedule: LibrarySchedule,
    template: CallTemplate | None,
    opened: OpenedLibrary,
) -> tuple[str, LibrarySchedule]:
    """The text of the call with the template's names in the place of a person's, and the imports that it needs."""
    known = {node.id for node in ast.walk(template.node) if isinstance(node, ast.Name)} if template else set()
    swapper = _Swapper(match.swaps, opened, known | {"optimizer", "torch"})
    node: ast.expr = swapper.visit(call.node)
    if template is not None:
        first = next(part for part in template.calls() if called(part) == call.name)
        node = copy.deepcopy(template.node, {id(first): node})  # the call in the place of the template's
    imports = "\n".join([schedule.imports, *sorted(swapper.imports)])
    text = ast.unparse(node) if template is None else template.text(node, numbers)
    return text, dataclasses.replace(schedule, imports=imports)


class _Swapper(ast.NodeTransformer):
    """Puts the template's nodes in the place of a person's, and names what is left unknown."""

    def __init__(self, swaps: Mapping[int, ast.expr], opened: OpenedLibrary, known: set[str]) -> None:
        self._swaps, self._opened, self._known = swaps, opened, known
        self.imports: set[str] = set()

    def visit(self, node: ast.AST) -> Any:
        """The node to run in the place of this one."""
        if id(node) in self._swaps:
            return self._swaps[id(node)]
        if isinstance(node, ast.expr) and ast.unparse(node) in FUNCTIONS:
            if isinstance(node, ast.Attribute):
                self.imports.add("import math")
            return node
        if isinstance(node, ast.Lambda):
            self._known |= {argument.arg for argument in node.args.args}
        if isinstance(node, ast.Call):
            node.func = self._function(node)
            node.args = [self.visit(part) for part in node.args]
            for keyword in node.keywords:
                keyword.value = self.visit(keyword.value)
            return node
        if isinstance(node, ast.Name | ast.Attribute):
            return self._named(node)
        return self.generic_visit(node)

    def _function(self, call: ast.Call) -> ast.expr:
        if id(call.func) in self._swaps:
            return self._swaps[id(call.func)]
        if ast.unparse(call.func) in FUNCTIONS:
            if isinstance(call.func, ast.Attribute):
                self.imports.add("import math")
            return call.func
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Call):  # Config(...).build(...)
            call.func.value = self.visit(call.func.value)
            return call.func
        name = called(call)
        module = self._opened.signatures.module(name)
        if not module:
            raise InputError(f"call={ast.unparse(call)} must be a schedule of {self._opened.library.name} or a number")
        self.imports.add(f"from {module} import {name}")
        return ast.Name(name)

    def _named(self, node: ast.Name | ast.Attribute) -> ast.expr:
        text = ast.unparse(node)
        if text.partition(".")[0] in self._known or text == "math.pi":
            if text.startswith("math."):
                self.imports.add("import math")
            return node
        if "opt" in text.rpartition(".")[2].lower():
            return ast.Name("optimizer")
        raise InputError(f"call: {text} must be a number: replace it, e.g. 10000")
