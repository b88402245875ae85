"""Runs a call of a schedule, as it is written, with all that the schedule needs around it."""

from __future__ import annotations

import dataclasses

from suite.libraries.core.arguments import Arguments
from suite.libraries.core.case import LibraryCase
from suite.libraries.core.library import LibrarySchedule
from suite.libraries.core.program import LibraryScript, script_of
from suite.libraries.sandbox.child import LibraryRun

from .opened import OpenedLibrary


class _Text(str):
    """A text that is filled into a template as it is."""

    def __repr__(self) -> str:
        return str(self)


@dataclasses.dataclass(frozen=True)
class TranslatedCase(LibraryCase):
    """A case with a length of its own."""

    length: int = 0

    @property
    def steps(self) -> int:
        """The updates of the run."""
        return self.length


def script_for(
    opened: OpenedLibrary, schedule: LibrarySchedule, numbers: Arguments, text: str, steps: int
) -> LibraryScript:
    """The script that runs a call of a schedule with its setup and its steps."""
    runnable = dataclasses.replace(schedule, call="{the_call}")
    arguments = numbers.but(the_call=_Text(text))
    lrs = (float(numbers.base_lr),)
    return script_of(TranslatedCase(opened.library, runnable, "translate", arguments, lrs, length=steps))


def run_call(opened: OpenedLibrary, schedule: LibrarySchedule, numbers: Arguments, text: str, steps: int) -> LibraryRun:
    """Run a call of a schedule."""
    script = script_for(opened, schedule, numbers, text, steps)
    return opened.run(script.imports, script.body)
