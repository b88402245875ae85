"""The training loop around a scheduler, which reports the LR that each optimizer step used."""

from __future__ import annotations

import functools
import importlib
import io
import warnings
from collections.abc import Iterator, Mapping
from types import CodeType
from typing import Any

import numpy as np
import torch

from reference import ReduceLROnPlateau, Schedule, SequentialLR
from reference.check import Rates

from .action import STANDARD, compiled, outcome_of
from .axes import Setup
from .bookkeeping import bookkeeping, settings_check
from .build import MissingScheduler, build
from .run import CaseRun, momentum_of, settings_of
from .subject import Subject, installed

#: torch 2.4 and 2.5 warn of their own default in torch.load, which is no matter of schedules.
_LOADING = "You are using `torch.load` with `weights_only=False`"
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


def _through_file(state: Any) -> Any:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


def dummy_optimizer(lr: float) -> torch.optim.Optimizer:
    """An optimizer of one parameter, with a momentum that schedulers may cycle."""
    return torch.optim.SGD([torch.zeros(1)], lr=lr, momentum=0.9)


def _missing(name: str, *arguments: Any, **keywords: Any) -> None:
    """Stands for a class that the release lacks."""
    raise MissingScheduler(name)


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
            self.update(update)
            self.advance(update)

    def update(self, update: int) -> None:
        """One update of the parameters."""
        self.optimizer.step()


class CaseLoop(TrainingLoop):
    """The loop of a case, interrupted and restored where its setup says so."""

    def __init__(self, schedule: Schedule, setup: Setup, subject: Subject) -> None:
        super().__init__(setup.make_optimizer(), None)  # built by `run`, so that what torch raises there is caught
        self.schedule, self.setup, self.subject = schedule, setup, subject
        self.calls = 0  # scheduler.step() calls so far
        # The step of the schedule that those calls, and the lines before the first update, lead to.
        self.position = sum(action.offset for action in setup.actions)
        self.jumps = list(setup.jumps)
        self.run_so_far = CaseRun()
        self.names: dict[str, Any] = {}  # what the lines of the actions see
        self.lines: dict[str, list[CodeType]] = {}  # the lines of the actions at each place

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
            numbers=setup.numbers,
        )

    def before(self, update: int) -> None:
        """The lines of the actions; at a cut, discard optimizer and scheduler and restore them from their states."""
        self.do("before", update)
        self.run_so_far.stage = "update"
        if update in self.setup.cuts:
            self.restore()

    def restore(self) -> None:
        """Discard optimizer and scheduler and restore them from their states."""
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

    def do(self, place: str, update: int = -1) -> bool:
        """Execute the lines that the actions have at this place; True if there are any."""
        if not self.setup.actions:
            return False
        if place not in self.lines:
            texts = [text for action in self.setup.actions if (text := getattr(action, place))]
            self.lines[place] = [compiled(text) for text in texts]
        if not self.lines[place]:
            return False
        if not self.names:
            self.names = self.vocabulary()
        self.run_so_far.stage = place
        self.names.update(optimizer=self.optimizer, scheduler=self.scheduler, step=update)
        for code in self.lines[place]:
            exec(code, self.names)
        self.optimizer, self.scheduler = self.names["optimizer"], self.names["scheduler"]
        return True

    def vocabulary(self) -> dict[str, Any]:
        """The names that an action may use, beside those that change from line to line."""
        functions = {"make_optimizer": self.fresh_optimizer, "make_scheduler": self.build_on}
        # A class that this release lacks makes the case absent as soon as its lines build one.
        lacking = [name for name in installed().public_names() if self.subject.classes.get(name) is None]
        absent = {name: functools.partial(_missing, name) for name in lacking}
        metrics = {"METRICS": self.schedule.metrics} if isinstance(self.schedule, ReduceLROnPlateau) else {}
        modules = {name: importlib.import_module(name) for name in STANDARD}
        return {**modules, "np": np, "torch": torch, **self.subject.classes, **functions, **metrics, **absent}

    def build_on(self, optimizer: torch.optim.Optimizer) -> Any:
        """The scheduler on another optimizer."""
        self.optimizer = optimizer
        return self.build()

    def update(self, update: int) -> None:
        if not self.do("update", update):
            self.optimizer.step()

    def advance(self, update: int) -> None:
        """Step the scheduler as often as its clock says after this update."""
        if self.do("advance", update):
            self.position += 1
            self.do("after", update)
            return
        self.run_so_far.stage = "update"
        for _ in range(self.setup.scheduler_steps(update)):
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
        self.do("after", update)

    def run(self, steps: int) -> CaseRun:
        """Train for `steps` updates; whatever torch raises ends the run and is kept in it."""
        run = self.run_so_far = CaseRun()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                before = [settings_of(group) for group in self.optimizer.param_groups]
                run.own_momentum = momentum_of(self.optimizer.param_groups[0])
                self.do("prepare")
                run.stage = "construction"
                self.scheduler = self.build()
                run.built = True
                self.do("built")
                for lrs in self.lrs(steps):
                    run.lrs.append(lrs)
                    run.last_lrs.append(self.reported(lrs))
                    run.momenta.append([momentum_of(group) for group in self.optimizer.param_groups])
                    run.positions.append(self.position)
                self._inspect(before)
            except MissingScheduler as missing:
                run.absent = str(missing)
            except Exception as error:  # noqa: BLE001 - any failure of the subject is a verdict, not a crash
                run.error = error
        run.warned = [f"{w.category.__name__}: {w.message}" for w in caught if _LOADING not in str(w.message)]
        return run

    def reported(self, lrs: list[float]) -> list[float]:
        """What get_last_lr() gives; where it fails the LRs in force, so that the run continues and is judged."""
        try:
            return [float(lr) for lr in self.scheduler.get_last_lr()]
        except AttributeError as error:
            self.run_so_far.unread = self.run_so_far.unread or (len(self.run_so_far.positions), error)
            return lrs

    def _inspect(self, before: list[dict[str, Any]]) -> None:
        """What is left after the last update: settings of the groups, bookkeeping, the checks of the actions."""
        self.do("finish")
        checks = bookkeeping(self.schedule, self.setup, self.position)
        checks += [check for action in self.setup.actions for check in action.checks]
        for i, (group, settings) in enumerate(zip(self.optimizer.param_groups, before, strict=False)):
            now = settings_of(group)
            if not now.items() >= settings.items():
                checks += [settings_check(name, i, value) for name, value in settings.items() if now.get(name) != value]
        self.names = self.names or self.vocabulary()
        self.names.update(optimizer=self.optimizer, scheduler=self.scheduler)
        self.run_so_far.checks = [(check, *outcome_of(check, self.names)) for check in checks]


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
