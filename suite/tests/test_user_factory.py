"""`upgrade --factory`: a user's own module under two releases, in a process that it may do anything to."""

from __future__ import annotations

import importlib
import json
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from suite.__main__ import main
from suite.across_releases import user_run
from suite.across_releases.user_run import Request, run_user
from suite.engine.loop import dummy_optimizer
from suite.engine.subject import Subject
from suite.engine.user_factory import BadSpec, as_installed
from suite.releases import cache
from suite.releases.load import load_release
from suite.tests import stock

OLD, NEW = "9.0.0", "9.1.0"
#: Three ways to name a scheduler; each must find the release's own.
TRAIN = """
import os
import torch
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import ExponentialLR
from helper_of_train import late

def at_module_level(optimizer):
    return ExponentialLR(optimizer, 0.9)

def by_attribute(optimizer):
    return torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)

def by_package(optimizer):
    return lr_scheduler.ExponentialLR(optimizer, 0.9)

def inside(optimizer):
    from torch.optim.lr_scheduler import ExponentialLR as Own
    return Own(optimizer, 0.9)

def of_another_module(optimizer):
    return late(optimizer)

def untouched(optimizer):
    return torch.optim.lr_scheduler.StepLR(optimizer, 3)

def averaging(optimizer):
    from torch.optim.swa_utils import SWALR
    assert SWALR.__mro__[1] is torch.optim.lr_scheduler.LRScheduler
    return SWALR(optimizer, 0.05)

def strict(optimizer):
    assert not hasattr(ExponentialLR, "planted"), "not this release"
    return ExponentialLR(optimizer, 0.9)

def hopeless(optimizer):
    raise RuntimeError("always")

def exits(optimizer):
    raise SystemExit("done")

def interrupts(optimizer):
    raise KeyboardInterrupt

def kills(optimizer):
    os._exit(7)

def prints(optimizer):
    print("not JSON")
    return ExponentialLR(optimizer, 0.9)

def ends_early(optimizer):
    return lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=4)

def no_scheduler(optimizer):
    return None

not_a_function = 3
"""
HELPER = (
    "from torch.optim.lr_scheduler import ExponentialLR\ndef late(optimizer): return ExponentialLR(optimizer, 0.9)\n"
)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's project folder to run in, and two releases: the installed one, and a copy with a fault."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    stock.put(OLD)
    stock.put(NEW, stock.WRONG_EXPONENTIAL + "ExponentialLR.planted = True\n")
    home = tmp_path / "project"
    home.mkdir()
    (home / "train.py").write_text(TRAIN)
    (home / "helper_of_train.py").write_text(HELPER)
    monkeypatch.chdir(home)
    return home


@pytest.fixture(autouse=True)
def nothing_left(project: Path) -> object:
    """After each test torch's modules, the search path and the imported modules are those of before."""
    importlib.import_module("suite.commands.upgrade")
    dummy_optimizer(0.1).step()  # for its first optimizer torch imports 800 modules, which stay
    optim = (torch.optim.lr_scheduler, torch.optim.swa_utils)
    path, before = list(sys.path), set(sys.modules)
    yield
    assert (torch.optim.lr_scheduler, torch.optim.swa_utils) == optim
    assert [importlib.import_module(f"torch.optim.{name}") for name in ("lr_scheduler", "swa_utils")] == list(optim)
    assert sys.path == path
    assert [name for name in set(sys.modules) - before if not name.startswith(("torch", "multiprocessing"))] == []


def mine(spec: str, *words: str) -> int:
    """Run the command on both releases."""
    return main(["upgrade", OLD, NEW, "--offline", "--factory", spec, *words])


