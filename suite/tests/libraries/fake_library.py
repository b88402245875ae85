"""A made-up library for tests of its cache: wheels, source archives, and a process that kills itself on demand."""

from __future__ import annotations

import argparse
import io
import random
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from suite.libraries.core.library import Library
from suite.libraries.wheels import files
from suite.libraries.wheels.library_index import LibraryIndex
from suite.libraries.wheels.links import Archive
from suite.libraries.wheels.wanted import WantedFiles
from suite.releases import cache
from suite.tests.fake_index import PADDING, Steps

PATTERNS = ("warmth/schedules/*.py", "warmth/clock.py")
KEPT = ("warmth/clock.py", "warmth/schedules/cosine.py", "warmth/schedules/linear.py")


def library(project: str = "warmth", patterns: tuple[str, ...] = PATTERNS, *, sdist: bool = False) -> Library:
    """What a library declares of its files; it has no schedules."""
    return Library(project, project, patterns, ("1.0", "1.10.0"), (), sdist=sdist)


def contents(release: str) -> dict[str, bytes]:
    """Everything in a made-up release: different for each, and less than half of it wanted."""
    paths = (*KEPT, "warmth/__init__.py", "warmth/schedules/__init__.py", "warmth/schedules/data.json", "warmth/net.py")
    return {path: f"# {path} of {release}\n".encode() * 1_000 for path in paths}


def kept(release: str) -> dict[str, bytes]:
    """The wanted files of a release."""
    return {path: content for path, content in contents(release).items() if path in KEPT}


def wheel(release: str, padding: int = PADDING, folder: str = "", project: str = "warmth") -> bytes:
    """A wheel that pip accepts; `folder`: where in it the code lies."""
    info = f"{project}-{release}.dist-info"
    texts = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {project}\nVersion: {release}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    code = {folder + path: content for path, content in contents(release).items()}
    return zipped({**code, "warmth/lib.so": random.Random(0).randbytes(padding), **texts})


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A zip archive of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def sdist(release: str) -> bytes:
    """A source archive with everything below its top folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, content in contents(release).items():
            member = tarfile.TarInfo(f"warmth-{release}/{path}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, by its path from there."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


class OnDisk(LibraryIndex):
    """An index whose wheels are made on demand; `made` lists the releases that were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[str] = []

    def archives(self, project: str) -> tuple[Archive, ...]:
        """Any release of the made-up library."""
        return ()

    def fetch(self, wanted: WantedFiles, work: Path) -> dict[str, bytes]:
        """The wanted files, without pip and without a wheel."""
        self.made.append(wanted.release)
        return {path: content for path, content in contents(wanted.release).items() if wanted.matches(path)}


def store_directly(target: Path, content: Mapping[str, bytes], label: str) -> Path:
    """`cache.put` without its rename: what a kill interrupts stays in the cache."""
    for name, text in {**content, cache.SUMS: cache.manifest(content)}.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(text)
    return target


def main() -> None:
    """Fetch the releases one after the other, then print how many steps it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("releases", nargs="+")
    parser.add_argument("--kill-at", type=int, default=-1)
    parser.add_argument("--direct", action="store_true")
    args = parser.parse_args()
    if args.direct:
        cache.__dict__["put"] = store_directly
    files.__dict__["THREADS"] = 1
    steps = Steps(args.kill_at)
    Path.write_bytes = lambda path, data: steps.write_in_halves(path, data)  # type: ignore[method-assign, assignment]
    sys.addaudithook(steps.audit)
    failed = files.fetch_all([(library(), release) for release in args.releases], index=OnDisk(), progress=False)
    print(failed or steps.count, flush=True)


if __name__ == "__main__":
    main()
