"""`diagnose --watch` and `diagnose --demo`, the answers as README.md shows them, and tables that fit a terminal."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.__main__ import main
from bench.diagnose.core.causes import CAUSES, group_of
from bench.diagnose.examine import LogDiagnosis, examine
from bench.diagnose.examples import demo
from bench.diagnose.examples.public.report import SHARES
from bench.diagnose.follow import follow
from bench.diagnose.log.read_log import read_log
from bench.diagnose.show.text import headline
from reference import parse
from reference.check import Rates

REPOSITORY = Path(__file__).parents[3]
#: A cosine that comes back, logged a few rows at a time.
LRS = parse("with_szero_eopen_kprefix_pperiodic.linear20+cosine80").trace(180, 1e-3)
#: Columns of a terminal that nobody has widened.
NARROW = 80


def write(path: Path, lrs: Rates, end: str = "\n") -> None:
    """The rows of a log so far; `end` is what the last line has."""
    rows = [f"{t},{float(lr)!r}" for t, lr in enumerate(lrs)]
    path.write_text("\n".join(["step,lr", *rows]) + end, encoding="utf-8")


def grows(path: Path, lengths: list[int], end: str = "\n") -> Iterator[bool]:
    """Write the log at each of these lengths; True, to stop, when all are written."""
    for length in lengths:
        if length:
            write(path, LRS[:length], end)
        yield False
    yield True


@pytest.mark.parametrize("end", ["\n", "", "\n101,1e"])
def test_an_answer_is_repeated_only_when_it_changes(end: str, tmp_path: Path) -> None:
    """More rows of the same schedule print nothing; the rise behind the decay is a new answer, once."""
    path, shown, waited = tmp_path / "log.csv", list[LogDiagnosis](), list[str]()
    steps = grows(path, [0, 0, 1, 60, 61, 80, 100, 108, 120, 150, 180], end)
    last = follow(path, lambda: examine(read_log(path)), shown.append, lambda: next(steps), waited.append)
    assert last is not None
    assert [result.healthy for result in shown] == [True, False]
    assert shown[1].diagnoses[0].trace.steps[-1] == 107
    assert last.diagnoses[0].trace.steps[-1] == 179
    assert ["existing file" in waited[0], "2 steps" in waited[1], len(waited)] == [True, True, 2]


def test_an_unchanged_log_is_not_read_again(tmp_path: Path) -> None:
    """A file that nobody has written to costs a look at its size and time."""
    path, reads = tmp_path / "log.csv", list[int]()
    write(path, LRS[:50])

    def read() -> LogDiagnosis:
        reads.append(1)
        return examine(read_log(path))

    stops = iter([False, False, False, True])
    follow(path, read, lambda result: None, lambda: next(stops), lambda reason: None)
    assert len(reads) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "code"), [(60, 0), (150, 1), (0, 2)])
def test_ctrl_c_ends_with_the_code_of_the_last_answer(rows: int, code: int, tmp_path: Path) -> None:
    """A healthy run ends with 0, a faulty one with 1, one that never had a log with 2."""
    path = tmp_path / "log.csv"
    if rows:
        write(path, LRS[:rows])
    command = [sys.executable, "-m", "bench", "diagnose", "--watch", str(path), "--interval", "0.05"]
    child = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert child.stdout is not None
    first = child.stdout.readline()
    assert first.startswith("Up to step" if rows else "waiting: ")
    time.sleep(0.2)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=60)
    assert child.returncode == code


BAD_WATCH = {
    "stdin": (["-", "--watch"], "trace='-' must be a file with --watch"),
    "module": (["train:make", "--watch"], "trace='train:make' must be a file with --watch"),
    "page": (["log.csv", "--watch", "--html", "a.html"], "html='a.html' must be omitted with --watch"),
    "zero": (["log.csv", "--watch", "--interval", "0"], "interval=0.0 must be > 0"),
    "alone": (["log.csv", "--interval", "3"], "interval=3 must be given with --watch"),
    "no_trace": ([], "trace=None must be given"),
}


@pytest.mark.parametrize("name", BAD_WATCH)
def test_bad_options_of_watch_cost_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be followed is refused, with the value first."""
    arguments, start = BAD_WATCH[name]
    assert main(["diagnose", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(start)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The demonstration with three causes."""
    chosen = ["ahead", "micro-batch", "rises-again"]
    kinds = {cause: kind for cause, kind in demo.demo_kinds().items() if cause in chosen}
    monkeypatch.setattr(demo, "demo_kinds", lambda: kinds)
    return chosen


def test_the_demonstration_writes_logs_and_explains_them(
    few: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each log is in the folder, in the table, and in a list of commands that give the same headline."""
    folder = tmp_path / "demo"
    assert main(["diagnose", "--demo", str(folder)]) == 0
    out = capsys.readouterr().out
    assert sorted(path.name for path in folder.iterdir()) == sorted([*(f"{c}.csv" for c in few), demo.COMMANDS])
    assert all(f"{cause}.csv" in out for cause in few)
    assert str(folder) in out
    commands = (folder / demo.COMMANDS).read_text(encoding="utf-8").splitlines()
    assert len(commands) == len(few)
    for command in commands:
        assert main(command.split()[3:]) == 1
        first = capsys.readouterr().out.splitlines()[0]
        assert " ".join(headline(first).split())[:20] in " ".join(out.split())
    assert main(["diagnose", "--demo", str(folder)]) == 2
    assert "must be a new or empty folder" in capsys.readouterr().err


def test_the_demonstration_as_json(few: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder, and for each log its cause and diagnosis."""
    assert main(["diagnose", "--demo", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {log["cause"]: log["verdict"] for log in found["logs"]} == dict.fromkeys(few, "fault")


def test_the_demonstration_has_every_cause_that_is_drawn() -> None:
    """Each cause once, under a name of the table."""
    kinds = demo.demo_kinds()
    assert len(kinds) > 40
    assert set(kinds) <= set(CAUSES)


@pytest.mark.slow
def test_most_logs_of_the_demonstration_are_explained_rightly(tmp_path: Path) -> None:
    """A demonstration that names other causes than it promises would teach the wrong thing."""
    logs = demo.write_demo(tmp_path, lambda: None)
    named = [log.diagnosis.best.cause if log.diagnosis.best is not None else "" for log in logs]
    wrong = [
        log.cause for log, cause in zip(logs, named, strict=True) if group_of(cause or log.cause) != group_of(log.cause)
    ]
    assert len(wrong) <= len(logs) // 20, wrong


def runs(folder: Path) -> Path:
    """A folder of three runs, one with a name that is longer than a column."""
    for name, lrs in (
        ("baseline", LRS[:100]),
        ("sweep-lr3e-4-warmup-long-seed-number-1234567-of-the-night", LRS),
        ("flat", np.full(50, 1e-3)),
    ):
        (folder / name).mkdir()
        write(folder / name / "metrics.csv", lrs)
    return folder


def test_the_table_of_runs_fits_a_narrow_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line is wider than the terminal, no word is cut, and the verdict is not repeated in the sentence."""
    monkeypatch.setenv("COLUMNS", str(NARROW))
    assert main(["diagnose", str(runs(tmp_path))]) == 1
    out = capsys.readouterr().out
    assert max(len(line) for line in out.splitlines()) <= NARROW
    assert "…" not in out
    assert "Healthy" not in out
    rows = [line.split()[0] for line in out.splitlines() if re.search(r"\b(fault|healthy)\b", line)]
    assert [row[:5] for row in rows] == ["sweep", "basel", "flat"]


def test_the_public_score_is_not_wrapped_in_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each kind is one line, with its shares and intervals, however narrow the terminal that started it."""
    pytest.importorskip("pandas")
    monkeypatch.setenv("COLUMNS", str(NARROW))
    assert main(["score", "--generator", "public", "--seeds", "0", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    head = next(line for line in lines if "kind" in line)
    assert "right or half" in head
    rows = [line for line in lines if re.search(r"\d \[\d+, \d+\]", line)]
    assert len(rows) >= 3
    assert all(len(re.findall(r"\[\d+, \d+\]", row)) == len(SHARES) + 1 for row in rows)


@pytest.mark.usefixtures("few")
def test_readme_shows_today_s_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer in README.md is what its command prints for a log of the run that it describes."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    command, shown = re.search(
        r"\$ python -m bench (diagnose metrics\.csv .*)\n```\n\n```text\n(.*?)```", text, re.DOTALL
    ).groups()  # type: ignore[union-attr]
    monkeypatch.chdir(tmp_path)
    write(Path("metrics.csv"), parse("linear500+cosine39500").trace(10_000, 3e-4))
    assert main(command.split()) == 1
    assert capsys.readouterr().out == shown
