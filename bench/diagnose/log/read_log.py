"""Read a file of logged learning rates as traces, one for each parameter group or run."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.diagnose.core.counts import Counts
from bench.diagnose.core.fact import Fact
from bench.diagnose.core.trace import Trace
from reference.check import Rates, Steps, integer

from .axis import Axis, Units, axis_of, steps_at
from .columns import VALUE_NAMES, Table, counts_of_owners, lr_columns, metric, names_lr, owners
from .csv_log import read_csv
from .event_file import read_events
from .json_log import read_json
from .long_table import one_column_a_group, one_column_each
from .parquet_log import read_parquet
from .printed_log import is_printed, read_printed
from .source import Source, read_source
from .wandb_file import read_wandb

#: Names of files that hold another metric under `value`.
NO_LR = re.compile(
    r"(^|[^a-z])(loss|acc|accuracy|error|ppl|perplexity|norm|bleu|map|iou|time|memory|throughput|epoch|tokens)([^a-z]|$)"
)
#: In a line without an end, a last LR of more than LOST_EXPONENT times any of the OTHERS or more before it is cut off.
LOST_EXPONENT, OTHERS = 10, 4


@dataclasses.dataclass(frozen=True)
class Log:
    """The traces of a file.

    `traces`: one for each parameter group or run; `notes`: remarks on how they were read;
    `first_step`: the step number of the first update in the log; `other_first_step`: the other possible one;
    `lost`: by the name of a trace, the fact that some of its values are NaN or infinite, which its rows do not show.
    """

    traces: tuple[Trace, ...]
    notes: tuple[str, ...] = ()
    first_step: int = 0
    other_first_step: int | None = None
    lost: tuple[tuple[str, Fact], ...] = ()

    @property
    def findings(self) -> tuple[str, ...]:
        """What is wrong with the values themselves, in words."""
        return tuple(fact.sentence for _, fact in self.lost)


def read_log(
    path: Path,
    *,
    column: str | None = None,
    first_step: int | None = None,
    resumed: bool = False,
    units: Units | None = None,
) -> Log:
    """Read the traces of a file, or of standard input for the path ``-``.

    `path`: a table (CSV, JSON, JSON lines, Parquet) of TensorBoard, Weights & Biases, Lightning, MLflow, DVCLive,
    Comet or Aim, or plain columns with or without names; TensorBoard's event file; a Trainer's trainer_state.json;
    printed lines; each of them also packed with gzip;
    `column`: the one to read (default: every column named as a learning rate);
    `first_step`: the step number of the first update in the log (default: 0; for a Trainer's state 0 or 1, depending
    on its values); `resumed`: later rows replace earlier rows of the same steps; `units`: what a log in epochs or
    tokens needs.

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
    return read_logs([path], column=column, first_step=first_step, resumed=resumed, units=units)


def read_logs(
    paths: Sequence[Path],
    *,
    column: str | None = None,
    first_step: int | None = None,
    resumed: bool = False,
    units: Units | None = None,
) -> Log:
    """Read one run from a file, or from several event files that it was written to in turn; else as `read_log`."""
    if first_step is not None:
        integer("first_step", first_step)
    path = paths[0]
    try:
        sources = [read_source(path) for path in paths]
        table = _table(sources, column)
    except UnicodeDecodeError:
        raise ValueError(f"trace={str(path)!r} must be UTF-8 text (CSV or JSON)") from None
    except OSError as error:
        raise ValueError(f"trace={str(path)!r} must be readable: {error.strerror}") from None
    notes = [note for source in sources for note in source.notes]
    log = _read(table, path, column, first_step, resumed or len(paths) > 1, units or Units())
    return dataclasses.replace(log, notes=(*notes, *log.notes))


def _table(sources: Sequence[Source], column: str | None) -> Table:
    source = sources[0]
    if source.is_events:
        return read_events([source.data for source in sources], column)
    if source.is_wandb:
        table = read_wandb(source, column)
    elif source.is_parquet:
        table = read_parquet(source)
    else:
        text = source.text()
        if text.lstrip()[:1] in ("[", "{"):
            try:
                table = read_json(source, text)
            except ValueError:
                if not is_printed(text):
                    raise
                table = read_printed(source, text)
        else:
            table = read_printed(source, text) if is_printed(text) else read_csv(source, text)
    return one_column_a_group(one_column_each(table, column))


