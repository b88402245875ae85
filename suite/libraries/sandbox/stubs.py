"""Imports from a library's own files; what these import beside them is a stub.

A stub stands for whatever its module would export: it can be called, subclassed, used as a decorator, and has every
attribute.  A module is real only where its file was listed, so that no package's ``__init__`` loads the rest.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import types
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

#: The name of the module that a script runs as.
SCRIPT = "__script__"
#: Never a stub: the subject is the library's code on the installed torch.
REAL = frozenset({"torch", "numpy", *sys.stdlib_module_names})


class Stub:
    """Stands for an object of a module that is not loaded."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As a decorator: the decorated object; else another stub."""
        return args[0] if len(args) == 1 and not kwargs and callable(args[0]) else Stub()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Stub()

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return (object,)

    def __instancecheck__(self, instance: object) -> bool:
        return False

    def __subclasscheck__(self, subclass: type) -> bool:
        return False

    def __getitem__(self, item: Any) -> Stub:
        return Stub()

    def __or__(self, other: Any) -> Stub:
        return Stub()

    __ror__ = __or__

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __bool__(self) -> bool:
        return False


class StubModule(types.ModuleType):
    """A module that is not loaded; submodules whose files are real are found through it."""

    __path__: list[str] = []  # noqa: RUF012  # what the import system reads of a package

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        full = f"{self.__name__}.{name}"
        loader = vars(self).get("__loader__")
        if full in sys.modules or (isinstance(loader, LibraryFinder) and loader.has(full)):
            return importlib.import_module(full)
        return Stub()


def _importer() -> str:
    """The name of the module whose import statement is being executed."""
    frame: types.FrameType | None = sys._getframe(2)
    while frame is not None and "importlib" in frame.f_code.co_filename:
        frame = frame.f_back
    return "" if frame is None else str(frame.f_globals.get("__name__"))


class LibraryFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds every module that a library's files or a script of ours import.

    `files`: path inside the wheel → content.  `real`: the names of top-level modules that are imported as installed.
    `stand_ins`: module → the module whose content it gets.
    """

    def __init__(self, files: Mapping[str, bytes], real: Sequence[str], stand_ins: Mapping[str, str]) -> None:
        self._files, self._stand_ins = files, stand_ins
        self._real = REAL | set(real)
        self._own = {SCRIPT}
        self._tops = {path.partition("/")[0].removesuffix(".py") for path in files}

    def _file(self, full: str) -> str | None:
        head = full.replace(".", "/")
        return next((path for path in (f"{head}.py", f"{head}/__init__.py") if path in self._files), None)

    def has(self, full: str) -> bool:
        """Whether a file of this module, of one inside it, or a stand-in is at hand."""
        head = full.replace(".", "/") + "/"
        return (
            full in self._stand_ins
            or self._file(full) is not None
            or any(path.startswith(head) for path in self._files)
        )

    def find_spec(self, full: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        """The module for an import by the library or by a script; None for one by torch, say."""
        importer = _importer()
        if importer == SCRIPT and full.partition(".")[0] in self._tops and not self.has(full):
            return None  # another release has it: the script's ImportError
        if self.has(full) or self._is_stubbed(full, importer):
            file = self._file(full)
            package = file is None or file.endswith("__init__.py")
            return importlib.machinery.ModuleSpec(full, self, origin=file, is_package=package)
        return None

    def _is_stubbed(self, full: str, importer: str) -> bool:
        return full.partition(".")[0] not in self._real and importer in self._own

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        """A stub where there is no file."""
        self._own.add(spec.name)
        return None if spec.origin else StubModule(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Run the module's file, if it has one."""
        other = self._stand_ins.get(module.__name__)
        if other is not None:
            content = vars(importlib.import_module(other)).items()
            module.__dict__.update({name: value for name, value in content if not name.startswith("__")})
        assert module.__spec__ is not None
        path = module.__spec__.origin
        if path is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # old escapes in old docstrings
                code = compile(self._files[path], path, "exec")
            exec(code, module.__dict__)
