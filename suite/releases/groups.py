"""The releases to run a case on: fetched with a progress bar, and grouped by equal scheduler code."""

from __future__ import annotations

from suite.shared.console import progress_bar

from . import index
from .cache import ReleaseError, cached, numbers
from .load import distinct


def fetch_with_progress(releases: tuple[str, ...], *, offline: bool = False) -> dict[str, str]:
    """`index.fetch` with a progress bar on a terminal; returns the reason for each release that failed."""
    with progress_bar() as progress:
        task = progress.add_task("fetching torch's schedulers", total=len(releases))
        return index.fetch(releases, offline=offline, done=lambda release: progress.advance(task))


def chosen_groups(offline: bool) -> tuple[list[tuple[str, ...]], dict[str, str]]:
    """The releases in groups of equal code, and why others are missing; raises ReleaseError if there is none."""
    versions, _ = index.available(offline=offline)
    failed = fetch_with_progress(versions, offline=offline)
    here = [v for v in sorted(versions, key=numbers) if v in cached()]
    if not here:
        raise ReleaseError("releases=[] must not be empty: none is cached and none can be fetched")
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
