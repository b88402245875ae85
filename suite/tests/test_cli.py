"""The command line of the suite: exit codes, one clear line for bad input, output that parses."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from suite.__main__ import main
from suite.engine import watchdog
from suite.engine.subject import installed

pytestmark = pytest.mark.slow  # each test starts the command line in a process of its own

SOURCE = Path(str(installed().schedulers.__file__)).read_text(encoding="utf-8")
#: A handful of cases, so that a run takes as long as importing torch in the child does.
FEW = "steplr5*"


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """Standard error, which must be a single line; standard output must be empty."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


def test_check_prints_a_table_and_the_deviations_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    """A family is a row; a deviation has its workaround; as known is exit code 0."""
    assert main(["check", "--only", "milestones", "--details"]) == 0
    out = capsys.readouterr().out
    assert "SequentialLR does not validate its milestones [milestones-unchecked]" in out
    assert "instead: Pass sorted positive integers" in out
    assert "nothing new" in out


def test_check_json_holds_every_deviation(capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON parses, and its counts are those of its lists."""
    assert main(["check", "--only", "edge", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["cases"] == sum(result["standings"].values())
    assert result["standings"]["known"] == len({row["case"] for row in result["deviations"]})
    for row in result["deviations"]:
        assert row["standing"] == "known"
        assert result["entries"][row["entry"]]["workaround"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "--only", "nothing_like_it"], "only='nothing_like_it' must match"),
        (["check", "--release", "9.9.9", "--only", FEW], "release=9.9.9"),
        (["check", "--module", "no/such/file.py"], "module=no/such/file.py must be a readable Python file"),
        (["show", "linear5", "--steps", "0"], "steps=0 must be >= 1"),
        (["show", "linear5", "--plot", "x.nothing"], "plot=x.nothing must end in one of"),
        (["repro", "no-such-case"], "unknown case 'no-such-case' ("),
        (["upgrade", "2.x", "2.8.0"], "2.x"),
    ],
)
def test_bad_input_costs_one_clear_line(
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Exit code 2, the name and value first, nothing on standard output."""
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert words in one_line(capsys)


def test_a_bad_slug_shows_the_grammar_by_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, what is wrong, and two slugs that work."""
    assert main(["show", "linear5+nothing7"]) == 2
    err = capsys.readouterr().err
    assert "nothing7" in err
    assert "examples: linear500+cosine9500" in err


def test_show_prints_the_closed_form(capsys: pytest.CaptureFixture[str]) -> None:
    """Each step with its exact learning rate; JSON holds the same."""
    assert main(["show", "linear4+cosine8", "--steps", "6", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["slug"] == "linear4+cosine8"
    assert result["lrs"][:5] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert main(["show", "linear4+cosine8", "--steps", "6"]) == 0
    assert repr(result["lrs"][5]) in capsys.readouterr().out


def test_show_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The picture is a PNG."""
    path = tmp_path / "lr.png"
    assert main(["show", "linear50+cosine450", "--steps", "500", "--plot", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert str(path) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "linear5", "--plot", "x.png"], "matplotlib is not installed"),
        (["atlas", "--offline"], "atlas needs jinja2"),
    ],
)
def test_a_missing_extra_is_named(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the plotting extra, one line says what to install."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(arguments) == 2
    line = one_line(capsys)
    assert words in line
    assert "pip install" in line


COUNTED = "        self._step_count += 1\n"
MODULES = {
    "empty": ("", "but it is empty"),
    "no schedulers": ("x = 1\n", "has none of them"),
    "syntax": ("def (\n", "line 1"),
    "import": ("import a_module_that_is_not_there\n", "ModuleNotFoundError"),
    "endless import": ("while True:\n    pass\n", "gave no answer within 2 s while it was imported"),
    "dies": ("import os\nos._exit(3)\n", "ended the process (code 3)"),
    "endless step": (
        SOURCE.replace(COUNTED, f"{COUNTED}        CALLS.append(1)\n        while len(CALLS) > 40: pass\n")
        + "\nCALLS = []\n",
        "gave no answer within 2 s in case steplr5-",
    ),
    "endless first step": (
        SOURCE.replace(COUNTED, "        while True: pass\n"),
        "gave no answer within 5 s in case steplr5\n",
    ),
    "escapes": (
        r"raise RuntimeError('\x1b[31mred [bold]\x07')",
        r"cannot be imported: RuntimeError: \x1b[31mred [bold]\x07",
    ),
}
#: Limits that make a hang short; what a healthy part of the module needs stays generous.
LIMITS = {
    "endless import": ("MODULE_PATIENCE", 2.0),
    "endless step": ("PATIENCE", 2.0),
    "endless first step": ("MODULE_PATIENCE", 5.0),
}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_that_cannot_be_used_costs_one_clear_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No traceback, nothing hangs, exit code 2."""
    text, words = MODULES[name]
    assert text != SOURCE
    path = tmp_path / "lr_scheduler.py"
    path.write_text(text, encoding="utf-8")
    if name in LIMITS:
        monkeypatch.setattr(watchdog, *LIMITS[name])
    assert main(["check", "--only", FEW, "--module", str(path)]) == 2
    assert words in one_line(capsys)


def test_a_missing_class_is_news(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line names it, its cases are absent, and the exit code is 1."""
    path = tmp_path / "lr_scheduler.py"
    path.write_text(SOURCE.replace("class PolynomialLR(", "class Other("), encoding="utf-8")
    assert main(["check", "--only", "polynomiallr1_p2p0*", "--module", str(path)]) == 1
    out = capsys.readouterr().out
    assert "PolynomialLR is missing" in out
    assert "are absent" in out


def test_a_copy_of_the_installed_module_is_as_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same file under another path gives exit code 0."""
    path = tmp_path / "lr_scheduler.py"
    path.write_text(SOURCE, encoding="utf-8")
    assert main(["check", "--only", FEW, "--module", str(path)]) == 0
    assert "nothing new" in capsys.readouterr().out


def test_a_changed_factor_is_news(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A planted fault is named with its case, step, and both learning rates."""
    path = tmp_path / "lr_scheduler.py"
    changed = SOURCE.replace('group["lr"] * self.gamma for group', 'group["lr"] * self.gamma * 1.001 for group')
    assert changed != SOURCE
    path.write_text(changed, encoding="utf-8")
    assert main(["check", "--only", "steplr5", "--module", str(path)]) == 1
    out = capsys.readouterr().out
    assert "NEWS" in out
    assert "[steplr5]" in out
    assert "step 5: LR 0.03003, expected 0.03" in out
