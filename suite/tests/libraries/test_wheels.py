"""The files of libraries' releases: what is asked for, what is kept, and one line for each that fails; no network."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

import pytest

from suite.__main__ import main
from suite.commands import fetch as command
from suite.libraries.catalogue import libraries
from suite.libraries.core.library import Library
from suite.libraries.wheels import files as fetching
from suite.libraries.wheels import wanted as pins
from suite.libraries.wheels.archives import files_in_sdist, files_in_wheel
from suite.libraries.wheels.files import fetch_all, files_of, releases_of
from suite.libraries.wheels.library_index import LibraryIndex
from suite.libraries.wheels.links import archives_in, chosen, releases_in
from suite.libraries.wheels.wanted import WantedFiles, add_to_known, declared, wanted
from suite.releases import cache
from suite.releases.cache import ReleaseError
from suite.shared.user_pip import NoWheel, Unreachable
from suite.tests.libraries import fake_library
from suite.tests.libraries.fake_library import KEPT, PATTERNS, OnDisk, kept, library, tree

ROOT = Path(__file__).parents[3]
PAIRS = [(library(), release) for release in ("1.0", "1.10.0")]


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for this test alone, and an empty list of known files."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(pins, "KNOWN", tmp_path / "known.sha256")
    monkeypatch.setattr(pins, "known", functools.cache(pins.known.__wrapped__))
    (tmp_path / "known.sha256").touch()
    return tmp_path / "cache"


def made_on_disk(monkeypatch: pytest.MonkeyPatch) -> OnDisk:
    """Let `files_of` find the made-up index."""
    index = OnDisk()
    monkeypatch.setattr(fetching, "LibraryIndex", lambda: index)
    return index


def test_the_files_that_match_are_kept(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What matches the patterns is returned and cached with its hashes, nothing else, and only fetched once."""
    index = made_on_disk(monkeypatch)
    assert [files_of(library(), "1.0") for _ in range(2)] == [kept("1.0")] * 2
    assert index.made == ["1.0"]
    home = wanted(library(), "1.0").folder
    assert sorted(tree(home)) == sorted([*KEPT, cache.SUMS])
    assert list(tree(cache_folder)) == [f"libraries/{home.name}/{name}" for name in tree(home)]


def test_a_glob_takes_no_package() -> None:
    """An `__init__.py` is wanted only where a pattern is its path."""
    globbed = wanted(library(patterns=("warmth/*.py",)), "1.0")
    assert [path for path in fake_library.contents("1.0") if globbed.matches(path)] == [*KEPT, "warmth/net.py"]
    named = wanted(library(patterns=("warmth/*.py", "warmth/__init__.py")), "1.0")
    assert named.matches("warmth/__init__.py")
    assert not named.matches("warmth/schedules/__init__.py")


def test_other_patterns_are_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed declaration never gets the files of the old one."""
    index = made_on_disk(monkeypatch)
    files_of(library(), "1.0")
    more = library(patterns=(*PATTERNS, "warmth/net.py"))
    with pytest.raises(ReleaseError, match=r"^release=warmth-1\.0 must be in the cache when offline: "):
        files_of(more, "1.0", offline=True)
    assert sorted(files_of(more, "1.0")) == sorted([*KEPT, "warmth/net.py"])
    assert files_of(library(), "1.0", offline=True) == kept("1.0")
    assert index.made == ["1.0", "1.0"]


def test_a_library_without_a_project_has_no_files() -> None:
    """Code that is written out by us needs no index."""
    own = Library("own", "", (), ("1.0",), ())
    assert files_of(own, "1.0") == {}
    assert releases_of(own) == ["1.0"]
    assert fetch_all([(own, "1.0")]) == {}


def test_known_files_are_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rewritten cache and another index are refused where a release is listed; the list follows the declarations."""
    made_on_disk(monkeypatch)
    assert fetch_all(PAIRS, progress=False) == {}
    assert add_to_known([library()]) == declared([library()])
    assert add_to_known([library()]) == []
    shutil.rmtree(cache.root())
    other = dict.fromkeys(KEPT, b"other")
    cache.put(wanted(library(), "1.0").folder, other, "test")
    with pytest.raises(ReleaseError, match="its cached files are not those that were published"):
        files_of(library(), "1.0", offline=True)
    assert files_of(library(), "1.0") == kept("1.0")
    shutil.rmtree(cache.root())
    monkeypatch.setattr(OnDisk, "fetch", lambda index, item, work: other)
    (line,) = fetch_all(PAIRS[:1], index=OnDisk(), progress=False, waits=()).values()
    assert line == "release=warmth-1.0 was refused: the index's files differ from those that were published"
    assert files_of(library(patterns=("warmth/net.py", *PATTERNS)), "1.0") == other  # nobody listed that
    assert add_to_known([]) == []
    assert pins.KNOWN.read_text() == ""


