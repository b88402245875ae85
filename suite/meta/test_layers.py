"""The direction of imports, read from syntax trees, and the top level of the repository.

Importing a package and looking at ``sys.modules`` would miss the modules that it does not import.
"""

from __future__ import annotations

import ast
import sys

import pytest

from suite.meta.tree import parse, python_files, tracked_files

#: What the absolute imports of each package may name besides the standard library.
FORBIDDEN = {
    "reference": {"suite", "bench", "results", "torch"},
    "suite": {"bench", "results"},
    "bench": {"suite", "results"},
}
#: How commands print, write files and draw has one home for both command lines; these modules import neither
#: torch nor another module of the suite.
SHARED = {"suite.output", "suite.files", "suite.plots"}
#: The tests of our own code may import all of it.
ABOVE = {"suite/meta/": {"bench"}}
TOP_LEVEL = {
    *("bench", "reference", "suite", "results"),
    *("asv.conf.json", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"),
}


def imported_modules(tree: ast.Module) -> set[str]:
    """Full names of all modules that are imported absolutely, anywhere in the file."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Call) and node.args:  # import_module("x") and __import__("x")
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            name = node.args[0]
            if called in {"import_module", "__import__"} and isinstance(name, ast.Constant):
                found.add(str(name.value))
    return found


def outer_names(path: str) -> set[str]:
    """First parts of the names of the modules that a file imports; in bench/ the shared ones are not counted."""
    counted = imported_modules(parse(path)) - (SHARED if path.startswith("bench/") else set())
    return {name.partition(".")[0] for name in counted}


def forbidden(path: str) -> set[str]:
    """What the imports of a file may not name."""
    allowed = (names for folder, names in ABOVE.items() if path.startswith(folder))
    return FORBIDDEN[path.partition("/")[0]].difference(*allowed)


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_imports_point_down(package: str) -> None:
    """No module imports a package above or beside its own layer."""
    files = python_files(package)
    wrong = {path: sorted(outer_names(path) & forbidden(path)) for path in files}
    assert files
    assert {path: names for path, names in wrong.items() if names} == {}


def test_only_the_meta_tests_reach_up() -> None:
    """The suite itself may not import bench/, its meta tests may; neither reads results/."""
    assert forbidden("suite/case.py") == forbidden("suite/conformance/test_x.py") == {"bench", "results"}
    assert forbidden("suite/meta/test_x.py") == {"results"}


@pytest.mark.parametrize("module", sorted(SHARED))
def test_shared_modules_stand_alone(module: str) -> None:
    """A module that both command lines share imports nothing of ours, and no torch."""
    path = module.replace(".", "/") + ".py"
    ours = {"torch", "reference", "suite", "bench"}
    local = [node for node in ast.walk(parse(path)) if isinstance(node, ast.ImportFrom) and node.level]
    assert (outer_names(path) & ours, local) == (set(), [])


def test_reference_imports_numpy_only() -> None:
    """The reference needs NumPy and the standard library, and names itself by relative imports."""
    allowed = sys.stdlib_module_names | {"numpy"}
    wrong = {path: sorted(outer_names(path) - allowed) for path in python_files("reference")}
    assert {path: names for path, names in wrong.items() if names} == {}


def test_relative_imports_stay_inside_the_package() -> None:
    """No relative import climbs out of its top-level package."""
    climbing = [
        f"{path}:{node.lineno}"
        for path in python_files()
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ImportFrom) and node.level > path.count("/")
    ]
    assert climbing == []


def test_import_reader_sees_every_form() -> None:
    """Imports in functions, of submodules, with an alias and by name at run time are all seen."""
    lines = [
        "import a.b as c",
        "def f():",
        "  from d.e import g",
        "  importlib.import_module('h')",
        "from .i import j",
    ]
    assert imported_modules(ast.parse("\n".join(lines))) == {"a.b", "d.e", "h"}


def test_top_level_is_as_designed() -> None:
    """The tracked top level holds the four folders, five files, and dotfiles."""
    top = {path.partition("/")[0] for path in tracked_files()}
    assert {name for name in top if not name.startswith(".")} == TOP_LEVEL
