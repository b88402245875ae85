"""What is read of libraries from an index: parts of wheels, whole ones, source archives; by pip, from this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from suite.libraries.wheels.files import fetch_all, releases_of
from suite.libraries.wheels.library_index import LibraryIndex
from suite.libraries.wheels.links import Archive
from suite.libraries.wheels.wanted import wanted
from suite.releases import cache
from suite.releases.cache import ReleaseError
from suite.tests.fake_server import PASSWORD, Index, serving
from suite.tests.libraries.fake_library import kept, library, sdist, wheel

#: Python in the wheel's name decides nothing: pip skips two of these here.
WHEELS = {
    "warmth-1.0-py3-none-any.whl": wheel("1.0"),
    "warmth-1.9-cp38-cp38-win_amd64.whl": wheel("1.9"),
    "warmth-1.10.0-py3-none-any.whl": wheel("1.10.0"),
}
NEEDS_ANOTHER_PYTHON = 'data-requires-python="&gt;=3.99"'
PAIRS = [(library(), release) for release in ("1.0", "1.9", "1.10.0")]


@pytest.fixture(autouse=True)
def only_our_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, pip without the settings of this machine, and no proxy."""
    for name in [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


def use(monkeypatch: pytest.MonkeyPatch, server: Index) -> LibraryIndex:
    """Let pip find this index, in which one release needs another Python."""
    monkeypatch.setenv("PIP_INDEX_URL", server.url)
    server.attributes["warmth-1.10.0-py3-none-any.whl"] = NEEDS_ANOTHER_PYTHON
    return LibraryIndex()


def cached() -> list[dict[str, bytes] | None]:
    """The cached files of each of PAIRS."""
    return [wanted(*pair).read() for pair in PAIRS]


@pytest.mark.slow
def test_wheels_are_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every release comes by range requests, those for another Python too; pip is asked once; every byte is counted."""
    with serving(WHEELS) as server:
        index = use(monkeypatch, server)
        assert releases_of(library(), index=index) == ["1.0", "1.9", "1.10.0"]
        assert fetch_all(PAIRS, index=index, progress=False) == {}
    assert cached() == [kept(release) for _, release in PAIRS]
    pages = [size for path, _, size in server.answers if path.endswith("/")]
    assert len(pages) == 1
    assert (index.traffic.requests, index.traffic.bytes) == (len(server.answers), server.sent(206) + sum(pages))
    assert index.traffic.bytes < 0.25 * sum(map(len, WHEELS.values()))
    assert index.summary().startswith("fetched 9 files of 3 releases, ")


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["whole", "other bytes", "breaks once"])
def test_a_server_without_ranges_costs_whole_wheels(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where parts fail, pip downloads the wheel, for whatever Python and platform it is; the files are right."""
    with serving(WHEELS, mode=mode) as server:
        index = use(monkeypatch, server)
        assert fetch_all(PAIRS, index=index, progress=False, waits=()) == {}
    assert cached() == [kept(release) for _, release in PAIRS]
    assert (index.traffic.bytes > sum(map(len, WHEELS.values()))) == (mode != "breaks once")


@pytest.mark.slow
def test_source_archives_are_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source archive is read where it is asked for, or where there is no wheel; nothing of it is built."""
    archives = {"warmth-1.0.tar.gz": sdist("1.0"), "warmth-1.9.tar.gz": sdist("1.9"), **WHEELS}
    del archives["warmth-1.9-cp38-cp38-win_amd64.whl"]
    with serving(archives) as server:
        index = use(monkeypatch, server)
        pairs = [(library(sdist=True), "1.0"), (library(), "1.9")]
        assert fetch_all(pairs, index=index, progress=False) == {}
    assert [wanted(*pair).read() for pair in pairs] == [kept("1.0"), kept("1.9")]
    read = {path.rpartition("/")[2] for path, _, _ in server.answers if not path.endswith("/")}
    assert read == {"warmth-1.0.tar.gz", "warmth-1.9.tar.gz"}


#: What is served, and the line that says what is wrong with it.
DAMAGED = {
    "a source archive cut off": ({"warmth-1.0.tar.gz": sdist("1.0")[:-500]}, "warmth-1.0.tar.gz is damaged ("),
    "no source archive": ({"warmth-1.0.tar.gz": b"no archive"}, "warmth-1.0.tar.gz is damaged ("),
    "a wheel cut off": ({"warmth-1.0-py3-none-any.whl": WHEELS["warmth-1.0-py3-none-any.whl"][:-500]}, "pip said: "),
    "a wheel of another project": ({"warmth-1.0-py3-none-any.whl": wheel("1.0", 0, "x/")}, "it has no file warmth/"),
    "no such release": ({"warmth-1.1.0-py3-none-any.whl": b""}, "the index has no such release; the newest is 1.1.0"),
    "candidates only": ({"warmth-1.0rc1-py3-none-any.whl": b""}, "pip said: "),
    "no such project": ({}, "pip said: No matching distribution found for warmth"),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", DAMAGED)
def test_what_cannot_be_had_is_one_line(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged archive, a missing release and a missing project each get a line, and leave nothing in the cache."""
    archives, words = DAMAGED[what]
    with serving(archives) as server:
        failed = fetch_all(PAIRS[:1], index=use(monkeypatch, server), progress=False, waits=())
    (line,) = failed.values()
    assert line.startswith(("release=warmth-1.0 could not be fetched", "release=warmth-1.0 was refused"))
    assert words in line
    assert "\n" not in line
    assert cached() == [None] * 3


@pytest.mark.slow
def test_no_index_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing answers at the index's address, each release says so, and so does the list of releases."""
    with serving({}) as server:
        index = use(monkeypatch, server)
    failed = fetch_all(PAIRS, index=index, progress=False, waits=())
    line = "could not be fetched: pip cannot reach its index"
    assert failed == {("warmth", release): f"release=warmth-{release} {line}" for _, release in PAIRS}
    with pytest.raises(ReleaseError, match=f"^release=warmth {line}$"):
        releases_of(library(), index=index)


@pytest.mark.slow
def test_a_folder_of_wheels_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Archives in a folder (find-links) are read there."""
    for name, content in {**WHEELS, "warmth-1.9.1.tar.gz": sdist("1.9.1")}.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", tmp_path.as_uri())
    index = LibraryIndex()
    assert fetch_all([*PAIRS, (library(), "1.9.1")], index=index, progress=False) == {}
    assert cached() == [kept(release) for _, release in PAIRS]
    assert index.traffic.requests == 0


@pytest.mark.slow
def test_passwords_are_left_to_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a password pip downloads the wheels; a source archive, which pip would build, is refused in one line."""
    archives = {**WHEELS, "warmth-2.0.tar.gz": sdist("2.0")}
    with serving(archives, private=True) as server:
        failed = fetch_all([*PAIRS, (library(), "2.0")], index=use(monkeypatch, server), progress=False, waits=())
    assert cached() == [kept(release) for _, release in PAIRS]
    line = "release=warmth-2.0 could not be fetched: only pip has the password for warmth-2.0.tar.gz"
    assert failed == {("warmth", "2.0"): line}
    assert PASSWORD not in line


def test_a_password_in_a_link_is_seen() -> None:
    """pip prints stars in place of a password: such a link is only for pip."""
    assert Archive("1.0", "a-1.0.tar.gz", "https://me:****@host/a-1.0.tar.gz").hidden
    assert not Archive("1.0", "a-1.0.tar.gz", "https://host/a@b/a-1.0.tar.gz").hidden
