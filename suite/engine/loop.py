"""The training loop around a scheduler, which reports the LR that each optimizer step used."""

from __future__ import annotations

import dataclasses
import io
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from reference import ReduceLROnPlateau, Schedule, SequentialLR
from reference.check import Rates

from .axes import Setup
from .build import MissingScheduler, build
from .subject import Subject, installed

#: How a run is restored: the order of building the scheduler and loading the two states.
RESTORES = {
    "builtfirst": ("build", "optimizer", "scheduler"),
    "schedulerfirst": ("build", "scheduler", "optimizer"),
    "optimizerfirst": ("optimizer", "build", "scheduler"),
    "loadedtwice": ("build", "optimizer", "scheduler", "optimizer", "scheduler"),
    "lastepoch": ("optimizer", "rebuild"),
    "lastepochouter": ("optimizer", "rebuild"),  # only the outermost scheduler is given the epoch
}


def restores(schedule: Schedule) -> list[str]:
    """The orders that this schedule can be restored in: not every class takes last_epoch."""
    takes = {
        "lastepoch": not isinstance(schedule, ReduceLROnPlateau),
        "lastepochouter": isinstance(schedule, SequentialLR),
    }
    return [order for order in RESTORES if takes.get(order, True)]


@dataclasses.dataclass
class CaseRun:
    """What happened in a case: one row per optimizer step, one column per parameter group."""

    lrs: list[list[float]] = dataclasses.field(default_factory=list)
    last_lrs: list[list[float]] = dataclasses.field(default_factory=list)
    momenta: list[list[float]] = dataclasses.field(default_factory=list)
    positions: list[int] = dataclasses.field(default_factory=list)  # the schedule's own step of each row
    warned: list[str] = dataclasses.field(default_factory=list)
    error: BaseException | None = None
    built: bool = False
    absent: str = ""


def _momentum(group: dict[str, Any]) -> float:
    return float(group["betas"][0] if "betas" in group else group["momentum"])


def _through_file(state: Any) -> Any:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


def dummy_optimizer(lr: float) -> torch.optim.Optimizer:
    """An optimizer of one parameter, with a momentum that schedulers may cycle."""
    return torch.optim.SGD([torch.zeros(1)], lr=lr, momentum=0.9)


class TrainingLoop:
    """The loop that torch documents: optimizer.step(), then scheduler.step(), here after every `every`-th update."""

    def __init__(self, optimizer: torch.optim.Optimizer, scheduler: Any, every: int = 1) -> None:
        self.optimizer, self.scheduler, self.every = optimizer, scheduler, every

    def before(self, update: int) -> None:
        """Called before each update; a run that is interrupted restores its state here."""

    def advance(self, update: int) -> None:
        """Step the scheduler after an update."""
        if update % self.every == self.every - 1:
            self.scheduler.step()

    def lrs(self, steps: int, key: str = "lr") -> Iterator[list[float]]:
        """The LR (or `key`) of each parameter group that each of the next optimizer steps uses."""
        for update in range(steps):
            self.before(update)
            yield [float(group[key]) for group in self.optimizer.param_groups]
            self.optimizer.step()
            self.advance(update)


