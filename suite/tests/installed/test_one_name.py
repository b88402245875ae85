"""The installed package bears one name, imports nothing by the names of the clone, and gives the same verdicts."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from bench.__main__ import COMMANDS as BENCH_COMMANDS
from suite.__main__ import COMMANDS
from suite.shared.clone import version
from suite.tests.house.test_layers import imported, is_test
from suite.tests.house.tree import ROOT, python_files

from .elsewhere import one_name, run_elsewhere

ONE = one_name()
NAMES = set(ONE.FOLDERS)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package, as a wheel would install it."""
    folder = tmp_path_factory.mktemp("installed") / "site"
    folder.mkdir()
    ONE.write_package(ROOT, folder / "warmup_bench")
    return folder


@pytest.fixture(scope="module")
def editable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package of an editable install."""
    folder = tmp_path_factory.mktemp("editable") / "site"
    folder.mkdir()
    ONE.write_editable(ROOT, folder / "warmup_bench")
    return folder


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from reference import parse\n", "from warmup_bench.reference import parse\n"),
        ("    from bench.watch import report", "    from warmup_bench.bench.watch import report"),
        (">>> from suite.shared.cli import x", ">>> from warmup_bench.suite.shared.cli import x"),
        ("import reference as ref", "import warmup_bench.reference as ref"),
        ("import reference\n", "from warmup_bench import reference\n"),
        ("from references import x", "from references import x"),
        ("from .reference import x", "from .reference import x"),
        ("stand_ins={'x': \"suite.libraries.y\"}", "stand_ins={'x': \"warmup_bench.suite.libraries.y\"}"),
        ("'suite/known.toml', 'suite', 'suites.y'", "'suite/known.toml', 'suite', 'suites.y'"),
        ("run `python -m suite show`", "run `python -m warmup_bench.suite show`"),
        ("x is missing: pip install '.[bench]'", "x is missing: pip install 'warmup-bench[bench]'"),
    ],
)
def test_rewriting(text: str, expected: str) -> None:
    """Imports, examples and what users are shown get the installed name; other text stays."""
    assert ONE.rewritten(text) == expected


def test_no_installed_file_imports_by_the_names_of_the_clone() -> None:
    """After rewriting, no import statement of a product file names a folder of the clone, and no line has moved."""
    files = [str(path) for path in ONE.product_files(ROOT) if path.suffix == ".py"]
    assert len(files) > 300
    assert not [path for path in files if is_test(path)]
    for path in files:
        text = (ROOT / path).read_text(encoding="utf-8")
        new = ONE.rewritten(text)
        tops = {name.partition(".")[0] for name in imported(ast.parse(new), "package.module")}
        assert tops & NAMES == set(), path
        assert new.count("\n") == text.count("\n"), path


def test_no_product_file_names_a_module_of_ours_in_a_string() -> None:
    """A module that is imported by name has its installed name, or is named relative to its package."""
    pattern = re.compile(r"(?:reference|suite|bench)(?:\.\w+)+")
    named = [
        f"{path}:{node.lineno} {node.value}"
        for path in python_files()
        if not is_test(path) and not set(Path(path).parts) & set(ONE.LEFT_OUT)
        for node in ast.walk(ast.parse(ONE.rewritten((ROOT / path).read_text(encoding="utf-8"))))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and pattern.fullmatch(node.value)
    ]
    assert named == []


def test_only_one_name_is_importable(site: Path) -> None:
    """The package, its three parts and its lazy names import; the names of the clone do not, and torch waits."""
    code = """
import sys, warmup_bench
assert not {"torch", "numpy"} & set(sys.modules)
import warmup_bench.reference, warmup_bench.bench, warmup_bench.suite
assert not "torch" in sys.modules
assert warmup_bench.parse("linear4+cosine8").trace(3).tolist() == [0.0, 0.25, 0.5]
assert warmup_bench.Recorder.__module__ == "warmup_bench.bench.watch.recorder"
for name in ("reference", "suite", "bench"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    raise AssertionError(name)
try:
    warmup_bench.unknown
except AttributeError as error:
    print(error)
"""
    done = run_elsewhere(site, "-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "module 'warmup_bench' has no attribute 'unknown'\n"


def test_an_editable_install_reads_the_clone(editable: Path) -> None:
    """Its modules are files of the clone under the installed name, and the clone's names are not importable."""
    code = """
import warmup_bench.reference.pair as pair, warmup_bench.suite.shared.cli, importlib.util, inspect, os, sys
print(pair.__file__)
print(pair.Schedule.__module__, "from .schedule import" in inspect.getsource(pair))
print([name for name in ("reference", "suite", "bench") if importlib.util.find_spec(name) or name in sys.modules])
"""
    done = run_elsewhere(editable, "-c", code)
    expected = [str(ROOT / "reference" / "pair.py"), "warmup_bench.reference.schedule True", "[]"]
    assert (done.stdout.splitlines(), done.stderr) == (expected, "")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["site", "editable"])
