"""The command-line frame of `python -m suite` and `python -m bench`: commands, bad input, exit codes.

A command is a module of the program's `commands` package with two functions: `add_arguments(parser)` declares its
options and `run(args)` returns 0 or 1. It is imported only when it is asked for: torch alone takes a second.

A command reports input that it cannot use by raising `InputError` with one line of text, in the form
``name=value must ...``. It does not catch, print or return 2: the frame prints the line, with control characters
escaped, and ends with exit code 2. `checked_input()` turns the ValueError of a check (of `reference`, say) into an
InputError; errors of modules that every command uses (BadModule, ReleaseError, BadSpec ...) are InputErrors already.
All other exceptions are faults of ours: they keep their traceback and end with exit code 3.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import importlib
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from . import ctrl_c, streams
from .clone import is_clone, version
from .ctrl_c import INTERRUPTED

AS_EXPECTED, FINDING, BAD_INPUT, OUR_FAULT, CANNOT_WRITE, PIPE_CLOSED = 0, 1, 2, 3, 74, 141
EXIT_CODES = (
    "exit codes: 0 as expected, 1 a finding, 2 bad input, 3 a fault in this program, "
    "74 the output cannot be written, 130 interrupted by Ctrl-C, 141 the reader closed the pipe (as head does)"
)


class InputError(Exception):
    """The command cannot use what it was given; the text is the one line that says why."""


def needs_clone(command: str, why: str, instead: str = "") -> None:
    """Raise InputError in an installed package: it has no `results/`, and other interpreters cannot import it.

    `why`: what the command needs the clone for; `instead`: what to add to the command to run it here all the same.
    """
    if not is_clone():
        rest = f", or with {instead}" if instead else ""
        raise InputError(f"command={command} must be run in a clone of warmup-bench{rest}: {why}")


@contextlib.contextmanager
def checked_input(extra: str = "bench") -> Iterator[None]:
    """Turn what the checks of our own code raise inside the block into an `InputError`.

    Only code that reads and checks input belongs in the block: an error of the measurement itself
    must keep its traceback. `extra`: the optional dependencies that a missing package belongs to.

    >>> with checked_input():
    ...     raise ValueError("steps=-1 must be >= 1")
    Traceback (most recent call last):
    suite.shared.cli.InputError: steps=-1 must be >= 1
    """
    try:
        yield
    except (TypeError, ValueError, OSError) as error:
        raise InputError(" ".join(str(error).split())) from error
    except ModuleNotFoundError as error:
        package = (error.name or str(error)).partition(".")[0]
        raise InputError(f"{package} is not installed: pip install '.[{extra}]'") from error


def read_metrics(name: str) -> tuple[float, ...]:
    """The numbers in a text file, for ReduceLROnPlateau; InputError, metrics=… first, for any other content."""
    with checked_input():
        words = Path(name).read_text(encoding="utf-8").split()
    try:
        metrics = tuple(map(float, words))
    except ValueError as error:
        raise InputError(f"metrics={name!r} must hold numbers, but: {error}") from None
    if not metrics:
        raise InputError(f"metrics={name!r} must hold numbers, but is empty")
    return metrics


class _Formatter(argparse.HelpFormatter):
    """Keeps the longest command on one line with its text: argparse forgets the list's own indent."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog)
        self._action_max_length = len("    translate")


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *args: object, **kwargs: object) -> NoReturn:
        print(f"warmup-bench {version()}")
        parser.exit()


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        super().error(_printable(message))


def _printable(text: str) -> str:
    from .console import printable  # rich takes longer to import than `--help` takes

    return printable(" ".join(text.split()))


def run_command(program: str, description: str, commands: Mapping[str, str], argv: list[str] | None = None) -> int:
    """Parse and run one command of `program`, a package of ours; return its exit code.

    `program`: its full name, which is another one where it is installed.
    `commands`: the name of each command, which is that of its module, and its line in the list of `--help`.
    """
    argv = sys.argv[1:] if argv is None else argv
    parser = _Parser(
        prog=f"python -m {program}", description=description, epilog=EXIT_CODES, formatter_class=_Formatter
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version of warmup-bench and exit")
    listed = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = next((word for word in argv if not word.startswith("-")), None)
    try:
        if chosen is not None and chosen not in commands:
            close = difflib.get_close_matches(chosen, commands, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise InputError(f"command={chosen!r} must be one of {', '.join(commands)}{hint}")
        for name, text in commands.items():
            command = listed.add_parser(name, help=text)
            if name == chosen:
                with ctrl_c.ends_at_once():
                    module = importlib.import_module(f"{program}.commands.{name}")
                command.description = module.__doc__
                module.add_arguments(command)
                command.set_defaults(run=module.run)
        if not argv:  # a list for whoever tries it, and no success for a script that lost its arguments
            parser.print_help()
            return BAD_INPUT
        args = parser.parse_args(argv)
        return int(args.run(args))
    except InputError as error:
        streams.say(_printable(str(error)))
        return BAD_INPUT


@contextlib.contextmanager
def their_program() -> Iterator[None]:
    """Run somebody else's program in the block, on Python's own streams; its exceptions end the process as its own."""
    with streams.plain_streams(), ctrl_c.handled_by(signal.default_int_handler):
        try:
            yield
        except BaseException as error:
            vars(error)["is_theirs"] = True
            raise


def exit_with(main: Callable[[], int]) -> NoReturn:
    """End this process with the exit code of `main`, or with the code for the way in which it failed."""
    interrupt = ctrl_c.Interrupt()
    try:
        streams.prepare()
        try:
            with ctrl_c.handled_by(interrupt):
                code = main()
        finally:
            if not sys.stdout.closed:  # a recorded script may have closed it
                sys.stdout.flush()  # now, while a failure can still be reported
    except streams.OutputError as error:
        code = PIPE_CLOSED if error.pipe_closed else CANNOT_WRITE
        if not error.pipe_closed:
            streams.say(f"the output cannot be written: {error}")
        streams.discard(sys.stdout)
    except (Exception, KeyboardInterrupt) as error:
        if getattr(error, "is_theirs", False):
            raise
        if interrupt.received:
            code = INTERRUPTED
            streams.say("interrupted")
        else:
            import traceback

            code = OUR_FAULT
            streams.say(traceback.format_exc().rstrip())
            streams.say("This is a fault in warmup-bench, not in your input: please report it with the lines above.")
    sys.exit(INTERRUPTED if interrupt.received else code)
