"""Runs cases in a child process with a watchdog: a stranger's module may loop for ever or kill its process."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from .case import Case
from .loader import BadModule, load, missing
from .verdict import Verdict, verdict_of

#: Seconds without a sign of life after which the module is given up; a case takes about 1 ms.
PATIENCE = 10.0
#: Seconds for importing torch and the module.
START = 120.0


def _work(path: Path, cases: tuple[Case, ...], pipe: Connection) -> None:
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        pipe.send("started")
        try:
            subject = load(path)
        except BadModule as error:
            pipe.send(error)
            return
        pipe.send(missing(subject))
        for case in cases:
            pipe.send(verdict_of(case, subject))


class Watched:
    """The module in its own process."""

    def __init__(self, path: Path, cases: tuple[Case, ...]) -> None:
        self.path, self.cases = path, cases
        context = multiprocessing.get_context("spawn")
        self.pipe, far = context.Pipe(duplex=False)
        self.process = context.Process(target=_work, args=(path, cases, far), daemon=True)
        self.process.start()
        far.close()

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
        """The public schedulers that the module lacks; raises BadModule if it cannot be used."""
        self._next(START, "while torch was imported")
        answer = self._next(PATIENCE, "while it was imported")
        if isinstance(answer, BadModule):
            raise answer
        assert isinstance(answer, list)
        return answer

    def verdicts(self) -> Iterator[Verdict]:
        """The verdict on each case in turn; raises BadModule when the module hangs or dies."""
        for case in self.cases:
            answer = self._next(PATIENCE, f"in case {case.id}")
            assert isinstance(answer, Verdict)
            yield answer

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        self.process.join()
