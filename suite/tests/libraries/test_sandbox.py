"""A library's code among stubs, in a process that may do little and is replaced when it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.libraries.sandbox import sandbox
from suite.libraries.sandbox.child import LibraryRun, Load, run_script
from suite.libraries.sandbox.sandbox import Sandbox
from suite.tests.libraries.planted import FILES, LISTED

IMPORT = "import torch\nfrom warmlib.schedules import {}"
BODY = (
    "optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)\n"
    "scheduler = {}(optimizer, 2, 4)\n"
    "lrs = []\n"
    "for t in range(4):\n"
    "    lrs.append([group['lr'] for group in optimizer.param_groups])\n"
    "    optimizer.step()\n"
    "    scheduler.step()"
)


def run(box: Sandbox, name: str) -> LibraryRun:
    """The run of one function of the planted library."""
    return box.run(IMPORT.format(name), BODY.format(name))


def test_the_file_is_real_and_everything_else_a_stub() -> None:
    """A module with imports that nobody has gives its LRs, and a package's own file is not loaded."""
    with Sandbox(Load(LISTED)) as box:
        assert run(box, "linear") == LibraryRun("done", ((0.0,), (0.5,), (1.0,), (0.5,)))


def test_a_name_that_a_release_lacks_is_absent() -> None:
    """So is a module; a file that fails is neither."""
    with Sandbox(Load(LISTED)) as box:
        assert run(box, "nothing").stage == "absent"
        assert box.run("from warmlib.nowhere import linear", "").stage == "absent"
        assert box.run("from other_library import linear", "").stage == "absent"
    with Sandbox(Load(FILES)) as box:
        broken = run(box, "linear")
    assert (broken.stage, broken.error, broken.message) == ("import", "RuntimeError", "a package is never loaded")


def test_what_a_schedule_has_no_reason_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file, no network, no program: an error of the case, in one line, and the next case runs."""
    monkeypatch.chdir(tmp_path)
    with Sandbox(Load(LISTED)) as box:
        for name, word in (("writes", "open"), ("calls_home", "socket"), ("runs_a_program", "subprocess")):
            refused = run(box, name)
            assert (refused.stage, refused.error) == ("construction", "PermissionError")
            assert word in refused.message
        assert run(box, "linear").stage == "done"
    assert list(tmp_path.iterdir()) == []


def test_a_library_that_hangs_or_dies_costs_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is replaced, and the next case runs."""
    with Sandbox(Load(LISTED)) as box:
        run(box, "linear")
        monkeypatch.setattr(sandbox, "PATIENCE", 0.5)
        hung = run(box, "hangs")
        monkeypatch.setattr(sandbox, "PATIENCE", 60.0)
        dead = run(box, "dies")
        assert (hung.error, hung.message) == ("TimeoutError", "no answer within 0 s")
        assert (dead.error, dead.message) == ("SystemExit", "the library ended the process (code 3)")
        assert run(box, "linear").stage == "done"


def test_where_an_exception_came_is_said() -> None:
    """At construction, or before which update; the LRs until then are kept."""
    text = "lrs = []\nfor t in range(4):\n    lrs.append([0.5])\n    if t == 1: raise KeyError('lr')"
    assert run_script("", "1 / 0") == LibraryRun("construction", error="ZeroDivisionError", message="division by zero")
    assert run_script("", text) == LibraryRun("update", ((0.5,), (0.5,)), "KeyError", "'lr'")


def test_a_stand_in_has_the_content_of_another_module() -> None:
    """As numpy for jax.numpy, in an import and as an attribute."""
    load = Load(
        {"fn/a.py": b"import jax.numpy as jnp\ndef f(t): return float(jnp.minimum(t, 2))"}, (), {"jax.numpy": "numpy"}
    )
    with Sandbox(load) as box:
        done = box.run("from fn.a import f", "lrs = [[f(t)] for t in range(4)]")
    assert [row[0] for row in done.lrs] == [0.0, 1.0, 2.0, 2.0]
