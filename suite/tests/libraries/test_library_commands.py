"""The commands on the planted library: what they print, and their exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from suite.__main__ import main
from suite.libraries import catalogue, upgrade
from suite.libraries.findings import findings_of
from suite.libraries.repro import find_library_case, library_script
from suite.tests.libraries.planted import FILES, LIBRARY, LISTED


@pytest.fixture(autouse=True)
def only_the_planted_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other library, no index: its files are at hand."""
    catalogue.libraries.cache_clear()
    monkeypatch.setattr(catalogue, "libraries", lambda: {"warmlib": LIBRARY})
    for module in ("suite.commands.libraries", "suite.libraries.upgrade", "suite.commands.repro"):
        monkeypatch.setattr(f"{module}.files_of", lambda own, release, offline=False: LISTED)
    for module in ("suite.commands.libraries", "suite.libraries.upgrade"):
        monkeypatch.setattr(f"{module}.fetch_all", lambda pairs, offline, progress: {})
    monkeypatch.setattr("suite.commands.libraries.libraries", lambda: {"warmlib": LIBRARY})


def test_unexplained_deviations_are_news(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, and each in a line with its case."""
    assert main(["libraries", "warmlib"]) == 1
    out = capsys.readouterr().out
    assert "news: warmlib/late/plain [lr] step 1: LR 0, expected 0.25; the trace runs 1 step late" in out
    assert "cases of 1 library follow the documentation" in out


def test_json_has_every_case(capsys: pytest.CaptureFixture[str]) -> None:
    """With its LRs and what deviates."""
    assert main(["libraries", "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    rows = {row["case"]: row for row in result["cases"]}
    assert rows["warmlib/linear/plain"]["lrs"][:3] == [[0.0], [0.25], [0.5]]
    assert rows["warmlib/late/plain"]["deviations"][0]["shape"] == "shifted"
    assert result["exit_code"] == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["libraries", "warmlip"], "library='warmlip' must be one of warmlib; did you mean warmlib?"),
        (["libraries", "--release", "1.0", "--all-releases"], "not allowed with"),
        (["libraries", "warmlib", "--publish"], "names=warmlib must come with --out FOLDER"),
        (["repro", "warmlib/linear/nowhere"], "case='warmlib/linear/nowhere' must be warmlib/SCHEDULE/AXIS"),
        (["repro", "linearlr", "--release", "2.0"], "release='2.0' must come with a case of a library"),
        (["upgrade", "2.8.0"], "releases='2.8.0' must be FROM and TO, or LIBRARY, FROM and TO"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and the reason."""
    try:
        code = main(arguments)
    except SystemExit as error:  # argparse's own way out
        code = int(error.code or 0)
    assert code == 2
    assert line in capsys.readouterr().err


def test_two_releases_with_the_same_files_do_not_differ(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0."""
    assert upgrade.compare_library("warmlib", "1.0", "2.0", offline=True, as_json=False) == 0
    assert "no change: warmlib 1.0 and 2.0" in capsys.readouterr().out


def test_what_changes_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, the schedule, and the first step that differs."""
    late = {
        path: content.replace(b"t / max(1, warmup)", b"max(t - 1, 0) / max(1, warmup)")
        for path, content in LISTED.items()
    }
    monkeypatch.setattr(upgrade, "files_of", lambda own, release, offline=False: late if release == "1.0" else LISTED)
    assert main(["upgrade", "warmlib", "1.0", "2.0"]) == 1
    out = capsys.readouterr().out
    assert "warmlib/linear/plain: step 1: LR 0 becomes 0.25" in out
    assert "now follow the documentation" in out


@pytest.mark.parametrize(
    ("case", "last"),
    [
        ("late/plain", "first deviation: step 1: LR 0, expected 0.25"),
        ("linear/resume7", "no deviation"),
        ("firstgroup/groups", "first deviation: step 1: LR 0.025, expected 0.25"),
        ("below_zero/w14", "first deviation: step 14: LR -2 is not within 0 and 1.0"),
        ("cosine/plain", "first deviation: step 13: LR 0.0380602, expected 0"),
    ],
)
def test_the_script_of_a_case_shows_it(case: str, last: str, tmp_path: Path) -> None:
    """It runs in an interpreter that knows the library and nothing of ours."""
    planted = find_library_case(f"warmlib/{case}")
    found = next(f for f in findings_of(LIBRARY, "2.0", LISTED) if f.case.id == planted.id)
    for path, content in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"" if path.endswith("__init__.py") else content)
    (tmp_path / "absent_package").mkdir()
    (tmp_path / "absent_package" / "__init__.py").write_text("")
    (tmp_path / "absent_package" / "sub.py").write_text("Base = object\ndef decorate(f): return f\n")
    (tmp_path / "warmlib" / "other.py").write_text("Config = None\n")
    script = tmp_path / "script.py"
    script.write_text(library_script(found))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.stdout.splitlines()[-1:] == [last], done.stderr
    assert "Needs: pip install warmlib==2.0" in script.read_text()
