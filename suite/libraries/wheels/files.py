"""The files of libraries' releases: from the cache, or fetched, several at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from suite.libraries.core.library import Library
from suite.libraries.core.version import final_version, version_key
from suite.releases import cache
from suite.releases.cache import ReleaseError
from suite.releases.fetch import WAITS, Round
from suite.shared.console import progress_bar

from .library_index import LibraryIndex
from .links import releases_in
from .wanted import WantedFiles, wanted

#: Each waits for pip and the network, so there may be more than cores.
THREADS = 6
#: After this number of projects in a row that pip could not ask for, the network counts as missing.
PATIENCE = 3

#: A library and one of its releases.
Pair = tuple[Library, str]


def files_of(library: Library, release: str, *, offline: bool = False) -> dict[str, bytes]:
    """The files of a release that the library names, by their path in the archive.

    Raises ReleaseError, with one line, where they are neither cached nor to be fetched.  A library without a project
    has no files.
    """
    if not library.project:
        return {}
    failed = fetch_all([(library, release)], offline=offline, progress=False)
    for reason in failed.values():
        raise ReleaseError(reason)
    files = wanted(library, release).read()
    if files is None:  # it was altered just now
        raise ReleaseError(f"release={library.project}-{release} could not be read from {cache.root()}")
    return files


def releases_of(library: Library, *, offline: bool = False, index: LibraryIndex | None = None) -> list[str]:
    """Every final release on the index, oldest first, for any version of Python; raises ReleaseError.

    Offline: those that the library declares, and the cached ones.
    """
    if not library.project:
        return list(library.releases)
    if offline:
        return sorted({*library.releases, *_cached(library)}, key=version_key)
    return releases_in((index or LibraryIndex()).archives(library.project))


def _cached(library: Library) -> list[str]:
    """The releases of a library whose files are in the cache, intact."""
    home, start = cache.root() / "libraries", f"{library.project}-"
    names = {path.name for path in home.iterdir()} if home.is_dir() else set()
    releases = (name.removeprefix(start).rpartition("-")[0] for name in names if name.startswith(start))
    items = [wanted(library, release) for release in releases if final_version(release) is not None]
    return [item.release for item in items if item.name in names and item.read() is not None]


def fetch_all(
    pairs: Iterable[Pair],
    *,
    offline: bool = False,
    progress: bool = True,
    index: LibraryIndex | None = None,
    waits: tuple[float, ...] = WAITS,
) -> dict[tuple[str, str], str]:
    """Bring releases into the cache; return the reason for each that could not be fetched, by its library's name.

    What is cached and intact is not fetched again.  `index` counts what was fetched.
    """
    cache.sweep()
    failed: dict[tuple[str, str], str] = {}
    missing: dict[tuple[str, str], WantedFiles] = {}
    for library, release in pairs:
        if not library.project:
            continue
        try:
            item = wanted(library, release)
        except ReleaseError as error:
            failed[library.name, release] = str(error)
            continue
        if item.read() is None:
            missing[library.name, release] = item
            if offline:
                failed[library.name, release] = _offline(item)
    if missing and not offline:
        reasons = _fetch(set(missing.values()), index or LibraryIndex(), progress, waits)
        failed |= {pair: reasons[item] for pair, item in missing.items() if item in reasons}
    return failed


def _offline(item: WantedFiles) -> str:
    if fault := item.fault():
        return f"release={item} must be fetched again, its cached files are {fault}"
    return f"release={item} must be in the cache when offline: {cache.root()}"


def _fetch(
    items: set[WantedFiles], index: LibraryIndex, progress: bool, waits: tuple[float, ...]
) -> dict[WantedFiles, str]:
    """Ask for the releases of each project first, then fetch: the reason for each that failed."""
    projects = sorted({item.project for item in items})
    with progress_bar(quiet=not progress) as bar:
        task = bar.add_task("fetching libraries", total=len(projects) + len(items))

        def done(item: object) -> None:
            size = f" ({index.traffic.bytes / 1e6:.1f} MB)"
            bar.update(task, advance=1, description=f"fetching libraries{size}")

        unlisted = Round(index.archives, waits, PATIENCE).run(projects, done, THREADS)
        failed = {item: _of(item, unlisted[item.project]) for item in items if item.project in unlisted}
        rest = sorted((item for item in items if item not in failed), key=str)
        return failed | Round(_stored_by(index), waits, PATIENCE).run(rest, done, THREADS)


def _stored_by(index: LibraryIndex) -> Callable[[WantedFiles], None]:
    def work(item: WantedFiles) -> None:
        with cache.workspace(str(item)) as folder:
            files = index.fetch(item, folder)
            item.store(files)
        index.count(len(files))

    return work


def _of(item: WantedFiles, reason: str) -> str:
    """What was said of a project, said of one of its releases."""
    return f"release={item} {reason.partition(' ')[2]}"
