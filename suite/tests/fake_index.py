"""A made-up package index: small wheels, handed over slowly, for tests of the release cache.

As a program it fetches the releases of its arguments, so that a test can kill it.
"""

from __future__ import annotations

import sys
import time
import zipfile
from pathlib import Path

from suite.releases import cache, index

#: Every fake wheel arrives in this many pieces, with a pause after each.
PIECES = 8


def contents(release: str) -> dict[str, bytes]:
    """The kept files of a made-up release: no scheduler in them, but different for each."""
    return {name: f"# {name} of {release}\n".encode() * 2_000 for name in cache.FILES}


def wheel(release: str, work: Path, pause: float = 0.0) -> Path:
    """Stands in for `index.download`."""
    whole = work / "whole.zip"
    with zipfile.ZipFile(whole, "w") as archive:
        for name, content in contents(release).items():
            archive.writestr(zipfile.ZipInfo(f"torch/optim/{name}"), content)
    data = whole.read_bytes()
    path = work / f"torch-{release}-py3-none-any.whl"
    size = -(-len(data) // PIECES)
    with path.open("wb") as file:
        for start in range(0, len(data), size):
            file.write(data[start : start + size])
            file.flush()
            time.sleep(pause)
    return path


def main(releases: list[str]) -> None:
    """Fetch, taking about a third of a second, and say when it begins."""
    print("begin", flush=True)
    failed = index.fetch(releases, getter=lambda release, work: wheel(release, work, 0.02), waits=(0.0,) * 9)
    print(failed or "end", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
