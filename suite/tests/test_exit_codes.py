"""Each way in which a command can end has its exit code and at most one line, in real processes of both programs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.__main__ import COMMANDS as BENCH_COMMANDS
from suite.__main__ import COMMANDS as SUITE_COMMANDS
from suite.shared.cli import EXIT_CODES
from suite.tests.house.tree import ROOT

#: A command of each program whose output fits a buffer, and one whose output does not.
SHORT = {"suite": ["show", "linear5"], "bench": ["diagnose", "lr.csv"]}
LONG = {"suite": ["show", "linear5", "--steps", "30000", "--json"], "bench": ["diagnose", "lr.csv", "--json"]}
#: A command of each program that takes some seconds.
SLOW = {"suite": ["check"], "bench": ["score", "--seeds", "0", "100000"]}
PROGRAMS = ("suite", "bench")
PIPES = pytest.mark.skipif(os.name == "nt", reason="needs /dev/full and signals as on Unix")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc to see what a process has loaded")
pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a healthy log of a warmup."""
    rows = "".join(f"{t},{0.1 * min(1.0, t / 10)}\n" for t in range(2000))
    (tmp_path / "lr.csv").write_text(f"step,lr\n{rows}")
    return tmp_path


def environment(**changes: str) -> dict[str, str]:
    """The environment of a child that finds our packages from any folder."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **changes}


def command(program: str, arguments: list[str]) -> list[str]:
    """The command line that a user types."""
    return [sys.executable, "-m", program, *arguments]


@PIPES
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("arguments", [None, LONG, SHORT], ids=["help", "long", "short"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_full_disk_is_one_line(
    program: str, arguments: dict[str, list[str]] | None, unbuffered: str, folder: Path
) -> None:
    """Output to /dev/full: 74, whether the write fails at once or only when the buffer is flushed at the end."""
    line = command(program, ["--help"] if arguments is None else arguments[program])
    with open("/dev/full", "w") as full:
        child = subprocess.run(
            line,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=environment(PYTHONUNBUFFERED=unbuffered),
        )
    assert (child.returncode, child.stderr) == (74, "the output cannot be written: No space left on device\n")


@PIPES
@pytest.mark.parametrize("arguments", [LONG, SHORT], ids=["long", "short"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_closed_pipe_is_silent(program: str, arguments: dict[str, list[str]], folder: Path) -> None:
    """A reader that has gone, as `head` has after its lines: 141 and no message."""
    reader, writer = os.pipe()
    os.close(reader)
    child = subprocess.run(
        command(program, arguments[program]),
        stdout=writer, stderr=subprocess.PIPE, text=True, cwd=folder, env=environment(),
    )  # fmt: skip
    os.close(writer)
    assert (child.returncode, child.stderr) == (141, "")


@PIPES
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_closed_output_is_one_line(program: str, folder: Path) -> None:
    """Standard output that the caller closed: 74; closed standard error changes nothing."""
    line = command(program, SHORT[program])
    for closed, expected in ((">&-", 74), ("2>&-", 0)):
        child = subprocess.run(
            ["sh", "-c", f'"$@" {closed}', "sh", *line], capture_output=True, text=True, cwd=folder, env=environment()
        )
        assert child.returncode == expected
        assert (child.stdout == "") == (expected == 74)
        assert child.stderr == ("the output cannot be written: standard output is closed\n" if expected else "")


@contextlib.contextmanager
def interruptible(line: list[str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A child in a process group of its own that obeys Ctrl-C, and does not outlive the block.

    Whoever runs the tests in the background may have made us ignore SIGINT, and children inherit that.
    """
    with subprocess.Popen(
        line,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=environment(),
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def wait_until(happened: Callable[[], bool]) -> None:
    """Wait for a state, however slow the machine is."""
    deadline = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def loads_torch(pid: int) -> bool:
    """Whether a process has begun to load torch's libraries: by then our handler of Ctrl-C is in place."""
    return "libtorch" in Path(f"/proc/{pid}/maps").read_text()


@LINUX
@pytest.mark.parametrize("program", PROGRAMS)
def test_ctrl_c_is_one_line(program: str, folder: Path) -> None:
    """SIGINT while torch is imported, or during the work: 130, no traceback."""
    with interruptible(command(program, SLOW[program]), folder) as child:
        wait_until(lambda: loads_torch(child.pid))
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=300)
    assert (child.returncode, out, err) == (130, "", "interrupted\n")


