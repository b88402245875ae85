"""README.md: its numbers, table and examples are those of today, and its commands exist."""

from __future__ import annotations

import doctest
import re

import pytest

from bench.__main__ import COMMANDS
from bench.__main__ import main as bench_main
from suite.__main__ import main
from suite.commands.readme import README, updated
from suite.engine.subject import installed
from suite.known.deviations import recorded_release

TEXT = README.read_text(encoding="utf-8")
RESULTS = (README.parent / "results" / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.skipif(installed().release != recorded_release(), reason="the numbers are those of the recorded release")
def test_numbers_and_table_are_not_stale() -> None:
    """`python -m suite readme` would change nothing."""
    assert updated(TEXT) == TEXT


@pytest.mark.slow
def test_a_changed_number_is_noticed() -> None:
    """The comparison above can fail."""
    altered = re.sub(r"\*\*(\d+)\*\* cases", lambda m: f"**{int(m[1]) + 1}** cases", TEXT)
    assert altered != TEXT
    assert updated(altered) != altered


def test_examples_print_what_they_show() -> None:
    """Every `>>>` example of README.md runs and gives its output."""
    found = doctest.DocTestParser().get_doctest(TEXT, {}, "README.md", str(README), 0)
    assert len(found.examples) >= 4
    result = doctest.DocTestRunner().run(found)
    assert result.failed == 0


def test_every_command_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    """Each `python -m suite WORD` in README.md is a command with help."""
    words = set(re.findall(r"python -m suite (\w+)", TEXT))
    assert words >= {"check", "show", "repro", "figures"}
    for word in words:
        with pytest.raises(SystemExit, match="0"):
            main([word, "--help"])
        assert "usage" in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_of_bench_is_shown(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command of `python -m bench` has help and stands in README.md, or in the list of results."""
    with pytest.raises(SystemExit, match="0"):
        bench_main([name, "--help"])
    assert "usage" in capsys.readouterr().out
    assert f"python -m bench {name} " in TEXT.replace("`", " ") + RESULTS.replace("`", " ")


def test_no_other_command_of_bench_is_shown() -> None:
    """README.md names no command of `python -m bench` that does not exist."""
    assert set(re.findall(r"python -m bench ([a-z][\w-]*)", TEXT)) <= set(COMMANDS)


def test_every_picture_and_file_named_exists() -> None:
    """Pictures and paths in README.md are files of the repository."""
    named = re.findall(r"\]\((results/[^)]+)\)", TEXT) + re.findall(r"`(suite/[\w.]+\.\w+)`", TEXT)
    assert named
    assert [name for name in named if not (README.parent / name).exists()] == []
