"""The recorder: the LR that every optimizer step used, in any training loop."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from bench.diagnose import Diagnosis, Trace
from bench.diagnose.core.counts import read_counts
from reference import Schedule
from reference.check import real
from suite.shared.files import write_whole

from . import report
from .listeners import Listeners
from .lr_series import LrSeries, first_mismatch
from .plans.recorded_plan import recorded_plan
from .plans.verdict import diagnosed
from .steps.csv_journal import HEAD, CsvJournal
from .steps.step_log import StepLog, chosen, column


class Recorder:
    """Records the LR of every optimizer step, for every optimizer and parameter group, inside a `with` block.

    Entry t of a trace is the LR in force when update t of that optimizer ran. Each row has the LR, momentum (or β1)
    and weight decay of a group, and the backward passes, scheduler steps and steps skipped by a gradient scaler since
    the previous update (see `csv_journal.StepRow`). Steps that a fused optimizer takes with ``found_inf`` set update
    nothing and count as skipped. A tensor LR is copied on its device, which is synchronised once in many steps.
    `journal`: a file that rows are appended to during the run.

    Not recorded: steps of objects that are not a ``torch.optim.Optimizer``, calls of ``step.__wrapped__``, and replays
    of CUDA graphs. Source of the hooks: ``torch/optim/optimizer.py``, ``Optimizer.profile_hook_step``, torch 2.13.

    >>> import torch
    >>> model = torch.nn.Linear(1, 1)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    >>> scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    >>> with Recorder() as recorder:
    ...     for _ in range(3):
    ...         model(torch.ones(1)).backward()
    ...         optimizer.step()
    ...         scheduler.step()
    >>> [(trace.name, trace.lrs.tolist()) for trace in recorder.traces]
    [('SGD', [0.5, 0.25, 0.125])]
    """

    def __init__(self, journal: CsvJournal | None = None) -> None:
        self.log = StepLog(journal)
        self._listeners = Listeners(self.log)

    def __enter__(self) -> Recorder:
        self._listeners.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listeners.stop()

    # -- after the run ------------------------------------------------------------

    def series(self, optimizer: str | None = None) -> list[LrSeries]:
        """The LRs of every parameter group that was stepped: of the optimizer with this name, or of all."""
        table, owners, groups = self.log.table(), [], []
        for watched in self.log.optimizers:
            own = np.flatnonzero(column(table, "optimizer") == watched.number)
            for group in sorted(set(column(table[own], "group").astype(int).tolist())):
                owners.append((watched.name, own[column(table[own], "group") == group]))
                groups.append((watched, group))
        counts = read_counts(functools.partial(column, table), owners)
        wanted, result = chosen(self.log.optimizers, optimizer), []
        for (watched, group), (name, rows), counted in zip(groups, owners, counts, strict=True):
            if watched in wanted:
                alone = sum(other is watched for other, _ in groups) == 1
                named = name if alone else f"{name} group {group}"
                steps = column(table[rows], "step").astype("int64")
                result.append(LrSeries(named, group, steps, column(table[rows], "lr"), watched.single, counted))
        return result

    def planned(self) -> list[LrSeries]:
        """The series of all optimizers, each with the plan of its schedulers, where that is known."""
        recorded = self.series()
        owned = {
            watched.name: [series for series in recorded if series.optimizer == watched.name]
            for watched in self.log.optimizers
        }
        with contextlib.redirect_stdout(sys.stderr):  # a function of the user's may print
            plans = {
                watched.name: recorded_plan(watched.schedulers, own[0].counts, [series.lrs for series in own])
                for watched in self.log.optimizers
                if (own := owned[watched.name]) and own[0].counts is not None
            }
        return [dataclasses.replace(series, plan=plans.get(series.optimizer)) for series in recorded]

    @property
    def traces(self) -> tuple[Trace, ...]:
        """One trace per group with at least 2 updates and finite LRs, ordered by optimizer and group."""
        return tuple(series.trace() for series in self.series() if series.can_be_traced)

    def diagnose(self, expect: Schedule | None = None, **settings: Any) -> list[Diagnosis]:
        """The diagnosis of each trace; takes the arguments of `bench.diagnose.diagnose`.

        Without `expect` it is compared with what its schedulers document, where that is known.
        """
        traced = [series for series in self.planned() if series.can_be_traced]
        return [diagnosed(series.trace(), series.plan, expect, **settings) for series in traced]

    def summary(self, *, notes: bool = True) -> list[str]:
        """What the loop did, one line per optimizer: steps, accumulation, scheduler frequency, skipped steps.

        Below each line, a note for every mistake that was counted.
        """
        table, lines, recorded = self.log.table(), [], self.series()
        for watched in self.log.optimizers:
            rows = table[column(table, "optimizer") == watched.number]
            own = [series for series in recorded if series.optimizer == watched.name]
            lines += [report.rhythm(watched, rows), *(f"  note: {note}" for note in report.notes(own) if notes)]
        return lines

    def write(self, path: Path | str) -> None:
        """Write the rows as CSV, atomically; raises OSError on failure."""
        write_whole(Path(path), (HEAD + "".join(row.line() for row in self.log.rows())).encode())

    def assert_follows(
        self, schedule: Schedule, *, base_lr: float | Sequence[float], optimizer: str | None = None
    ) -> None:
        """Raise AssertionError, with the diagnosis, unless every update ran at the LR of the schedule.

        Checks |lr_t − schedule(t, base_lr)| ≤ tolerance, relative (see `LrSeries.tolerance`), for every update t of
        every group. `base_lr`: one for all groups, or one per group; `optimizer`: the name of the one to check.
        Raises ValueError for an unknown name, or if the number of base LRs is not the number of groups.
        """
        __tracebackhide__ = True
        recorded = self.series(optimizer)
        if not recorded:
            raise AssertionError("no optimizer step was recorded")
        bases = [base_lr] * len(recorded) if isinstance(base_lr, int | float) else list(base_lr)
        if len(bases) != len(recorded):
            raise ValueError(f"base_lr={bases} must be one number, or one for each of {len(recorded)} parameter groups")
        base_of = {id(series): real("base_lr", base, low=0.0) for series, base in zip(recorded, bases, strict=True)}
        failures = []
        for group in report.alike(recorded):
            for base in dict.fromkeys(base_of[id(series)] for series in group):
                mismatch = first_mismatch(group[0], schedule, base)
                if mismatch is not None:
                    same = [series for series in group if base_of[id(series)] == base]
                    failures.append(report.failure(same, schedule, base, mismatch))
        if failures:
            raise AssertionError("\n".join(failures))
