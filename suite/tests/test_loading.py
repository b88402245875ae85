"""States loaded into another run: what the checks must see, the older states, and the workarounds of the entries."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import pytest
import torch.optim.lr_scheduler as lrs

from reference import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LinearLR,
    ReduceLROnPlateau,
    Schedule,
    SequentialLR,
    StepLR,
)
from suite.cases.experiments.loading import cases
from suite.cases.experiments.loading.callables import SCHEDULERS, WithFunction
from suite.cases.experiments.loading.older import RELEASES, OlderState, releases
from suite.cases.experiments.loading.resumed import OtherArguments, OtherGroups, OtherStructure, Resumed
from suite.cases.experiments.loading.states import Branched, RolledBack, SavedApart, WrongEntries
from suite.cases.experiments.loading.variants import KEPT, with_other_argument, with_other_parts
from suite.cases.schedules.sample import parts
from suite.engine.action import Action
from suite.engine.axes import Setup
from suite.engine.build import build
from suite.engine.case import Case
from suite.engine.subject import Subject, installed
from suite.engine.verdict import verdict_of
from suite.releases import cache, load
from suite.tests import broken

EXPO, STEP, COSINE, LINEAR = ExponentialLR(0.89), StepLR(3, 0.7), CosineAnnealingLR(13), LinearLR(0.13, 1.0, 6)

LINEAR_OF_PARTS = LinearLR(0.13, 0.97, 5)


def case_of(schedule: Schedule, action: Action, **axes: Any) -> Case:
    """A case with one action."""
    return Case("planted", schedule, Setup(actions=(action,), **axes), 12)


class LiveState(lrs.StepLR):
    """Its state is the scheduler's own dictionary."""

    def state_dict(self) -> dict[str, Any]:
        return self.__dict__


class EmptiesTheState(lrs.StepLR):
    """Loading removes an entry from the caller's state."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(dict(state_dict))
        state_dict.pop("gamma")


class ForgetsTheStep(lrs.CosineAnnealingLR):
    """Loads everything but the step."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({**state_dict, "last_epoch": 0})


class NeedsAnEntry(lrs.StepLR):
    """Reads an entry that older releases do not write."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({**state_dict, "_is_initial": state_dict["_is_initial"]})


class HalfLoaded(lrs.StepLR):
    """Loads the saved gamma and keeps the new step_size."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({**state_dict, "step_size": self.step_size})


class Strict(lrs.StepLR):
    """Refuses what is not a state of this scheduler."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if state_dict.keys() != self.state_dict().keys():
            raise KeyError("the state is that of another scheduler")
        if len(state_dict["base_lrs"]) != len(self.base_lrs):
            raise ValueError("the state has another number of groups")
        super().load_state_dict(state_dict)


class Restores(lrs.ExponentialLR):
    """Sets the LR when its state is loaded, and uses the new arguments."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({"last_epoch": state_dict["last_epoch"]})
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = base * self.gamma**self.last_epoch
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]


#: What is broken, how, the action that must show it, the channel and the label.
FAULTS = [
    ("live_state", "StepLR", LiveState, STEP, RolledBack(6, 2), "lr", "differs"),
    ("emptied_state", "StepLR", EmptiesTheState, STEP, RolledBack(6, 4), "state", "state"),
    ("lost_step", "CosineAnnealingLR", ForgetsTheStep, COSINE, Branched(6), "lr", "differs"),
    ("needed_entry", "StepLR", NeedsAnEntry, STEP, OlderState(6, "2.6", STEP), "error", "error"),
]


@pytest.mark.parametrize(
    ("name", "fault", "schedule", "action", "channel", "label"), [row[1:] for row in FAULTS], ids=[r[0] for r in FAULTS]
)
def test_a_planted_fault_of_the_state_is_found(
    name: str, fault: type, schedule: Schedule, action: Action, channel: str, label: str
) -> None:
    """The case follows on the installed torch and deviates on the broken one, in this channel."""
    case = case_of(schedule, action)
    verdict = verdict_of(case, broken.subject(name, fault))
    assert verdict_of(case, installed()).follows
    assert (channel, label) in [(deviation.channel, deviation.label) for deviation in verdict.deviations]


