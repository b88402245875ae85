"""The archives of a project that the user's pip finds: the wheels and source archives of every release."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from suite.libraries.core.version import Version, final_version

#: pip says for each file of the index whether it could be installed here; that does not matter to a reader of text.
_ENDINGS = r"\.whl|\.tar\.gz|\.tar\.bz2|\.tgz|\.zip"
_LINK = re.compile(rf"(Found link |Skipping link: .*: )(\S+/(\S+?({_ENDINGS})))(?:#\S*)?(?: \(.*)?$")
_VERSION = re.compile(r", version: \S+$")


@dataclasses.dataclass(frozen=True)
class Archive:
    """A wheel or a source archive, at a URL; `yanked`: its project withdrew it, and pip no longer lists it."""

    release: str
    name: str
    url: str
    yanked: bool = False

    @property
    def wheel(self) -> bool:
        """Whether it is a wheel."""
        return self.name.endswith(".whl")

    @property
    def tags(self) -> tuple[str, str, str]:
        """The versions of Python, the binary interfaces and the platforms that a wheel is for."""
        python, abi, platform = self.name.removesuffix(".whl").rsplit("-", 3)[1:]
        return python, abi, platform

    @property
    def hidden(self) -> bool:
        """Whether its URL holds a password, in whose place pip prints stars: only pip itself can read it."""
        return "@" in urlsplit(self.url).netloc

    @property
    def rank(self) -> tuple[bool, bool, bool, str]:
        """The least is read: one for any platform, then one for Python 3, none for Windows, then the first name.

        The Python files are the same in all wheels of a release, but for the ends of lines in those for Windows.
        """
        if not self.wheel:
            return (True, True, True, self.name)
        python, _, platform = self.tags
        return (platform != "any", "3" not in python, platform.startswith("win"), self.name)


def archives_in(text: str, project: str) -> tuple[Archive, ...]:
    """The archives of a project in what `pip -vv index versions` prints, each name once.

    >>> (archive,) = archives_in("  Found link https://host/a_b-1.0-py3-none-any.whl (from x), version: 1.0", "A.b")
    >>> archive.release, archive.url, archive.tags
    ('1.0', 'https://host/a_b-1.0-py3-none-any.whl', ('py3', 'none', 'any'))
    >>> skipped = "  Skipping link: 1.0 Requires-Python >=3.99: https://host/a-b-1.0.tar.gz (from x)"
    >>> archives_in(skipped, "a-b")[0].release, archives_in(skipped, "a")
    ('1.0', ())
    """
    archives: dict[str, Archive] = {}
    for match in filter(None, (_LINK.search(_VERSION.sub("", line)) for line in text.splitlines())):
        name = unquote(match[3])
        release = _release(name, match[4], project)
        if release is None:
            continue
        archive = Archive(release, name, match[2], "Skipping link: yanked" in match[1])
        if name not in archives or (archives[name].hidden and not archive.hidden):
            archives[name] = archive
    return tuple(archives.values())


def _release(name: str, ending: str, project: str) -> str | None:
    """The final release in an archive's name; None for another project's archive, or for no final release."""
    parts = name.removesuffix(ending).split("-")
    cuts: Iterable[int] = [1] if ending == ".whl" else range(1, len(parts))
    for cut in cuts:
        if normal("-".join(parts[:cut])) == normal(project):
            release = parts[cut] if ending == ".whl" else "-".join(parts[cut:])
            return release if final_version(release) is not None else None
    return None


def normal(project: str) -> str:
    """The name of a project as an index spells it.

    >>> normal("Pytorch_Optimizer"), normal("OpenNMT.py")
    ('pytorch-optimizer', 'opennmt-py')
    """
    return re.sub(r"[-_.]+", "-", project).lower()


def releases_in(archives: Iterable[Archive]) -> list[str]:
    """The final releases that have an archive, oldest first, those that were withdrawn left out."""
    spelled: dict[Version, str] = {}
    for archive in archives:
        key = final_version(archive.release)
        if key is not None and not archive.yanked:
            spelled.setdefault(key, archive.release)
    return [spelled[key] for key in sorted(spelled)]


def chosen(archives: Iterable[Archive], release: str, *, sdist: bool) -> Archive | None:
    """The archive of a release to read: of the kind asked for where there is one; None where there is none at all."""
    mine = [archive for archive in archives if final_version(archive.release) == final_version(release)]
    return min(mine, key=lambda archive: (archive.wheel is sdist, archive.hidden, archive.rank), default=None)
