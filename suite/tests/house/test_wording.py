"""One name means one thing, and prose is plain English where a rule can say it."""

from __future__ import annotations

import ast
import re
from collections import defaultdict

import pytest

from bench.__main__ import COMMANDS as BENCH_COMMANDS
from suite.__main__ import COMMANDS as SUITE_COMMANDS
from suite.tests.house.test_layers import is_test
from suite.tests.house.tree import ROOT, parse, python_files, tracked_files

#: What a translated sentence says → what an English one says. Spelt so that the patterns do not match this file.
PHRASES = {
    r"\b[a]new\b": "again, from scratch, regenerate",
    r"\b[g]oes on\b": "continues",
    r"\b[s]o many\b": "this many, as many, or the number itself",
    r"\b[i]s no (?:case|whole|number|integer|mistake|finding|json|schedule|share|dump)\b": "is not a …, unknown …",
    r"\b(?:is|are) not to be [h]ad\b": "could not be fetched, is not available",
    r"\b[h]eld against\b": "compared with",
    r"\b[s]tands in for\b": "replaces",
    r"\b(?:is|are) [t]old\b": "gets, knows, receives",
    r"\bof (?:its|their) own [a]ccord\b": "by itself",
    r"\b[b]egins with no\b": "does not start with",
    r"\b[w]hat is no\b": "what is not a …",
    r"\b[f]or ever\b": "forever",
    r"\band the [l]ike\b": "and similar",
    r"\b[w]hole numbers?\b": "integer",
}


def prose_files() -> list[str]:
    """The tracked files that hold prose or code."""
    return [path for path in tracked_files() if path.endswith((".py", ".md", ".toml", ".j2")) or path == ".ci/run"]


@pytest.mark.parametrize("phrase", PHRASES)
def test_no_translated_phrase(phrase: str) -> None:
    """No file says in translated idiom what English has a plain word for."""
    pattern = re.compile(phrase, re.IGNORECASE)
    hits = [
        f"{path}:{number} {line.strip()[:90]}"
        for path in prose_files()
        for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert hits == [], f"say {PHRASES[phrase]}"


@pytest.mark.parametrize("phrase", PHRASES)
def test_each_phrase_is_recognised(phrase: str) -> None:
    """Each pattern matches the phrase that it is written for."""
    plain = re.sub(r"\\b|\[(\w)\]", lambda m: m[1] or "", phrase)
    plain = re.sub(r"\(\?:([^|)]+)[^)]*\)", r"\1", plain).replace("s?", "s")
    assert re.search(phrase, f"It {plain} here.", re.IGNORECASE)


def test_a_class_name_means_one_thing() -> None:
    """No two classes of the product have the same name."""
    homes: dict[str, list[str]] = defaultdict(list)
    for path in python_files():
        if not is_test(path):
            for node in ast.walk(parse(path)):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    homes[node.name].append(path)
    assert len(homes) > 100
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


def test_a_command_name_means_one_thing() -> None:
    """The two command lines share no command name."""
    assert set(SUITE_COMMANDS) & set(BENCH_COMMANDS) == set()


@pytest.mark.parametrize("package", ["suite", "bench"])
def test_a_command_has_a_file_of_its_name(package: str) -> None:
    """The file of a command bears the command's name, and each file in commands/ is a command."""
    files = {path.rpartition("/")[2].removesuffix(".py") for path in python_files(f"{package}/commands")}
    commands = {"suite": SUITE_COMMANDS, "bench": BENCH_COMMANDS}[package]
    assert files - {"__init__"} == set(commands)
