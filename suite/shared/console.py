"""How every command prints: one console, one kind of table and of progress bar, text from outside made harmless."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import IO, Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

#: What a terminal acts on instead of showing it: C0 and C1 controls, line separators, marks and overrides of the
#: writing direction, halves of surrogate pairs. Tab and line feed are harmless in text of several lines.
_CONTROLS = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]")


def printable(text: str, keep: str = "") -> str:
    """The text with its control characters as Python escapes, but for those in `keep`.

    >>> printable("\\x1b[31mlr\\n")
    '\\\\x1b[31mlr\\\\n'
    """
    return _CONTROLS.sub(lambda m: m[0] if m[0] in keep else m[0].encode("unicode_escape").decode(), text)


class PlainConsole(Console):
    """Prints text as it is, without markup, colours, emoji or cut lines; control characters come out as escapes."""

    def __init__(self, file: IO[str] | None = None) -> None:
        super().__init__(file=file, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def render_str(self, text: str, **options: Any) -> Text:
        """Escape a string before its width is measured."""
        return super().render_str(printable(text, keep="\n\t"), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Escape what reaches the terminal by other ways, such as a Text."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(printable(text, keep="\n\t"), style)


def plain_console(file: IO[str] | None = None) -> Console:
    """A console for text from anywhere."""
    return PlainConsole(file)


def plain_table() -> Table:
    """A table with a line under its head and nothing else."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False)


def progress_bar(*, quiet: bool = False, clock: ProgressColumn | None = None) -> Progress:
    """A progress bar on standard error, on a terminal only; it disappears when done."""
    console = Console(stderr=True)
    text = TextColumn("{task.description}", markup=False)
    columns = (text, BarColumn(), MofNCompleteColumn(), clock or TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)


def finite(rates: Iterable[float]) -> list[float | None]:
    """The rates with None for NaN and infinity, which JSON does not have."""
    return [rate if math.isfinite(rate) else None for rate in rates]
