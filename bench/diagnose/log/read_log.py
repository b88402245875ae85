"""Read a file of logged learning rates as traces, one for each parameter group or run."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np

from bench.diagnose.core.trace import Trace
from reference.check import Rates, Steps, integer

from .columns import Table, lr_columns, owners, step_column
from .csv_log import read_csv
from .json_log import read_json

#: A log of 1e7 steps is about 300 MB; larger files are rejected unread.
MOST_BYTES = 512 * 2**20
#: Bytes of a file that are inspected to tell text from other data.
HEAD_BYTES = 2**16


@dataclasses.dataclass(frozen=True)
class Log:
    """The traces of a file.

    `traces`: one for each parameter group or run; `notes`: remarks on how they were read;
    `first_step`: the step number of the first update in the log; `other_first_step`: the other possible one.
    """

    traces: tuple[Trace, ...]
    notes: tuple[str, ...] = ()
    first_step: int = 0
    other_first_step: int | None = None


def read_log(path: Path, *, column: str | None = None, first_step: int | None = None, resumed: bool = False) -> Log:
    """Read the traces of a file.

    `path`: CSV from TensorBoard, Weights & Biases or Lightning, a Trainer's trainer_state.json, plain columns with or
    without names (separated by comma, semicolon, tab or spaces), JSON or JSON lines of records;
    `column`: the one to read (default: every column named as a learning rate);
    `first_step`: the step number of the first update in the log (default: 0; for a Trainer's state 0 or 1, depending
    on its values); `resumed`: later rows replace earlier rows of the same steps.

    A step that is logged twice keeps its last value, which is that of a run resumed there. Raises ValueError,
    ``name=value`` first, for input that cannot be used.
    Sources of the numbering: trainer.py of transformers 4.50 and 4.51 (learning_rate is read after
    lr_scheduler.step() up to 4.50, before it from 4.51 on; both write it under the number of updates done);
    lr_monitor.py of Lightning 2.6 (read before the update, under the number of updates done).

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (path := Path(folder) / "log.csv").write_text("step,lr\\n0,0.1\\n10,0.2\\n10,0.2\\n")
    ...     read_log(path).traces[0].lrs
    array([0.1, 0.2])
    """
    if first_step is not None:
        integer("first_step", first_step)
    try:
        return _read(path, column, first_step, resumed)
    except UnicodeDecodeError:
        raise ValueError(f"trace={str(path)!r} must be UTF-8 text (CSV or JSON)") from None
    except OSError as error:
        raise ValueError(f"trace={str(path)!r} must be readable: {error.strerror}") from None


def _read(path: Path, column: str | None, first_step: int | None, resumed: bool) -> Log:
    text_start = _checked_start(path)
    table = read_json(path) if text_start.lstrip()[:1] in ("[", "{") else read_csv(path, text_start)
    steps_from, note = step_column(table)
    notes = [note] if note else []
    names = lr_columns(table, column, steps_from)
    columns: dict[str, tuple[Steps, Rates]] = {}
    groups = owners(table)
    for name, (owner, own_rows) in itertools.product(names, groups):
        rows, lrs = table.numbers(name, own_rows)
        if not rows.size and len(names) * len(groups) > 1:
            continue  # a group that this run never logged
        steps = rows if steps_from is None else _integer_steps(table, steps_from, rows)
        steps, lrs, note = _rising(table, name, rows, steps, lrs, resumed)
        if steps.size < 2:
            raise ValueError(f"column={name!r} must have values at 2 steps or more, but has {steps.size}")
        notes += [note] if note else []
        columns[f"{name} of {owner}" if owner else name] = steps, lrs
    if not columns:
        raise ValueError(f"columns={', '.join(names)} must have values, but all are empty")
    earliest = min(columns.values(), key=lambda column: int(column[0][0]))
    first, other = _first_step(table, *earliest) if first_step is None else (first_step, None)
    if int(earliest[0][0]) < first:
        raise ValueError(f"first_step={first} must be <= {earliest[0][0]}, the first step of the log")
    traces = tuple(
        Trace(steps - first, lrs, name=name, decimals=fixed_decimals(lrs)) for name, (steps, lrs) in columns.items()
    )
    return Log(traces, tuple(notes), first, other)


def _checked_start(path: Path) -> str:
    """The first characters of a text file; raises ValueError for other data and for a file that is too large."""
    shown = f"trace={str(path)!r}"
    if not path.exists():
        raise ValueError(f"{shown} must be an existing file, or module:factory")
    if not path.is_file():
        raise ValueError(f"{shown} must be a file, not a {'folder' if path.is_dir() else 'device'}")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise ValueError(
            f"{shown} must have at most {MOST_BYTES / 1e9:.1f} GB, not {size / 1e9:.1f} GB: log every n steps"
        )
    with path.open("rb") as file:
        start = file.read(HEAD_BYTES)
    if not start.strip():
        raise ValueError(f"{shown} must have rows, but the file is empty")
    whole_lines = start[: start.rfind(b"\n") + 1] if size > len(start) and b"\n" in start else start
    if b"\0" in start:
        raise ValueError(f"{shown} must be UTF-8 text (CSV or JSON), but it contains zero bytes")
    return whole_lines.decode("utf-8-sig")


def _integer_steps(table: Table, name: str, rows: Steps) -> Steps:
    filled, steps = table.numbers(name, rows)
    if filled.size != rows.size:
        at = int(np.setdiff1d(rows, filled)[0])
        raise ValueError(f"{name}='' in {table.where(at)} must be a number")
    wrong = np.flatnonzero((steps != np.rint(steps)) | (steps < 0) | (steps > 2.0**53))
    if wrong.size:
        at = int(wrong[0])
        raise ValueError(f"{name}={steps[at]:g} in {table.where(int(rows[at]))} must be an integer >= 0")
    return steps.astype(np.int64)


def _rising(
    table: Table, name: str, rows: Steps, steps: Steps, lrs: Rates, resumed: bool
) -> tuple[Steps, Rates, str | None]:
    """The steps and LRs with each step once, and a note on the rows that were dropped.

    Of a step that is logged more than once the last value is kept. It is that of the surviving run: after a resume
    the later rows belong to it, and under gradient accumulation the last micro-batch makes the update.
    A jump stays visible either way, because the step itself is kept.
    """
    falls = np.flatnonzero(np.diff(steps) < 0)
    if falls.size and not resumed:
        at = int(falls[0]) + 1
        raise ValueError(
            f"step={steps[at]} in {table.where(int(rows[at]))} must be >= {steps[at - 1]}, the step before it: log one"
            " run only, or use --resumed if a resumed run logs steps again"
        )
    after = np.minimum.accumulate(steps[::-1])[::-1]
    keep = np.append(steps[:-1] < after[1:], True) if steps.size else np.zeros(0, dtype=bool)
    again = np.flatnonzero((np.diff(steps) == 0) & (np.diff(lrs) != 0))
    note = None
    if falls.size:
        note = f"{name}: {int((~keep).sum())} rows logged before a resume from an earlier step are ignored."
    elif again.size:
        note = (
            f"{name}: step {steps[again[0]]} is logged with {lrs[again[0]]:g}, then with {lrs[again[0] + 1]:g}"
            f" ({again.size} such row{'s'[: again.size != 1]}); the last value is used."
        )
    return steps[keep], lrs[keep], note


def _first_step(table: Table, steps: Steps, lrs: Rates) -> tuple[int, int | None]:
    """The apparent step number of the first update in the log, and the other possible one."""
    if int(steps[0]) == 0:
        return 0, None
    if table.trainer:
        ended = steps[-1] == table.last_step and lrs[-1] == 0 and np.any(lrs)  # no LR is 0 before the last update
        return (0, 1) if ended else (1, 0)
    counted = steps.size > 1 and int(steps[0]) == int(steps[1] - steps[0])  # 1, 2, 3 or 10, 20, 30
    return 0, 1 if counted else None


def fixed_decimals(lrs: Rates) -> int | None:
    """The decimal places of a log such as %.6f, None if the values do not show such a rounding.

    The number of places is fixed, not that of digits, if small values have no more places than large ones.

    >>> fixed_decimals(np.array([0.001234, 0.000107, 0.000051, 0.000008]))
    6
    >>> fixed_decimals(np.array([0.001234, 0.0001073, 0.00005113, 0.000008004])) is None
    True
    """
    size = np.abs(lrs)
    top = float(size.max(initial=0.0))
    low, high = size[(size < top / 10) & (size > 0)], size[size >= top / 10]
    if low.size < 3:
        return None
    needed = _places(high)
    return needed if needed is not None and _places(low, needed) is not None else None


def _places(lrs: Rates, most: int = 10) -> int | None:
    """The fewest decimal places that represent all values, up to `most`."""
    for places in range(1, most + 1):
        scaled = lrs * 10.0**places
        if (np.abs(scaled - np.rint(scaled)) <= 1e-13 * np.maximum(scaled, 1.0)).all() and np.rint(scaled).all():
            return places
    return None
