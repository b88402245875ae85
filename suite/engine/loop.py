"""The training loop around a scheduler: which LR each optimizer step really used."""

from __future__ import annotations

import dataclasses
import io
import warnings
from typing import Any

import torch

from reference import ReduceLROnPlateau, Schedule, SequentialLR

from .axes import Setup
from .build import MissingScheduler, build
from .subject import Subject

#: How a run is restored: the order of building the scheduler and loading the two states.
RESTORES = {
    "builtfirst": ("build", "optimizer", "scheduler"),
    "schedulerfirst": ("build", "scheduler", "optimizer"),
    "optimizerfirst": ("optimizer", "build", "scheduler"),
    "loadedtwice": ("build", "optimizer", "scheduler", "optimizer", "scheduler"),
    "lastepoch": ("optimizer", "rebuild"),
    "lastepochouter": ("optimizer", "rebuild"),  # only the outermost scheduler is told the epoch
}


def restores(schedule: Schedule) -> list[str]:
    """The orders that this schedule can be restored in: not every class takes last_epoch."""
    takes = {
        "lastepoch": not isinstance(schedule, ReduceLROnPlateau),
        "lastepochouter": isinstance(schedule, SequentialLR),
    }
    return [order for order in RESTORES if takes.get(order, True)]


@dataclasses.dataclass
class Run:
    """What happened: one row per optimizer step, one column per parameter group."""

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


class Loop:
    """One training run, cut and restored where the setup says so."""

    def __init__(self, schedule: Schedule, setup: Setup, subject: Subject) -> None:
        self.schedule, self.setup, self.subject = schedule, setup, subject
        self.calls = 0  # scheduler.step() calls so far
        self.position = 0  # the step of the schedule that those calls stand for
        self.jumps = list(setup.jumps)
        self.optimizer = setup.make_optimizer()
        self.scheduler: Any = None  # built by `run`, so that what torch raises there is caught

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

    def restore(self) -> None:
        """Throw optimizer and scheduler away and bring them back from their states."""
        states = {"optimizer": self.optimizer.state_dict(), "scheduler": self.scheduler.state_dict()}
        if self.setup.saved:
            states = {name: _through_file(state) for name, state in states.items()}
        self.optimizer = self.setup.make_optimizer()
        for action in RESTORES[self.setup.resume]:
            if action == "build":
                self.scheduler = self.build()
            elif action == "rebuild":
                # `position` calls of step() lie behind, so the last epoch was position - 1.
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

    def record(self, run: Run) -> None:
        """Note what the optimizer step about to run will use."""
        groups = self.optimizer.param_groups
        run.lrs.append([float(g["lr"]) for g in groups])
        run.last_lrs.append([float(lr) for lr in self.scheduler.get_last_lr()])
        run.momenta.append([_momentum(g) for g in groups])
        run.positions.append(self.position)

    def run(self, steps: int) -> Run:
        """Train for `steps` updates; whatever torch raises ends the run and is kept in it."""
        run = Run()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                self.scheduler = self.build()
                run.built = True
                for update in range(steps):
                    if update in self.setup.cuts:
                        self.restore()
                    self.record(run)
                    self.optimizer.step()
                    self.advance(update)
            except MissingScheduler as missing:
                run.absent = str(missing)
            except Exception as error:  # noqa: BLE001 - any failure of the subject is a verdict, not a crash
                run.error = error
        run.warned = [f"{w.category.__name__}: {w.message}" for w in caught]
        return run


def run_case(schedule: Schedule, setup: Setup, steps: int, subject: Subject) -> Run:
    """Train under `schedule` as `setup` says and report the LRs in force."""
    return Loop(schedule, setup, subject).run(steps)