#: What a correct scheduler does with a state that is not its own, or without the optimizer's.
MENDED = [
    ("StepLR", Strict, STEP, WrongEntries(6, "extra")),
    ("StepLR", Strict, STEP, WrongEntries(6, "nostep")),
    ("StepLR", Strict, STEP, WrongEntries(6, "optimizers")),
    ("StepLR", Strict, EXPO, OtherStructure(6, "both", STEP, "steplr")),
    ("StepLR", Strict, STEP, OtherGroups(6, 2, "scheduler")),
    ("ExponentialLR", Restores, EXPO, Resumed(6, "scheduler", EXPO)),
    ("ExponentialLR", Restores, EXPO, OtherArguments(6, "scheduler", ExponentialLR(0.7), "gamma")),
    ("ExponentialLR", Restores, EXPO, OtherArguments(6, "scheduler", EXPO, lr=0.05)),
    ("ExponentialLR", Restores, EXPO, SavedApart(6, "optimizer")),
    ("ExponentialLR", Restores, EXPO, SavedApart(6, "scheduler")),
]


@pytest.mark.parametrize(("name", "mended", "schedule", "action"), MENDED, ids=[r[3].mark for r in MENDED])
def test_a_scheduler_that_is_right_follows(name: str, mended: type, schedule: Schedule, action: Action) -> None:
    """The installed class deviates, and one that refuses, or that restores the LR, does not."""
    case = case_of(schedule, action)
    assert verdict_of(case, installed()).kind == "deviates"
    assert verdict_of(case, broken.subject(name, mended)).follows


def test_saved_arguments_and_a_mixture_are_told_apart() -> None:
    """The saved schedule has a shape of its own; a mixture of saved and new arguments does not have it."""
    case = case_of(STEP, OtherArguments(3, "both", StepLR(4, 0.6), "both"))
    assert verdict_of(case, installed()).label == "saved"
    mixed = verdict_of(case, broken.subject("StepLR", HalfLoaded))
    assert mixed.kind == "deviates"
    assert mixed.label != "saved"


def test_a_fresh_warmup_on_an_old_optimizer_exceeds_the_base_lr() -> None:
    """LinearLR(0.01) climbs to 100 times the loaded LR, which is a deviation in a channel of its own."""
    verdict = verdict_of(case_of(COSINE, Resumed(3, "optimizer", LinearLR(0.01, 1.0, 5), "warmup")), installed())
    bounds = next(deviation for deviation in verdict.deviations if deviation.channel == "bounds")
    assert bounds.size == pytest.approx(100 * COSINE(3))


@pytest.mark.parametrize("schedule", list(parts()), ids=lambda schedule: schedule.slug_name)
def test_every_argument_is_changed_between_two_runs(schedule: Schedule) -> None:
    """Each argument of each class differs in a variant, but for those that are kept on purpose."""
    names = {name.split(".")[-1] for name, _ in with_other_argument(schedule)}
    fields = {field.name for field in dataclasses.fields(schedule)} - {*KEPT, "schedulers"}  # type: ignore[arg-type]
    optional = {name for name in fields if getattr(schedule, name) is None}
    assert names >= {name.lower() for name in fields - optional}
    assert all(other != schedule for _, other in with_other_argument(schedule))


def test_composites_get_other_parts() -> None:
    """One part more, one fewer, another order; nothing for a single scheduler."""
    sequence = SequentialLR((LINEAR, COSINE), (6,))
    assert [name for name, _ in with_other_parts(sequence)] == ["more", "fewer", "swapped"]
    assert [name for name, _ in with_other_parts(ChainedScheduler((LINEAR, EXPO)))] == ["more", "fewer", "swapped"]
    assert list(with_other_parts(LINEAR)) == []


def plain(state: dict[str, Any]) -> dict[str, Any]:
    """The state with every function by its name, so that two releases can be compared."""
    functions = {key: value.__name__ for key, value in state.items() if callable(value)}
    # The suite's functions are objects, which no two runs share.
    objects = {"lr_lambdas": len(state["lr_lambdas"])} if "lr_lambdas" in state else {}
    children = {"_schedulers": [plain(part) for part in state["_schedulers"]]} if "_schedulers" in state else {}
    return {**state, **functions, **objects, **children}