@PIPES
def test_ctrl_c_reaches_a_module_under_test(folder: Path) -> None:
    """SIGINT to the whole process group, as a terminal sends it: one line, and the child is gone too."""
    module, pid = folder / "lr_scheduler.py", folder / "pid"
    module.write_text("import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(1000)\n")
    line = command("suite", ["check", "--only", "steplr5", "--module", str(module)])
    with interruptible(line, folder) as child:
        wait_until(lambda: pid.exists() and pid.read_text() != "")
        os.killpg(child.pid, signal.SIGINT)
        out, err = child.communicate(timeout=300)
    assert (child.returncode, out, err) == (130, "", "interrupted\n")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_crash_is_our_fault(program: str, folder: Path) -> None:
    """An exception that no command expects: its traceback, a line that asks for a report, and 3."""
    name = SHORT[program][0]
    planted = (
        f"import {program}.commands.{name} as module; from {program}.__main__ import main\n"
        "from suite.shared.cli import exit_with\n"
        f"module.run = lambda args: 1 / 0\nexit_with(lambda: main({SHORT[program]!r}))"
    )
    child = subprocess.run(
        [sys.executable, "-c", planted], capture_output=True, text=True, cwd=folder, env=environment()
    )
    assert (child.returncode, child.stdout) == (3, "")
    assert child.stderr.splitlines()[0].startswith("Traceback")
    assert "ZeroDivisionError: division by zero" in child.stderr
    assert child.stderr.splitlines()[-1].startswith("This is a fault in warmup-bench")


def test_a_recorded_script_fails_as_without_us(folder: Path) -> None:
    """What somebody's script raises ends with Python's exit code 1 and its own traceback, not as a fault of ours."""
    (folder / "train.py").write_text("import sys\nprint(type(sys.stdout).__name__)\n1 / 0\n")
    child = subprocess.run(
        command("bench", ["record", "train.py"]), capture_output=True, text=True, cwd=folder, env=environment()
    )
    assert (child.returncode, child.stdout) == (1, "TextIOWrapper\n")
    assert child.stderr.rstrip().endswith("ZeroDivisionError: division by zero")
    assert "fault in warmup-bench" not in child.stderr


def test_a_recorded_script_may_close_its_output(folder: Path) -> None:
    """What it printed arrives, and the diagnosis follows on standard error."""
    (folder / "train.py").write_text("import sys\nprint('done')\nsys.stdout.close()\n")
    child = subprocess.run(
        command("bench", ["record", "train.py"]), capture_output=True, text=True, cwd=folder, env=environment()
    )
    assert (child.returncode, child.stdout) == (1, "done\n")
    assert len(child.stderr.splitlines()) == 1


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    "changes",
    [
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["cp1252", "ascii", "C"],
)
def test_any_encoding_will_do(program: str, changes: dict[str, str], folder: Path) -> None:
    """Help, tables and text from outside are printed in a code page that lacks their characters."""
    (folder / "lr→.csv").write_bytes((folder / "lr.csv").read_bytes().replace(b"lr", "lr ☃".encode()))
    table = (
        ["show", "linear5+cosine20"]
        if program == "suite"
        else ["diagnose", "lr→.csv", "--expect", "linear10", "--base-lr", "0.1"]
    )
    inside = ["show", "linear5→☃"] if program == "suite" else ["diagnose", "lr→.csv", "--column", "☃"]
    deep = ["check", "--only", "edge"] if program == "suite" else ["sweep", "--help"]
    for arguments, code in ((["--help"], 0), (table, 0), (inside, 2), (deep, 0)):
        child = subprocess.run(command(program, arguments), capture_output=True, cwd=folder, env=environment(**changes))
        text = (child.stdout + child.stderr).decode(changes.get("PYTHONIOENCODING", "ascii"))
        assert child.returncode == code, text
        assert "Traceback" not in text
        assert code == 0 or r"\u2603" in text or r"\udce2\udc98\udc83" in text  # the snowman, or its bytes in C


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_imports_nothing_slow(program: str) -> None:
    """`--help`, and a mistyped command, need neither torch nor NumPy; `--help` does not need rich either."""
    planted = (
        f"import sys; from {program}.__main__ import main\ntry:\n  main(['--help'])\nexcept SystemExit:\n"
        "  slow = {'torch', 'numpy', 'rich'} & set(sys.modules)\n  main(['no-such-command'])\n"
        "  sys.exit(str(slow | {'torch', 'numpy'} & set(sys.modules)))"
    )
    child = subprocess.run([sys.executable, "-c", planted], capture_output=True, text=True, env=environment())
    assert child.stderr.splitlines()[-1] == "set()"
    assert " ".join(child.stdout.split()).endswith(EXIT_CODES)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_alone_lists_its_commands(program: str) -> None:
    """Without arguments: the list on standard output, and the exit code of bad input."""
    child = subprocess.run(command(program, []), capture_output=True, text=True, env=environment(), cwd=ROOT)
    commands = SUITE_COMMANDS if program == "suite" else BENCH_COMMANDS
    assert child.returncode == 2
    assert [name for name in commands if f"\n    {name} " not in child.stdout] == []


def test_a_command_name_means_one_thing() -> None:
    """No command of one program is one of the other."""
    assert set(SUITE_COMMANDS) & set(BENCH_COMMANDS) == set()
