"""Who may import whom, read from syntax trees, and the top level of the repository.

Importing a package and looking at ``sys.modules`` would miss the modules that it does not import.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import PurePosixPath

import pytest

from suite.tests.house.tree import parse, python_files, tracked_files

#: The import order: a folder may import from the lines above its own, never from its own line or below.
ORDER = (
    ("reference",),
    ("suite.shared",),
    ("suite.engine.optimizers",),
    ("suite.engine",),
    ("suite.engine.docstrings",),
    ("suite.tutorials",),
    ("suite.cases.schedules",),
    ("suite.cases.experiments.groups", "suite.cases.experiments.loading", "suite.cases.experiments.objects"),
    ("suite.cases.experiments",),
    ("suite.cases",),
    ("suite.known.entries",),
    ("suite.known", "suite.releases"),
    ("suite.installs", "suite.repro", "suite.across_releases", "suite.libraries.core"),
    ("suite.libraries.language", "suite.libraries.vision", "suite.libraries.training", "suite.libraries.packages"),
    ("suite.libraries.wheels", "suite.libraries.sandbox", "suite.libraries.known"),
    ("suite.libraries",),
    ("suite.libraries.translate",),
    ("suite.libraries.published",),
    ("suite.commands",),
    ("suite",),
    ("bench.toy.language",),
    ("bench.toy", "bench.releases", "bench.diagnose.core", "bench.diagnose.examples.public.schedules"),
    ("bench.toy.native",),
    ("bench.toy.batched", "bench.diagnose.counted", "bench.diagnose.log", "bench.diagnose.hypotheses"),
    ("bench.diagnose.fit", "bench.diagnose.facts"),
    ("bench.diagnose.forms",),
    ("bench.diagnose", "bench.diagnose.plan"),
    ("bench.watch.steps", "bench.diagnose.show"),
    ("bench.watch.plans",),
    ("bench.diagnose.examples", "bench.diagnose.examples.public", "bench.watch", "bench.sweep", "bench.asv_benchmarks"),
    ("bench.history",),
    ("bench.diverge", "bench.pytest_plugin", "bench.stability", "bench.cuda"),
    ("bench.claims.core",),
    ("bench.claims", "bench.claims.replications.core"),
    ("bench.claims.replications",),
    ("bench.commands",),
    ("bench.speed", "bench"),
)
RANK = {folder: rank for rank, folders in enumerate(ORDER) for folder in folders}
#: All that bench/ may use of the suite.
OPEN_TO_BENCH = {"suite.shared", "suite.engine"}
#: What the plugin may use beside it: it reads a call of another library as the matrix does.
OPEN_TO_PLUGIN = OPEN_TO_BENCH | {"suite.libraries.translate"}
#: More files than this in one folder and a newcomer no longer finds the right one.
MAX_FILES = 15
#: Flat on purpose: one file for each family of closed forms.
FLAT = {"reference"}
TOP_LEVEL = {
    *("bench", "reference", "suite", "results"),
    *("asv.conf.json", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"),
}


def is_test(path: str) -> bool:
    """Whether a file belongs to the tests, which may import everything and which nothing else imports."""
    return "tests" in PurePosixPath(path).parts or path.startswith("suite/conformance/")


def module_of(path: str) -> str:
    """The name that a file is imported by."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def folder_of(path: str) -> str:
    """The dotted name of the folder that holds the file."""
    return path.rpartition("/")[0].replace("/", ".")


