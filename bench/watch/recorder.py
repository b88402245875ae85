"""The recorder: the LR that every optimizer step used, in any training loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any
from weakref import WeakKeyDictionary

from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from bench.diagnose import Diagnosis, Trace, diagnose
from reference import Schedule
from reference.check import real
from suite.shared.files import write_whole

from . import report
from .csv_journal import HEAD, CsvJournal
from .lazy_numbers import capture
from .lr_series import LrSeries, first_mismatch
from .patches import BACKWARD, SCALER, SCHEDULER, being_built, untraced
from .step_log import StepCall, StepLog, WatchedOptimizer, chosen, column, has_single, read_groups


def innermost(optimizer: Any) -> Any:
    """The optimizer inside the wrappers of accelerate and other libraries."""
    while not hasattr(optimizer, "_optimizer_step_pre_hooks") and hasattr(optimizer, "optimizer"):
        optimizer = optimizer.optimizer
    return optimizer


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
        self._watched: WeakKeyDictionary[Optimizer, WatchedOptimizer] = WeakKeyDictionary()
        self._running: list[tuple[Optimizer, StepCall]] = []
        self._handles: list[Any] = []
        self._backwards = 0

    # -- during the run -----------------------------------------------------------

    def __enter__(self) -> Recorder:
        self._before_step = untraced(self._begin)
        self._handles.append(register_optimizer_step_pre_hook(untraced(self._meet)))
        self._handles.append(register_optimizer_step_post_hook(untraced(self._end)))
        BACKWARD.add(self._on_backward)
        SCALER.add(self._on_scaler)
        SCHEDULER.add(self._on_scheduler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []
        BACKWARD.remove(self._on_backward)
        SCALER.remove(self._on_scaler)
        SCHEDULER.remove(self._on_scheduler)
        self.log.flush()

    def _know(self, optimizer: Optimizer) -> WatchedOptimizer:
        watched = self._watched.get(optimizer)
        if watched is None:
            kind, known = type(optimizer).__name__, self.log.optimizers
            same = sum(other.name.partition("-")[0] == kind for other in known)
            watched = WatchedOptimizer(len(known), f"{kind}-{same + 1}" if same else kind)
            known.append(watched)
            self._watched[optimizer] = watched
            # The optimizer's own hooks run after the global ones and may set the LR, so ours is registered last.
            self._handles.append(optimizer.register_step_pre_hook(self._before_step))
            SCHEDULER.renew()
        return watched

    def _meet(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self._know(optimizer)

    def _begin(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        found_inf = getattr(optimizer, "found_inf", None)
        skipped = 0.0 if found_inf is None else capture(found_inf)
        self._running.append((optimizer, StepCall(self._know(optimizer), read_groups(optimizer), skipped)))

    def _end(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        running = self._running
        i = next((i for i in reversed(range(len(running))) if running[i][0] is optimizer), None)
        if i is None:  # the step started before the recorder
            return
        call = running[i][1]
        del running[i:]  # nested steps that have not ended were aborted by an exception
        if call.inner:
            return
        for other, outer in running:  # a subclass that calls its base class, a wrapper with the same groups
            outer.inner |= other is optimizer or other.param_groups[0] is optimizer.param_groups[0]
        if len(args) > 1 or kwargs.get("closure") is not None:  # the closure ran inside the step and may set the LR
            call.numbers = read_groups(optimizer)
        call.watched.single = call.watched.single or has_single(optimizer)
        self._close(call)

    def _close(self, call: StepCall) -> None:
        watched = call.watched
        watched.calls += 1
        call.backwards, watched.backwards_before = self._backwards - watched.backwards_before, self._backwards
        call.scheduler_steps = max(watched.scheduler_steps.values(), default=0)
        watched.scheduler_steps.clear()
        self.log.add(call)

    def _on_backward(self, *args: Any, **kwargs: Any) -> None:
        self._backwards += 1

    def _on_scheduler(self, scheduler: Any, *args: Any, **kwargs: Any) -> None:
        optimizer = innermost(getattr(scheduler, "optimizer", None))
        if isinstance(optimizer, Optimizer):
            watched = self._know(optimizer)
            watched.has_scheduler = True
            watched.scheduler_steps[id(scheduler)] += not being_built(scheduler)

    def _on_scaler(self, scaler: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Callable[[], None]:
        watched = self._know(innermost(optimizer))
        before = watched.calls

        def after() -> None:
            if watched.calls == before:
                self._close(StepCall(watched, [], 1.0))

        return after

    # -- after the run ------------------------------------------------------------

    def series(self, optimizer: str | None = None) -> list[LrSeries]:
        """The LRs of every parameter group that was stepped: of the optimizer with this name, or of all."""
        result, table = [], self.log.table()
        for watched in chosen(self.log.optimizers, optimizer):
            own = table[column(table, "optimizer") == watched.number]
            groups = sorted(set(column(own, "group").astype(int).tolist()))
            for group in groups:
                rows = own[column(own, "group") == group]
                name = watched.name if len(groups) == 1 else f"{watched.name} group {group}"
                steps = column(rows, "step").astype("int64")
                result.append(LrSeries(name, group, steps, column(rows, "lr"), watched.single))
        return result

    @property
    def traces(self) -> tuple[Trace, ...]:
        """One trace per group with at least 2 updates and finite LRs, ordered by optimizer and group."""
        return tuple(series.trace() for series in self.series() if series.can_be_traced)

    def diagnose(self, expect: Schedule | None = None, **settings: Any) -> list[Diagnosis]:
        """The diagnosis of each trace; takes the arguments of `bench.diagnose.diagnose`."""
        return [report.of_recording(diagnose(trace, expect, **settings)) for trace in self.traces]

    def summary(self) -> list[str]:
        """What the loop did, one line per optimizer: steps, accumulation, scheduler frequency, skipped steps.

        Below each line, a note for everything that is usually a mistake.
        """
        table, lines = self.log.table(), []
        for watched in self.log.optimizers:
            rows = table[column(table, "optimizer") == watched.number]
            lines += [report.rhythm(watched, rows), *(f"  note: {note}" for note in report.notes(watched, rows))]
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