def fails_with(monkeypatch: pytest.MonkeyPatch, **problems: Exception) -> OnDisk:
    """An index on which asking for these projects fails."""

    def archives(index: OnDisk, project: str) -> tuple[()]:
        if project in problems:
            index.made.append(project)
            raise problems[project]
        return ()

    monkeypatch.setattr(OnDisk, "archives", archives)
    monkeypatch.setattr(fetching, "THREADS", 1)
    return OnDisk()


def test_one_library_does_not_stop_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """A project that cannot be found, or read just now, costs only its own releases, and is asked for once a try."""
    lost, slow = NoWheel("release=a could not be fetched; pip said: no"), Unreachable("release=b could not be fetched")
    index = fails_with(monkeypatch, a=lost, b=slow)
    pairs = [*((library(name), release) for name in "ab" for release in ("1.0", "2.0")), *PAIRS, (library(), "1.0rc1")]
    assert fetch_all(pairs, index=index, waits=(0.0,)) == {
        ("a", "1.0"): "release=a-1.0 could not be fetched; pip said: no",
        ("a", "2.0"): "release=a-2.0 could not be fetched; pip said: no",
        ("b", "1.0"): "release=b-1.0 could not be fetched",
        ("b", "2.0"): "release=b-2.0 could not be fetched",
        ("warmth", "1.0rc1"): "release='1.0rc1' must be a final release of warmth such as 1.10.0",
    }
    assert index.made == ["a", "b", "b", "1.0", "1.10.0"]
    assert (index.releases, index.files) == (2, 2 * len(KEPT))


