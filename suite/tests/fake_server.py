"""A package index on this machine for tests: a real web server that pip and the suite read wheels from."""

from __future__ import annotations

import base64
import contextlib
import re
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from suite.tests.fake_index import PADDING, wheel_bytes

USER, PASSWORD = "me", "swordfish"


class Index(ThreadingHTTPServer):
    """Serves `/simple/torch/`, a page for each other project, and the archives; `mode`: how ranges are answered.

    Modes: "ranges", "whole" (ignores them), "wrong part", "short", "other bytes", "broken" (status 500),
    "breaks once" (the first range request gets no answer).
    """

    daemon_threads = True

    def __init__(self, archives: Mapping[str, bytes], mode: str, private: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.wheels = dict(archives)
        #: File name → further attributes of its link, such as the versions of Python it is for.
        self.attributes: dict[str, str] = {}
        self.mode, self.private = mode, private
        #: Path, status and size of every answer.
        self.answers: list[tuple[str, int, int]] = []

    @property
    def url(self) -> str:
        """Where pip finds the index."""
        user = f"{USER}:{PASSWORD}@" if self.private else ""
        return f"http://{user}127.0.0.1:{self.server_address[1]}/simple"

    def page(self, project: str) -> bytes | None:
        """The links of a project; None where it has none."""
        names = [name for name in self.wheels if name.replace("_", "-").startswith(f"{project}-")]
        links = (f'<a href="../../files/{name}" {self.attributes.get(name, "")}>{name}</a>\n' for name in names)
        text = f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>"
        return text.encode() if names or project == "torch" else None

    def sent(self, status: int) -> int:
        """How many bytes were sent in answers of this status."""
        return sum(size for _, code, size in self.answers if code == status)


class _Handler(BaseHTTPRequestHandler):
    server: Index

    def log_message(self, *args: object) -> None:
        """Print nothing."""

    def _send(self, status: int, content: bytes, **headers: str) -> None:
        self.server.answers.append((self.path, status, len(content)))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # a reader that wanted a part has left
            self.wfile.write(content)

    def do_GET(self) -> None:
        """A page of links, a wheel, or a part of one."""
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.server.private and self.headers.get("Authorization") != f"Basic {token}":
            return self._send(401, b"", WWW_Authenticate='Basic realm="index"')
        path = self.path.partition("127.0.0.1")[2] or self.path  # as a proxy it is asked for whole URLs
        name = path.rpartition("/")[2]
        project = re.search(r"/simple/([^/]+)/$", path)
        page = self.server.page(project[1]) if project else None
        if page is not None:
            return self._send(200, page, Content_Type="text/html")
        content = self.server.wheels.get(name)
        if content is None:
            return self._send(404, b"")
        span = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if span is None or self.server.mode == "whole":
            return self._send(200, content)
        return self._part(content, span[1], span[2])

    def _part(self, content: bytes, first: str, last: str) -> None:
        mode, size = self.server.mode, len(content)
        start = int(first) if first else size - int(last)
        end = min(int(last) + 1, size) if first else size
        if mode == "broken":
            return self._send(500, b"")
        if mode == "breaks once":
            self.server.mode = "ranges"
            self.close_connection = True
            return None
        part = content[start:end]
        if mode == "wrong part" and first:
            start, part = start + 1, content[start + 1 : end]
        if mode == "other bytes" and first:
            part = bytes(byte ^ 1 for byte in part)
        headers = {"Content_Range": f"bytes {start}-{end - 1}/{size}"}
        return self._send(206, part[:-1] if mode == "short" and first else part, **headers)


def running(*releases: str, mode: str = "ranges", private: bool = False) -> contextlib.AbstractContextManager[Index]:
    """An index that serves these releases of torch inside the block."""
    wheels = {f"torch-{release}-py3-none-any.whl": wheel_bytes(release, PADDING) for release in releases}
    return serving(wheels, mode, private)


@contextlib.contextmanager
def serving(archives: Mapping[str, bytes], mode: str = "ranges", private: bool = False) -> Iterator[Index]:
    """An index that serves these archives inside the block."""
    with Index(archives, mode, private) as index:
        thread = threading.Thread(target=index.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield index
        finally:
            index.shutdown()
            thread.join()
