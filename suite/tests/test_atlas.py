"""The atlas: equal bytes for equal rows, tables that parse back, shards that are reused and checked."""

from __future__ import annotations

import csv
import gzip
import io
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from reference import ExponentialLR
from suite.across_releases import atlas
from suite.across_releases.atlas import AtlasRow, ranges_off, unexplained
from suite.across_releases.atlas_page import THEMES, theme_of
from suite.cases.catalogue import all_cases
from suite.commands import atlas as atlas_run
from suite.engine.verdict import Verdict
from suite.known.deviations import table
from suite.releases import cache
from suite.tests import stock
from suite.tests.stock import ATLAS_FILES, RIGHT, WRONG, some_cases

pytestmark = pytest.mark.slow  # runs cases in worker processes


@pytest.fixture
def rows(two_releases: Path) -> dict[str, list[AtlasRow]]:
    """The rows of both releases."""
    return atlas.measure([RIGHT, WRONG])


def lines(data: bytes) -> list[dict[str, str]]:
    """The rows of a compressed table."""
    return list(csv.DictReader(io.StringIO(gzip.decompress(data).decode())))


def same(some: dict[str, list[AtlasRow]], others: dict[str, list[AtlasRow]]) -> bool:
    """Whether rows are equal field by field, NaN to NaN."""
    return repr(some) == repr(others)


def test_the_same_rows_give_the_same_bytes(rows: dict[str, list[AtlasRow]]) -> None:
    """Tables, page and picture, made twice, and made again from the stored shards, are equal byte for byte."""
    groups: list[tuple[str, ...]] = [(RIGHT,), (WRONG,)]
    first = atlas_run.all_files(rows, groups)
    assert tuple(sorted(first)) == tuple(sorted(ATLAS_FILES))
    assert atlas_run.all_files(rows, groups) == first
    assert atlas_run.all_files(atlas.measure([RIGHT, WRONG]), groups) == first


def test_the_table_has_a_line_for_each_case_and_release(rows: dict[str, list[AtlasRow]]) -> None:
    """gzip and csv read it: the documented columns, and a line for each deviation of each case on each release."""
    table_lines = lines(atlas.files(rows)["atlas.csv.gz"])
    assert tuple(table_lines[0]) == atlas.COLUMNS
    pairs = [
        (row, verdict)
        for group in rows.values()
        for row in group
        for verdict in row.verdict.deviations or (row.verdict,)
    ]
    assert [(line["case"], line["release"]) for line in table_lines] == [(row.case.id, row.release) for row, _ in pairs]
    assert len({(row.case.id, row.release) for row, _ in pairs}) == 2 * len(some_cases())
    verdicts = [verdict for _, verdict in pairs]
    assert [line["verdict"] for line in table_lines] == [v.kind for v in verdicts]
    assert [line["step"] for line in table_lines] == ["" if v.step is None else str(v.step) for v in verdicts]
    sizes = [(float(line["size"] or 0), v.size) for line, v in zip(table_lines, verdicts, strict=True)]
    assert all(shown == pytest.approx(size, rel=1e-8) for shown, size in sizes)  # nine digits are shown


def test_pandas_reads_the_table(rows: dict[str, list[AtlasRow]], tmp_path: Path) -> None:
    """read_csv needs no option."""
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "atlas.csv.gz"
    path.write_bytes(atlas.files(rows)["atlas.csv.gz"])
    frame = pandas.read_csv(path)
    assert tuple(frame.columns) == atlas.COLUMNS
    assert len(frame.drop_duplicates(["case", "release"])) == sum(map(len, rows.values()))
    deviating = sum(len(row.verdict.deviations) for row in rows[WRONG])
    assert (frame[frame.release == WRONG].verdict == "deviates").sum() == deviating


def test_traces_parse_back_to_the_exact_rates(rows: dict[str, list[AtlasRow]]) -> None:
    """Each deviating trace appears once, as hex floats that give the measured and the expected rates bit for bit."""
    stored = {
        (line["case"], release): line
        for line in lines(atlas.files(rows)["traces.csv.gz"])
        for release in line["releases"].split()
    }
    expected = {
        (row.case.id, release): row.verdict for release, group in rows.items() for row in group if row.verdict.actual
    }
    assert set(stored) == set(expected)
    assert len(expected) > 20
    for key, verdict in expected.items():
        for side in ("expected", "actual"):
            rates = list(map(float.fromhex, stored[key][side].split()))
            np.testing.assert_array_equal(rates, getattr(verdict, side))  # where a group does not exist yet, NaN


