"""How every command prints: one console, one kind of table and of progress bar, rates that JSON can hold."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import IO

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table


def plain_console(file: IO[str] | None = None) -> Console:
    """A console that prints text as it is: no markup, no colours of its own, no line cut."""
    return Console(file=file, highlight=False, markup=False, soft_wrap=True)


def plain_table() -> Table:
    """A table with a line under its head and nothing else."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False)


def progress_bar(*, quiet: bool = False, clock: ProgressColumn | None = None) -> Progress:
    """A progress bar on standard error, on a terminal only; it is gone when it is done."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), clock or TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)


def finite(rates: Iterable[float]) -> list[float | None]:
    """The rates as JSON can hold them: it has neither NaN nor infinity."""
    return [rate if math.isfinite(rate) else None for rate in rates]
