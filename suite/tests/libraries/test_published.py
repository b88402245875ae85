"""results/libraries/: every figure of the page comes from the findings, and the tables read back."""

from __future__ import annotations

import dataclasses
import functools
import gzip
import io
from html.parser import HTMLParser

import pytest

from suite.libraries.core.library import Library
from suite.libraries.findings import LibraryFinding
from suite.libraries.published import matrix, page, tables
from suite.libraries.releases import ReleaseOf, changes_of, findings_of_releases
from suite.tests.libraries.planted import LIBRARY, LISTED

#: In the first release the linear schedule is the late one.
OLD = {
    path: content.replace(b"def linear(", b"def gone(").replace(b"def late(", b"def linear(")
    for path, content in LISTED.items()
}


@functools.cache
def findings() -> dict[ReleaseOf, list[LibraryFinding]]:
    """Two releases of the planted library."""
    return findings_of_releases([(LIBRARY, "1.0", OLD), (LIBRARY, "2.0", LISTED)])


def test_releases_with_equal_files_are_run_once() -> None:
    """The second has the runs of the first, judged by itself."""
    ran: list[str] = []
    same = findings_of_releases([(LIBRARY, "1.0", LISTED), (LIBRARY, "2.0", dict(LISTED))], ran.append)
    assert ran == ["warmlib"]
    assert [f.run for f in same["warmlib", "1.0"]] == [f.run for f in same["warmlib", "2.0"]]
    assert {f.release for f in same["warmlib", "2.0"]} == {"2.0"}


def test_a_change_is_found_with_its_first_step() -> None:
    """A schedule that was late, and one that is new."""
    changes = {c.after.case.id: c for c in changes_of(findings()["warmlib", "1.0"], findings()["warmlib", "2.0"])}
    assert changes["warmlib/linear/plain"].words == "step 1: LR 0 becomes 0.25"
    assert changes["warmlib/linear/plain"].fixes
    assert changes["warmlib/late/plain"].words == "is new"
    assert not any(name.startswith("warmlib/cosine") for name in changes)


def test_the_matrix_counts_schedules() -> None:
    """What deviates in one question is counted once for each schedule, and beyond the end by itself."""
    grid = matrix.matrix(findings()["warmlib", "2.0"])["warmlib"]
    assert grid["the usual call"] == matrix.MatrixCell(2, 6)  # late, below_zero
    assert grid["two groups"].deviating == 3  # and FirstGroup
    assert grid[matrix.AFTER_THE_END].deviating == 3  # late, below_zero, cosine
    assert grid["optimizer loaded first"].schedules == 5


def test_the_tables_read_back() -> None:
    """Every case of every release is in cases.csv.gz; the conventions have the run's LRs."""
    pd = pytest.importorskip("pandas")
    made = tables.tables(findings(), [])
    cases = pd.read_csv(io.BytesIO(gzip.decompress(made["cases.csv.gz"])))
    every = {(f.release, f.case.schedule.name, f.case.axis) for group in findings().values() for f in group}
    assert set(zip(cases.release.astype(str), cases.schedule, cases.axis, strict=True)) == every
    schedules = pd.read_csv(io.BytesIO(made["schedules.csv"])).set_index("schedule")
    assert list(schedules.loc["linear", ["documented", "first", "peak", "peak_steps", "last"]]) == ["A", 0, 1, 4, 0.125]
    assert "is new" in made["changes.csv"].decode()


class Links(HTMLParser):
    """Collects the ids and the links inside a page."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.targets: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Read one tag."""
        values = dict(attrs)
        self.ids |= {str(values["id"])} if "id" in values else set()
        href = values.get("href") or ""
        self.targets |= {href[1:]} if href.startswith("#") else set()


def test_the_page_has_every_library_and_no_dead_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """The counts stand in its text, links inside lead somewhere, and it loads nothing from elsewhere."""
    monkeypatch.setattr(page, "deviations", dict)
    made = page.files(findings())
    text = made["index.html"].decode()
    links = Links()
    links.feed(text)
    assert links.targets <= links.ids
    assert "6 schedules of 1 libraries" in text
    assert "http" not in text
    assert made["libraries.png"].startswith(b"\x89PNG")


def test_the_headline_counts_defects_alone() -> None:
    """A surprise is no defect."""
    found = findings()["warmlib", "2.0"]
    assert page.headline(found) == "0 of 6 schedules have a defect, in 0 of 1 libraries"
    renamed: Library = dataclasses.replace(LIBRARY, name="other")
    both = [*found, *(dataclasses.replace(f, case=dataclasses.replace(f.case, library=renamed)) for f in found)]
    assert page.headline(both).endswith("of 2 libraries")
