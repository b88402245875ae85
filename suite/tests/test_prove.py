"""The proof by real installs finds every difference and cleans up; these tests need no network and no install."""

from __future__ import annotations

import json
import math
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reference import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    LinearLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
)
from suite.__main__ import main
from suite.commands import prove
from suite.engine.axes import Setup
from suite.engine.build import unvalidated
from suite.engine.case import Case
from suite.engine.loop import run_case
from suite.engine.subject import installed
from suite.installs import compare, installed_run, temporary_env
from suite.installs.installed_run import InstallRow
from suite.releases import load

WARMUP = LinearLR(0.13, 1.0, 6)
#: A trace, several groups, momentum, an error in training, an error at construction, and a warning.
CASES = (
    Case("single", CosineAnnealingLR(11)),
    Case("single", OneCycleLR(0.23, 20), Setup(groups=3)),
    Case("single", unvalidated(OneCycleLR, max_lr=0.23, total_steps=4)),
    Case("sequential", SequentialLR((WARMUP, CosineAnnealingWarmRestarts(3, 2)), (6,)), Setup(lr_type="tensor")),
    Case("refused", unvalidated(SequentialLR, schedulers=(WARMUP, unvalidated(ReduceLROnPlateau)), milestones=(6,))),
    Case("single", LinearLR(0.13, 1.0, 5), Setup(jumps=(7,))),
    Case("single", LinearLR(0.13, 1.0, 7), Setup(resume="builtfirst", cuts=(6,), saved=True)),
)
BY_ID = {case.id: case for case in CASES}


def fresh() -> list[InstallRow]:
    """The rows of CASES, from a new run."""
    return list(installed_run.rows(CASES, installed()))


def compared(there: list[InstallRow]) -> list[compare.InstallDifference]:
    """The differences when `there` is what an install gave."""
    return compare.compare(there, fresh(), BY_ID)


def test_cases_here_show_every_kind_of_outcome() -> None:
    """The cases of this file have traces, errors at both places and warnings, so each comparison is exercised."""
    rows = fresh()
    assert [bool(row["error"]) for row in rows] == [False, False, True, False, True, False, False]
    assert [bool(row["lrs"]) for row in rows if row["error"]] == [True, False]
    assert any(row["warned"] for row in rows)


def test_two_runs_are_identical() -> None:
    """Two runs on the same torch do not differ."""
    assert compared(fresh()) == []


def test_dump_round_trips(tmp_path: Path) -> None:
    """A written dump reads back as the same versions and rows, and its rates as the same floats."""
    about, rows = installed_run.versions(installed()), fresh()
    installed_run.write(tmp_path / "dump", about, rows)
    assert installed_run.read(tmp_path / "dump") == (about, rows)
    run = run_case(CASES[0].schedule, CASES[0].setup, CASES[0].steps, installed())
    assert [[float.fromhex(text) for text in row] for row in rows[0]["lrs"]] == run.lrs


@pytest.mark.parametrize("text", ["", '{"torch": "2.8.0"}\n{"case": "lin'], ids=["empty", "cut"])
def test_damaged_dump_is_refused(text: str, tmp_path: Path) -> None:
    """An empty or truncated file is refused."""
    (tmp_path / "dump").write_text(text)
    with pytest.raises(ValueError, match=r"^dump=dump must have one JSON object per line: "):
        installed_run.read(tmp_path / "dump")


@pytest.mark.parametrize("part", ["lrs", "last_lrs", "momenta"])
def test_one_ulp_is_found(part: str) -> None:
    """One value that is off by one unit in the last place is one difference, at its step."""
    there = fresh()
    value = float.fromhex(there[1][part][5][2])
    there[1][part][5][2] = math.nextafter(value, math.inf).hex()
    (d,) = compared(there)
    assert (d.case, d.part, d.step, d.explanation) == (CASES[1].id, part, 5, compare.UNEXPLAINED)
    assert d.installed != d.in_process


def test_sign_of_zero_is_found() -> None:
    """Minus zero is not zero: bits are compared, not values."""
    there = fresh()
    there[0]["lrs"][3], ours = [(-0.0).hex()], fresh()
    ours[0]["lrs"][3] = [(0.0).hex()]
    assert [d.step for d in compare.compare(there, ours, BY_ID)] == [3]


