"""README.md: its numbers, table and examples are those of today, and its commands exist."""

from __future__ import annotations

import doctest
import re

import pytest

from bench.__main__ import COMMANDS
from bench.__main__ import main as bench_main
from suite.__main__ import main
from suite.commands.readme import DEVIATIONS, README, deviations, updated
from suite.engine.subject import installed
from suite.known.deviations import recorded_release

TEXT = README.read_text(encoding="utf-8")
CONTRIBUTING = (README.parent / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
RESULTS = (README.parent / "results" / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.skipif(installed().release != recorded_release(), reason="the numbers are those of the recorded release")
def test_numbers_and_table_are_not_stale() -> None:
    """`python -m suite readme` would change nothing but the time that a check took."""
    assert updated(TEXT) == TEXT
    assert deviations() == DEVIATIONS.read_text(encoding="utf-8")


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


def test_every_file_named_exists() -> None:
    """Links, pictures and paths in README.md and in the page of deviations are files of the repository."""
    named = re.findall(r"\]\(([\w.][^):#]*)\)", TEXT)
    named += re.findall(r"`((?:suite|bench|reference|results)/[\w./]+)`", TEXT)
    assert len(named) > 10
    assert [name for name in named if not (README.parent / name).exists()] == []


def test_every_section_linked_exists() -> None:
    """Each link to a section of README.md has a heading of that name."""
    headings = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    linked = set(re.findall(r"\]\(#([^)]+)\)", TEXT))
    assert len(linked) == 4
    assert linked <= anchors


def test_python_is_called_one_way() -> None:
    """After the environment is made, every command starts with `python -m`, `pip` and `pytest` too."""
    commands = re.findall(r"^\$ (.+)$", TEXT, re.MULTILINE)
    assert len(commands) >= 5
    first = "python3 -m venv .venv && . .venv/bin/activate && "
    assert [c for c in commands if not c.removeprefix(first).startswith("python -m ")] == []
    assert not re.search(r"(?<!-m )\b(?:pip install|pytest )", TEXT)


def recipes(text: str) -> dict[str, list[str]]:
    """Title → the numbered lines of each recipe."""
    parts = text.split("\n## Recipes\n")[1].split("\n## ")[0].split("\n### ")[1:]
    return {part.partition("\n")[0]: re.findall(r"^\d\. (.+)$", part, re.MULTILINE) for part in parts}


def test_each_recipe_touches_four_files_at_most() -> None:
    """The seven recipes name one to four places each, and every place exists."""
    found = recipes(CONTRIBUTING)
    assert len(found) == 7
    assert [title for title, lines in found.items() if not 1 <= len(lines) <= 4] == []
    places = [place for lines in found.values() for line in lines for place in re.findall(r"`(\w+/[\w./]+)`", line)]
    assert len(places) >= 5
    assert [place for place in places if "NAME" not in place and not (README.parent / place).exists()] == []


def test_each_recipe_ends_with_commands_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """Every `python -m suite` or `bench` command of CONTRIBUTING.md has help."""
    named = set(re.findall(r"python -m (suite|bench) (\w+)", CONTRIBUTING))
    assert len(named) >= 5
    for program, word in named:
        with pytest.raises(SystemExit, match="0"):
            {"suite": main, "bench": bench_main}[program]([word, "--help"])
        assert word in capsys.readouterr().out