def test_a_finished_release_is_not_measured_again(rows: dict[str, list[AtlasRow]], measured: Counter[str]) -> None:
    """The second run reads the shards: no case is run, and the rows are the same."""
    assert same(atlas.measure([RIGHT, WRONG]), rows)
    assert measured == {}


@pytest.mark.parametrize("place", [0, 40, 1000, -1])
@pytest.mark.parametrize("damage", ["truncated", "altered"])
def test_a_damaged_shard_is_measured_again(
    rows: dict[str, list[AtlasRow]], measured: Counter[str], two_releases: Path, damage: str, place: int
) -> None:
    """A shard that is truncated, or changed in one byte anywhere, is detected, measured again and rewritten."""
    (shard,) = two_releases.glob(f"atlas/{WRONG}-*")
    whole = shard.read_bytes()
    at = place % len(whole)
    shard.write_bytes(whole[:at] if damage == "truncated" else whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    assert same(atlas.measure([RIGHT, WRONG]), rows)
    assert measured == {WRONG: len(some_cases())}
    assert shard.read_bytes() == whole


def test_other_code_or_another_file_makes_another_shard(
    rows: dict[str, list[AtlasRow]], measured: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change of our sources, or of a release's cached file, is measured; nothing of before is used."""
    monkeypatch.setattr(atlas, "sources_key", lambda: "another")
    atlas.measure([RIGHT])
    assert measured == {RIGHT: len(rows[RIGHT])}
    cache.folder(WRONG).rename(cache.root() / "aside")
    stock.put(WRONG)
    assert unexplained(atlas.measure([WRONG])) == []


def test_the_key_is_of_sources_and_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source file of either package, torch and Python each change the key; nothing else is in it."""
    for name in ("reference", "suite/engine"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a.py").write_text("1\n")
    monkeypatch.setattr(atlas, "ROOT", tmp_path)
    keys = [atlas.sources_key(), atlas.sources_key()]
    assert keys[0] == keys[1]
    for name in ("reference", "suite/engine"):
        (tmp_path / name / "a.py").write_text("2\n")
        keys.append(atlas.sources_key())
    monkeypatch.setattr(torch, "__version__", "9.9.9")
    keys.append(atlas.sources_key())
    monkeypatch.setattr(sys, "version", "9.9.9")
    keys.append(atlas.sources_key())
    assert len(set(keys)) == len(keys) - 1


def test_a_planted_deviation_is_unexplained(rows: dict[str, list[AtlasRow]]) -> None:
    """The broken copy's ExponentialLR is news in each case that shows it, and the true file has no news."""
    news = unexplained(rows)
    assert {row.release for row in news} == {WRONG}
    assert all("exponentiallr" in row.case.id for row in news)
    plain = [row for row in news if isinstance(row.case.schedule, ExponentialLR) and not row.case.setup.marks]
    assert all((row.verdict.step, row.verdict.size > 0) == (3, True) for row in plain)
    assert len(news) >= 3


@pytest.mark.parametrize(
    ("shown_in", "since", "until", "words"),
    [
        ([RIGHT, WRONG], "9.0", "", None),
        ([RIGHT], "9.0", "9.1", None),
        ([], "9.2", "", None),
        ([WRONG], "9.0", "", f"known for {RIGHT} {WRONG}, shown in {WRONG}"),
        ([RIGHT, WRONG], "9.1", "", f"known for {WRONG}, shown in {RIGHT} {WRONG}"),
        ([], "9.0", "9.1", f"known for {RIGHT}, shown in none"),
        ([WRONG], "9.2", "", f"known for none, shown in {WRONG}"),
    ],
)
def test_a_wrong_range_is_reported(
    monkeypatch: pytest.MonkeyPatch, shown_in: list[str], since: str, until: str, words: str | None
) -> None:
    """An entry must show in each release of its range and in no other."""
    name, entry = next(iter(table().items()))
    entry = type(entry)(**{**vars(entry), "since": since, "until": until})
    monkeypatch.setattr(atlas, "table", lambda: {name: entry})
    made = AtlasRow(all_cases()[0], RIGHT, Verdict("deviates", "scaled", 1, 0.1), ((entry,),))
    rows = {release: [made] if release in shown_in else [] for release in (RIGHT, WRONG)}
    assert ranges_off(rows) == ([] if words is None else [f"{name}: {words}"])


def test_every_theme_has_cases_and_every_case_a_theme() -> None:
    """No theme of the page is empty, and the names differ; a restored case belongs to a theme of restores."""
    counts = Counter(map(theme_of, all_cases()))
    assert set(counts) == {theme.name for theme in THEMES}
    assert len(THEMES) == len(counts)
    restored = {theme_of(case) for case in all_cases() if case.setup.resume}
    assert all(name.startswith("rest") for name in restored)
