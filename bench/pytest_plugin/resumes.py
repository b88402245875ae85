"""Whether a resumed run continues like one that was not interrupted."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook

from bench.diagnose import Diagnosis
from bench.diagnose.core.trace import FLOAT_DRIFT, Trace
from bench.diagnose.examine import diagnose
from bench.watch.lr_series import LrSeries
from bench.watch.plans.verdict import diagnosed
from bench.watch.recorder import Recorder
from bench.watch.report import fix
from bench.watch.steps.step_log import column
from reference.check import Rates, integer
from suite.shared.words import counted

from .outcome import LrCheck

#: What the optimizers used at each update, by the column of the recording, in words.
USED = {"lr": "LR", "momentum": "momentum", "weight_decay": "weight decay"}


@dataclasses.dataclass(frozen=True)
class TrainingSteps:
    """The four functions of a test, see the fixture `assert_resumes`, and the seed before each run is made."""

    make: Callable[[], Any]
    train: Callable[[Any, int, int], Any]
    save: Callable[[Any], Any]
    load: Callable[[Any, Any], Any]
    seed: int = 0

    def made(self) -> Any:
        """A new run."""
        torch.manual_seed(self.seed)
        return self.make()


class TrainedPart:
    """A recorded part of a run, with the states of its optimizers before its first update and after its last."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.first: list[dict[str, Any]] = []
        self.last: list[dict[str, Any]] = []
        self._seen: list[Optimizer] = []

    def run(self, train: Callable[[], Any]) -> TrainedPart:
        """Train, and record it."""
        hook = register_optimizer_step_pre_hook(self._before)
        try:
            with self.recorder:
                train()
        finally:
            hook.remove()
        self.last = [_state(optimizer) for optimizer in self._seen]
        self._seen = []
        return self

    def _before(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if not any(optimizer is other for other in self._seen):
            self._seen.append(optimizer)
            self.first.append(_state(optimizer))

    def used(self) -> dict[tuple[str, int], dict[str, Rates]]:
        """What each parameter group used at each update, by the optimizer's name and the number of the group."""
        table, result = self.recorder.log.table(), {}
        for one in self.recorder.series():
            watched = next(w for w in self.recorder.log.optimizers if w.name == one.optimizer)
            rows = table[(column(table, "optimizer") == watched.number) & (column(table, "group") == one.group)]
            result[one.optimizer, one.group] = {name: column(rows, name) for name in USED}
        return result


def _state(optimizer: Optimizer) -> dict[str, Any]:
    """The optimizer's own state, flat: parameter and name → value."""
    state = optimizer.state_dict()["state"]
    flat = {}
    for parameter, values in state.items():
        for name, value in values.items() if isinstance(values, dict) else ():
            flat[f"{name} of parameter {parameter}"] = (
                value.detach().clone() if isinstance(value, torch.Tensor) else value
            )
    return flat


def check_resumes(steps: TrainingSteps, at: Sequence[int], total: int | None) -> LrCheck:
    """Train without interruption, then with a checkpoint after each number of updates in `at`, and compare."""
    if not at:
        raise ValueError("at=() must have a number of updates after which to save and load")
    places = [integer("at", place, 1) for place in at]
    stop = 2 * max(places) if total is None else integer("total", total, max(places) + 1)
    run = steps.made()
    whole = TrainedPart().run(lambda: steps.train(run, 0, stop))
    if not whole.used():
        return LrCheck("assert_resumes", ["no optimizer step was recorded"])
    check = LrCheck("assert_resumes", [])
    for place in places:
        before, after = _interrupted(steps, place, stop)
        failure = _compared(whole, before, after, place)
        if failure:
            check.failures.append(failure)
        _add_curves(check, whole, before, after, place)
    return check


def _interrupted(steps: TrainingSteps, place: int, stop: int) -> tuple[TrainedPart, TrainedPart]:
    run = steps.made()
    before = TrainedPart().run(lambda: steps.train(run, 0, place))
    checkpoint = copy.deepcopy(steps.save(run))  # a state_dict() shares its tensors with the run
    resumed = TrainedPart()

    def continued() -> None:
        other = steps.made()
        steps.load(other, checkpoint)
        steps.train(other, place, stop)

    return before, resumed.run(continued)


def _compared(whole: TrainedPart, before: TrainedPart, after: TrainedPart, place: int) -> str:
    """Why the two parts are not the uninterrupted run; empty where they are."""
    expected, first, second = whole.used(), before.used(), after.used()
    lines: list[str] = []
    for key, columns in expected.items():
        name = key[0] if sum(other[0] == key[0] for other in expected) == 1 else f"{key[0]} group {key[1]}"
        early = len(first.get(key, {"lr": ()})["lr"])
        for column_name, words in USED.items():
            values = [part.get(key, {column_name: np.empty(0)})[column_name] for part in (first, second)]
            line = _parting(np.concatenate(values), columns[column_name], early, words)
            if line:
                lines.append(f"  {name}: {line}")
    lost = [text for one, two in zip(before.last, after.first, strict=False) for text in _lost(one, two)]
    if not lines and not lost:
        return ""
    head = f"resumed after {counted(place, 'update')}, the run does not continue like the uninterrupted one:"
    return "\n".join([head, *lines, *(f"  {text}" for text in lost), *_explained(whole, before, after, lines)])


def _parting(actual: Rates, expected: Rates, early: int, words: str) -> str:
    """The first update at which two runs part, in words."""
    if actual.size != expected.size:
        return f"{counted(actual.size, 'update')} instead of {expected.size}" if words == USED["lr"] else ""
    known = np.abs(expected[~np.isnan(expected)])
    slack = FLOAT_DRIFT * np.maximum(np.abs(expected), 1e-6 * (known.max() if known.size else 0.0))
    with np.errstate(invalid="ignore"):
        wrong = ~((np.abs(actual - expected) <= slack) | (np.isnan(actual) & np.isnan(expected)))
    if not wrong.any():
        return ""
    i, count = int(np.argmax(wrong)), int(wrong.sum())
    if i < early:
        return (
            f"{words} differs already at update {i}, before the checkpoint: make() and train() must repeat themselves"
        )
    many = f", the first of {count} wrong updates" if count > 1 else ", the only wrong update"
    return f"update {i} ran at {words} {actual[i]:.6g} instead of {expected[i]:.6g}{many}"


def _lost(saved: dict[str, Any], loaded: dict[str, Any]) -> list[str]:
    """What of the optimizer's state is not there at its first update after the load."""
    missing = [name for name in saved if name not in loaded]
    if missing:
        rest = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return [f"the optimizer's state was not loaded: {missing[0]}{rest} is missing at the first update"]
    other = [name for name, value in saved.items() if not _equal(value, loaded[name])]
    rest = f" and {len(other) - 1} more" if len(other) > 1 else ""
    return (
        [f"the optimizer's state is not the saved one: {other[0]}{rest} differs at the first update"] if other else []
    )


def _equal(one: Any, two: Any) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(two, torch.Tensor):
        return one.shape == two.shape and bool(torch.equal(one.cpu().to(two.dtype), two.cpu()))
    return bool(one == two) if isinstance(one, int | float | str | bool) else True


def _explained(whole: TrainedPart, before: TrainedPart, after: TrainedPart, lines: Sequence[str]) -> list[str]:
    """The diagnosis of the second part, by its schedulers or by its LRs, if the LRs are wrong at all."""
    if not any(f" {USED['lr']} " in line for line in lines):
        return []
    planned = {(one.optimizer, one.group): one for one in whole.recorder.planned()}
    starts = {(one.optimizer, one.group): one for one in before.recorder.series()}
    for one in after.recorder.planned():
        key = one.optimizer, one.group
        if key not in planned or key not in starts:
            continue
        for diagnosis in _diagnoses(planned[key], starts[key], one):
            if diagnosis.verdict == "fault" and diagnosis.best is not None:
                return [f"  diagnosis: {diagnosis.sentence()}", *fix(diagnosis)]
    return []


def _diagnoses(whole: LrSeries, before: LrSeries, after: LrSeries) -> list[Diagnosis]:
    """By the schedulers of the second part, then both parts beside what the schedulers document."""
    result = [diagnosed(after.trace(), after.plan)] if after.can_be_traced else []
    groups = whole.plan.groups if whole.plan is not None and whole.plan.explains else ()
    group = next((one for one in groups if one.index == whole.group), None)
    lrs = np.concatenate([before.lrs, after.lrs])
    if group is not None and group.schedule is not None and group.base_lr is not None and np.isfinite(lrs).all():
        trace = Trace(np.arange(lrs.size), lrs, whole.name)
        result.append(diagnose(trace, group.schedule, base_lr=group.base_lr))
    return result


def _add_curves(check: LrCheck, whole: TrainedPart, before: TrainedPart, after: TrainedPart, place: int) -> None:
    first, second = before.used(), after.used()
    for (name, group), columns in whole.used().items():
        parts = [part[name, group]["lr"] for part in (first, second) if (name, group) in part]
        lrs = np.concatenate(parts) if parts else np.empty(0)
        if lrs.size == columns["lr"].size:
            check.add_curve(f"{name} group {group}, resumed after {place}", lrs, columns["lr"])
