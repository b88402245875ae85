"""The result of `check` as JUnit XML, which every CI system shows: a test case for each entry and each family."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from xml.etree import ElementTree

from suite.shared.console import printable
from suite.shared.files import write_whole

from .deviations import Known, table
from .findings import Finding, by_entry
from .report import LISTED, news_of
from .severity import Ranked, ranked


def _case(suite: ElementTree.Element, classname: str, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", classname=classname, name=name)


def _text(text: str) -> str:
    """The text without characters that XML cannot hold."""
    return printable(text, keep="\n\t").replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def _fail(case: ElementTree.Element, message: str, lines: Sequence[str] = ()) -> None:
    ElementTree.SubElement(case, "failure", message=_text(message)).text = _text("\n".join(lines) or message)


def _skip(case: ElementTree.Element, message: str) -> None:
    ElementTree.SubElement(case, "skipped", message=_text(message))


def _described(one: Ranked) -> str:
    entry, (example, deviation) = one.entry, one.damage.example
    return (
        f"{entry.title}\nYou are hit if {entry.who}: {one.damage.words}.\n{entry.symptom}\n"
        f"Instead: {entry.workaround}\nExample: {example.case.id}: {deviation.detail}\n"
        f"Upstream: {', '.join(entry.links) or 'no thread known'}\n"
    )


def _entries(suite: ElementTree.Element, release: str, shown: dict[str, Ranked], stale: Collection[str]) -> None:
    """An entry that shows passes, one that no longer does fails, one of another release is skipped."""
    for entry in table().values():
        case = _case(suite, entry.subject, entry.id)
        if entry.id in shown:
            ElementTree.SubElement(case, "system-out").text = _text(_described(shown[entry.id]))
        elif entry.id in stale:
            _fail(case, f"known for torch {release}, but no case shows it any more", [entry.title, entry.symptom])
        else:
            _skip(case, _why_not(entry, release))


def _why_not(entry: Known, release: str) -> str:
    if entry.covers(release):
        return "no case that was checked shows it"
    return f"not in torch {release}: since {entry.since}" + (f", fixed in {entry.until}" if entry.until else "")


def _families(suite: ElementTree.Element, findings: Sequence[Finding]) -> None:
    """A family fails where one of its cases is news, or follows although it is recorded as deviating."""
    families: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        families[finding.case.family].append(finding)
    for family, group in families.items():
        case = _case(suite, "families", family)
        news = [finding for finding in group if finding.standing in ("news", "fixed")]
        if news:
            lines = [f"{finding.case.id}: {news_of(finding)}" for finding in news[:LISTED]]
            lines += [f"… and {len(news) - LISTED} more (--json lists all)"] if len(news) > LISTED else []
            _fail(case, f"{len(news)} of {len(group)} cases are new", lines)
        elif all(finding.standing == "absent" for finding in group):
            _skip(case, group[0].verdict.detail)


def as_xml(
    name: str, release: str, findings: Sequence[Finding], stale: Collection[str], missing: Sequence[str]
) -> bytes:
    """The file's contents."""
    root = ElementTree.Element("testsuites", name=_text(name))
    known = ElementTree.SubElement(root, "testsuite", name="known deviations")
    shown = {one.entry.id: one for one in ranked(by_entry(findings))}
    _entries(known, release, shown, stale)
    news = ElementTree.SubElement(root, "testsuite", name="families of cases")
    _families(news, findings)
    for class_name in missing:
        _fail(_case(news, "missing", class_name), f"{class_name} is missing")
    for suite in (known, news):
        suite.set("tests", str(len(suite)))
        suite.set("failures", str(len(suite.findall("*/failure"))))
        suite.set("skipped", str(len(suite.findall("*/skipped"))))
        suite.set("errors", "0")
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def check_path(path: Path) -> None:
    """Raise ValueError, before the cases run, for a path that cannot be written."""
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"junit={path} must be a file in a folder that exists")


def write(path: Path, xml: bytes) -> None:
    """Write the file atomically; raises ValueError where it cannot be written."""
    try:
        write_whole(path, xml)
    except OSError as error:
        raise ValueError(f"junit={path} must be a file that can be written, but: {error.strerror}") from error