def test_trace_that_ends_early_is_found() -> None:
    """A step that only one side has is a difference at that step."""
    there = fresh()
    del there[0]["lrs"][7:]
    (d,) = compared(there)
    assert (d.part, d.step, d.installed) == ("lrs", 7, "no such step")


@pytest.mark.parametrize(
    ("part", "value"), [("error", "TypeError"), ("absent", "OneCycleLR"), ("warned", {"UserWarning": 1})]
)
def test_another_outcome_is_found(part: str, value: Any) -> None:
    """Another exception, an absent class or another number of warnings is a difference."""
    there = fresh()
    there[2][part] = value
    assert [(d.case, d.part, d.step) for d in compared(there)] == [(CASES[2].id, part, None)]


def test_missing_and_surplus_cases_are_found() -> None:
    """A case that only one side has is a difference, on either side."""
    there = fresh()
    there[0]["case"] = "surplus"
    values = {d.case: (d.installed, d.in_process) for d in compared(there)}
    assert values == {CASES[0].id: ("", "present"), "surplus": ("present", "")}


def test_message_alone_is_no_difference() -> None:
    """torch rewords its errors from release to release: the type is compared, not the text."""
    there = fresh()
    there[4]["message"] = "other words"
    assert compared(there) == []


def test_torch_load_is_named_only_for_a_saved_state() -> None:
    """An error about weights_only explains a difference only for a state that went through a file."""
    there = fresh()
    for row in there[-2:]:
        row |= {"error": "TypeError", "message": "unexpected argument 'weights_only'", "lrs": [], "last_lrs": []}
    assert [d.explanation for d in compared(there)] == [compare.UNEXPLAINED, "torch.load: its weights_only argument"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["2.x"], "release='2.x' must be a final torch release such as 2.8.0"),
        (["1.10.0"], "release=1.10.0 must be 1.11.0 or newer"),
        (["2.8.0", "newest"], "release='newest' must be a final torch release such as 2.8.0"),
        (["2.8.0", "2.4.1", "--python", "python"], "python=python must come with one RELEASE, not 2"),
    ],
    ids=["no number", "too old", "second", "python"],
)
def test_bad_arguments_exit_with_2_and_one_line(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad input is refused in one line, before anything is fetched."""
    assert main(["prove", *words]) == 2
    assert capsys.readouterr() == ("", line + "\n")


def proved(monkeypatch: pytest.MonkeyPatch, folder: Path, there: list[InstallRow], torch: str | None = None) -> int:
    """`prove` for the installed release, with `there` in place of a real install's rows."""
    subject = installed()
    about = installed_run.versions(subject) | ({"torch": torch} if torch else {})

    def written(command: Sequence[str], patience: float, scratch: Path) -> None:
        installed_run.write(Path(command[-1]), about, there)

    monkeypatch.setattr(compare, "call", written)
    for module in (compare, prove):
        monkeypatch.setattr(module, "all_cases", lambda: CASES)
    monkeypatch.setattr(load, "subject", lambda release: subject)
    return main(["prove", subject.release, "--python", sys.executable, "--out", str(folder)])


def test_record_of_an_identical_release(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Equal rows give exit code 0, a record that counts them, one row in the table, and twice the same bytes."""
    assert proved(monkeypatch, tmp_path, fresh()) == 0
    release = installed().release
    texts = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    record = json.loads(texts[f"{release}.json"])
    assert (record["cases"], record["identical"], record["differences"]) == (len(CASES), len(CASES), [])
    assert record["scheduler_files_equal"]
    assert texts["README.md"].decode().splitlines()[-1].endswith(f"| {len(CASES)} | {len(CASES)} | 0 | 0 |")
    assert "7 of 7 cases identical, 0 differences unexplained" in capsys.readouterr().out
    assert proved(monkeypatch, tmp_path, fresh()) == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == texts


def test_record_of_a_different_release(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A difference gives exit code 1, is in the record with case and step, and counts as open in the table."""
    there = fresh()
    there[0]["lrs"][2] = ["0x1.0p+0"]
    assert proved(monkeypatch, tmp_path, there) == 1
    record = json.loads((tmp_path / f"{installed().release}.json").read_text())
    assert [(d["case"], d["step"]) for d in record["differences"]] == [(CASES[0].id, 2)]
    assert (tmp_path / "README.md").read_text().splitlines()[-1].endswith("| 7 | 6 | 0 | 1 |")
    assert CASES[0].id in capsys.readouterr().out


def test_wrong_environment_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An interpreter with a torch other than the requested release is refused."""
    assert proved(monkeypatch, tmp_path, fresh(), torch="1.0.0") == 2
    assert capsys.readouterr().err == f"torch=1.0.0 must be {installed().release} in the environment\n"
    assert list(tmp_path.iterdir()) == []


def test_install_is_tried_three_times() -> None:
    """A failing install is retried after pauses, then fails with its own reason."""
    calls: list[Sequence[str]] = []
    pauses: list[float] = []

    def fails(command: Sequence[str], patience: float, scratch: Path) -> None:
        calls.append(command)
        if "pip" in command:
            raise temporary_env.InstallError("command='pip' ended with code 1: no network")

    with pytest.raises(temporary_env.InstallError, match="no network"):
        temporary_env.install("2.8.0", Path("nowhere"), fails, pauses.append)
    assert [("pip" in command) for command in calls] == [False, True, True, True]
    assert pauses == list(temporary_env.PAUSES)
    assert calls[-1][-2:] == temporary_env.requirements("2.8.0")


@pytest.mark.parametrize("end", [RuntimeError, KeyboardInterrupt, signal.SIGTERM], ids=["error", "ctrl-c", "kill"])
def test_environment_is_removed_whatever_happens(end: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an error, Ctrl-C or a kill inside it the environment's folder is gone, and the old handler is back."""
    homes: list[Path] = []

    def makes(command: Sequence[str], patience: float, scratch: Path) -> None:
        if "venv" in command:
            homes.append(Path(command[-1]))
            homes[0].mkdir()

    def ends(existed: list[bool]) -> None:
        with temporary_env.environment("2.8.0", makes):
            existed.append(homes[0].exists())
            if end is signal.SIGTERM:
                signal.raise_signal(end)
            raise end

    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=temporary_env.ROOM))
    before, existed = signal.getsignal(signal.SIGTERM), list[bool]()
    with pytest.raises(SystemExit if end is signal.SIGTERM else end):
        ends(existed)
    assert existed == [True]
    assert not homes[0].parent.exists()
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_full_disk_is_refused_before_the_download(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less free space than an install takes is reported in one line."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=temporary_env.ROOM - 1))
    with (
        pytest.raises(temporary_env.InstallError, match=r"^free=9 GB must be >= 10 GB"),
        temporary_env.environment("2.8.0"),
    ):
        pytest.fail("an environment was made")


@pytest.mark.parametrize(
    ("code", "reason"),
    [("print('all well so far'); raise SystemExit(3)", "ended with code 3: all well so far$"),
     ("print('ERROR: no such release'); print('hint'); raise SystemExit(1)", "code 1: no such release$"),
     ("import time; time.sleep(60)", "must end within 1 s$")],
    ids=["last line", "pip's error line", "too slow"],
)  # fmt: skip
def test_failing_command_says_why(code: str, reason: str, tmp_path: Path) -> None:
    """A command that fails or hangs gives one line with the reason."""
    with pytest.raises(temporary_env.InstallError, match=reason):
        temporary_env.call([sys.executable, "-c", code], 1.0 if "sleep" in code else 60.0, tmp_path)


def test_temporary_files_of_a_command_go_where_they_are_removed(tmp_path: Path) -> None:
    """What a killed pip leaves behind is in the folder that is removed with the environment."""
    temporary_env.call([sys.executable, "-c", "import tempfile; tempfile.mkdtemp(prefix='left')"], 60.0, tmp_path)
    assert [path.name[:4] for path in tmp_path.iterdir()] == ["left"]


def test_an_install_ignores_the_constraint_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A constraint in pip's settings would refuse the release; the environment is temporary, so it does not apply."""
    monkeypatch.setenv("PIP_CONSTRAINT", "constraints.txt")
    code = "import os, sys; sys.exit(os.environ['PIP_CONSTRAINT'] != os.devnull)"
    temporary_env.call([sys.executable, "-c", code], 60.0, tmp_path)
