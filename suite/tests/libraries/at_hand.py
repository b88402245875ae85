"""The files of libraries for tests: from the cache or the index; without both the test skips and says why."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import pytest

from suite.libraries.catalogue import library
from suite.libraries.findings import LibraryFinding, finding_of, findings_of
from suite.libraries.wheels.files import files_of
from suite.releases.cache import ReleaseError


def files_at_hand(name: str, release: str) -> Mapping[str, bytes]:
    """The files of a release; skips where they can neither be read nor fetched."""
    try:
        return files_of(library(name), release)
    except ReleaseError as error:
        pytest.skip(str(error))


@functools.cache
def findings_at_hand(name: str, release: str) -> tuple[LibraryFinding, ...]:
    """Every case of a release, run once for all tests, and not again for a release with the same files."""
    own, files = library(name), files_at_hand(name, release)
    for (other, earlier), run in _RUN.items():
        if other == name and run == files:
            return tuple(finding_of(old.case, release, old.run) for old in findings_at_hand(name, earlier))
    _RUN[name, release] = files
    return tuple(findings_of(own, release, files))


#: The files of each release that was run.
_RUN: dict[tuple[str, str], Mapping[str, bytes]] = {}