class CaseLoop(TrainingLoop):
    """The loop of a case, interrupted and restored where its setup says so."""

    def __init__(self, schedule: Schedule, setup: Setup, subject: Subject) -> None:
        super().__init__(setup.make_optimizer(), None)  # built by `run`, so that what torch raises there is caught
        self.schedule, self.setup, self.subject = schedule, setup, subject
        self.calls = 0  # scheduler.step() calls so far
        self.position = 0  # the step of the schedule that those calls lead to
        self.jumps = list(setup.jumps)

    def fresh_optimizer(self) -> torch.optim.Optimizer:
        """The optimizer that a restored run starts with."""
        return self.setup.make_optimizer()

    def build(self, last_epoch: int = -1) -> Any:
        """The scheduler on the present optimizer."""
        setup = self.setup
        return build(
            self.schedule,
            self.optimizer,
            self.subject,
            last_epoch=last_epoch,
            fresh_parts=setup.resume == "lastepochouter",
            lists=setup.lists,
            reverse=setup.reverse,
        )

    def before(self, update: int) -> None:
        """At a cut, discard optimizer and scheduler and restore them from their states."""
        if update not in self.setup.cuts:
            return
        states = {"optimizer": self.optimizer.state_dict(), "scheduler": self.scheduler.state_dict()}
        if self.setup.saved:
            states = {name: _through_file(state) for name, state in states.items()}
        self.optimizer = self.fresh_optimizer()
        for action in RESTORES[self.setup.resume]:
            if action == "build":
                self.scheduler = self.build()
            elif action == "rebuild":
                # After `position` calls of step() the last epoch is position - 1.
                self.scheduler = self.build(last_epoch=self.position - 1)
            elif action == "optimizer":
                self.optimizer.load_state_dict(states["optimizer"])
            else:
                self.scheduler.load_state_dict(states["scheduler"])

    def advance(self, update: int) -> None:
        """Step the scheduler as often as its clock says after this update."""
        clock = self.setup.clock
        times = {"step": 1, "micro": 2, "epoch": 1 if update % 3 == 2 else 0}[clock]
        for _ in range(times):
            if isinstance(self.schedule, ReduceLROnPlateau):
                self.scheduler.step(self.schedule.metrics[self.calls])
                self.position += 1
            elif self.jumps and update >= 2:
                self.position = self.jumps.pop(0)
                self.scheduler.step(self.position)
            else:
                self.scheduler.step()
                self.position += 1
            self.calls += 1

    def run(self, steps: int) -> CaseRun:
        """Train for `steps` updates; whatever torch raises ends the run and is kept in it."""
        run = CaseRun()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                self.scheduler = self.build()
                run.built = True
                for lrs in self.lrs(steps):
                    run.lrs.append(lrs)
                    run.last_lrs.append([float(lr) for lr in self.scheduler.get_last_lr()])
                    run.momenta.append([_momentum(group) for group in self.optimizer.param_groups])
                    run.positions.append(self.position)
            except MissingScheduler as missing:
                run.absent = str(missing)
            except Exception as error:  # noqa: BLE001 - any failure of the subject is a verdict, not a crash
                run.error = error
        run.warned = [f"{w.category.__name__}: {w.message}" for w in caught]
        return run


def run_case(schedule: Schedule, setup: Setup, steps: int, subject: Subject) -> CaseRun:
    """Train under `schedule` as `setup` says and report the LRs in force."""
    return CaseLoop(schedule, setup, subject).run(steps)


#: What torch raises for compositions that it cannot build, step or resume.
REFUSALS = (TypeError, ValueError, AttributeError, LookupError, ZeroDivisionError, NotImplementedError)


class _InstalledLoop(CaseLoop):
    """A loop on the installed torch from any base LR; `epochs` are passed to step() after these updates."""

    def __init__(self, schedule: Schedule, setup: Setup, base_lr: float, epochs: Mapping[int, int]) -> None:
        super().__init__(schedule, setup, installed())
        self.base_lr, self.epochs = base_lr, epochs
        self.optimizer = self.fresh_optimizer()

    def fresh_optimizer(self) -> torch.optim.Optimizer:
        return dummy_optimizer(self.base_lr)

    def advance(self, update: int) -> None:
        self.position += 1
        self.scheduler.step(*[self.epochs[update]] if update in self.epochs else [])


def installed_lrs(
    schedule: Schedule, base_lr: float, steps: int, setup: Setup | None = None, epochs: Mapping[int, int] | None = None
) -> Rates | None:
    """The LRs of a composition under the installed torch, up to where it fails; None where torch refuses it.

    `setup`: order of construction, and where and how the run is restored; `epochs`: update → epoch passed to step().
    """
    loop = _InstalledLoop(schedule, setup or Setup(), base_lr, epochs or {})
    lrs: list[float] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            loop.scheduler = loop.build()
            for row in loop.lrs(steps):
                lrs.append(row[0])
        except (MissingScheduler, *REFUSALS):
            return np.array(lrs) if lrs else None
    return np.array(lrs)
