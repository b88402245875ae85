"""The releases to run a case on: fetched with a progress bar, and grouped by equal scheduler code."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from suite.shared.console import printable, progress_bar

from . import cache
from .cache import ReleaseError, cached, numbers
from .fetch import fetch
from .index import BYTES_PER_RELEASE, PipIndex, available
from .load import distinct


def fetch_with_progress(
    releases: Iterable[str], *, offline: bool = False, index: PipIndex | None = None
) -> dict[str, str]:
    """`fetch` with a progress bar on a terminal, which shows the estimated download size."""
    requested = list(releases)
    missing = [release for release in requested if cache.read(release) is None]
    size = f" (about {max(1, round(len(missing) * BYTES_PER_RELEASE / 1e6))} MB)" if missing and not offline else ""
    with progress_bar() as progress:
        source = index or PipIndex()
        source.warn = lambda line: progress.console.print(Text(printable(line)), soft_wrap=True)
        for release in missing:
            if not offline and (fault := cache.fault(release)):
                source.warn(f"release={release} is fetched again: its cached files are {fault}")
        task = progress.add_task(f"fetching torch's schedulers{size}", total=len(requested))
        return fetch(requested, offline=offline, getter=source.files, done=lambda release: progress.advance(task))


def chosen_groups(offline: bool) -> tuple[list[tuple[str, ...]], dict[str, str]]:
    """The releases in groups of equal code, and why others are missing; raises ReleaseError if there is none."""
    index = PipIndex()
    versions, _ = available(offline=offline, index=index)
    failed = fetch_with_progress(versions, offline=offline, index=index)
    kept = set(cached())
    here = [v for v in sorted(versions, key=numbers) if v in kept]
    if not here:
        raise ReleaseError("releases=[] must not be empty: none is cached and none could be fetched")
    return distinct(here), failed


def labels(groups: list[tuple[str, ...]]) -> dict[str, str]:
    """The name of each group by its first release: the first minor release, and the last where it differs.

    >>> labels([("2.9.0", "2.9.1"), ("2.10.0", "2.12.1")])
    {'2.9.0': '2.9', '2.10.0': '2.10–2.12'}
    """
    names = {}
    for group in groups:
        first, last = (".".join(map(str, numbers(release)[:2])) for release in (group[0], group[-1]))
        names[group[0]] = first if first == last else f"{first}–{last}"
    return names
