"""What is printed of text from outside: no control character and no markup has an effect."""

from __future__ import annotations

import codecs
import doctest
import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from bench.__main__ import main as bench_main
from suite.__main__ import main as suite_main
from suite.shared import cli, console
from suite.shared.console import PlainConsole, plain_console, plain_table, printable
from suite.shared.streams import PLAINER

#: Colour, window title, C1 colour, bell, backspace, carriage return, direction override, lone surrogate.
HOSTILE = "\x1b[31mred \x1b]0;title\x07 \x9b32m \x08\x08 \r over \u202etxt\u2066 \udc80 [bold] :bug:"
ESCAPED = r"\x1b[31mred \x1b]0;title\x07 \x9b32m \x08\x08 \r over \u202etxt\u2066 \udc80 [bold] :bug:"


def test_control_characters_are_escaped() -> None:
    """Every one of them, and no other character."""
    assert printable(HOSTILE) == ESCAPED
    assert printable("a\tb\n") == r"a\tb\n"
    assert printable("a\tb\n", keep="\n\t") == "a\tb\n"
    assert printable("→ ☃ é 漢 🐛 \u200d") == "→ ☃ é 漢 🐛 \u200d"


@pytest.mark.parametrize("form", ["line", "Text", "cell", "head", "print of several"])
def test_a_plain_console_prints_them_as_escapes(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whichever way the text gets there, on a terminal too."""
    file = io.StringIO()
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    out = plain_console(file)
    assert isinstance(out, PlainConsole)
    table = plain_table()
    table.add_column(HOSTILE if form == "head" else "head")
    table.add_row(HOSTILE)
    shown = {"line": HOSTILE, "Text": Text(HOSTILE), "cell": table, "head": table}
    if form == "print of several":
        out.print(HOSTILE, HOSTILE)
    else:
        out.print(shown[form])
    expected = ESCAPED.replace(r"\x07", "").replace(r"\x08", "").replace(r"\r", "") if form == "Text" else ESCAPED
    assert expected in file.getvalue()  # a Text has left some of them out by itself
    assert not set("\x07\x08\r\x9b\u202e\u2066\udc80") & set(file.getvalue())
    assert "\x1b[31m" not in file.getvalue()


def test_an_ordinary_console_would_not() -> None:
    """The test above can fail."""
    file = io.StringIO()
    Console(file=file).print(HOSTILE)
    assert "\x1b[31m" in file.getvalue()
    assert "[bold]" not in file.getvalue()


@pytest.mark.slow
def test_a_log_cannot_write_to_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names of columns and files, and what a user's module raises, come out as escapes and without markup."""
    rows = "".join(f"{t},{min(1.0, t / 10)},{1.0 - t / 40}\n" for t in range(40))
    path = tmp_path / "\x1b[31mred[bold].csv"
    path.write_text(f"step,lr/\x1b[31mred,lr/\x9b32m[bold]:bug:\n{rows}")
    module = tmp_path / "lr_scheduler.py"
    module.write_text(r"raise RuntimeError('\x1b[31mred \x07 [bold]')")
    for program, arguments, words in (
        (bench_main, ["diagnose", str(path)], r"lr/\x1b[31mred"),
        (bench_main, ["diagnose", str(path)], r"lr/\x9b32m[bold]:bug:"),
        (bench_main, ["diagnose", str(path), "--column", "x"], r"lr/\x1b[31mred"),
        (bench_main, ["diagnose", str(path) + "x"], r"\x1b[31mred[bold].csvx"),
        (bench_main, ["diagnose", f"\x1b[31m{path}"], r"\x1b[31m"),
        (suite_main, ["check", "--only", "steplr5", "--module", str(module)], r"RuntimeError: \x1b[31mred \x07 [bold]"),
        (suite_main, ["show", "\x1b[31m"], r"\x1b[31m"),
        (suite_main, ["\x1b[31m"], r"\x1b[31m"),
    ):
        program(arguments)
        out, err = capsys.readouterr()
        assert words in out + err
        assert not set("\x1b\x07\x9b") & set(out + err)


def test_spellings_are_plain() -> None:
    """Each character of the table has a spelling in ASCII, and everything else is escaped."""
    assert all(len(char) == 1 and text and text.isascii() for char, text in PLAINER.items())
    assert "→ × … ☃".encode("ascii", "transliterated") == rb"-> x ... \u2603"
    assert "10 %, 5 × 3 – naïve".encode("cp1252", "transliterated").decode("cp1252") == "10 %, 5 × 3 – naïve"
    with pytest.raises(UnicodeDecodeError):
        codecs.decode(b"\xff", "ascii", "transliterated")


@pytest.mark.parametrize("module", [cli, console], ids=["cli", "console"])
def test_examples_print_what_they_show(module: object) -> None:
    """The examples of the docstrings."""
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]
