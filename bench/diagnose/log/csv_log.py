"""Read the columns of a CSV file, each only when it is needed."""

from __future__ import annotations

import csv
import functools
import re
import warnings
from pathlib import Path
from typing import Any

from .columns import Table, Values

SEPARATORS = (",", ";", "\t")


def read_csv(path: Path, start: str) -> Table:
    """The table of a CSV file whose first characters are `start`.

    Blank lines and comments (#) at the top are skipped; a comment right above the rows may contain the names.
    The separator is the one of comma, semicolon, tab and spaces that splits the first line most; the first line
    contains names unless all its cells are numbers. Raises ValueError for rows that do not fit.
    """
    lines = start.splitlines()
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
        if len(names) > 2:
            raise ValueError(f"columns={len(names)} without a header must be at most 2: step and lr")
        names = ["step", "lr"][-len(names) :]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"column={name!r} must appear once in the first line, not {names.count(name)} times")

    frame = functools.cache(lambda: _frame(path, separator, len(names), above + headed, "," if comma else "."))

    # A column with a cell that is not a number is read as text, so that the message can show the cell.
    texts = functools.cache(
        lambda: _frame(path, separator, len(names), above + headed, ".", dtype=object, na_filter=False)
    )

    def load(name: str) -> Values:
        values: Values = frame()[names.index(name)].to_numpy()
        if values.dtype.kind in "iuf":
            return values
        return texts()[names.index(name)].to_numpy()  # type: ignore[no-any-return]

    return Table(names, load, lambda row: f"line {row + 1 + above + headed}")


def _cells(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator), [])


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _frame(path: Path, separator: str, width: int, above: int, decimal: str, **options: Any) -> Any:
    """The file as a pandas frame whose columns are numbered; blank lines are rows too, so that rows match lines."""
    import pandas as pd

    if tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1):
        options["float_precision"] = "round_trip"  # the default of later releases
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # raised when cells are dropped
            return pd.read_csv(
                path,
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
                encoding="utf-8-sig",
                low_memory=False,
                **options,
            )
    except pd.errors.EmptyDataError:
        return pd.DataFrame({i: [] for i in range(width)}, dtype=float)
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        text = str(error).strip().removeprefix("Error tokenizing data. C error: ").partition(". ")[0]
        raise ValueError(f"trace={str(path)!r} must have the same number of cells in every line: {text}") from None
