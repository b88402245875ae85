"""Progress and remaining time of a sweep: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from rich.progress import ProgressColumn, Task
from rich.text import Text

from suite.shared.console import progress_bar

from .engine import ProgressReport

#: Minimum seconds between two lines when there is no terminal.
PAUSE = 5.0


def left(seconds: float, done: int, remaining: int) -> str:
    """The time left if the rest runs as fast as the `done` runs took `seconds`; empty if there is no estimate.

    >>> left(60.0, 30, 40), left(60.0, 0, 40), left(60.0, 70, 0)
    ('about 1 min 20 s left', '', '')
    """
    if not done or not remaining:
        return ""
    minutes, rest = divmod(round(seconds / done * remaining), 60)
    return f"about {f'{minutes} min ' if minutes else ''}{rest} s left"


class TimeLeft(ProgressColumn):
    """The time left; rich's own column uses the last 30 s only, in which a sweep may finish no shard."""

    def render(self, task: Task) -> Text:
        """The text of the column; runs read from disk took no time and do not count."""
        done = int(task.completed) - task.fields["resumed"]
        return Text(left(task.elapsed or 0.0, done, int(task.remaining or 0)))


class Lines:
    """Reports progress as lines on standard error."""

    def __init__(self) -> None:
        self.started, self.resumed, self.shown = monotonic(), -1, 0.0

    def __call__(self, done: int, total: int) -> None:
        """Print a line at the start, at the end, and at most every `PAUSE` seconds in between."""
        seconds = monotonic() - self.started
        if self.resumed < 0:
            self.resumed = done
        elif done < total and seconds - self.shown < PAUSE:
            return
        self.shown = seconds
        parts = [f"{done} of {total} runs", f"{seconds:.0f} s", left(seconds, done - self.resumed, total - done)]
        print(", ".join(part for part in parts if part), file=sys.stderr, flush=True)


@contextmanager
def progress(*, quiet: bool) -> Iterator[ProgressReport]:
    """A function to call with the number of finished runs and the total; with `quiet` it shows nothing."""
    with progress_bar(quiet=quiet, clock=TimeLeft()) as bar:
        if bar.disable:
            yield (lambda done, total: None) if quiet else Lines()
        else:
            task = bar.add_task("runs", total=None, resumed=0)

            def advance(done: int, total: int) -> None:
                if bar.tasks[0].total is None:
                    bar.update(task, total=total, resumed=done)
                bar.update(task, completed=done)

            yield advance
