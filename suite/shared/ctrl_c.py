"""What Ctrl-C does: one line and exit code 130, also where a library swallows Python's KeyboardInterrupt."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from . import streams

INTERRUPTED = 130  # what shells report for a process that Ctrl-C ended


class Interrupt:
    """Python's own handler of SIGINT, which also notes that the signal came: some libraries lose the exception."""

    received = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.received = True
        raise KeyboardInterrupt


def _end_at_once(number: int, frame: FrameType | None) -> None:
    streams.say("interrupted")
    os._exit(INTERRUPTED)


@contextlib.contextmanager
def handled_by(handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    """Let `handler` receive Ctrl-C inside the block, unless the process ignores it."""
    before = signal.getsignal(signal.SIGINT)
    if before in (None, signal.SIG_IGN) or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def ends_at_once() -> contextlib.AbstractContextManager[None]:
    """While modules are imported: a KeyboardInterrupt in the middle leaves torch or NumPy half imported, unnoticed."""
    return handled_by(_end_at_once)
