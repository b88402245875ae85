"""Read the columns of a CSV file, each only when it is needed."""

from __future__ import annotations

import csv
import functools
import io
import re
import warnings
from typing import Any

from .columns import METRIC_NAMES, VALUE_NAMES, Table, Values, metric, names_lr
from .source import HEAD_BYTES, Source

SEPARATORS = (",", ";", "\t")
#: MLflow's file store writes `timestamp value step`, the first in milliseconds since 1970.
MLFLOW = ["timestamp", "value", "step"]
MLFLOW_TIME = 1e11
#: A number at the end of a file without a last line end is taken for cut off if it has less than this share of the
#: characters of the shortest number before it; of those there are ENOUGH, of LONG characters or more (floats in full).
SHORT, LONG, ENOUGH = 0.6, 12, 5
#: Lines before the last one that it is compared with.
BEFORE = 20


def read_csv(source: Source, text: str) -> Table:
    """The table of a CSV text.

    Blank lines and comments (#) at the top are skipped; a comment right above the rows may contain the names.
    The separator is the one of comma, semicolon, tab and spaces that splits the first line most; the first line
    contains names unless all its cells are numbers. A last line that is cut off, as in the file of a killed run, is
    left out with a note. Raises ValueError for rows that do not fit.
    """
    start = text[:HEAD_BYTES]
    lines = (start if len(start) == len(text) else start[: start.rfind("\n") + 1] or start).splitlines()
    above = next((i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")), len(lines))
    first = lines[above].strip() if above < len(lines) else ""
    comment = lines[above - 1].lstrip().lstrip("#").strip() if above else ""
    if comment and len(re.split(r"[,;\s]+", comment)) == len(re.split(r"[,;\s]+", first)):
        above, first = above - 1, comment
    separator = max(SEPARATORS, key=lambda mark: len(_cells(first, mark)))
    if len(_cells(first, separator)) == 1 and len(first.split()) > 1 and not first.startswith('"'):
        separator = r"\s+"
    comma = separator == ";" and re.search(r"\d,\d", start) is not None and not re.search(r"\d\.\d", start)
    names = [cell.strip() for cell in (first.split() if separator == r"\s+" else _cells(first, separator))]
    headed = not all(_is_number(cell.replace(",", ".") if comma else cell) for cell in names)
    if not headed:
        names = _unnamed(names)
    elif separator == r"\s+" and not any(
        names_lr(name) or metric(name) in (*VALUE_NAMES, *METRIC_NAMES) for name in names
    ):
        raise ValueError(
            f"{source.shown} must name a learning rate: no column and no printed line has one (lr, learning_rate)"
        )
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"column={name!r} must appear once in the first line, not {names.count(name)} times")

    text, notes = _without_cut_line(text, separator, len(names), above + headed)
    frame = functools.cache(lambda: _frame(source, text, separator, len(names), above + headed, "," if comma else "."))

    # A column with a cell that is not a number is read as text, so that the message can show the cell.
    texts = functools.cache(
        lambda: _frame(source, text, separator, len(names), above + headed, ".", dtype=object, na_filter=False)
    )

    def load(name: str) -> Values:
        values: Values = frame()[names.index(name)].to_numpy()
        if values.dtype.kind in "iuf":
            return values
        return texts()[names.index(name)].to_numpy()  # type: ignore[no-any-return]

    return Table(
        names,
        load,
        lambda row: f"line {row + 1 + above + headed}",
        notes=notes,
        unfinished=not notes and not text.endswith(("\n", "\r")),
    )


def _is_known(name: str) -> bool:
    return names_lr(name) or metric(name) in (*VALUE_NAMES, *METRIC_NAMES)


def _unnamed(cells: list[str]) -> list[str]:
    """The names of columns without any."""
    if len(cells) == len(MLFLOW) and float(cells[0]) > MLFLOW_TIME:
        return MLFLOW
    if len(cells) > 2:
        raise ValueError(f"columns={len(cells)} without a header must be at most 2: step and lr")
    return ["step", "lr"][-len(cells) :]


def _without_cut_line(text: str, separator: str, width: int, above: int) -> tuple[str, tuple[str, ...]]:
    """The text without a last line that a killed run left unfinished, and a note on it.

    A line is unfinished if it has no end and fewer cells than names, or a last cell that is not a number, or is much
    shorter than those before it. A zero is a number in full, unless the one before it starts like it.
    """
    if text.endswith(("\n", "\r")):
        return text, ()
    start = max(text.rfind("\n"), text.rfind("\r")) + 1
    last, rows = text[start:], text[max(0, start - HEAD_BYTES) : start].splitlines()
    rows = rows[above:] if start <= HEAD_BYTES else rows[1:]
    before = [_split(line, separator) for line in rows[-BEFORE:] if line.strip()]
    ends = [cells[-1] for cells in before if len(cells) == width]
    cells = _split(last, separator)
    if not ends or not cells or not all(_is_number(end) for end in ends):
        return text, ()
    if len(cells) == width and _is_number(cells[-1]) and last.count('"') % 2 == 0:
        shortest = min(map(len, ends))
        short = len(ends) >= ENOUGH and shortest >= LONG and len(cells[-1]) < SHORT * shortest
        if not short or (float(cells[-1]) == 0 and not ends[-1].startswith(cells[-1])):
            return text, ()
    return text[:start], (f"The last line, {last[:40]!r}, is cut off, as in a killed run; it is left out.",)


def _split(line: str, separator: str) -> list[str]:
    cells = line.split() if separator == r"\s+" else _cells(line, separator)
    return [cell.strip() for cell in cells]


def _cells(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator), [])


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _frame(source: Source, text: str, separator: str, width: int, above: int, decimal: str, **options: Any) -> Any:
    """The file as a pandas frame whose columns are numbered; blank lines are rows too, so that rows match lines."""
    import pandas as pd

    if tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1):
        options["float_precision"] = "round_trip"  # the default of later releases
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # raised when cells are dropped
            return pd.read_csv(
                io.StringIO(text),
                sep=separator,
                header=None,
                names=range(width),
                index_col=False,
                skiprows=above,
                skip_blank_lines=False,
                skipinitialspace=True,
                keep_default_na=False,
                na_values=[""],
                decimal=decimal,
                low_memory=False,
                **options,
            )
    except pd.errors.EmptyDataError:
        return pd.DataFrame({i: [] for i in range(width)}, dtype=float)
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        text = str(error).strip().removeprefix("Error tokenizing data. C error: ").partition(". ")[0]
        raise ValueError(f"{source.shown} must have the same number of cells in every line: {text}") from None
