"""What people read: who is hit, how badly, the page, the summary, `show ENTRY`, and JUnit XML."""

from __future__ import annotations

import dataclasses
import io
import json
import math
from pathlib import Path
from xml.etree import ElementTree

import pytest

from suite.__main__ import main
from suite.cases.catalogue import all_cases, find
from suite.engine.subject import installed
from suite.engine.verdict import Verdict, verdict_of
from suite.known import junit
from suite.known.deviations import explained, headings, recorded_release, table
from suite.known.findings import Finding, by_entry
from suite.known.page import page
from suite.known.report import WORST, print_entry, print_report
from suite.known.severity import CLASSES, damage_of, factor_off, ranked, worst
from suite.known.summary import print_summary
from suite.shared.console import plain_console

KNOWN_ONLY = pytest.mark.skipif(installed().release != recorded_release(), reason="as recorded for that release")


def finding_of(case_id: str) -> Finding:
    """The finding of one case on the installed torch."""
    case, subject = find(case_id), installed()
    verdict = verdict_of(case, subject)
    standing = "follows" if verdict.follows else "known"
    return Finding(case, verdict, standing, explained(case, verdict, subject.release))


@pytest.fixture(scope="module")
def some() -> list[Finding]:
    """A finding of each class of damage, and one that follows."""
    by_kind: dict[str, str] = {}
    ids = ["linearlr0_s0p01", "constantlr3_f0p0", "exponentiallr0p89"]
    for case in all_cases():
        marks = case.setup.marks
        if (
            marks
            and by_kind.setdefault(case.family + marks[0], case.id) == case.id
            and case.family in ("order", "docs")
        ):
            ids.append(case.id)
    return [finding_of(case_id) for case_id in ids]


def rate(expected: tuple[float, ...], actual: tuple[float, ...]) -> Verdict:
    """A deviation of the LR with these traces."""
    return Verdict("deviates", "differs", 0, 1.0, "", expected, actual, "lr")


def test_every_entry_says_who_is_hit() -> None:
    """It completes "you are hit if": no capital, no full stop, not empty."""
    for entry in table().values():
        assert entry.who[:1].islower(), entry.id
        assert not entry.who.endswith("."), entry.id


def test_every_subject_has_a_heading() -> None:
    """Each table starts with one, and no two are the same."""
    assert [subject for subject, heading in headings().items() if not heading.startswith(("You ", "A "))] == []
    assert len(set(headings().values())) == len(headings())


def test_every_action_has_words() -> None:
    """None is described by the default, its mark."""
    actions = {action.mark: action.words for case in all_cases() for action in case.setup.actions}
    assert [mark for mark, words in actions.items() if words == f"with {mark}"] == []


@pytest.mark.parametrize(
    ("expected", "actual", "factor", "low"),
    [
        ((1.0, 0.5), (1.0, 0.5), 1.0, False),
        ((1.0, 0.5), (1.0, 0.005), 100.0, True),
        ((1.0, 0.5), (4.0, 0.25), 4.0, False),
        ((1.0, 0.5), (1.0, 0.0), math.inf, True),
        ((1.0, 0.001), (1.0, 0.5), 1.0, False),  # near the end of a decay any ratio is possible
        ((0.0, 0.0), (0.0, 0.5), math.inf, False),
        ((math.nan, 0.5), (0.1, 0.25), 2.0, True),
    ],
)
def test_the_factor_is_the_largest(
    expected: tuple[float, ...], actual: tuple[float, ...], factor: float, low: bool
) -> None:
    """The largest factor where an LR is due, and its direction."""
    measured = factor_off(rate(expected, actual))
    assert measured[0] == pytest.approx(factor, rel=1e-12)
    assert measured[1] is low


@KNOWN_ONLY
def test_damage_is_measured() -> None:
    """total_iters=0 keeps the start factor of 0.01 for the whole run: 100 times too low, in every update."""
    finding = finding_of("linearlr0_s0p01")
    damage = damage_of(table()["length-zero-kept"], [finding])
    assert (damage.kind, damage.low, damage.steps, damage.total) == ("rate", True, 16, 16)
    assert damage.factor == pytest.approx(100, rel=1e-9)
    assert damage.words == "LR 100 × too low, in 16 of 16 updates"
    assert damage.silent


