"""The parts of a release's Linux wheel that a CPU needs, read by range requests, without its CUDA libraries."""

from __future__ import annotations

import dataclasses
import http.client
import io
import re
import sys
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from suite.shared import user_pip
from suite.shared.release import ReleaseError
from suite.shared.remote_file import NoRanges, RemoteFile, Traffic, opener
from suite.shared.user_pip import NoWheel, Unreachable, parse_links, parse_versions

#: What pip calls a Linux of this machine, the oldest first; each release has a wheel for one of them.
PLATFORMS = ("manylinux1_x86_64", "manylinux2014_x86_64", "manylinux_2_28_x86_64")
#: The bytes between two needed members below which they are read together, and those read by one request.
GAP, CHUNK = 1 << 20, 1 << 24
#: Seconds to wait before the second and the third try of a part.
WAITS = (1.0, 5.0)
_UNNEEDED = re.compile(
    r"torch/(?:test|include|share)/|torch/bin/proto|nvfuser/"
    r"|.*/lib[^/]*(?:cuda|cudnn|cusparse|nvrtc|nvshmem|nvfuser|nvToolsExt|cupti|gfortran)[^/]*\.so"
)

Say = Callable[[str], object]


@dataclasses.dataclass(frozen=True)
class WheelParts:
    """What is read of a wheel: spans of bytes, in order."""

    spans: tuple[tuple[int, int], ...]
    size: int

    @property
    def megabytes(self) -> float:
        """All that is read."""
        return sum(end - start for start, end in self.spans) / 1e6


def is_needed(name: str) -> bool:
    """Whether a member of the wheel is needed on a CPU.

    >>> is_needed("torch/lib/libtorch_cpu.so"), is_needed("torch/lib/libtorch_cuda.so"), is_needed("torch/cuda/nccl.py")
    (True, False, True)
    """
    return _UNNEEDED.match(name) is None


def plan(archive: zipfile.ZipFile, size: int) -> WheelParts:
    """The spans that hold the needed members and the wheel's directory; close ones are joined."""
    members = sorted(archive.infolist(), key=lambda member: member.header_offset)
    ends = [*(member.header_offset for member in members[1:]), archive.start_dir]
    spans: list[tuple[int, int]] = []
    pairs = [(m.header_offset, end) for m, end in zip(members, ends, strict=True) if is_needed(m.filename)]
    for start, end in [*pairs, (archive.start_dir, size)]:
        if spans and start - spans[-1][1] < GAP:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return WheelParts(tuple(spans), size)


def _target() -> tuple[str, ...]:
    """pip's options for a wheel of this Python on Linux."""
    platforms = (word for platform in PLATFORMS for word in ("--platform", platform))
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return ("--only-binary=:all:", "--python-version", python, "--implementation", "cp", *platforms)


def link(release: str) -> str | None:
    """Where the index has the release's wheel for this Python; None where pip does not show its links.

    Raises ReleaseError where there is no such wheel, or no index.
    """
    done = user_pip.run(("-vv", "index", "versions", "torch", *_target()))
    links, versions = parse_links(done.stdout), parse_versions(done.stdout)
    if release in links:
        return links[release]
    if release in versions:
        return None
    if not versions:
        raise user_pip.failure(release, done.stdout + done.stderr)
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    raise NoWheel(f"release={release} has no Linux wheel for Python {python}; there are {', '.join(versions)}")


def fetch(release: str, target: Path, say: Say, pause: Callable[[float], object] = time.sleep) -> Traffic:
    """Copy the needed parts of the release's wheel to the file `target`, each at its place; raises ReleaseError.

    The copy has the wheel's size and holes where the CUDA libraries are: `zipfile` reads the other members from it.
    Where the index does not send parts of a file, it is the whole wheel.
    """
    url, traffic = link(release), Traffic()
    if url is None:
        return _whole(release, target, say, "pip shows no link to it", traffic)
    if url.startswith("file:"):
        target.symlink_to(urllib.request.url2pathname(urlsplit(url).path))
        return traffic
    try:
        remote = RemoteFile(url, opener(user_pip.network_settings()), traffic)
        with zipfile.ZipFile(io.BufferedReader(remote)) as archive:
            parts = plan(archive, remote.size)
    except (NoRanges, urllib.error.HTTPError) as error:  # pip may know a password that we do not
        return _whole(release, target, say, _reason(error), traffic)
    except zipfile.BadZipFile as error:
        raise ReleaseError(f"release={release} could not be unpacked, its wheel is damaged: {error}") from None
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"release={release} could not be fetched: {_reason(error)}") from None
    say(f"torch {release}: {parts.megabytes:.0f} MB of its wheel's {remote.size / 1e6:.0f} MB")
    with target.open("wb") as file:
        file.truncate(remote.size)
        for start, end in parts.spans:
            for at in range(start, end, CHUNK):
                file.seek(at)
                file.write(_part(remote, release, at, min(at + CHUNK, end), pause))
    return traffic


def _whole(release: str, target: Path, say: Say, reason: str, traffic: Traffic) -> Traffic:
    """Let pip download the whole wheel to `target`."""
    say(f"torch {release}: its wheel cannot be read in parts ({reason}): downloading all of it, 500 to 920 MB")
    folder = target.with_name("whole")
    words = ("download", "--no-deps", *_target(), "--dest", str(folder), f"torch=={release}")
    done = user_pip.run(words, scratch=target.parent)
    if done.returncode != 0:
        raise user_pip.failure(release, done.stdout + done.stderr)
    next(folder.glob("*.whl")).rename(target)
    traffic.add(target.stat().st_size)
    return traffic


def _part(remote: RemoteFile, release: str, start: int, end: int, pause: Callable[[float], object]) -> bytes:
    problem: Exception | None = None
    for wait in (0.0, *WAITS):
        if wait:
            pause(wait)
        try:
            return remote.part(start, end)
        except urllib.error.HTTPError as error:
            raise Unreachable(f"release={release} could not be fetched: {_reason(error)}") from None
        except (OSError, http.client.HTTPException) as error:
            problem = error
    assert problem is not None
    raise Unreachable(f"release={release} could not be fetched: {_reason(problem)}") from None


def _reason(error: Exception) -> str:
    return user_pip.without_credentials(" ".join(str(error).split()) or type(error).__name__)


def unpack(release: str, wheel: Path, folder: Path) -> int:
    """Unpack the needed members, their checksums verified, into `folder`; return the bytes they take."""
    size = 0
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.infolist():
                if is_needed(member.filename):
                    path = Path(archive.extract(member, folder))
                    size += member.file_size
                    if member.external_attr >> 16 & 0o111 and path.is_file():
                        path.chmod(0o755)  # torch_shm_manager, which a DataLoader starts
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise ReleaseError(f"release={release} could not be unpacked, its wheel is damaged: {error}") from None
    return size
