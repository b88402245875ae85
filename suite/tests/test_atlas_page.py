"""The page of the atlas: newest release first, every row complete, every link with a target that it opens."""

from __future__ import annotations

import re

import pytest

from suite.across_releases.atlas import AtlasRow
from suite.across_releases.atlas_page import THEMES, cells, page
from suite.cases.catalogue import all_cases
from suite.engine.verdict import Verdict
from suite.known.deviations import table

LABELS = {"9.0.0": "9.0", "9.1.0": "9.1–9.3"}


@pytest.fixture(scope="module")
def html() -> str:
    """The page of two releases: every case follows in the first and deviates in the second, each fifth as one entry."""
    entry = next(iter(table().values()))
    follows, deviates = Verdict("follows"), Verdict("deviates", "scaled", 1, 0.1, "step 1: too <high>")
    rows = {
        "9.0.0": [AtlasRow(case, "9.0.0", follows) for case in all_cases()],
        "9.1.0": [
            AtlasRow(case, "9.1.0", deviates, (() if i % 5 else (entry,),)) for i, case in enumerate(all_cases())
        ],
    }
    assert {cell.deviating for row in cells(rows).values() for cell in [row["9.0.0"]]} == {0}
    return page(rows, LABELS).decode()


def test_the_newest_release_comes_first(html: str) -> None:
    """Both tables have a column for each release, newest first, and each row has a cell for each."""
    heads = re.findall(r"<thead>(.*?)</thead>", html, re.DOTALL)
    assert [re.findall(r'<th scope="col">(.*?)</th>', head)[1:] for head in heads] == [["9.1–<wbr>9.3", "9.0"]] * 2
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", html, re.DOTALL)
    assert len(rows) == len(THEMES) + len(table())
    assert {row.count("<td") for row in rows} == {len(LABELS)}
    numbers = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]
    assert sum(int(newest) for newest, _ in numbers[: len(THEMES)]) == len(all_cases())
    assert {oldest for _, oldest in numbers} == {"·"}


def test_each_link_has_a_target_that_opens(html: str) -> None:
    """Each known deviation is linked once and has one <details>, and the script opens the one in the address."""
    links = re.findall(r'href="#([^"]+)"', html)
    targets = re.findall(r'<details id="([^"]+)">', html)
    assert sorted(links) == sorted(targets) == sorted(table())
    assert "target.open = true" in html
    assert "addEventListener('hashchange', show)" in html


def test_what_torch_says_is_escaped(html: str) -> None:
    """The text of an example cannot become markup."""
    assert "step 1: too &lt;high&gt;" in html
    assert "<high>" not in html
