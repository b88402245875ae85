"""Standard output and standard error that print any character and report their own failures."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO

#: How each character of our own prose is spelled where ASCII or a Windows code page lacks it.
SPELLINGS = """
    −- –- —- ─- ━- ·* …... →-> ←<- ↦-> ×x ±+/- ≤<= ≥>= ≠!= ≈~ ∞inf ²^2 ½1/2 ¼1/4 √sqrt ‖|| µu ℓl
    αalpha βbeta εeps ηeta θtheta λlambda πpi ρrho τtau ΣSum ΠProd
"""
PLAINER = {word[0]: word[1:] for word in SPELLINGS.split()}


class OutputError(BaseException):
    """Standard output or error cannot be written to; not an OSError, so that no command takes it for its own file."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.pipe_closed = isinstance(error, BrokenPipeError)


def transliterated(error: UnicodeError) -> tuple[str, int]:
    """The `errors` handler of our streams: a plainer spelling, or backslash escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    part = error.object[error.start : error.end]
    return "".join(PLAINER.get(c) or c.encode("ascii", "backslashreplace").decode() for c in part), error.end


codecs.register_error("transliterated", transliterated)


class Output(io.TextIOWrapper):
    """A standard stream on the same file as `plain`: no UnicodeEncodeError, OutputError in place of OSError."""

    def __init__(self, plain: io.TextIOWrapper) -> None:
        super().__init__(
            plain.buffer,
            encoding=plain.encoding,
            errors="transliterated",
            line_buffering=plain.line_buffering,
            write_through=plain.write_through,  # with python -u
        )
        self.plain = plain

    def write(self, text: str) -> int:
        """Write, or raise OutputError."""
        try:
            return super().write(text)
        except OSError as error:
            raise OutputError(error) from error

    def flush(self) -> None:
        """Flush, or raise OutputError."""
        try:
            super().flush()
        except OSError as error:
            raise OutputError(error) from error


def prepare() -> None:
    """Put our streams in the place of Python's; raises OutputError where standard output is closed."""
    if sys.stderr is None:  # closed by the caller
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process runs
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - as above
        raise OutputError(OSError("standard output is closed"))
    for name in ("stdout", "stderr"):
        if isinstance(plain := getattr(sys, name), io.TextIOWrapper):
            setattr(sys, name, Output(plain))


def say(line: str) -> None:
    """Print a line on standard error; where even that cannot be written to, do without."""
    try:
        print(line, file=sys.stderr, flush=True)
    except (OutputError, OSError):
        discard(sys.stderr)


def discard(stream: TextIO) -> None:
    """Send what is left in the stream's buffer nowhere: Python would fail to write it once more as it ends."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


@contextlib.contextmanager
def plain_streams() -> Iterator[None]:
    """Give Python's own streams back inside the block, for code that must run as it would without us."""
    out, err = (getattr(stream, "plain", stream) for stream in (sys.stdout, sys.stderr))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield
