"""Runs cases in a child process under a watchdog: an untrusted module may loop forever or kill its process."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path

from .case import Case
from .loader import BadModule, load, missing
from .subject import installed
from .verdict import Verdict, verdict_of

#: Seconds for importing torch, for importing the module, and for its first case; a busy machine takes its time.
START_PATIENCE = 120.0
MODULE_PATIENCE = 120.0
#: Seconds for each later case; a case takes about 1 ms, and all that it imports is loaded by then.
PATIENCE = 10.0


def _work(path: Path, pipe: Connection) -> None:
    cases: tuple[Case, ...] = pipe.recv()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        for case in {(type(c.schedule), c.setup.optimizer, c.setup.saved): c for c in cases}.values():
            verdict_of(case, installed())  # torch imports 800 modules for its first optimizer step
        pipe.send("started")
        try:
            subject = load(path)
        except BadModule as error:
            pipe.send(error)
            return
        pipe.send(missing(subject))
        for case in cases:
            pipe.send(verdict_of(case, subject))


@contextlib.contextmanager
def signals_blocked() -> Iterator[None]:
    """Keep Ctrl-C from a child that is started in the block: the parent ends it, without a second traceback."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # otherwise started with the child, and it unblocks the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Watchdog:
    """A module in a process of its own, which is given up when it does not answer in time."""

    def __init__(self, path: Path, cases: tuple[Case, ...]) -> None:
        self.path, self.cases = path, cases
        context = multiprocessing.get_context("spawn")
        self.pipe, child_end = context.Pipe()
        self.process = context.Process(target=_work, args=(path, child_end), daemon=True)
        with signals_blocked():
            self.process.start()
        child_end.close()
        # Not as an argument: a child that dies while it reads its arguments leaves start() waiting.
        self.pipe.send(cases)

    def _next(self, patience: float, doing: str) -> object:
        """The child's next message; raises BadModule when none comes."""
        try:
            if not self.pipe.poll(patience):
                raise BadModule(f"module={self.path} gave no answer within {patience:.0f} s {doing}")
            return self.pipe.recv()
        except EOFError:
            self.process.join(1)
            raise BadModule(f"module={self.path} ended the process (code {self.process.exitcode}) {doing}") from None

    def missing(self) -> list[str]:
        """The public schedulers that the module does not define; raises BadModule if it cannot be used."""
        self._next(START_PATIENCE, "while torch was imported")
        answer = self._next(MODULE_PATIENCE, "while it was imported")
        if isinstance(answer, BadModule):
            raise answer
        assert isinstance(answer, list)
        return answer

    def verdicts(self) -> Iterator[Verdict]:
        """The verdict on each case in turn; raises BadModule when the module hangs or dies."""
        patience = MODULE_PATIENCE
        for case in self.cases:
            answer = self._next(patience, f"in case {case.id}")
            assert isinstance(answer, Verdict)
            yield answer
            patience = PATIENCE

    def __enter__(self) -> Watchdog:
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        self.process.join()
