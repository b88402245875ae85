"""The cache of torch's own files, one folder per release: written atomically, and verified on every read.

Other libraries' files are kept beside them in the same way (`suite.libraries.wheels`): `read_folder`, `put`.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from suite.shared.files import write_whole

# One name for each: this module is the cache for its readers.
from suite.shared.release import OLDEST as OLDEST
from suite.shared.release import ReleaseError as ReleaseError
from suite.shared.release import canonical as canonical
from suite.shared.release import numbers as numbers
from suite.shared.user_cache import VARIABLE as VARIABLE
from suite.shared.user_cache import root as root
from suite.shared.user_cache import sweep as sweep
from suite.shared.user_cache import workspace as workspace

#: What is kept of a release: the schedulers, SWALR, and the optimizer whose helpers the schedulers import.
FILES = ("lr_scheduler.py", "swa_utils.py", "optimizer.py")
#: The manifest, in the format of sha256sum: `sha256sum -c SHA256SUMS` checks a folder by hand.
SUMS = "SHA256SUMS"
#: The SHA-256 of every known release's manifest, which pins its files: a cache with a rewritten manifest is refused.
KNOWN = Path(__file__).with_name("known_releases.sha256")

_FOLDER = re.compile(r"torch-(\d+\.\d+\.\d+)")
_KNOWN_LINE = re.compile(rf"([0-9a-f]{{64}})  {_FOLDER.pattern}/{SUMS}")
#: Other processes may put a folder in place while this one does; each of them succeeds once.
_ATTEMPTS = 20


def folder(release: str) -> Path:
    """Where the files of this release are, or will be."""
    return root() / f"torch-{release}"


def manifest(files: Mapping[str, bytes]) -> bytes:
    """What SHA256SUMS says of these files."""
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return "".join(lines).encode()


@functools.cache
def known() -> Mapping[str, str]:
    """Each release listed in the repository, oldest first, and the SHA-256 of its manifest."""
    matches = map(_KNOWN_LINE.fullmatch, KNOWN.read_text(encoding="ascii").splitlines())
    return {match[2]: match[1] for match in matches if match is not None}


def genuine(release: str, files: Mapping[str, bytes]) -> bool:
    """Whether these are the published files; always True for a release that the repository does not list yet."""
    return known().get(release) in (None, hashlib.sha256(manifest(files)).hexdigest())


def add_to_known() -> list[str]:
    """Add the cached releases that the list in the repository lacks; return them."""
    new = {release: hashlib.sha256(manifest(read(release) or {})).hexdigest() for release in cached()}
    table = {**new, **known()}
    lines = (f"{table[release]}  torch-{release}/{SUMS}\n" for release in sorted(table, key=numbers))
    added = [release for release in new if release not in known()]
    write_whole(KNOWN, "".join(lines).encode())
    known.cache_clear()
    return added


def read_folder(home: Path, names: Iterable[str] | None = None) -> tuple[dict[str, bytes] | None, str]:
    """The files of a folder as its manifest says, or None and what is wrong with them; nothing where it is absent.

    `names`: the files that it must have; by default those that the manifest lists.
    """
    try:
        sums = (home / SUMS).read_bytes()
        listed = (line.partition("  ")[2] for line in sums.decode(errors="replace").splitlines())
        files = {name: (home / name).read_bytes() for name in (listed if names is None else names)}
    except FileNotFoundError:
        return None, "incomplete" if home.exists() else ""
    except OSError as error:
        return None, f"unreadable ({error.strerror})"
    except ValueError:  # a damaged manifest lists a name that no file can have
        return None, "damaged"
    return (files, "") if files and sums == manifest(files) else (None, "damaged")


def _stored(release: str) -> tuple[dict[str, bytes] | None, str]:
    """The verified files of a release, or None and what is wrong with them."""
    files, problem = read_folder(folder(release), FILES)
    if files is None or genuine(release, files):
        return files, problem
    return None, "not the ones that torch published"


def read(release: str) -> dict[str, bytes] | None:
    """The files of a release, or None where they are absent, incomplete, damaged or not the published ones."""
    return _stored(release)[0]


def fault(release: str) -> str:
    """What is wrong with the cached files of a release; empty where they are fine or absent."""
    return _stored(release)[1]


def cached() -> list[str]:
    """The releases whose files are in the cache and verified, oldest first."""
    if not root().is_dir():
        return []
    names = [match[1] for path in root().iterdir() if (match := _FOLDER.fullmatch(path.name))]
    return sorted((release for release in names if read(release) is not None), key=numbers)


def store(release: str, files: Mapping[str, bytes]) -> Path:
    """Put the files of a release in the cache; raises ReleaseError unless they are the expected ones."""
    if set(files) != set(FILES):
        raise ReleaseError(f"release={release} must have the files {', '.join(FILES)}, not {sorted(files)}")
    if not genuine(release, files):
        raise ReleaseError(f"release={release} was refused: the index's files differ from those that torch published")
    return put(folder(release), files, release)


def put(target: Path, files: Mapping[str, bytes], label: str) -> Path:
    """Make `target` a folder of these files and their manifest; `label` names the temporary folder.

    The folder is filled elsewhere and then renamed, so a reader sees all of it or nothing.
    An altered folder is moved aside first.
    """
    with workspace(label) as work:
        ready = work / "ready"
        for name, content in {**files, SUMS: manifest(files)}.items():
            (ready / name).parent.mkdir(parents=True, exist_ok=True)
            (ready / name).write_bytes(content)
        target.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(_ATTEMPTS):
            try:
                ready.rename(target)
            except OSError:
                if not target.exists() or attempt == _ATTEMPTS - 1:
                    raise
            else:
                return target
            if read_folder(target)[0] == dict(files):  # another process was quicker
                return target
            with contextlib.suppress(FileNotFoundError):  # another process moved the altered folder aside
                target.rename(work / f"altered-{attempt}")
    raise AssertionError("unreachable: the last attempt returns or raises")