def test_a_missing_network_is_found_out_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a few projects in a row that pip cannot ask for, the others are not tried."""
    names = "abcdefg"
    index = fails_with(monkeypatch, **{n: Unreachable(f"release={n} could not be fetched: no index") for n in names})
    failed = fetch_all([(library(name), "1.0") for name in names], index=index, waits=())
    assert failed == {(n, "1.0"): f"release={n}-1.0 could not be fetched: no index" for n in names}
    assert index.made == list("abc")


def test_releases_without_an_index_are_those_we_know() -> None:
    """Offline the declared releases and the cached ones are listed, in their order."""
    fetch_all([(library(), "1.9"), (library(patterns=("warmth/net.py",)), "1.8")], index=OnDisk(), progress=False)
    assert releases_of(library(), offline=True) == ["1.0", "1.9", "1.10.0"]


def found(*names: str, before: str = "Found link ", after: str = ", version: 1") -> str:
    """What pip prints of these archives."""
    return "\n".join(f"  {before}https://host/a/{name} (from https://host/simple/)(x:>3){after}" for name in names)


def test_every_archive_that_pip_shows_is_known() -> None:
    """Those for another Python or platform too; not those of other projects, candidates, local builds, or eggs."""
    text = "\n".join(
        (
            found("a_b-0.9.tar.gz", "A.B-1.0-py3-none-any.whl", "a-b-2.0.zip", "a_b-2022.3-py3-none-any.whl"),
            found("a_b-1.1-cp38-abi3-win_amd64.whl", before="Skipping link: none of the wheel's tags (x): ", after=""),
            found("a_b-1.2-py3-none-any.whl", before="Skipping link: yanked for reason: see https://x: ", after=""),
            found("a_b-0.1.5.post20221221.tar.gz", before="Skipping link: 0.1.5 Requires-Python >=3.99: ", after=""),
            found("a_b_c-3.0-py3-none-any.whl", "a_b-3.0rc1.tar.gz", "a_b-3.0+cpu-py3-none-any.whl", "a_b-3.0.egg"),
            found("a-b-c-3.0.tar.gz", before="Skipping link: wrong project name (not a-b): ", after=""),
        )
    )
    archives = archives_in(text, "A-b")
    assert releases_in(archives) == ["0.1.5.post20221221", "0.9", "1.0", "1.1", "2.0", "2022.3"]
    withdrawn = chosen(archives, "1.2", sdist=False)
    assert withdrawn is not None
    assert withdrawn.name == "a_b-1.2-py3-none-any.whl"
    assert chosen(archives, "1.0.0", sdist=False) == archives[1]
    assert chosen(archives, "3.0", sdist=False) is None


#: Archives of one release, the one that is read first, with the others in the order in which they would follow.
RANKED = (
    "a-1.0-py2.py3-none-any.whl",
    "a-1.0-py2-none-any.whl",
    "a-1.0-cp310-cp310-macosx_11_0_arm64.whl",
    "a-1.0-cp310-cp310-manylinux_2_17_x86_64.whl",
    "a-1.0-cp39-cp39-manylinux_2_17_x86_64.whl",
    "a-1.0-cp310-cp310-win_amd64.whl",
    "a-1.0.tar.gz",
)


@pytest.mark.parametrize("start", range(len(RANKED)))
def test_any_wheel_will_do(start: int) -> None:
    """The archive that is read does not depend on what else is there, or on its order; a source archive comes last."""
    archives = archives_in(found(*reversed(RANKED[start:])), "a")
    for sdist, name in ((False, RANKED[start]), (True, RANKED[-1])):
        archive = chosen(archives, "1.0", sdist=sdist)
        assert archive is not None
        assert archive.name == name


def test_where_files_lie_in_archives() -> None:
    """The data folder of a wheel and the top folder of a source archive are taken off; both compressions are read."""
    item = wanted(library(), "1.0")
    wheel = fake_library.wheel("1.0", folder="warmth-1.0.data/purelib/")
    path = cache.root() / "wheel"
    path.parent.mkdir()
    path.write_bytes(wheel)
    assert files_in_wheel(path, item.matches) == kept("1.0")
    compressed = fake_library.zipped(
        {f"warmth-1.0/{name}": text for name, text in fake_library.contents("1.0").items()}
    )
    assert files_in_sdist(compressed, item.matches) == kept("1.0")
    assert files_in_sdist(fake_library.sdist("1.0"), item.matches) == kept("1.0")


def test_the_command_shows_what_is_cached(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`fetch --libraries` fetches all that is compared, prints a line for each failure, and can pin what it fetched."""
    made_on_disk(monkeypatch)
    known = {"warmth": library(), "own": Library("own", "", (), ("1.0",), ())}
    monkeypatch.setattr(command, "libraries", lambda: known)
    monkeypatch.setattr(command, "LibraryIndex", OnDisk)
    assert main(["fetch", "--libraries", "--list"]) == 0
    assert "0 of 2" in capsys.readouterr().out
    assert main(["fetch", "--libraries", "--offline"]) == 2
    assert "2 of 2 releases could not be fetched; 0 are cached" in capsys.readouterr().err
    assert main(["fetch", "--libraries", "--write-hashes"]) == 0
    printed = capsys.readouterr().out
    assert "2 of 2" in printed
    assert "added to known_files.sha256: warmth-1.0, warmth-1.10.0" in printed
    assert main(["fetch", "2.8.0", "--libraries"]) == 2
    assert "releases=['2.8.0'] must be empty with --libraries" in capsys.readouterr().err


def test_the_committed_list_is_of_what_is_declared() -> None:
    """No line of the list is left over from a release or a pattern that is no longer declared."""
    names = {f"{item.name}/{cache.SUMS}" for item in declared(libraries().values())}
    listed = {line.split()[1] for line in (ROOT / "suite/libraries/wheels/known_files.sha256").open(encoding="ascii")}
    assert listed <= names


def test_wanted_files_have_one_name() -> None:
    """The order of patterns does not matter to the cache; the kind of archive does."""
    names = {WantedFiles("a", "1", ("x", "y"), sdist=sdist).name for sdist in (False, True)}
    assert len(names) == 2
    assert WantedFiles("a", "1", ("y", "x"), sdist=False).name in names


def test_an_index_that_is_never_asked_has_nothing_to_say() -> None:
    """The count of what was fetched is empty before anything was."""
    assert LibraryIndex().summary() == ""
