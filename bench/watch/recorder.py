"""The recorder: the LR of every optimizer step that really happened, of any training loop."""

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
from .deferred import noted
from .journal import HEAD, Journal
from .log import Call, Log, Watched, chosen, column, has_single, read_groups
from .patches import BACKWARD, SCALER, SCHEDULER, being_built, untraced
from .series import Series, difference


def innermost(optimizer: Any) -> Any:
    """The optimizer inside what accelerate and others wrap around it."""
    while not hasattr(optimizer, "_optimizer_step_pre_hooks") and hasattr(optimizer, "optimizer"):
        optimizer = optimizer.optimizer
    return optimizer


class Recorder:
    """Notes the LR of every optimizer step while it is open: of every optimizer and parameter group.

    Entry t of a trace is the LR in force when update t of that optimizer ran. What is noted: LR, momentum (or β1)
    and weight decay of each group; backward passes, scheduler steps and steps left out by a gradient scaler since
    the update before (see `journal.Row`). Steps that a fused optimizer takes with ``found_inf`` set update nothing
    and count as left out. A tensor LR is copied where it lies; a device is waited for once in many steps.
    `journal`: a file that rows are appended to as the run goes on.

    Not seen: steps of what is no ``torch.optim.Optimizer``, of ``step.__wrapped__``, and replays of CUDA graphs.
    Source of the hooks: ``torch/optim/optimizer.py``, ``Optimizer.profile_hook_step``, torch 2.13.

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

    def __init__(self, journal: Journal | None = None) -> None:
        self.log = Log(journal)
        self._watched: WeakKeyDictionary[Optimizer, Watched] = WeakKeyDictionary()
        self._running: list[tuple[Optimizer, Call]] = []
        self._handles: list[Any] = []
        self._backwards = 0

    # -- while it runs ------------------------------------------------------------

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
        self.log.settle()

    def _know(self, optimizer: Optimizer) -> Watched:
        watched = self._watched.get(optimizer)
        if watched is None:
            kind, known = type(optimizer).__name__, self.log.optimizers
            same = sum(other.name.partition("-")[0] == kind for other in known)
            watched = Watched(len(known), f"{kind}-{same + 1}" if same else kind)
            known.append(watched)
            self._watched[optimizer] = watched
            # The optimizer's own hooks run after the global ones and may set the LR: ours is the last of them.
            self._handles.append(optimizer.register_step_pre_hook(self._before_step))
            SCHEDULER.renew()
        return watched

    def _meet(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self._know(optimizer)

    def _begin(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        found = getattr(optimizer, "found_inf", None)
        left_out = 0.0 if found is None else noted(found)
        self._running.append((optimizer, Call(self._know(optimizer), read_groups(optimizer), left_out)))

    def _end(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        running = self._running
        at = next((i for i in reversed(range(len(running))) if running[i][0] is optimizer), None)
        if at is None:  # it began before the recorder did
            return
        call = running[at][1]
        del running[at:]  # what began inside it and has not ended was left by an exception
        if call.inner:
            return
        for other, outer in running:  # a subclass that calls its base class, a wrapper with the same groups
            outer.inner |= other is optimizer or other.param_groups[0] is optimizer.param_groups[0]
        if len(args) > 1 or kwargs.get("closure") is not None:  # it ran inside the step, and may have set the LR
            call.numbers = read_groups(optimizer)
        call.watched.single = call.watched.single or has_single(optimizer)
        self._close(call)

    def _close(self, call: Call) -> None:
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
                self._close(Call(watched, [], 1.0))

        return after

    # -- afterwards ---------------------------------------------------------------

    def series(self, optimizer: str | None = None) -> list[Series]:
        """The LRs of every parameter group that was stepped, of one optimizer by its name or of all."""
        found, table = [], self.log.table()
        for watched in chosen(self.log.optimizers, optimizer):
            own = table[column(table, "optimizer") == watched.number]
            groups = sorted(set(column(own, "group").astype(int).tolist()))
            for group in groups:
                rows = own[column(own, "group") == group]
                name = watched.name if len(groups) == 1 else f"{watched.name} group {group}"
                steps = column(rows, "step").astype("int64")
                found.append(Series(name, group, steps, column(rows, "lr"), watched.single))
        return found

    @property
    def traces(self) -> tuple[Trace, ...]:
        """A trace of each group with at least 2 updates and finite LRs, by optimizer and group."""
        return tuple(series.trace() for series in self.series() if series.can_be_traced)

    def diagnose(self, expect: Schedule | None = None, **settings: Any) -> list[Diagnosis]:
        """The diagnosis of each trace; `expect` and the settings are those of `bench.diagnose.diagnose`."""
        return [report.of_recording(diagnose(trace, expect, **settings)) for trace in self.traces]

    def summary(self) -> list[str]:
        """What the loop did, a line for each optimizer: steps, accumulation, the scheduler's rhythm, steps left out.

        Under it a note for each thing that loops are seldom meant to do.
        """
        table, lines = self.log.table(), []
        for one in self.log.optimizers:
            rows = table[column(table, "optimizer") == one.number]
            lines += [report.rhythm(one, rows), *(f"  note: {note}" for note in report.notes(one, rows))]
        return lines

    def write(self, path: Path | str) -> None:
        """Write the rows as CSV, whole or not at all; OSError where that fails."""
        write_whole(Path(path), (HEAD + "".join(row.line() for row in self.log.rows())).encode())

    def assert_follows(
        self, schedule: Schedule, *, base_lr: float | Sequence[float], optimizer: str | None = None
    ) -> None:
        """Raise AssertionError, with the diagnosis, unless every update ran at the LR of the schedule.

        |lr_t − schedule(t, base_lr)| ≤ tolerance, relative (see `Series.tolerance`), for every update t of every
        group; `base_lr` is one for all groups, or one for each; `optimizer` names one of several.
        Raises ValueError for a name that no optimizer has, or for another number of base LRs than groups.
        """
        __tracebackhide__ = True
        found = self.series(optimizer)
        if not found:
            raise AssertionError("no optimizer step was recorded")
        bases = [base_lr] * len(found) if isinstance(base_lr, int | float) else list(base_lr)
        if len(bases) != len(found):
            raise ValueError(f"base_lr={bases} must be one number, or one for each of {len(found)} parameter groups")
        base_of = {id(series): real("base_lr", base, low=0.0) for series, base in zip(found, bases, strict=True)}
        failures = []
        for group in report.alike(found):
            for base in dict.fromkeys(base_of[id(series)] for series in group):
                wrong = difference(group[0], schedule, base)
                if wrong is not None:
                    same = [series for series in group if base_of[id(series)] == base]
                    failures.append(report.failure(same, schedule, base, wrong))
        if failures:
            raise AssertionError("\n".join(failures))
