"""README.md: its numbers, table and examples are those of today, and its commands exist."""

from __future__ import annotations

import doctest
import re

import pytest

from suite.__main__ import main
from suite.known import recorded_release
from suite.readme import README, updated
from suite.subject import installed

TEXT = README.read_text(encoding="utf-8")


@pytest.mark.skipif(installed().release != recorded_release(), reason="the numbers are those of the recorded release")
def test_numbers_and_table_are_not_stale() -> None:
    """`python -m suite readme` would change nothing."""
    assert updated(TEXT) == TEXT


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


def test_every_picture_and_file_named_exists() -> None:
    """Pictures and paths in README.md are files of the repository."""
    named = re.findall(r"\]\((results/[^)]+)\)", TEXT) + re.findall(r"`(suite/[\w.]+\.\w+)`", TEXT)
    assert named
    assert [name for name in named if not (README.parent / name).exists()] == []