def imported(tree: ast.Module, package: str = "") -> set[str]:
    """Full names of all that is imported anywhere in a file of `package`, as ``module`` or ``module.name``.

    Imports for type checkers alone are left out: they never run.
    """
    names: set[str] = set()
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            todo += node.orelse
            continue
        todo += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            names.update(f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:  # import_module("x") and __import__("x")
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            name = node.args[0]
            if called in {"import_module", "__import__"} and isinstance(name, ast.Constant):
                names.add(str(name.value))
    return names


def file_imports(files: list[str]) -> dict[str, set[str]]:
    """File → the files of ours that it imports."""
    by_name = {module_of(path): path for path in files}
    arrows: dict[str, set[str]] = {}
    for path in files:
        names = imported(parse(path), folder_of(path))
        targets = (by_name.get(name) or by_name.get(name.rpartition(".")[0]) for name in names)
        arrows[path] = {target for target in targets if target is not None and target != path}
    return arrows


def breach(path: str, target: str) -> str:
    """Why a file may not import another one; empty where it may."""
    here, there = folder_of(path), folder_of(target)
    if is_test(path):
        return ""
    if is_test(target):
        return f"{path} imports the test code {target}"
    if here != there and RANK[there] >= RANK[here]:
        return f"{path} imports {target}, but {there} comes after {here}"
    allowed = OPEN_TO_PLUGIN if here == "bench.pytest_plugin" else OPEN_TO_BENCH
    if here.startswith("bench") and there.startswith("suite") and there not in allowed:
        return f"{path} imports {target}, but of suite/ {here} may import {' and '.join(sorted(allowed))} only"
    return ""


def test_imports_follow_the_order() -> None:
    """No file imports from a folder that comes after its own, and no product file imports test code."""
    arrows = file_imports(python_files())
    assert arrows["suite/engine/verdict.py"]  # the reader of imports sees some at all
    assert [line for path, targets in arrows.items() for target in targets if (line := breach(path, target))] == []


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("reference/noam.py", "suite/engine/case.py"),
        ("suite/engine/case.py", "suite/cases/catalogue.py"),
        ("suite/known/findings.py", "suite/releases/load.py"),
        ("suite/engine/case.py", "suite/tests/stock.py"),
        ("bench/toy/task.py", "bench/toy/batched/batched.py"),
        ("bench/watch/recorder.py", "bench/diverge/runs.py"),
        ("bench/sweep/spec.py", "suite/known/deviations.py"),
        ("bench/watch/recorder.py", "suite/libraries/translate/source.py"),
    ],
)
def test_each_breach_is_seen(path: str, target: str) -> None:
    """An arrow that runs back, between neighbours, into the tests or past what bench/ may use is a breach."""
    assert breach(path, target)


def test_every_folder_has_its_place() -> None:
    """Each folder with product code stands in the order once, and the order names no other."""
    folders = {folder_of(path) for path in python_files() if not is_test(path)}
    assert sorted(RANK) == sorted(folders)
    assert sum(map(len, ORDER)) == len(RANK)


def test_no_circle_of_files() -> None:
    """No file imports itself by way of others."""
    try:
        TopologicalSorter(file_imports(python_files())).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_a_circle_is_seen() -> None:
    """The sorter used above reports a circle of three."""
    with pytest.raises(CycleError):
        TopologicalSorter({"a": {"b"}, "b": {"c"}, "c": {"a"}}).prepare()


def test_folders_are_small() -> None:
    """No folder of product code holds more files than a newcomer can survey."""
    paths = [path for path in python_files() if not is_test(path) and not path.endswith("__init__.py")]
    counts = Counter(map(folder_of, paths))
    assert {folder: n for folder, n in counts.items() if n > MAX_FILES and folder not in FLAT} == {}


def test_shared_code_needs_no_torch() -> None:
    """What both command lines share imports nothing of ours, and no torch: `--help` must be quick."""
    for path in python_files("suite/shared"):
        tops = {name.partition(".")[0] for name in imported(parse(path), "suite.shared")}
        assert "torch" not in tops, path


def test_reference_imports_numpy_only() -> None:
    """The reference needs NumPy and the standard library, and names itself by relative imports."""
    files = [path for path in python_files("reference") if not is_test(path)]
    allowed = sys.stdlib_module_names | {"numpy", "reference"}
    tops = {path: {name.partition(".")[0] for name in imported(parse(path), "reference")} for path in files}
    absolute = {path for path in files if any(name.startswith("reference.") for name in imported(parse(path)))}
    assert {path: names - allowed for path, names in tops.items() if names - allowed} == {}
    assert absolute == set()


def test_import_reader_sees_every_form() -> None:
    """Imports in functions, of submodules, with an alias, relative and by name at run time are all seen."""
    lines = [
        "import a.b as c",
        "def f():",
        "  from d.e import g",
        "  importlib.import_module('h')",
        "from .i import j",
        "from . import k",
        "if TYPE_CHECKING:",
        "  from l import m",
    ]
    expected = {"a.b", "d.e.g", "h", "own.package.i.j", "own.package.k"}
    assert imported(ast.parse("\n".join(lines)), "own.package") == expected


def test_top_level_is_as_designed() -> None:
    """The tracked top level holds the four folders, five files, and dotfiles."""
    top = {path.partition("/")[0] for path in tracked_files()}
    assert {name for name in top if not name.startswith(".")} == TOP_LEVEL
