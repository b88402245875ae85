"""`python -m bench record`: a user's script runs as without us, and its trace is kept however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.watch.steps import step_log
from suite.tests.house.tree import ROOT

#: Trains for the number of steps in its first argument and halves the LR after each.
TRAIN = """
import sys, torch
weight = torch.nn.Parameter(torch.ones(2))
optimizer = torch.optim.SGD([weight], lr=1.0)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
for step in range(int(sys.argv[1])):
    (weight**2).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    scheduler.step()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory; whatever a script changes in the process is restored."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    return tmp_path


def record(folder: Path, script: str, *arguments: str, options: tuple[str, ...] = ()) -> int:
    """Write a script, record it, and return the exit code."""
    (folder / "train.py").write_text(textwrap.dedent(script))
    return main(["record", *options, "train.py", *arguments])


def trace(path: Path) -> list[float]:
    """The LRs of a recorded trace; every line must be complete."""
    head, *lines = path.read_text().splitlines(keepends=True)
    assert head.startswith("step,optimizer,group,lr,")
    assert all(line.endswith("\n") and line.count(",") == head.count(",") for line in lines)
    return [float(line.split(",")[3]) for line in lines]


def test_a_script_leaves_its_trace_and_a_diagnosis(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The trace is a CSV of all steps; the summary and the verdict go to standard error only."""
    assert record(folder, TRAIN, "3", options=("--expect", "hold", "--base-lr", "1")) == 1
    out, err = capsys.readouterr()
    assert trace(folder / "trace.csv") == [1.0, 0.5, 0.25]
    assert out == ""
    assert err.startswith(f"record: {folder / 'trace.csv'}\n")
    assert "SGD: 3 steps, 1 parameter group, scheduler stepped once per step\n" in err
    assert err.splitlines()[2].startswith("SGD: ")


def test_the_script_sees_what_python_would_show_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Arguments (also those that look like ours), the first entry of sys.path, its name, pickling of its classes."""
    script = """
        import pickle, sys
        class Mine: pass
        assert type(pickle.loads(pickle.dumps(Mine()))) is Mine
        print(sys.argv, sys.path[0], __name__, __file__)
    """
    argv, path = sys.argv, list(sys.path)
    assert record(folder, script, "--out", "x", "-m", options=("--out", "mine.csv")) == 1
    out, err = capsys.readouterr()
    assert out == f"['train.py', '--out', 'x', '-m'] {folder} __main__ train.py\n"
    assert err == "record: no optimizer step was recorded\n"
    assert sys.argv is argv
    assert sys.path == path
    assert not (folder / "x").exists()


def test_a_module_is_run_by_its_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With -m the package is imported and its ``__main__`` is run."""
    (folder / "theirs").mkdir()
    (folder / "theirs" / "__init__.py").touch()
    (folder / "theirs" / "__main__.py").write_text(TRAIN + "print(__package__, sys.argv[1:])\n")
    main(["record", "-m", "theirs", "2"])
    assert capsys.readouterr().out == "theirs ['2']\n"
    assert trace(folder / "trace.csv") == [1.0, 0.5]


def test_a_script_may_have_modules_named_like_ours(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The script's own `reference` is imported, and ours is restored afterwards."""
    (folder / "reference.py").write_text("WHOSE = 'theirs'")
    ours = sys.modules["reference"]
    record(folder, "import reference\nprint(reference.WHOSE)")
    assert capsys.readouterr().out == "theirs\n"
    assert sys.modules["reference"] is ours


@pytest.mark.parametrize(
    ("ending", "code"), [("sys.exit(3)", 3), ("sys.exit('out of data')", "out of data"), ("sys.exit(0)", 1), ("", 1)]
)
def test_the_script_decides_on_the_exit_code(folder: Path, ending: str, code: int | str) -> None:
    """The script's own failure code is passed on; if it succeeds, a finding gives 1."""
    leaving: int | str | None
    try:
        leaving = record(folder, TRAIN + ending, "2", options=("--expect", "hold", "--base-lr", "1"))
    except SystemExit as error:
        leaving = error.code
    assert leaving == code
    assert trace(folder / "trace.csv") == [1.0, 0.5]


def test_an_exception_is_passed_on_after_the_diagnosis(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The trace before the error is written and diagnosed."""
    with pytest.raises(ZeroDivisionError):
        record(folder, TRAIN + "1 / 0", "2")
    assert trace(folder / "trace.csv") == [1.0, 0.5]
    assert "SGD: 2 steps" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.py"], "script=nowhere.py must be an existing Python file"),
        (["-m", "no_such_module.inside"], "module=no_such_module.inside must be importable"),
        (["--out", "no/folder/trace.csv", "train.py"], "trace.csv must be a writable file (No such file"),
        (["--expect", "nothing7", "train.py"], "nothing7"),
        (["--base-lr", "nan", "train.py"], "base_lr=nan must be finite"),
        (["--total-steps", "0", "train.py"], "total_steps=0 must be >= 1"),
    ],
)
def test_bad_input_costs_one_line_and_runs_nothing(
    folder: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, one clear line, and the script was not started."""
    (folder / "train.py").write_text("raise SystemError('it ran')")
    assert main(["record", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert err.count("\n") == 1
    assert not (folder / "trace.csv").exists()


def test_each_process_of_a_distributed_run_has_its_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All processes but the first append their rank to the file name."""
    monkeypatch.setenv("RANK", "2")
    record(folder, TRAIN, "2")
    assert trace(folder / "trace.rank2.csv") == [1.0, 0.5]


@pytest.mark.parametrize(("rank", "options", "code"), [("0", (), 0), ("0", ("--exit-code",), 1), ("1", (), 0)])
def test_among_several_processes_one_reports_and_none_fails(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rank: str,
    options: tuple[str, ...],
    code: int,
) -> None:
    """A launcher stops all processes if one fails, so a finding is no failure unless that is asked for."""
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert record(folder, TRAIN, "3", options=("--expect", "hold", "--base-lr", "1", *options)) == code
    assert ("SGD: 3 steps" in capsys.readouterr().err) == (rank == "0")


@pytest.mark.slow
def test_torchrun_reports_once(folder: Path) -> None:
    """Two real processes that train together under gloo: one report, two files, exit code 0."""
    script = """
        import torch
        from torch.nn.parallel import DistributedDataParallel
        torch.distributed.init_process_group("gloo")
        model = DistributedDataParallel(torch.nn.Linear(2, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
        for step in range(3):
            scheduler.step()
            model(torch.ones(1, 2)).sum().backward()
            optimizer.step()
        torch.distributed.destroy_process_group()
    """
    (folder / "train.py").write_text(textwrap.dedent(script))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [*launch, "-m", "bench", "record", "train.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("Every LR comes 1 step early") == 1
    assert trace(folder / "trace.csv") == trace(folder / "trace.rank1.csv") == [0.5, 0.25, 0.125]


def test_a_traceback_starts_in_the_script(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The traceback of an uncaught error shows the script's own lines and none of ours."""
    with pytest.raises(ZeroDivisionError) as caught:
        record(folder, "def half():\n    return 1 / 0\nhalf()\n")
    capsys.readouterr()
    sys.excepthook(caught.type, caught.value, caught.tb)
    err = capsys.readouterr().err.splitlines()
    assert [line.strip() for line in err if "File" in line] == [
        'File "train.py", line 3, in <module>',
        'File "train.py", line 2, in half',
    ]
    assert err[-1] == "ZeroDivisionError: division by zero"


def test_a_termination_writes_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On SIGTERM all steps are written before the process ends as it would without us."""
    sent = []
    monkeypatch.setattr(os, "kill", lambda *call: sent.append((*call, len(trace(folder / "trace.csv")))))
    before = signal.getsignal(signal.SIGTERM)
    script = TRAIN + "import signal; signal.raise_signal(signal.SIGTERM)\nprint(signal.getsignal(signal.SIGTERM))"
    record(folder, script, "7")
    assert sent == [(os.getpid(), signal.SIGTERM, 7)]
    assert signal.getsignal(signal.SIGTERM) is before


#: `python -m bench record` with a constant replaced: blocks end after a number of steps, never after some seconds.
RECORD_WITHOUT_CLOCK = """
import math, sys
from bench.__main__ import main
from bench.watch.steps import step_log
step_log.BLOCK_SECONDS = math.inf
sys.exit(main(["record", "train.py", "4500"]))
"""


@pytest.mark.slow
def test_a_kill_keeps_every_finished_block(folder: Path) -> None:
    """After a SIGKILL the file has every block that was finished, and nothing but complete lines.

    The script takes 4500 steps and then waits to be killed, so the result does not depend on the machine's speed.
    """
    (folder / "train.py").write_text(TRAIN + "print('done', flush=True)\nsys.stdin.read()\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", RECORD_WITHOUT_CLOCK]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "done\n"
        child.kill()
    assert child.returncode == -signal.SIGKILL
    lrs = trace(folder / "trace.csv")
    assert len(lrs) == 4500 // step_log.BLOCK_STEPS * step_log.BLOCK_STEPS
    assert len(lrs) >= 4000
    assert lrs[:1000] == [0.5**step for step in range(1000)]
