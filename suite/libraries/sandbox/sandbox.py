"""Runs scripts against a library's files in a child process, which is replaced when it hangs or dies."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator
from multiprocessing.context import BaseContext

from suite.engine.watchdog import signals_blocked
from suite.shared.cli import InputError

from .child import LibraryRun, Load, work

#: Seconds for importing torch; and for one script, whose first one loads the library's files.
START_PATIENCE, PATIENCE = 120.0, 30.0


class SandboxError(InputError):
    """No child process can be started; the text is the one line that says why."""


def _context() -> BaseContext:
    """Fork from a process that has imported torch already where the system can; else start Python each time."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"{__package__}.preload"])
    return context


class Sandbox:
    """A library's code in a process of its own."""

    def __init__(self, load: Load) -> None:
        self._load, self._context = load, _context()
        self._start()

    def _start(self) -> None:
        self._pipe, end = self._context.Pipe()
        self._process = self._context.Process(target=work, args=(end,), daemon=True)  # type: ignore[attr-defined]
        with signals_blocked():
            self._process.start()
        end.close()
        try:
            self._pipe.send(self._load)
            if self._pipe.poll(START_PATIENCE):
                self._pipe.recv()
                return
            reason = f"gave no answer within {START_PATIENCE:.0f} s"
        except (EOFError, OSError):
            self._process.join(1)
            reason = f"ended with code {self._process.exitcode}"
        raise SandboxError(f"sandbox=python must start a process that imports torch, but it {reason}")

    def run(self, imports: str, body: str) -> LibraryRun:
        """Run one script; a library that hangs or ends the process is started again for the next one."""
        self._pipe.send((imports, body))
        try:
            if self._pipe.poll(PATIENCE):
                answer = self._pipe.recv()
                assert isinstance(answer, LibraryRun)
                return answer
            error, message = "TimeoutError", f"no answer within {PATIENCE:.0f} s"
        except (EOFError, OSError):
            self._process.join(1)
            error, message = "SystemExit", f"the library ended the process (code {self._process.exitcode})"
        self.close()
        self._start()
        return LibraryRun("update", error=error, message=message)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def run_all(load: Load, scripts: Iterable[tuple[str, str]]) -> Iterator[LibraryRun]:
    """The result of each script in turn."""
    with Sandbox(load) as sandbox:
        for imports, body in scripts:
            yield sandbox.run(imports, body)