def _read(table: Table, path: Path, column: str | None, first_step: int | None, resumed: bool, units: Units) -> Log:
    axis = axis_of(table)
    notes, lost = list(table.notes), list[tuple[str, Fact]]()
    names = lr_columns(table, column, axis.name)
    if column is None:
        _check_value_column(names, path)
    columns: dict[str, tuple[Steps, Rates]] = {}
    counted: dict[str, Counts] = {}
    groups = owners(table)
    recorded = counts_of_owners(table, groups)
    for name, (owner, own_rows) in itertools.product(names, groups):
        rows, lrs = table.numbers(name, own_rows, finite=False)
        if not rows.size and len(names) * len(groups) > 1:
            continue  # a group that this run never logged
        steps, remarks = steps_at(table, axis, rows, units)
        notes += [remark for remark in remarks if remark not in notes]
        steps, lrs, note = _rising(table, name, rows, steps, lrs, resumed)
        notes += [note] if note else []
        steps, lrs, fact = _finite(name, steps, lrs)
        if fact is not None and not fact.sick:
            notes.append(fact.sentence)
        steps, lrs, note = _without_lost_exponent(table, name, steps, lrs)
        notes += [note] if note else []
        if steps.size < 2:
            raise ValueError(f"column={name!r} must have values at 2 steps or more, but has {steps.size}")
        label = f"{name} of {owner}" if owner else name
        columns[label] = steps, lrs
        lost += [(label, fact)] if fact is not None and fact.sick else []
        if recorded and steps.size == rows.size:
            counted[label] = recorded[owner]
    if not columns:
        raise ValueError(f"columns={', '.join(names)} must have values, but all are empty")
    earliest = min(columns.values(), key=lambda column: int(column[0][0]))
    first, other = _first_step(table, axis, *earliest) if first_step is None else (first_step, None)
    if int(earliest[0][0]) < first:
        raise ValueError(f"first_step={first} must be <= {earliest[0][0]}, the first step of the log")
    traces = tuple(
        Trace(
            steps - first + (counted[name].resumed_at if name in counted else 0),
            lrs,
            name=name,
            decimals=None if name in counted else fixed_decimals(lrs),
            counts=counted.get(name),
        )
        for name, (steps, lrs) in columns.items()
    )
    return Log(traces, tuple(notes), first, other, tuple(lost))


def _check_value_column(names: list[str], path: Path) -> None:
    """Raises ValueError if the only column is a `value` and the name of the file is that of another metric."""
    text = metric(path.name).partition("tag-")[2] or path.name.lower()
    if metric(names[0]) in VALUE_NAMES and NO_LR.search(text) and not names_lr(text):
        raise ValueError(
            f"column={names[0]!r} must be a learning rate, but the file is named {path.name!r}: choose the column with"
            " --column if it is one"
        )


def _finite(name: str, steps: Steps, lrs: Rates) -> tuple[Steps, Rates, Fact | None]:
    """The finite values, and a fact about the others, which is a fault or not.

    It is if one is infinite, or if the log ends with them; a NaN among numbers may mean that nothing was logged.
    """
    finite = np.isfinite(lrs)
    if finite.all():
        return steps, lrs, None
    if not finite.any():
        raise ValueError(f"{name}={lrs[0]} must be finite, but no value is")
    first = int(np.flatnonzero(~finite)[0])
    count = int((~finite).sum())
    to_the_end = bool((~finite[first:]).all())
    fatal = to_the_end or bool(np.isinf(lrs).any())
    kind = "NaN" if np.isnan(lrs[first]) else "infinite"
    rows = f"{count} of {lrs.size} rows"
    where = f"from step {steps[first]} on ({rows})" if to_the_end else f"in {rows}, first at step {steps[first]}"
    numbers = {"first": int(steps[first]), "rows": count, "of": int(lrs.size)}
    fact = Fact("not-finite", f"{name} is {kind} {where}; the other rows are diagnosed.", numbers, fatal)
    return steps[finite], lrs[finite], fact


def _without_lost_exponent(table: Table, name: str, steps: Steps, lrs: Rates) -> tuple[Steps, Rates, str | None]:
    """The rows without a last one that a kill left without its exponent."""
    most = np.abs(lrs[:-1]).max(initial=0.0)
    if not table.unfinished or lrs.size <= OTHERS or not 0 < LOST_EXPONENT * most < lrs[-1]:
        return steps, lrs, None
    note = f"The last line, with {name}={lrs[-1]:g}, is cut off, as in a killed run; it is left out."
    return steps[:-1], lrs[:-1], note


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
    different = (np.diff(lrs) != 0) & np.isfinite(lrs[1:]) & np.isfinite(lrs[:-1])
    again = np.flatnonzero((np.diff(steps) == 0) & different)
    note = None
    if falls.size:
        note = f"{name}: {int((~keep).sum())} rows logged before a resume from an earlier step are ignored."
    elif again.size:
        note = (
            f"{name}: step {steps[again[0]]} is logged with {lrs[again[0]]:g}, then with {lrs[again[0] + 1]:g}"
            f" ({again.size} such row{'s'[: again.size != 1]}); the last value is used."
        )
    return steps[keep], lrs[keep], note


def _first_step(table: Table, axis: Axis, steps: Steps, lrs: Rates) -> tuple[int, int | None]:
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
