"""What an installed warmup-bench consists of: the three folders of the clone in one package, their imports rewritten.

In the clone the folders are `reference`, `suite` and `bench`. Other repositories have folders with these names, so what
is installed elsewhere is `warmup_bench.reference`, `warmup_bench.suite` and `warmup_bench.bench`.
`wheel.py` writes such a package into a wheel. An editable install reads the clone instead, by the finder below, which
is copied into the environment together with this file. Standard library alone.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

NAME, FOLDERS = "warmup_bench", ("reference", "suite", "bench")
#: Folders that are of use in the clone only: tests, and what asv and pytest-benchmark run.
LEFT_OUT = ("tests", "conformance", "speed", "asv_benchmarks", "__pycache__")
#: Files that hold texts for users beside those of Python.
TEXTS = (".py", ".toml", ".j2")

_OURS = "|".join(FOLDERS)
#: What an import statement in a module or in an example of its docstring becomes, and the name of a module that is
#: imported by its name; then what users are shown.
_RULES = (
    (rf"^([ ]*(?:>>> |\.\.\. )?)from ({_OURS})(?=[. ])", rf"\1from {NAME}.\2"),
    (rf"^([ ]*(?:>>> |\.\.\. )?)import ((?:{_OURS})(?:\.\w+)*)(?= as )", rf"\1import {NAME}.\2"),
    (rf"^([ ]*(?:>>> |\.\.\. )?)import ({_OURS})$", rf"\1from {NAME} import \2"),
    (rf"""(["'])((?:{_OURS})(?:\.\w+)+)(?=\1)""", rf"\1{NAME}.\2"),
    (r"PYTHONPATH=<this clone> ", ""),
    (r"\bpython -m (suite|bench)\b", rf"python -m {NAME}.\1"),
    (r"pip install '\.\[", "pip install 'warmup-bench["),
)
RULES = tuple((re.compile(pattern, re.MULTILINE), new) for pattern, new in _RULES)


def rewritten(text: str) -> str:
    """The text of a file of the clone, as it is installed; every line keeps its number."""
    for pattern, new in RULES:
        text = pattern.sub(new, text)
    return text


def product_files(clone: Path) -> Iterator[Path]:
    """The files of the clone that are installed, relative to it."""
    for folder in FOLDERS:
        for path in sorted((clone / folder).rglob("*")):
            relative = path.relative_to(clone)
            if path.is_file() and not set(relative.parts) & set(LEFT_OUT):
                yield relative


def write_package(clone: Path, package: Path) -> None:
    """Write the package that a wheel holds."""
    shutil.copytree(clone / ".ci" / "package", package, ignore=shutil.ignore_patterns("__pycache__"))
    for relative in product_files(clone):
        source, target = clone / relative, package / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        if relative.suffix in TEXTS:
            target.write_text(rewritten(source.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
        else:
            shutil.copyfile(source, target)


def write_editable(clone: Path, package: Path) -> None:
    """Write the package of an editable install, which finds its modules in the clone."""
    shutil.copytree(clone / ".ci" / "package", package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(clone / ".ci" / "one_name.py", package / "_clone.py")
    with (package / "__init__.py").open("a", encoding="utf-8") as file:
        file.write(f"\nfrom ._clone import install_finder\n\ninstall_finder({str(clone)!r})\n")


class CloneLoader(importlib.machinery.SourceFileLoader):
    """Loads a module from the clone with its imports rewritten; the bytecode is not cached beside that of the clone."""

    def get_code(self, fullname: str) -> CodeType:
        """Compiled now: the clone's ``__pycache__`` holds the same file under its other name."""
        path = self.get_filename(fullname)
        text = rewritten(importlib.util.decode_source(self.get_data(path)))
        return self.source_to_code(text.encode(), path)  # type: ignore[return-value]

    def get_source(self, fullname: str) -> str:
        """The text that is run."""
        return rewritten(super().get_source(fullname) or "")


class CloneFinder(importlib.abc.MetaPathFinder):
    """Finds the modules of `warmup_bench` in the clone that an editable install was made from."""

    def __init__(self, clone: Path) -> None:
        self.clone = clone

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module's file in the clone; None for other packages, and for what is not installed."""
        parts = fullname.split(".")
        if parts[0] != NAME or len(parts) < 2 or parts[1] not in FOLDERS or set(parts) & set(LEFT_OUT):
            return None
        base = self.clone.joinpath(*parts[1:])
        for file, inside in ((base / "__init__.py", [str(base)]), (base.with_name(f"{base.name}.py"), None)):
            if file.is_file():
                loader: Any = CloneLoader(fullname, str(file))
                return importlib.util.spec_from_file_location(
                    fullname, file, loader=loader, submodule_search_locations=inside
                )
        return None


def install_finder(clone: str) -> None:
    """Let `warmup_bench` find its modules in this clone."""
    if not any(isinstance(finder, CloneFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, CloneFinder(Path(clone)))
