"""What counts as a difference between a committed file of the atlas and a new one."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from suite.across_releases.atlas import AtlasRow
from suite.across_releases.same_result import same
from suite.commands import atlas as atlas_run
from suite.engine.subject import installed
from suite.engine.verdict import verdict_of
from suite.known.deviations import explained
from suite.tests import stock

pytestmark = pytest.mark.slow  # makes pictures

RELEASE = installed().release


@pytest.fixture(scope="module")
def rows() -> dict[str, list[AtlasRow]]:
    """Some cases on the installed torch."""
    verdicts = [(case, verdict_of(case, installed())) for case in stock.some_cases()]
    return {RELEASE: [AtlasRow(c, RELEASE, v, explained(c, v, RELEASE)) for c, v in verdicts]}


@pytest.fixture(scope="module")
def made(rows: dict[str, list[AtlasRow]]) -> dict[str, bytes]:
    """The files of the atlas of these rows."""
    return atlas_run.all_files(rows, [(RELEASE,)])


def _unpacked(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def altered(data: bytes) -> bytes:
        text = gzip.decompress(data)
        changed = change(text)
        assert changed != text  # recompressed, equal texts would look altered
        return gzip.compress(changed)

    return altered


def _flip(at: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :]


ALTERATIONS: dict[str, list[Callable[[bytes], bytes]]] = {
    "atlas.csv.gz": [
        _unpacked(lambda text: text.replace(b",follows,", b",deviates,", 1)),
        _unpacked(lambda text: text.replace(b",0.", b",1.", 1)),
        _unpacked(lambda text: text[: text.rindex(b"\n", 0, -1) + 1]),
        lambda data: data[:-9],
        _flip(100),
    ],
    "traces.csv.gz": [_unpacked(lambda text: text.replace(b"0x1.3", b"0x1.4", 1)), _flip(-5)],
    "releases.csv": [lambda data: data + b"9.9.9,9.9,\n"],
    "index.html": [lambda data: data.replace(b" cases, each ", b" cases, every ", 1)],
    "atlas.png": [
        _flip(5000),
        _flip(-20),
        lambda data: data[:-12],
        lambda data: data + b"\0",
        lambda data: 2 * data,
        lambda data: b"",
    ],
}


def test_each_alteration_is_a_difference(made: dict[str, bytes], tmp_path: Path) -> None:
    """Changed values, lost lines, truncation and flipped bytes: each is a difference; the unaltered file is none."""
    path = tmp_path / "absent.csv.gz"
    assert not same(path, made["atlas.csv.gz"])
    for name, alterations in ALTERATIONS.items():
        path = tmp_path / name
        path.write_bytes(made[name])
        assert same(path, made[name])
        for alter in alterations:
            path.write_bytes(alter(made[name]))
            assert path.read_bytes() != made[name]
            assert not same(path, made[name])


def test_another_machines_bytes_are_no_difference(made: dict[str, bytes], tmp_path: Path) -> None:
    """Compression and the last bits of a rate depend on zlib and the CPU: no difference; a larger error is one."""
    path = tmp_path / "traces.csv.gz"
    text = gzip.decompress(made[path.name])
    path.write_bytes(gzip.compress(text, compresslevel=1, mtime=1))
    assert same(path, made[path.name])
    rates = next(csv.DictReader(io.StringIO(text.decode())))["actual"].split()
    rate = next(rate for rate in rates if float.fromhex(rate) != 0)
    for factor, equal in ((1 + 2**-52, True), (1 + 1e-9, False)):
        near = (float.fromhex(rate) * factor).hex()
        assert near != rate
        path.write_bytes(gzip.compress(text.replace(rate.encode(), near.encode(), 1)))
        assert same(path, made[path.name]) == equal


def test_a_picture_is_compared_by_what_it_shows(
    rows: dict[str, list[AtlasRow]], made: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other letter shapes make no difference; another count does."""
    import matplotlib

    path = tmp_path / "atlas.png"
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 9.5)
    path.write_bytes(atlas_run.all_files(rows, [(RELEASE,)])["atlas.png"])
    assert path.read_bytes() != made["atlas.png"]
    assert same(path, made["atlas.png"])
    deviating = next(row for row in rows[RELEASE] if row.verdict.kind == "deviates" and row.verdict.shape != "warns")
    fewer = {RELEASE: [row for row in rows[RELEASE] if row is not deviating]}
    path.write_bytes(atlas_run.all_files(fewer, [(RELEASE,)])["atlas.png"])
    assert not same(path, made["atlas.png"])
