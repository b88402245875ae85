"""The parameters of a library's functions and classes, read from the syntax trees of its files."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

from suite.libraries.core.library import Library
from suite.libraries.core.syntax import statements

#: The file of the installed torch that has its schedulers, and the module that they are imported from.
TORCH_FILE, TORCH_MODULE = "torch/optim/lr_scheduler.py", "torch.optim.lr_scheduler"

_Definition = ast.FunctionDef | ast.ClassDef


@dataclasses.dataclass(frozen=True)
class ReadParameters:
    """Names in the order of positional arguments, the defaults of some, and whether others are taken too."""

    names: tuple[str, ...]
    positional: int
    defaults: Mapping[str, ast.expr]
    more: bool = False


class Signatures:
    """What the files of one release of a library define, and what torch's schedulers take."""

    def __init__(self, library: Library, files: Mapping[str, bytes]) -> None:
        self._files = {path: text for path, text in files.items() if path.endswith(".py")}
        self._own = set(self._files)
        origin = importlib.util.find_spec("torch")
        if origin is not None and origin.origin:
            path = Path(origin.origin).parent / "optim" / "lr_scheduler.py"
            self._files[TORCH_FILE] = path.read_bytes()
        self._library = library
        self._trees: dict[str, Mapping[str, _Definition]] = {}

    def _definitions(self, path: str) -> Mapping[str, _Definition]:
        if path not in self._trees:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # old escapes in old docstrings
                try:
                    body = statements(self._files[path]).body
                except SyntaxError:
                    body = []
            self._trees[path] = {node.name: node for node in _nested(body)}
        return self._trees[path]

    def _find(self, name: str) -> tuple[str, _Definition] | None:
        """The definition of this name; the library's own before torch's."""
        word = name.encode()
        for path in sorted(self._files, key=lambda path: (path not in self._own, path)):
            if word in self._files[path] and name in self._definitions(path):
                return path, self._definitions(path)[name]
        return None

    def module(self, name: str) -> str:
        """The module that defines this name; empty where none of the files does."""
        found = self._find(name)
        if found is None:
            return ""
        if found[0] == TORCH_FILE:
            return TORCH_MODULE
        return found[0].removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def is_own(self, name: str) -> bool:
        """Whether a file of the library itself defines this name."""
        found = self._find(name)
        return found is not None and found[0] in self._own

    def has_module(self, name: str) -> bool:
        """Whether the release has a file of this module."""
        head = name.replace(".", "/")
        return f"{head}.py" in self._files or f"{head}/__init__.py" in self._files

    def parameters(self, name: str) -> ReadParameters | None:
        """What a function takes, or a class's constructor; None where the files do not say."""
        found = self._find(name)
        return None if found is None else self._of(found[1], {name})

    def _of(self, node: _Definition, seen: set[str]) -> ReadParameters | None:
        if isinstance(node, ast.FunctionDef):
            return _of_function(node, skip=0)
        for item in node.body:
            if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                return _of_function(item, skip=1)
        inherited: ReadParameters | None = None
        for base in node.bases:
            name = ast.unparse(base).rpartition(".")[2]
            found = None if name in seen else self._find(name)
            if found is not None:
                inherited = self._of(found[1], seen | {name})
                if inherited is not None:
                    break
        fields = dict(_fields(node.body))
        if not fields:
            return inherited
        names = (*(inherited.names if inherited else ()), *fields)
        defaults = {**(inherited.defaults if inherited else {}), **{k: v for k, v in fields.items() if v is not None}}
        return ReadParameters(names, len(names), defaults)


def _nested(body: list[ast.stmt]) -> Iterator[_Definition]:
    """Functions and classes of a module, those under `if` and `try` too."""
    for node in body:
        if isinstance(node, _Definition):
            yield node
        elif isinstance(node, ast.If | ast.Try):
            parts = [node.body, node.orelse, *(handler.body for handler in getattr(node, "handlers", ()))]
            for part in parts:
                yield from _nested(part)


def _fields(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr | None]]:
    """The fields of a dataclass, with their defaults."""
    for item in body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and "ClassVar" not in ast.dump(item):
            yield item.target.id, item.value


def _of_function(node: ast.FunctionDef, skip: int) -> ReadParameters:
    arguments = node.args
    positional = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)][skip:]
    defaults: dict[str, ast.expr] = {}
    if arguments.defaults:
        defaults.update(zip(positional[-len(arguments.defaults) :], arguments.defaults, strict=False))
    keywords = [argument.arg for argument in arguments.kwonlyargs]
    pairs = zip(keywords, arguments.kw_defaults, strict=True)
    defaults.update({name: value for name, value in pairs if value is not None})
    return ReadParameters((*positional, *keywords), len(positional), defaults, arguments.kwarg is not None)