@pytest.mark.parametrize("name", ["at_module_level", "by_attribute", "by_package", "inside", "of_another_module"])
def test_every_way_to_import_finds_the_release(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """The fault of the later release shows at its step, with the optimizer's lr, and not under the earlier one."""
    assert mine(f"train:{name}", "--json", "--lr", "0.5", "--steps", "6") == 1
    result = json.loads(capsys.readouterr().out)
    expected = [0.5 * 0.9**t for t in range(6)]
    lrs = {side: result[side]["values"]["LR"][0] for side in ("before", "after")}
    assert lrs["before"] == pytest.approx(expected, rel=1e-12)
    assert lrs["after"] == pytest.approx([lr * (1.01 if t >= 3 else 1.0) for t, lr in enumerate(expected)], rel=1e-12)
    assert result["changed"] is True
    assert result["words"].startswith("step 3: LR 0.3645 becomes 0.368145")


@pytest.mark.parametrize("name", ["untouched", "averaging"])
def test_no_change_is_a_sentence(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """A scheduler that the fault does not touch: exit code 0."""
    assert mine(f"train:{name}", "--steps", "7") == 0
    assert capsys.readouterr().out.startswith(f"no change in 7 steps of train:{name} from torch {OLD}'s")


def test_both_traces_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """The steps where they part stand side by side."""
    assert mine("train:by_attribute", "--steps", "5") == 1
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["2", "0.081", "0.081"] in lines
    assert ["3", "0.0729", "0.073629"] in lines


def test_a_factory_that_raises_under_one_release_is_a_change(capsys: pytest.CaptureFixture[str]) -> None:
    """The error of the user's code is the answer."""
    assert mine("train:strict") == 1
    assert "no error becomes AssertionError at construction: not this release" in capsys.readouterr().out


def test_an_import_that_one_release_lacks_is_a_change(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A class that only one release has: the import fails under the other, and that is what changes."""
    (project / "newer.py").write_text(
        "from torch.optim.lr_scheduler import NewLR\ndef make(optimizer): return NewLR(optimizer, 0.9)\n"
    )
    stock.put("9.2.0", "NewLR = ExponentialLR\n")
    assert main(["upgrade", OLD, "9.2.0", "--offline", "--factory", "newer:make"]) == 1
    assert "ImportError at construction" in capsys.readouterr().out
    assert main(["upgrade", OLD, NEW, "--offline", "--factory", "newer:make"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("factory='newer:make' must build a scheduler, but raises ImportError at construction")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("", "must be module:factory, a function that builds a scheduler"),
        ("train:hopeless", "must build a scheduler, but raises RuntimeError at construction: always"),
        ("train:not_a_function", "must name a function, but names "),
        ("train:absent", "must name something in train, but it has no absent"),
        ("broken:make", "must build a scheduler, but raises SyntaxError at construction"),
        ("train.absent:make", "must name a module, but there is no train.absent"),
        ("train:no_scheduler", "must return a scheduler, but returned None"),
        ("train:exits", "must build a scheduler, but raises SystemExit at construction: done"),
        ("train:interrupts", "must build a scheduler, but raises KeyboardInterrupt at construction"),
        ("train:kills", "ended the process (code 7)"),
    ],
)
def test_bad_factories_are_one_line(project: Path, capsys: pytest.CaptureFixture[str], spec: str, words: str) -> None:
    """What works under no release is bad input: exit code 2 and one line."""
    (project / "broken.py").write_text("def make(:\n")
    assert mine(spec) == 2
    output = capsys.readouterr()
    assert output.out == ""
    (line,) = output.err.splitlines()
    assert line.startswith(f"factory={spec!r} {words}")


def test_torch_is_restored_after_an_error() -> None:
    """Inside, all three spellings are the release's; after an error, all are torch's own again."""
    own = load_release(NEW)
    modules = []

    def user(own: Subject) -> None:
        with as_installed(own):
            modules.extend([torch.optim.lr_scheduler, importlib.import_module("torch.optim.swa_utils")])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        user(own)
    assert modules == [own.schedulers, own.averaging]
    assert torch.optim.lr_scheduler is not own.schedulers


def test_a_module_already_imported_is_imported_again(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A user's module that was imported before, by whatever ran first, still meets both releases."""
    sys.path.insert(0, str(project))
    try:
        kept = importlib.import_module("helper_of_train")
        assert mine("helper_of_train:late") == 1
        assert sys.modules["helper_of_train"] is kept
    finally:
        sys.path.remove(str(project))
        del sys.modules["helper_of_train"]


def test_prints_are_not_our_output(capfd: pytest.CaptureFixture[str]) -> None:
    """What a factory prints goes to standard error, and the JSON stays JSON."""
    assert mine("train:prints", "--json") == 1
    output = capfd.readouterr()
    assert json.loads(output.out)["changed"] is True
    assert output.err.splitlines() == ["not JSON"] * 2


def test_a_script_meets_no_options_of_ours(project: Path) -> None:
    """A module that parses its arguments when it is imported gets its defaults."""
    parse = "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--epochs', default=3)\n"
    (project / "script.py").write_text(f"{parse}parser.parse_args()\n{HELPER}")
    assert mine("script:late") == 1


def test_what_a_process_does_once_is_done_for_each_release(project: Path) -> None:
    """Operators are registered with torch once in a process, so each release needs its own."""
    once = "import torch\nlibrary = torch.library.Library('warmup_bench_test', 'DEF')\n"
    make = "def make(optimizer):\n    return torch.optim.lr_scheduler.StepLR(optimizer, 3)\n"
    (project / "operators.py").write_text(once + make)
    assert mine("operators:make") == 0


def test_a_factory_that_hangs_is_one_line(project: Path) -> None:
    """The child process is given up."""
    (project / "slow.py").write_text("import time\ndef make(optimizer):\n    time.sleep(60)\n")
    with pytest.raises(BadSpec, match=r"^factory='slow:make' gave no answer within 1 s: does importing it train\?$"):
        run_user(Request("slow:make", 0.1, 1), partial(load_release, OLD), patience=1.0)


def test_a_common_end_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    """A run that ends before the last step, with the same error under both releases, says so.

    OneCycleLR(total_steps=4) takes four calls of step(), so the fifth, after update 4, fails.
    """
    assert mine("train:ends_early", "--steps", "20") == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("no change in 5 steps of train:ends_early")
    assert last.startswith("  both end with ValueError at step 5: Tried to step 5 times")


@pytest.mark.slow
def test_a_new_interpreter_gives_the_same(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where a process with torch cannot fork, a new one is started."""
    monkeypatch.setattr(user_run, "METHOD", "spawn")
    assert mine("train:by_attribute", "--steps", "5") == 1
    assert "step 3: LR 0.0729 becomes 0.073629" in capsys.readouterr().out