@KNOWN_ONLY
def test_an_error_is_not_silent() -> None:
    """It has no reach, and says which error."""
    damage = damage_of(table()["constant-factor-zero"], [finding_of("constantlr3_f0p0")])
    assert damage.kind == "midway"
    assert damage.reach == 0
    assert "ZeroDivisionError" in damage.words


def test_entries_are_sorted_by_damage(some: list[Finding]) -> None:
    """Silent wrong LRs come first, the largest factor first among them; documentation comes last."""
    entries = ranked(by_entry(some))
    kinds = [list(CLASSES).index(one.damage.kind) for one in entries]
    assert kinds == sorted(kinds)
    assert len(set(kinds)) >= 4
    factors = [one.damage.factor for one in entries if one.damage.kind == "rate"]
    assert factors == sorted(factors, reverse=True)


def test_only_silent_rates_are_the_worst(some: list[Finding]) -> None:
    """Errors, warnings and documentation are not among those that `check` ends with."""
    assert {one.damage.kind for one in worst(ranked(by_entry(some)), 10)} == {"rate"}


@KNOWN_ONLY
def test_an_example_quotes_what_the_entry_explains() -> None:
    """Where the first deviation of a case has another cause, the example is not that one."""
    lr, warned = (
        Verdict("deviates", shape, 3, 1.0, detail, channel=channel)
        for shape, detail, channel in (("scaled", "of the other", "lr"), ("warns", "of this one", "warnings"))
    )
    one, other = table()["kept-step-warned"], table()["length-zero-kept"]
    verdict = dataclasses.replace(lr, others=(warned,))
    finding = Finding(find("exponentiallr0p89"), verdict, "known", ((other,), (one,)))
    text = io.StringIO()
    print_entry(plain_console(text), ranked({one.id: [finding]})[0])
    assert "of this one" in text.getvalue()
    assert "of the other" not in text.getvalue()


def test_check_ends_with_what_matters(some: list[Finding], capsys: pytest.CaptureFixture[str]) -> None:
    """The last lines say who is hit and what to write instead; one line for each entry comes before."""
    print_report("torch", installed().release, some, [], [])
    out = capsys.readouterr().out
    last = out[out.index("What matters most") :].splitlines()
    entries = ranked(by_entry(some))
    assert len(last) == 1 + 2 * len(worst(entries, WORST))
    assert last[1].startswith("1. If you ")
    assert last[2].startswith("   Instead: ")
    for one in entries:
        assert one.damage.kind == "docs" or f"  {one.entry.id}: if {one.entry.who}\n" in out


def test_the_summary_is_one_screen(some: list[Finding]) -> None:
    """At most 23 lines of 80 columns, whatever the number of families, and the last one says what is new."""
    many = [
        dataclasses.replace(f, case=dataclasses.replace(f.case, family=f"{f.case.family}{i}"))
        for i in range(20)
        for f in some
    ]
    for findings in (some, many):
        text = io.StringIO()
        print_summary(plain_console(text), "torch", findings, [], [])
        lines = text.getvalue().splitlines()
        assert len(lines) <= 23
        assert max(map(len, lines)) <= 80
        assert lines[-1].endswith("nothing new")


def test_the_summary_counts_news(some: list[Finding]) -> None:
    """A stale entry is news, and so is a case that is."""
    new = [dataclasses.replace(f, standing="news") for f in some[:1]]
    text = io.StringIO()
    print_summary(plain_console(text), "torch", [*new, *some[1:]], ["stale-entry"], [])
    assert "2 NEWS" in text.getvalue().splitlines()[-1]


def test_the_page_has_every_entry_once(some: list[Finding]) -> None:
    """Each has its details under its id, and a row in the table of its subject; links lead to headings."""
    entries = ranked(by_entry(some))
    text = page("9.9.9", entries)
    for one in entries:
        assert text.count(f"\n#### {one.entry.id}\n") == 1
        assert f"](#{one.entry.id}) | " in text
        assert f"You are hit if {one.entry.who}" in text.replace("`__", "__").replace("__`", "__")


