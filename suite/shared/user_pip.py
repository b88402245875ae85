"""pip, run with the user's index, certificates and proxy, but without settings that refuse a single wheel."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from . import user_cache
from .release import OLDEST, ReleaseError, numbers

#: Overrides for settings that concern the user's installs: a wheel is only read here, never installed.
#: pip ignores an empty variable, so a file setting is overridden by an empty file.
NEUTRAL = {
    "PIP_CONSTRAINT": os.devnull,
    "PIP_REQUIREMENT": os.devnull,
    "PIP_REQUIRE_HASHES": "0",
    "PIP_REQUIRE_VIRTUALENV": "0",
    "PIP_QUIET": "0",
    "PIP_VERBOSE": "0",
}
_COMMON = ("--disable-pip-version-check", "--no-input", "--no-color", "--retries", "1", "--no-cache-dir")
#: pip's settings that reading a part of a wheel needs too.
_NETWORK = ("cert", "client-cert", "proxy")

_NO_NETWORK = re.compile(
    r"Retrying \(|Could not fetch URL(?!.*: 404 )|ConnectionError|Connection (?:refused|reset|aborted|broken)"
    r"|NameResolution|Temporary failure in name|Network is unreachable|timed out|ProxyError|SSLError|HTTP error 5\d\d"
)
_NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded|Errno 28\b|not enough space on the disk")
_FINAL = re.compile(r"(\d+\.\d+\.\d+)(?:\+\w+)?", re.ASCII)
_LINK = re.compile(r"Found link (\S+?\.whl)(?:#\S*)?(?: \(.*)?, version: (\S+)$")
_CREDENTIALS = re.compile(r"//[^/\s@]+@")


class NoWheel(ReleaseError):
    """pip reached the index, which has no such wheel: a retry would fail as well."""


class Unreachable(ReleaseError):
    """pip could not reach the index."""


class NoStorage(ReleaseError):
    """The cache cannot be written."""


def no_storage(release: str, reason: str, *, full: bool = True) -> NoStorage:
    """The error for a cache that cannot be written, or whose disk is `full`, with what to do."""
    advice = f"free some space, or set {user_cache.VARIABLE} to" if full else f"set {user_cache.VARIABLE} to"
    return NoStorage(f"release={release} could not be stored in {user_cache.root()}: {reason}; {advice} another folder")


def run(arguments: Iterable[str], scratch: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run pip to its end; its temporary files go to `scratch`, which is swept away with the workspace."""
    environment = os.environ | NEUTRAL
    if scratch is not None:
        environment |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))
    return subprocess.run(
        [sys.executable, "-m", "pip", *_COMMON, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def failure(release: str, output: str) -> ReleaseError:
    """What pip's output means, as an error with one line."""
    if "No module named pip" in output:
        return NoWheel(f"release={release} could not be fetched: this Python has no pip (python -m ensurepip)")
    if _NO_SPACE.search(output):
        return no_storage(release, "no space left on the disk")
    if _NO_NETWORK.search(output):
        return Unreachable(f"release={release} could not be fetched: pip cannot reach its index")
    kind = NoWheel if "No matching distribution" in output else ReleaseError
    return kind(f"release={release} could not be fetched; pip said: {last_line(output)}")


def last_line(output: str) -> str:
    """pip's last error as one line, without credentials.

    >>> last_line("ERROR: first\\nERROR: second\\nhint\\n")
    'second'
    """
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    broken = next((i for i, line in enumerate(lines) if "Configuration file" in line), None)
    if broken is not None:  # pip spreads it over several lines, of which the last is the offending text only
        message = " ".join(lines[broken:])
    else:
        errors = [line for line in lines if line.startswith("ERROR")]
        message = [*lines[-1:], *errors][-1] if lines else "nothing"
    return without_credentials(message.removeprefix("ERROR: "))


def without_credentials(text: str) -> str:
    """The text with stars in place of what a URL holds before its host.

    >>> without_credentials("no answer from https://me:secret@host/simple")
    'no answer from https://****@host/simple'
    """
    return _CREDENTIALS.sub("//****@", text)


def network_settings() -> dict[str, str]:
    """pip's `cert`, `client-cert` and `proxy` from its files and variables, and requests' variables for `cert`."""
    settings = {"cert": os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or ""}
    rank = {"global": 0, "download": 1, ":env:": 2}
    lines = [line.partition("=") for line in run(("config", "list")).stdout.splitlines()]
    keys = [(*key.rpartition("."), value) for key, _, value in lines]
    for section, _, name, value in sorted(keys, key=lambda key: rank.get(key[0], -1)):
        if section in rank and name in _NETWORK:
            settings[name] = str(ast.literal_eval(value))
    return {name: value for name, value in settings.items() if value}


def parse_versions(text: str) -> list[str]:
    """The final releases from 1.11 on in what `pip index versions` prints, oldest first.

    >>> parse_versions("torch (2.10.0)\\nAvailable versions: 2.10.0, 2.9.1+cpu, 2.9.1, 2.9.0rc1, 1.9.0\\n")
    ['2.9.1', '2.10.0']
    """
    releases = set()
    for line in text.splitlines():
        head, colon, tail = line.partition(":")
        if colon and head.strip().lower() == "available versions":
            releases |= {match[1] for word in tail.split(",") if (match := _FINAL.fullmatch(word.strip()))}
    return sorted((release for release in releases if numbers(release)[:2] >= OLDEST), key=numbers)


def parse_links(text: str) -> dict[str, str]:
    """The wheel of each release in what `pip -vv index versions` prints.

    A link with credentials is left out: pip prints stars in place of the password.

    >>> parse_links("  Found link https://host/torch-2.8.0.whl#sha256=0 (from https://host/), version: 2.8.0")
    {'2.8.0': 'https://host/torch-2.8.0.whl'}
    """
    links: dict[str, str] = {}
    for match in filter(None, map(_LINK.search, text.splitlines())):
        version = _FINAL.fullmatch(match[2])
        if version is not None and "@" not in urlsplit(match[1]).netloc:
            links.setdefault(version[1], match[1])
    return links
