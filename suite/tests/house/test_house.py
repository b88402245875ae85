"""House rules for our own files: tests that say what they test, short files, nothing of one machine."""

from __future__ import annotations

import ast
import re
from types import FunctionType

import pytest

from suite.tests.house.tree import ROOT, collected_functions, own_nodes, parse, python_files, tracked_files

MAX_LINES = 300
# Spelled with one-letter classes, so that the patterns do not match this file.
MACHINE_PATH = re.compile(r"(?<![\w.~>}])/(?:[h]ome|[r]oot|[U]sers|[w]ork)/|\b[A-Z]:\\[U]sers\\")
REGISTRY_HOST = re.compile(
    r"[p]ypi\.(?:org|io)|[p]ythonhosted\.|[d]ownload\.pytorch\.|[a]naconda\.(?:org|com)|[c]onda-forge\.org"
)


def collected_from(path: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The test functions of a file; none unless pytest collects the file."""
    name = path.rpartition("/")[2]
    return list(collected_functions(parse(path))) if name.startswith("test_") else []


def undocumented(path: str) -> list[str]:
    """Test functions of a file that do not say in words what they test."""
    return [f"{path}:{test.lineno} {test.name}" for test in collected_from(path) if not ast.get_docstring(test)]


def returning(path: str) -> list[str]:
    """Places where a test body returns: pytest would count a test that left early as passed."""
    return [
        f"{path}:{node.lineno} {test.name}"
        for test in collected_from(path)
        for node in own_nodes(test)
        if isinstance(node, ast.Return)
    ]


def swallowing(path: str) -> list[str]:
    """Handlers that catch everything, or that catch something and pass it over in silence."""
    return [
        f"{path}:{node.lineno}"
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or all(isinstance(line, ast.Pass) for line in node.body))
    ]


def test_every_test_says_what_it_tests() -> None:
    """Every test function has a docstring."""
    assert [line for path in python_files() for line in undocumented(path)] == []


def test_no_test_returns() -> None:
    """No test body contains a return."""
    assert [line for path in python_files() for line in returning(path)] == []


def test_no_error_is_swallowed() -> None:
    """No handler is bare or does nothing."""
    assert [line for path in python_files() for line in swallowing(path)] == []


@pytest.mark.parametrize("package", ["reference", "suite", "bench"])
def test_files_are_short(package: str) -> None:
    """No Python file is longer than a reader can hold in mind."""
    texts = {path: (ROOT / path).read_text(encoding="utf-8") for path in python_files(package)}
    lengths = {path: len(text.splitlines()) for path, text in texts.items()}
    assert lengths
    assert {path: n for path, n in lengths.items() if n > MAX_LINES} == {}


@pytest.mark.parametrize("pattern", [MACHINE_PATH, REGISTRY_HOST], ids=["machine_path", "registry_host"])
def test_nothing_of_one_machine_is_tracked(pattern: re.Pattern[str]) -> None:
    """No tracked text names a home directory or the host of a package registry."""
    files = tracked_files()
    breaches = [
        f"{path}:{number} {line.strip()[:80]}"
        for path in files
        for number, line in enumerate((ROOT / path).read_bytes().decode("utf-8", "replace").splitlines(), 1)
        if pattern.search(line)
    ]
    assert files
    assert breaches == []


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (MACHINE_PATH, "open('/{}/x/data')".format("home")),
        (MACHINE_PATH, "/{}/.cache".format("root")),
        (REGISTRY_HOST, "https://{}.org/simple".format("pypi")),
        (REGISTRY_HOST, "https://download.{}.org/whl/cpu".format("pytorch")),
    ],
    ids=["home", "root", "index", "wheels"],
)
def test_patterns_match_what_they_forbid(pattern: re.Pattern[str], text: str) -> None:
    """Each forbidden kind of text is recognised."""
    assert pattern.search(text)


@pytest.mark.parametrize(
    ("rule", "body"),
    [
        (undocumented, "def test_a():\n    assert True"),
        (returning, "def test_a():\n    for i in x:\n        return"),
        (swallowing, "try:\n    f()\nexcept ValueError:\n    pass"),
        (swallowing, "try:\n    f()\nexcept:\n    raise"),
    ],
    ids=["undocumented", "returning", "silent", "bare"],
)
def test_rules_see_a_breach(rule: FunctionType, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each rule reports the one file that breaks it."""
    monkeypatch.setitem(rule.__globals__, "parse", lambda path: ast.parse(body))
    assert len(rule("test_breach.py")) == 1