def test_junit_of_a_run_as_known(some: list[Finding]) -> None:
    """A test case for each entry and family; those that show pass with their text, the others are skipped."""
    root = ElementTree.fromstring(junit.as_xml("torch\x1b", installed().release, some, [], []))
    cases = {case.get("name"): case for case in root.iter("testcase")}
    shown = by_entry(some)
    assert set(cases) == set(table()) | {finding.case.family for finding in some}
    for name, entry in table().items():
        assert cases[name].get("classname") == entry.subject
        assert (cases[name].find("system-out") is not None) == (name in shown)
        assert (cases[name].find("skipped") is not None) == (name not in shown)
    assert root.findall("*/*/failure") == []


def test_junit_fails_for_news(some: list[Finding]) -> None:
    """A new deviation fails its family, a known one that no longer shows its entry, a missing class one of its own."""
    news = [dataclasses.replace(some[0], standing="news"), *some[1:]]
    root = ElementTree.fromstring(junit.as_xml("torch", installed().release, news, ["empty-rise"], ["LinearLR"]))
    failed = [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None]
    assert sorted(map(str, failed)) == sorted(["empty-rise", "LinearLR", some[0].case.family])
    assert [suite.get("failures") for suite in root] == ["1", "2"]


def test_junit_skips_what_is_absent(some: list[Finding]) -> None:
    """A family without a single class of this release is skipped."""
    absent = Finding(some[0].case, Verdict("absent", detail="X does not exist in this release"), "absent")
    root = ElementTree.fromstring(junit.as_xml("torch", installed().release, [absent], [], []))
    assert [case.find("skipped") is not None for case in root[1]] == [True]


def test_check_writes_junit_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both from one run: the damage of each entry, and those that matter most."""
    path = tmp_path / "check.xml"
    assert main(["check", "--only", "linearlr0*", "--json", "--junit", str(path)]) == 0
    result = json.loads(capsys.readouterr().out)
    entry = result["entries"]["length-zero-kept"]
    assert entry["who"] == table()["length-zero-kept"].who
    assert entry["damage"]["silent"] is True
    assert entry["damage"]["factor"] > 1
    assert entry["damage"]["steps"] > 1
    assert result["worst"] == ["length-zero-kept"]
    assert ElementTree.parse(path).getroot().tag == "testsuites"


@pytest.mark.parametrize("path", [".", "no/such/folder/x.xml", "a\x1bb/x.xml"])
def test_a_bad_path_is_one_line(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 before any case runs."""
    assert main(["check", "--only", "linearlr0*", "--junit", path]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("junit=")
    assert err.count("\n") == 1


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """The system's reason follows the rule."""
    with pytest.raises(ValueError, match=r"^junit=.* must be a file that can be written, but: "):
        junit.write(tmp_path / ("x" * 300), b"")


@KNOWN_ONLY
def test_show_explains_an_entry(capsys: pytest.CaptureFixture[str]) -> None:
    """Who is hit, the reading with its argument, three cases, other causes; as JSON all cases."""
    assert main(["show", "optimizer-loaded-before-build"]) == 0
    out = capsys.readouterr().out
    entry = table()["optimizer-loaded-before-build"]
    for words in (
        entry.who,
        entry.workaround,
        "reading: ",
        "why: ",
        "other causes",
        "repro linearlr-optimizerfirst_at3",
    ):
        assert words in out
    assert len({line.split(":")[0] for line in out.splitlines() if "-optimizerfirst_at" in line[:60]}) >= 3
    assert main(["show", "length-zero-kept", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert "linearlr0_s0p01" in result["cases"]
    assert result["damage"]["factor"] > 1


@KNOWN_ONLY
def test_show_explains_an_entry_of_older_releases(capsys: pytest.CaptureFixture[str]) -> None:
    """No case shows it any more, and that is said."""
    assert main(["show", "linear-from-zero"]) == 0
    assert f"no case shows it in torch {installed().release}" in capsys.readouterr().out
