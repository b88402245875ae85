"""`python -m bench diagnose` as people use it: what it prints, writes and refuses, and its exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.__main__ import main
from bench.diagnose import Trace
from bench.diagnose.examine import distinct, examine
from bench.diagnose.log.read_log import Log
from bench.diagnose.plan.factory import read_factory
from reference import parse

SLUG = "linear20+cosine180"
EXPECTED = parse(SLUG)
ASKED = ["--expect", SLUG, "--base-lr", "0.001"]
#: A user's own module: factories that work, and all that can go wrong in one.
MODULE = """
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, LinearLR, ReduceLROnPlateau, SequentialLR
import helper_of_user

print("printed on import")

def right(optimizer):
    print("printed when called")
    warmup = LinearLR(optimizer, 0.1, total_iters=20)
    return SequentialLR(optimizer, [warmup, CosineAnnealingLR(optimizer, 180)], [20])

def reference(optimizer):
    return schedule

def raises(optimizer):
    raise RuntimeError("first line\\nsecond line")

def leaves(optimizer):
    raise SystemExit

def nothing(optimizer):
    return None

def needs_loss(optimizer):
    return ReduceLROnPlateau(optimizer)

number = 3
optimizer = torch.optim.SGD([{"params": [torch.zeros(1)], "lr": 0.5}, {"params": [torch.zeros(1)], "lr": 0.25}])
halving = ExponentialLR(optimizer, 0.5)
schedule = helper_of_user.schedule
"""


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to work in, with a module of the user's and one that it imports; nothing of them stays loaded."""
    names = {"module_of_user", "helper_of_user", "broken_of_user"}
    (tmp_path / "module_of_user.py").write_text(MODULE)
    (tmp_path / "helper_of_user.py").write_text(f"from reference import parse\nschedule = parse({SLUG!r})\n")
    (tmp_path / "broken_of_user.py").write_text("import no_such_module\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in names & set(sys.modules):
        del sys.modules[name]


def log(lrs: np.ndarray, path: str = "log.csv", steps: np.ndarray | None = None) -> str:
    """A CSV file of LRs in the current folder."""
    steps = np.arange(lrs.size) if steps is None else steps
    rows = (f"{step},{float(lr)!r}" for step, lr in zip(steps, lrs, strict=True))
    Path(path).write_text("\n".join(["step,lr", *rows]), encoding="utf-8")
    return path


def late() -> np.ndarray:
    """The expected LRs, all of them one step late."""
    lrs = EXPECTED.trace(200, 1e-3)
    return np.concatenate([lrs[:1], lrs[:-1]])


@pytest.mark.usefixtures("user")
def test_a_healthy_log_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    """The log of the expected schedule matches it."""
    assert main(["diagnose", log(EXPECTED.trace(200, 1e-3)), *ASKED]) == 0
    out = capsys.readouterr().out
    assert "All 200 logged LRs match the expected schedule within the rounding of the log." in out
    assert "differs" not in out
    assert SLUG not in out


@pytest.mark.usefixtures("user")
def test_a_fault_ends_with_1_and_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence is the first line; the fix, the first difference and a table around it follow."""
    assert main(["diagnose", log(late()), *ASKED]) == 1
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert "late" in lines[0]
    assert "First wrong update: step 1" in lines[0]
    assert any(line.startswith("Change: ") for line in lines)
    assert (
        "  199 of 200 logged LRs differ from the expected schedule; first at step 1: logged 0, expected 5e-05." in lines
    )
    assert SLUG not in out
    assert ["1", "5e-05", "0", "differs"] in [line.split() for line in lines]
    assert "\x1b" not in out
    assert err == ""


@pytest.mark.usefixtures("user")
def test_json_has_every_trace(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output is one JSON document, with a diagnosis for each group, and the notes of the reader."""
    right = EXPECTED.trace(200, 1e-3)
    rows = [f"{i},{a!r},{b!r}" for i, (a, b) in enumerate(zip(right.tolist(), late().tolist(), strict=True))]
    Path("groups.csv").write_text("\n".join(["step,lr-Adam/pg1,lr-Adam/pg2", *rows, rows[-1]]), encoding="utf-8")
    assert main(["diagnose", "groups.csv", *ASKED, "--json"]) == 1
    diagnoses = json.loads(capsys.readouterr().out)["diagnoses"]
    assert [diagnosis["verdict"] for diagnosis in diagnoses] == ["healthy", "fault"]
    assert [diagnosis["name"] for diagnosis in diagnoses] == ["lr-Adam/pg1", "lr-Adam/pg2"]
    assert main(["diagnose", "groups.csv", *ASKED, "--column", "lr-Adam/pg1"]) == 0


@pytest.mark.slow
@pytest.mark.usefixtures("user")
def test_pictures_and_pages_are_written() -> None:
    """`--plot` leaves a picture, `--html` a page."""
    assert main(["diagnose", log(late()), *ASKED, "--plot", "plot.png", "--html", "page.html"]) == 1
    assert Path("plot.png").read_bytes().startswith(b"\x89PNG")
    assert Path("page.html").read_text(encoding="utf-8").startswith("<!doctype html>")


BAD = {
    "no_file": (["none.csv"], "trace='none.csv'"),
    "slug": (["log.csv", "--expect", "linear20+x"], "slug='x'"),
    "column": (["log.csv", "--column", "x"], "column='x'"),
    "first_step": (["log.csv", "--first-step", "7"], "first_step=7"),
    "negative_warmup": (["log.csv", "--warmup-steps", "-1"], "warmup_steps=-1"),
    "total": (["log.csv", "--total-steps", "0"], "total_steps=0"),
    "base": (["log.csv", "--base-lr", "0"], "base_lr=0"),
    "base_nan": (["log.csv", "--base-lr", "nan"], "base_lr=nan"),
    "steps": (["log.csv", "--steps", "5"], "steps=5"),
    "plot_folder": (["log.csv", "--plot", "none/a.png"], "plot='none/a.png'"),
    "plot_format": (["log.csv", *ASKED, "--plot", "a.xyz"], "plot=a.xyz"),
    "html_folder": (["log.csv", "--html", "none/a.html"], "html='none/a.html'"),
    "raises": (
        ["module_of_user:raises", "--total-steps", "9"],
        "trace='module_of_user:raises' raised RuntimeError: first line second line",
    ),
    "leaves": (["module_of_user:leaves", "--total-steps", "9"], "trace='module_of_user:leaves' raised SystemExit"),
    "nothing": (
        ["module_of_user:nothing", "--total-steps", "9"],
        "trace='module_of_user:nothing' must give a scheduler, but gave None",
    ),
    "needs_loss": (
        ["module_of_user:needs_loss", "--total-steps", "9", "--expect", SLUG],
        "expect='linear20+cosine180' must be omitted: module_of_user:needs_loss gives no LRs without a metric",
    ),
    "number": (
        ["module_of_user:number", "--total-steps", "9"],
        "trace='module_of_user:number' must give a scheduler, but gave 3",
    ),
    "no_name": (
        ["module_of_user:absent", "--steps", "9"],
        "trace='module_of_user:absent' must name something in module_of_user",
    ),
    "no_module": (
        ["absent_module:make", "--steps", "9"],
        "trace='absent_module:make' must name a module, but there is no absent_module",
    ),
    "broken_module": (
        ["broken_of_user:make", "--steps", "9"],
        "trace='broken_of_user:make' raised ModuleNotFoundError",
    ),
    "half_a_name": (["module_of_user:", "--steps", "9"], "trace='module_of_user:' must be a file, or module:factory"),
    "no_steps": (["module_of_user:right"], "steps=None"),
    "few_steps": (["module_of_user:right", "--steps", "1"], "steps=1"),
    "column_of_module": (["module_of_user:right", "--column", "lr"], "column='lr'"),
}


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("name", BAD)
def test_bad_input_ends_with_2_and_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The line on standard error starts with the bad input; nothing is printed or written."""
    log(EXPECTED.trace(5))
    before = set(Path.cwd().iterdir())
    arguments, start = BAD[name]
    assert main(["diagnose", *arguments]) == 2
    out, err = capsys.readouterr()
    line = err.splitlines()[-1]
    assert line.startswith(start)
    assert set(err.splitlines()[:-1]) <= {"printed on import", "printed when called"}
    assert out == ""
    assert {path for path in Path.cwd().iterdir() if path.name != "__pycache__"} == before


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize(("option", "package"), [("--plot", "matplotlib"), ("--html", "jinja2")])
def test_a_missing_package_is_named(
    option: str, package: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drawing packages are optional; without them one line says what to install."""
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["diagnose", log(late()), option, "file.png"]) == 2
    assert capsys.readouterr().err == f"{package} is not installed: pip install '.[bench]'\n"


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("name", ["right", "reference", "schedule"])
def test_a_module_is_stepped(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A factory of torch's schedulers, one of a schedule, and a schedule itself all give a trace; prints stay out."""
    slug = "seq2_m20.linearlr20_s0p1.cosineannealinglr180" if name == "right" else SLUG
    settings = ["--expect", slug, "--base-lr", "0.5", "--steps", "150", "--json"]
    assert main(["diagnose", f"module_of_user:{name}", *settings]) == 0
    diagnoses = json.loads(capsys.readouterr().out)["diagnoses"]
    assert [diagnosis["last_logged_step"] for diagnosis in diagnoses] == [149]


@pytest.mark.usefixtures("user")
def test_a_scheduler_object_is_stepped_with_its_own_groups() -> None:
    """A scheduler that is already built keeps its optimizer, and every group of it is a trace."""
    traces = read_factory("module_of_user:halving", 4).log.traces
    lrs = {trace.name: trace.lrs.tolist() for trace in traces}
    assert lrs == {"lr of group 0": [0.5, 0.25, 0.125, 0.0625], "lr of group 1": [0.25, 0.125, 0.0625, 0.03125]}


@pytest.mark.usefixtures("user")
def test_imports_leave_the_search_path_as_it_was() -> None:
    """The current folder is on the search path only while the user's module is imported."""
    before = list(sys.path)
    read_factory("module_of_user:right", 4)
    assert sys.path == before


def test_equal_groups_are_diagnosed_once() -> None:
    """Groups with the same LRs are one trace under all their names."""
    steps = np.arange(3)
    groups = [
        Trace(steps, np.ones(3), name="a"),
        Trace(steps, np.zeros(3), name="b"),
        Trace(steps, np.ones(3), name="c"),
    ]
    assert [trace.name for trace in distinct(groups)] == ["a, c", "b"]


@pytest.mark.parametrize("first", [0, 1])
def test_the_reading_that_explains_more_counts(first: int) -> None:
    """If the log does not say which update is the first, a healthy run is not reported as shifted."""
    steps = np.arange(1, 200)
    open_log = Log((Trace(steps, EXPECTED(steps - first)),), first_step=0, other_first_step=1)
    result = examine(open_log, EXPECTED)
    assert result.healthy
    assert ("read as 1, because 0 fits worse" in " ".join(result.notes)) == (first == 1)
    certain = Log((Trace(steps, EXPECTED(steps - 1)),))
    assert not examine(certain, EXPECTED).healthy