def test_verdicts_are_those_of_the_clone(kind: str, request: pytest.FixtureRequest) -> None:
    """`check` gives the same verdicts elsewhere, also in the child process that a module of a user's runs in."""
    place = request.getfixturevalue(kind)
    found = []
    module = run_elsewhere(place, "-c", "import torch; print(torch.optim.lr_scheduler.__file__)").stdout.strip()
    for options in (["--only", "seq2*"], ["--only", "steplr5*", "--module", module]):
        texts = []
        for where, program in ((ROOT, "suite"), (place, "warmup_bench.suite")):
            done = run_elsewhere(place, "-m", program, "check", "--json", *options, PYTHONPATH=str(where))
            assert done.stderr == ""
            texts.append(done.stdout.replace("python -m warmup_bench.suite", "python -m suite"))
        assert texts[0] == texts[1]
        found.append(json.loads(texts[0])["cases"])
    assert min(found) > 10


@pytest.mark.slow
def test_libraries_run_elsewhere(site: Path) -> None:
    """The processes that other libraries' files run in import the installed package: `torch` needs no download."""
    texts = []
    for where, program in ((ROOT, "suite"), (site, "warmup_bench.suite")):
        arguments = ("-m", program, "libraries", "torch", "--offline", "--json")
        done = run_elsewhere(site, *arguments, PYTHONPATH=str(where))
        assert done.stderr == ""
        texts.append(done.stdout.replace("python -m warmup_bench.suite", "python -m suite"))
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("program", "arguments", "rest"),
    [
        ("suite", ["readme"], ": it writes README.md and results/"),
        ("suite", ["accept"], ": it writes the tables of known cases"),
        ("suite", ["prove", "2.8.0"], ": it writes results/"),
        ("suite", ["atlas"], ", or with --out FOLDER: it writes results/atlas"),
        ("suite", ["figures"], ", or with --out FOLDER: it writes results/figures"),
        ("suite", ["libraries", "--publish"], ", or with --out FOLDER: it writes results/libraries"),
        ("suite", ["fetch", "--write-hashes"], ": it writes the lists of known files"),
        ("bench", ["claim", "noam"], ", or with --out FOLDER: it writes results/claims"),
        ("bench", ["alarms"], ", or with --out FOLDER: it writes results/alarms"),
        ("bench", ["history"], ": it runs asv's benchmarks from there"),
        ("bench", ["torch", "2.4.1"], ": the environment runs its checks from there"),
    ],
)
def test_what_needs_a_clone_says_so(program: str, arguments: list[str], rest: str, site: Path) -> None:
    """Elsewhere such a command is bad input, in one line, and writes nothing."""
    done = run_elsewhere(site, "-m", f"warmup_bench.{program}", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"command={arguments[0]}")
    assert done.stderr.endswith(f" must be run in a clone of warmup-bench{rest}\n")
    assert list((site.parent / "elsewhere").iterdir()) == []


@pytest.mark.slow
def test_every_installed_module_can_be_imported(site: Path) -> None:
    """No module imports what is left out of the package."""
    code = """
import importlib, pkgutil, sys, warmup_bench
names = [m.name for m in pkgutil.walk_packages(warmup_bench.__path__, "warmup_bench.")]
alone = ("__main__", "preload", "pytest_plugin.collected", "hypothesis_profiles", "strategies", "sandbox.")
chosen = [name for name in names if not any(word in name for word in alone)]
failed = []
for name in chosen:
    try:
        importlib.import_module(name)
    except ImportError as error:
        failed.append((name, str(error)))
print(len(chosen), failed)
print({name.partition(".")[0] for name in sys.modules} & {"reference", "suite", "bench"})
"""
    done = run_elsewhere(site, "-c", code)
    number, _, failed = done.stdout.splitlines()[0].partition(" ")
    assert int(number) > 300
    assert failed == "[]"
    assert done.stdout.splitlines()[1] == "set()"


def test_help_names_the_installed_program(site: Path) -> None:
    """The help of the installed programs says how they are called there."""
    for program, commands in (("suite", COMMANDS), ("bench", BENCH_COMMANDS)):
        done = run_elsewhere(site, "-m", f"warmup_bench.{program}", "--help")
        assert done.stdout.startswith(f"usage: python -m warmup_bench.{program} ")
        assert next(reversed(commands)) in done.stdout


def test_the_version_is_the_newest_section_of_the_changelog() -> None:
    """A date: year, month and a number; the section is the first one."""
    assert re.fullmatch(r"20\d\d\.(?:[1-9]|1[0-2])\.\d+", version())
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == version()
