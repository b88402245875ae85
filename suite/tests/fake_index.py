"""A made-up package index for tests of the release cache: small wheels, and a process that kills itself on demand."""

from __future__ import annotations

import argparse
import io
import os
import random
import signal
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.releases import cache
from suite.releases import fetch as fetching
from suite.releases.index import extract

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

#: Events of Python's own file operations that change a folder.
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir"}
#: Padding that no compression shrinks, so that a part of a wheel is much smaller than the wheel.
PADDING = 2_000_000


def contents(release: str) -> dict[str, bytes]:
    """The kept files of a made-up release: no scheduler in them, but different for each."""
    return {name: f"# {name} of {release}\n".encode() * 2_000 for name in cache.FILES}


def wheel_bytes(release: str, padding: int = 0) -> bytes:
    """A wheel that pip accepts, with the kept files before `padding` incompressible bytes."""
    info = f"torch-{release}.dist-info"
    texts = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: torch\nVersion: {release}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    files = {f"torch/optim/{name}": content for name, content in contents(release).items()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in {**files, "torch/lib": random.Random(0).randbytes(padding), **texts}.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def wheel(release: str, work: Path) -> Path:
    """The wheel of a release in the folder `work`."""
    path = work / f"torch-{release}-py3-none-any.whl"
    path.write_bytes(wheel_bytes(release))
    return path


def files(release: str, work: Path) -> dict[str, bytes]:
    """Replaces `PipIndex.files`: reads a wheel on disk."""
    return extract(wheel(release, work))


class Steps:
    """Counts what this process does to the cache's files, and kills the process at one of these steps."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.count = 0

    def step(self) -> None:
        """One more step; the process ends before the step `last` is carried out."""
        if self.count == self.last:
            os.kill(os.getpid(), signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
        self.count += 1

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Receives every event of Python's audit hooks."""
        if event in CHANGES or (event == "open" and set(str(arguments[1])) & set("wax+")):
            self.step()

    def write_in_halves(self, path: Path, data: ReadableBuffer) -> int:
        """Replaces `Path.write_bytes`, with a pause between the two halves."""
        content = bytes(data)
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
            file.flush()
            self.step()
            file.write(content[len(content) // 2 :])
        return len(content)


def store_directly(release: str, files: Mapping[str, bytes]) -> Path:
    """`cache.store` without its rename: what a kill interrupts stays in the cache."""
    target = cache.folder(release)
    target.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (target / name).write_bytes(content)
    (target / cache.SUMS).write_bytes(cache.manifest(files))
    return target


def main() -> None:
    """Fetch the releases one after the other, then print how many steps it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("releases", nargs="+")
    parser.add_argument("--kill-at", type=int, default=-1)
    parser.add_argument("--direct", action="store_true")
    args = parser.parse_args()
    if args.direct:
        cache.__dict__["store"] = store_directly
    steps = Steps(args.kill_at)
    Path.write_bytes = lambda path, data: steps.write_in_halves(path, data)  # type: ignore[method-assign, assignment]
    sys.addaudithook(steps.audit)
    failed = fetching.fetch(args.releases, getter=files, threads=1)
    print(failed or steps.count, flush=True)


if __name__ == "__main__":
    main()
