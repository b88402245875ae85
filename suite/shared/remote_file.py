"""A file on a web server, read in parts by HTTP range requests, with the user's certificates and proxy."""

from __future__ import annotations

import http.client
import io
import re
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

#: Seconds that a server may be silent.
TIMEOUT = 30.0
#: The end of a wheel that is read first: it holds the size of the wheel's directory.
TAIL = 1 << 16
#: At least this much is read at once: the three files of a release lie within it in every wheel until 2.15.
READ_AHEAD = 1 << 17

Content = TypeVar("Content")
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class NoRanges(OSError):
    """The server did not answer with the part that was asked for."""


class Traffic:
    """Counts requests and bytes; threads may share one."""

    def __init__(self) -> None:
        self.requests = 0
        self.bytes = 0
        self._lock = threading.Lock()

    def add(self, size: int) -> None:
        """Count one request."""
        with self._lock:
            self.requests += 1
            self.bytes += size


class RemoteFile(io.RawIOBase):
    """A seekable file behind a URL; raises OSError, NoRanges among them, where its parts cannot be read."""

    def __init__(self, url: str, opener: urllib.request.OpenerDirector, traffic: Traffic) -> None:
        self._url, self._opener, self._traffic = url, opener, traffic
        self._parts: list[tuple[int, bytes]] = []
        self._position = 0
        self.size = self._request(f"-{TAIL}", TAIL)

    def _answer(self, span: str, limit: int) -> tuple[int, int, bytes]:
        """The first byte's position, the size of the whole file, and the bytes of this span, at most `limit`."""
        headers = {"Range": f"bytes={span}", "Accept-Encoding": "identity"}
        request = urllib.request.Request(self._url, headers=headers)
        with self._opener.open(request, timeout=TIMEOUT) as response:
            match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if response.status != 206 or match is None:
                raise NoRanges(f"the server answered a range request with status {response.status}")
            first, last, size = map(int, match.groups())
            content = response.read(limit + 1)
        self._traffic.add(len(content))
        if len(content) != last - first + 1 or len(content) > limit:
            raise NoRanges(f"the server sent {len(content)} bytes of {last - first + 1}")
        return first, size, content

    def _request(self, span: str, limit: int) -> int:
        """Keep the bytes of this span, at most `limit`; return the size of the whole file."""
        first, size, content = self._answer(span, limit)
        self._parts.append((first, content))
        return size

    def part(self, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end`, by one request; they are not kept."""
        first, size, content = self._answer(f"{start}-{end - 1}", end - start)
        if (first, size, len(content)) != (start, self.size, end - start):
            raise NoRanges("the server sent another part or another file")
        return content

    def _rest(self) -> bytes:
        """The bytes from the position to the end of the part that contains it; empty where none does."""
        parts = (content[self._position - start :] for start, content in self._parts if start <= self._position)
        return next(filter(None, parts), b"")

    def seekable(self) -> bool:
        """A part may start anywhere."""
        return True

    def readable(self) -> bool:
        """It can be read and not written."""
        return True

    def tell(self) -> int:
        """The position of the next read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position; nothing is requested."""
        self._position = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence] + offset
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the start of the buffer, from a part that is at hand or with one request."""
        if self._position >= self.size or not len(buffer):
            return 0
        if not self._rest():
            known = [start for start, _ in self._parts if start > self._position]
            end = min(self._position + max(len(buffer), READ_AHEAD), self.size, *known)
            if self._request(f"{self._position}-{end - 1}", end - self._position) != self.size or not self._rest():
                raise NoRanges("the server sent another part or another file")
        content = self._rest()[: len(buffer)]
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)


def in_parts(
    url: str,
    read: Callable[[Path | io.BufferedIOBase], Content],
    connect: urllib.request.OpenerDirector,
    traffic: Traffic,
) -> Content:
    """What `read` takes from the file behind a URL: by range requests, with one retry, or from this machine's disk."""
    if url.startswith("file:"):
        return read(Path(urllib.request.url2pathname(urlsplit(url).path)))
    try:
        return read(io.BufferedReader(RemoteFile(url, connect, traffic)))
    except (NoRanges, urllib.error.HTTPError):
        raise
    except (OSError, http.client.HTTPException):  # the connection broke: the whole file would cost far more
        return read(io.BufferedReader(RemoteFile(url, connect, traffic)))


def opener(settings: Mapping[str, str]) -> urllib.request.OpenerDirector:
    """Opens URLs with pip's settings `cert`, `client-cert` and `proxy`, else as the environment says.

    Raises OSError for a certificate that cannot be read.
    """
    context = ssl.create_default_context()
    bundles = [settings["cert"]] if "cert" in settings else [str(path) for path in _pip_bundle()]
    for bundle in bundles:
        folder = Path(bundle).is_dir()
        context.load_verify_locations(None if folder else bundle, bundle if folder else None)
    if "client-cert" in settings:
        context.load_cert_chain(settings["client-cert"])
    handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=context)]
    if "proxy" in settings:
        handlers.append(urllib.request.ProxyHandler(dict.fromkeys(("http", "https"), settings["proxy"])))
    return urllib.request.build_opener(*handlers)


def _pip_bundle() -> list[Path]:
    """pip's own certificates, for a Python that comes without any (the macOS installer's)."""
    spec = find_spec("pip")
    homes = spec.submodule_search_locations if spec is not None else None
    paths = [Path(home) / "_vendor" / "certifi" / "cacert.pem" for home in homes or ()]
    return [path for path in paths if path.is_file()]
