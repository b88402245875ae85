"""A user's own scheduler, stepped under the schedulers of a release, in a process of its own.

A user's module may print, exit, hang or register operators with torch, which a process can do only once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import multiprocessing
import sys
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

import torch

from suite.engine.loop import TrainingLoop, dummy_optimizer
from suite.engine.subject import Subject
from suite.engine.user_factory import BadSpec, as_installed, current_folder_first, load_named, split_spec
from suite.engine.watchdog import MODULE_PATIENCE, signals_blocked

from .changes import error_in_words
from .user_scheduler import call_factory, check_step, driven_by, the_scheduler

#: What a parameter group holds → what reports call it; betas are two numbers.
QUANTITIES = {"lr": "LR", "momentum": "momentum", "betas": "beta", "weight_decay": "weight decay"}
LAST_LR = "get_last_lr()"
#: A fork starts at once, while a new interpreter imports torch first; but only on Linux can a process with torch fork.
METHOD = "fork" if sys.platform.startswith("linux") else "spawn"


@dataclasses.dataclass(frozen=True)
class Request:
    """What to run: the factory, the LR of the optimizer that it is given, and how many steps."""

    spec: str
    lr: float
    steps: int
    metrics: tuple[float, ...] = ()


@dataclasses.dataclass
class UserRun:
    """What happened under one release: for each quantity one row per optimizer step, one column per group."""

    rows: dict[str, list[list[float]]] = dataclasses.field(default_factory=dict)
    steps: int = 0
    precision: str = "float"
    built: bool = False
    error: str = ""

    def columns(self, quantity: str) -> list[list[float]]:
        """The values of each group, step by step; NaN where there is no such group."""
        rows = self.rows.get(quantity, [])
        return [list(column) for column in itertools.zip_longest(*rows, fillvalue=math.nan)]

    def group(self, quantity: str, index: int) -> list[float]:
        """The values of one group, step by step; empty where there is no such group."""
        columns = self.columns(quantity)
        return columns[index] if index < len(columns) else []


class _UserLoop(TrainingLoop):
    """The documented loop, with a metric for schedulers that need one."""

    def __init__(self, optimizer: torch.optim.Optimizer, scheduler: Any, metrics: tuple[float, ...]) -> None:
        super().__init__(optimizer, scheduler)
        self.metrics = metrics

    def advance(self, update: int) -> None:
        """Step the scheduler after an update."""
        self.scheduler.step(*self.metrics[update : update + 1])


def run_here(request: Request, side: Subject) -> UserRun:
    """Run in this process, which keeps the user's modules; raises BadSpec for a bad spec."""
    spec, run = request.spec, UserRun()
    module, _ = split_spec(spec, "factory")
    sys.argv = [module]  # a script that parses its arguments gets its defaults, not ours
    for name in [name for name in sys.modules if name.split(".")[0] == module.split(".")[0]]:
        del sys.modules[name]
    given = dummy_optimizer(request.lr)
    with current_folder_first(), as_installed(side), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            returned, took = call_factory(load_named(spec, "factory"), spec, given)
            scheduler = the_scheduler(returned, spec)
            check_step(scheduler, spec, bool(request.metrics))
            optimizer = driven_by(scheduler, returned, given if took else None, spec)
            run.built = True
            for _ in _UserLoop(optimizer, scheduler, request.metrics).lrs(request.steps):
                _record(run, optimizer, scheduler)
        except BadSpec:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises under a release is the answer
            run.error = error_in_words(error, run.steps if run.built else None)
    return run


def _record(run: UserRun, optimizer: Any, scheduler: Any) -> None:
    """Add what is in force when the next optimizer step runs."""
    groups = [dict(_quantities(group)) for group in optimizer.param_groups]
    if any(isinstance(value, torch.Tensor) and value.dtype != torch.float64 for g in groups for value in g.values()):
        run.precision = "float32"
    for name in dict.fromkeys(name for group in groups for name in group):
        run.rows.setdefault(name, [[]] * run.steps).append([float(group.get(name, math.nan)) for group in groups])
    if hasattr(scheduler, "get_last_lr"):
        run.rows.setdefault(LAST_LR, []).append([float(lr) for lr in scheduler.get_last_lr()])
    run.steps += 1


def _quantities(group: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The numbers of a parameter group that an optimizer uses."""
    for key, name in QUANTITIES.items():
        value = group.get(key)
        if isinstance(value, tuple | list):
            yield from ((f"{name}{i}", part) for i, part in enumerate(value, 1))
        elif value is not None:
            yield name, value


def _work(request: Request, load_side: Callable[[], Subject], pipe: Connection) -> None:
    torch.set_num_threads(1)  # torch's threads do not survive a fork
    with contextlib.redirect_stdout(sys.stderr):  # the user's prints are not our output
        try:
            pipe.send(run_here(request, load_side()))
        except BadSpec as error:
            pipe.send(error)


def run_user(request: Request, load_side: Callable[[], Subject], patience: float = MODULE_PATIENCE) -> UserRun:
    """Run in a child process; raises BadSpec where the factory cannot be used, or gives no answer in time.

    `load_side` is called in the child and must be picklable.
    """
    if METHOD == "fork":
        dummy_optimizer(request.lr).step()  # torch imports 800 modules for it: here, once for all children
    context = multiprocessing.get_context(METHOD)
    pipe, child_end = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(request, load_side, child_end), daemon=True)  # type: ignore[attr-defined]
    with signals_blocked():
        process.start()
    child_end.close()
    try:
        if not pipe.poll(patience):
            raise BadSpec(f"factory={request.spec!r} gave no answer within {patience:.0f} s: does importing it train?")
        answer = pipe.recv()
    except EOFError:
        process.join(1)
        raise BadSpec(f"factory={request.spec!r} ended the process (code {process.exitcode})") from None
    finally:
        process.kill()
        process.join()
    if isinstance(answer, BadSpec):
        raise answer
    assert isinstance(answer, UserRun)
    return answer