def state_after(steps: int, schedule: Schedule, subject: Subject, edits: list[str]) -> dict[str, Any]:
    """The state of a scheduler after these steps, changed by the lines of an action."""
    optimizer = Setup().make_optimizer()
    scheduler = build(schedule, optimizer, subject)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of older releases, at milestones
        for metric in range(steps):
            optimizer.step()
            scheduler.step(*([float(metric)] if isinstance(schedule, ReduceLROnPlateau) else []))
    names = {"states": ({}, scheduler.state_dict()), "scheduler": scheduler, **installed().classes}
    exec("\n".join(edits), names)
    return plain(names["states"][1])


@pytest.mark.parametrize("at", [3, 6, 8])
@pytest.mark.parametrize("release", RELEASES)
def test_an_older_state_is_what_that_release_wrote(release: str, at: int) -> None:
    """The edited state of the installed torch equals the state that the older release's own file writes."""
    number = next((full for full in cache.cached() if full.startswith(f"{release}.")), None)
    if number is None:
        pytest.skip(f"release={release} is not cached: python -m suite fetch")
    older = load.load_release(number)
    warmup = SequentialLR((LINEAR, COSINE), (6,))
    for schedule in (*parts(), warmup, SequentialLR((ConstantLR(1.0, 3), CosineAnnealingWarmRestarts(3, 2)), (6,))):
        if release in releases(schedule) and older.scheduler_class(type(schedule).__name__) is not None:
            edited = state_after(at, schedule, installed(), OlderState(at, release, schedule).edits)
            assert edited == state_after(at, schedule, older, []), schedule.slug


@dataclasses.dataclass(frozen=True)
class Repaired(Resumed):
    """The workaround of the entries: step a new scheduler to the saved step, then load the optimizer alone."""

    @property
    def before(self) -> str:
        """The lines."""
        steps = 0 if self.loads == "optimizer" else self.at
        after = ["for group, lr in zip(optimizer.param_groups, scheduler.get_last_lr()):", '    group["lr"] = lr']
        ahead = ["for _ in range(steps):", "    optimizer.step()", "    scheduler.step()"]
        lines = super().before.splitlines()
        built = [line for line in lines if "load_state_dict" not in line]
        rest = [f"steps = {steps}", *ahead, "optimizer.load_state_dict(states[0])", *after]
        return "\n".join([*built, *(f"    {line}" for line in rest)])


@pytest.mark.parametrize("new", [StepLR(4, 0.6), CosineAnnealingLR(29), LinearLR(0.01, 1.0, 9), ExponentialLR(0.97)])
@pytest.mark.parametrize("loads", ["both", "optimizer"])
def test_the_workarounds_for_resuming_give_the_new_schedule(new: Schedule, loads: str) -> None:
    """With other arguments, another base LR or a new schedule, on an optimizer whose state is loaded."""
    for lr in (0.0, 0.05) if loads == "both" else (0.0,):
        verdict = verdict_of(case_of(COSINE, Repaired(6, loads, new, "new", lr)), installed())
        assert verdict.follows, verdict.detail


@pytest.mark.parametrize("name", list(SCHEDULERS))
def test_objects_are_saved_and_functions_are_not(name: str) -> None:
    """With an object the saved value is used after the load; a function of the same value makes no difference."""
    schedule = SCHEDULERS[name][0]
    for kind, gamma in (("object", 0.7), ("object", 0.9), ("function", 0.9)):
        assert verdict_of(case_of(schedule, WithFunction(6, name, kind, gamma)), installed()).follows
    assert verdict_of(case_of(schedule, WithFunction(6, name, "partial", 0.7)), installed()).label == "differs"
    assert verdict_of(case_of(schedule, WithFunction(6, name, "slots", 0.9)), installed()).label == "error"


def test_a_class_that_the_release_lacks_makes_the_case_absent() -> None:
    """Also where only the lines of an action build it: that is no refusal of the state."""
    case = case_of(STEP, OtherStructure(6, "both", COSINE, "cosine"))
    verdict = verdict_of(case, broken.without("CosineAnnealingLR"))
    assert verdict.kind == "absent"
    assert "CosineAnnealingLR" in verdict.detail


def test_every_action_says_what_the_loop_does() -> None:
    """In words for people, with the update before which it happens, and no other action in the same words."""
    actions = {case.setup.actions[0] for case in cases() if case.schedule == LINEAR_OF_PARTS}
    words = {action.words for action in actions}
    assert len(words) == len(actions)
    assert all(f"update {action.at}" in action.words for action in actions if hasattr(action, "at"))
    assert all(word.split()[0] in ("resumed", "returning", "continued", "given") for word in words)
