"""Schedulers with one planted fault each, as subjects that the suite must find fault with."""

from __future__ import annotations

import math
import types
import warnings
from collections.abc import Callable
from typing import Any

import torch.optim.lr_scheduler as lrs

from suite.engine.subject import Subject


def subject(name: str, fault: type) -> Subject:
    """The installed schedulers, with the class of this name replaced."""
    module = types.ModuleType("broken_schedulers")
    vars(module).update({public: getattr(lrs, public) for public in lrs.__all__})
    module.__dict__["__all__"] = list(lrs.__all__)
    setattr(module, name, fault)
    return Subject(f"broken {name}", "0.0", module)


def without(name: str) -> Subject:
    """The installed schedulers, with one name missing."""
    broken = subject(name, object)
    delattr(broken.schedulers, name)
    return broken


def hooked(base: Any, hook: Callable[[Any, int, Callable[[], None]], None]) -> type:
    """A subclass whose step() calls `hook(scheduler, number of the call, the true step)`."""

    class Hooked(base):  # type: ignore[misc]  # the class comes from the installed torch
        calls = 0

        def step(self, epoch: int | None = None) -> None:
            if epoch is not None or getattr(self, "_is_initial", False):
                super().step(*[] if epoch is None else [epoch])
            else:
                self.calls += 1
                hook(self, self.calls, super().step)

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.calls = 0

    Hooked.__name__ = base.__name__
    return Hooked


def late(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """The first step does nothing, so the whole trace runs one step late."""
    if call > 1:
        step()


def ahead(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """The first step counts twice."""
    for _ in range(2 if call == 1 else 1):
        step()


def stops(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """From the fourth step on nothing moves."""
    if call < 4:
        step()


def starts_again(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """At the sixth step the schedule starts again."""
    if call == 6:
        scheduler.last_epoch = 0
        for group in scheduler.optimizer.param_groups:
            group["lr"] = group["initial_lr"]
    else:
        step()


def loses_a_factor(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """One factor is lost."""
    before = [group["lr"] for group in scheduler.optimizer.param_groups]
    step()
    if call == 3:
        for group, lr in zip(scheduler.optimizer.param_groups, before, strict=True):
            group["lr"] = lr


def slips_once(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """One wrong rate, and the next is right again."""
    step()
    for group, base in zip(scheduler.optimizer.param_groups, scheduler.base_lrs, strict=True):
        group["lr"] = base * scheduler.gamma**call * (1.25 if call == 3 else 1.0)


def swaps_groups(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """The first two groups get each other's rate."""
    step()
    first, second = scheduler.optimizer.param_groups[:2]
    first["lr"], second["lr"] = second["lr"], first["lr"]


def writes_nan(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """The rate becomes NaN at the third step."""
    step()
    if call == 3:
        scheduler.optimizer.param_groups[0]["lr"] = math.nan


def raises(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """The fifth step fails."""
    if call == 5:
        raise ZeroDivisionError("float division by zero")
    step()


def warns(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """A correct loop is warned."""
    step()
    warnings.warn("please step the optimizer first", UserWarning, stacklevel=2)


def reports_the_base(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """get_last_lr() gives the base rates."""
    step()
    scheduler._last_lr = list(scheduler.base_lrs)


def keeps_momentum(scheduler: Any, call: int, step: Callable[[], None]) -> None:
    """Momentum stays at its first value."""
    step()
    for group in scheduler.optimizer.param_groups:
        group["momentum"] = group["max_momentum"]


class EarlyMilestone(lrs.SequentialLR):
    """Switches one step before the milestone."""

    def __init__(self, optimizer: Any, schedulers: Any, milestones: Any, last_epoch: int = -1) -> None:
        super().__init__(optimizer, schedulers, [m - 1 for m in milestones], last_epoch)


class GlobalClock(lrs.SequentialLR):
    """A later part runs on the global step instead of its own."""

    def step(self) -> None:  # type: ignore[override]  # as in torch
        super().step()
        running = self._schedulers[sum(m <= self.last_epoch for m in self._milestones)]
        if self.last_epoch in self._milestones:
            running._update_lr(self.last_epoch)


class WrongBase(lrs.SequentialLR):
    """A later part continues from the current LR instead of its base LR."""

    def step(self) -> None:  # type: ignore[override]  # as in torch
        before = [group["lr"] for group in self.optimizer.param_groups]
        super().step()
        if self.last_epoch in self._milestones:
            for group, lr in zip(self.optimizer.param_groups, before, strict=True):
                group["lr"] = lr


class OneStepTooLong(lrs.LinearLR):
    """The warmup takes total_iters + 1 steps."""

    def __init__(self, optimizer: Any, start_factor: float, end_factor: float = 1.0, total_iters: int = 5) -> None:
        super().__init__(optimizer, start_factor, end_factor, total_iters + 1)


class ForgetsTheLast(lrs.ChainedScheduler):
    """Steps all parts but the last."""

    def step(self) -> None:  # type: ignore[override]  # as in torch
        for part in self._schedulers[:-1]:
            part.step()
        self._last_lr = self._schedulers[0].get_last_lr()


class AliasesTheRate(lrs.LambdaLR):
    """The base LR is the group's own tensor, so that each step compounds."""

    def __init__(self, optimizer: Any, lr_lambda: Any, last_epoch: int = -1) -> None:
        super().__init__(optimizer, lr_lambda, last_epoch)
        self.base_lrs = [group["lr"] for group in optimizer.param_groups]


class ForgetsItsEpoch(lrs.CosineAnnealingLR):
    """The state has no last_epoch."""

    def state_dict(self) -> dict[str, Any]:
        return {k: v for k, v in super().state_dict().items() if k != "last_epoch"}


class ChecksNothing(lrs.ConstantLR):
    """Takes any factor."""

    def __init__(self, optimizer: Any, factor: float = 1.0 / 3, total_iters: int = 5) -> None:
        super().__init__(optimizer, 1.0, total_iters)
        self.factor = factor
