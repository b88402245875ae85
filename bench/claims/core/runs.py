"""The runs that a claim is computed from, published beside its page as a table that pandas reads."""

from __future__ import annotations

import csv
import gzip
import io
import math
import subprocess
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.toy.machine import machine
from bench.toy.processor import cpu_model
from suite.shared.clone import is_clone, version
from suite.shared.files import write_whole

if TYPE_CHECKING:
    from pandas import DataFrame

ROOT = Path(__file__).parents[3]
#: The runs that the page is about, and those of fresh seeds that it is compared with.
PUBLISHED, REPLICATION = "published", "replication"
#: The columns of every table of runs: which of the two, the code that trained them, and where.
STAMPS = ("part", "commit", "measured_on")


def runs_file(name: str, folder: Path) -> Path:
    """The file of a claim's runs."""
    return folder / f"{name}.runs.csv.gz"


def commit() -> str:
    """The commit of this clone, with ``+`` if product code is changed; the version where it is installed."""
    if not is_clone():
        return version()

    def git(*words: str) -> str:
        return subprocess.run(("git", "-C", str(ROOT), *words), capture_output=True, text=True, check=True).stdout

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "reference", "suite", "bench")
        return git("rev-parse", "--short=12", "HEAD").strip() + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):  # without git, or a copy without its history
        return version()


def stamped(table: DataFrame, part: str, trained_by: str | None = None) -> DataFrame:
    """The same runs with the columns `STAMPS` in front; `trained_by`: their commit, if not this one."""
    about = {
        "part": part,
        "commit": commit() if trained_by is None else trained_by,
        "measured_on": f"{machine()}, {cpu_model()}",
    }
    return table.assign(**about)[[*STAMPS, *table.columns]]


def write_runs(table: DataFrame, path: Path) -> None:
    """Write runs atomically; every number is read back exactly, and equal runs give equal bytes."""
    write_whole(path, gzip.compress(table.to_csv(index=False).encode(), mtime=0))


def read_runs(path: Path, columns: Sequence[str] = ()) -> DataFrame:
    """Read what `write_runs` wrote; ValueError if the file is not such a table, or lacks one of these columns."""
    import pandas

    try:
        lines = list(csv.reader(io.StringIO(gzip.decompress(path.read_bytes()).decode()), strict=True))
    except OSError as error:  # BadGzipFile is one
        raise ValueError(f"from={path} must be a file of runs: {error.strerror or error}") from error
    except (EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"from={path} must be a complete table of runs (NAME.runs.csv.gz): {error}") from error
    header = lines[0] if lines else []
    missing = [name for name in (*STAMPS, *columns) if name not in header]
    if missing:
        raise ValueError(f"from={path} must have the columns of these runs, but lacks {', '.join(missing)}")
    if any(len(line) != len(header) for line in lines):
        raise ValueError(f"from={path} must be a complete table of runs: its rows are not equally long")
    cells = list(zip(*lines[1:], strict=True)) or [()] * len(header)
    table = pandas.DataFrame({name: _typed(column) for name, column in zip(header, cells, strict=True)})
    if not (table["part"] == PUBLISHED).any():
        raise ValueError(f"from={path} must have runs whose part is {PUBLISHED}")
    return table


def _typed(cells: Sequence[str]) -> list[Any]:
    """A column as integers, else as numbers, else as it is; an empty cell in a column of numbers is NaN."""
    for kind in (int, float):
        try:
            return [kind(cell) if cell else math.nan for cell in cells]
        except ValueError:
            continue
    return list(cells)


def part_of(table: DataFrame, part: str) -> DataFrame:
    """The runs of one part; empty if there are none."""
    return table[table["part"] == part]


def seeds_of(table: DataFrame) -> tuple[int, ...]:
    """The seeds of these runs, ascending."""
    return tuple(sorted(int(seed) for seed in table["seed"].unique()))


def source_of(table: DataFrame) -> str:
    """Which code trained these runs, and on which machine."""
    origins = dict.fromkeys(zip(table["commit"], table["measured_on"], strict=True))
    return "; ".join(f"commit {code}, {place}" for code, place in origins)
