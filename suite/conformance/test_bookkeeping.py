"""The counters and references of a scheduler: last_epoch, initial_lr, resuming, the tracked optimizer step."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.optim.lr_scheduler as lrs

from suite.engine.axes import BASE_LRS

from .support import COMPOSITES, EVERY, SIMPLE, fresh, make, rates, snapshot, step

#: These set the LR and the base LR themselves.
OWN_BASE = ("CyclicLR", "OneCycleLR")
#: These read last_epoch from the optimizer's groups only, or count their own calls, so that last_epoch=k resumes.
RESUMING = sorted(set(SIMPLE) - {"SWALR"})


@pytest.mark.parametrize("name", [*SIMPLE, "SequentialLR", "ReduceLROnPlateau"])
def test_last_epoch_counts_the_steps(name: str) -> None:
    """last_epoch is 0 after construction, which counts as a step, and increases by 1 with each step()."""
    scheduler = make(name, fresh(), full=True)
    history = [scheduler.last_epoch]
    for _ in range(5):
        step(scheduler)
        history.append(scheduler.last_epoch)
    assert history == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("name", COMPOSITES)
def test_parts_count_their_own_steps(name: str) -> None:
    """A chain steps every part; a sequence starts its second part at local epoch 0 at the milestone."""
    scheduler = make(name, fresh())  # SequentialLR with its milestone at 4
    history = []
    for _ in range(7):
        history.append([part.last_epoch for part in scheduler._schedulers])
        step(scheduler)
    if name == "ChainedScheduler":
        assert history == [[i, i] for i in range(7)]
    else:
        assert [row[0] for row in history] == [0, 1, 2, 3, 3, 3, 3]
        assert [row[1] for row in history[4:]] == [0, 1, 2]


@pytest.mark.parametrize("name", EVERY)
def test_rates_are_reported_before_the_first_step(name: str) -> None:
    """Right after construction get_last_lr() is the LR in force."""
    for lr_type in ("float", "tensor"):
        optimizer = fresh(groups=2, lr_type=lr_type)
        scheduler = make(name, optimizer, full=True)
        assert [float(lr) for lr in scheduler.get_last_lr()] == rates(optimizer)


@pytest.mark.parametrize("name", [n for n in SIMPLE if n not in OWN_BASE])
def test_construction_notes_the_base_rate(name: str) -> None:
    """initial_lr and base_lrs are the group's original LR; construction changes only the LR in force."""
    optimizer = fresh(groups=3)
    scheduler = make(name, optimizer, full=True)
    assert scheduler.base_lrs == list(BASE_LRS)
    assert [group["initial_lr"] for group in optimizer.param_groups] == list(BASE_LRS)
    assert scheduler.optimizer is optimizer


@pytest.mark.parametrize("name", [n for n in SIMPLE if n not in OWN_BASE])
def test_an_initial_rate_that_is_there_is_kept(name: str) -> None:
    """A second scheduler uses the initial_lr recorded by the first one, not the current LR."""
    optimizer = fresh(groups=2)
    for group in optimizer.param_groups:
        group["initial_lr"] = 8.0
    assert make(name, optimizer).base_lrs == [8.0, 8.0]
    assert [group["initial_lr"] for group in optimizer.param_groups] == [8.0, 8.0]


def test_one_cycle_and_cyclic_set_their_own_base() -> None:
    """CyclicLR starts at base_lr and OneCycleLR at max_lr/div_factor, whatever the optimizer's LR is."""
    cyclic = make("CyclicLR", fresh(groups=2), base_lr=0.02)
    assert rates(cyclic.optimizer) == cyclic.base_lrs == [0.02, 0.02]
    one = make("OneCycleLR", fresh(groups=2), max_lr=0.5, div_factor=8.0, final_div_factor=4.0)
    groups = one.optimizer.param_groups
    assert rates(one.optimizer) == one.base_lrs == [0.0625, 0.0625]
    assert [(g["initial_lr"], g["max_lr"], g["min_lr"]) for g in groups] == [(0.0625, 0.5, 0.015625)] * 2


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("name", OWN_BASE)
def test_momentum_starts_at_its_maximum(name: str, optimizer: str) -> None:
    """Construction sets momentum (or beta1) to max_momentum and stores both limits in the group."""
    scheduler = make(name, fresh(groups=2, optimizer=optimizer), base_momentum=0.61, max_momentum=0.77)
    for group in scheduler.optimizer.param_groups:
        assert (group["betas"][0] if optimizer == "adam" else group["momentum"]) == 0.77
        assert (group["base_momentum"], group["max_momentum"]) == (0.61, 0.77)
        assert ("momentum" in group) is (optimizer == "sgd")


@pytest.mark.parametrize("name", OWN_BASE)
def test_momentum_is_left_alone_when_asked(name: str) -> None:
    """cycle_momentum=False never touches momentum or betas."""
    for kind in ("sgd", "adam"):
        scheduler = make(name, fresh(optimizer=kind), cycle_momentum=False)
        before = {k: v for k, v in snapshot(scheduler.optimizer)[0].items() if k in ("momentum", "betas")}
        step(scheduler, 5)
        after = snapshot(scheduler.optimizer)[0]
        assert {k: after[k] for k in before} == before
        assert not {"base_momentum", "max_momentum"} & after.keys()


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("name", SIMPLE)
def test_resuming_needs_initial_rates(name: str, at: int) -> None:
    """last_epoch >= 0 without initial_lr raises KeyError that names the key and the group."""
    optimizer = fresh(groups=2)
    for group in optimizer.param_groups:
        group.update({"initial_lr": group["lr"], "max_lr": 0.5, "min_lr": 0.001})
        group.update({"base_momentum": 0.8, "max_momentum": 0.9})
    del optimizer.param_groups[at]["initial_lr"]
    for last_epoch in (0, 3):
        with pytest.raises(KeyError, match=rf"initial_lr.*param_groups\[{at}\]"):
            make(name, optimizer, last_epoch=last_epoch)


@pytest.mark.parametrize("full", [False, True], ids=["minimal", "full"])
@pytest.mark.parametrize("name", RESUMING)
def test_resuming_keeps_the_optimizer_as_loaded(name: str, full: bool) -> None:
    """With last_epoch=k the base rates, momenta and limits are those in the loaded groups."""
    before = make(name, fresh(groups=2), full=full)
    step(before, 4)
    optimizer = fresh(groups=2)
    optimizer.load_state_dict(before.optimizer.state_dict())
    kept = snapshot(optimizer)
    again = make(name, optimizer, full=full, last_epoch=before.last_epoch)
    changed = {"lr", "momentum", "betas"}
    after = snapshot(optimizer)
    assert [{k: v for k, v in g.items() if k not in changed} for g in after] == [
        {k: v for k, v in g.items() if k not in changed} for g in kept
    ]
    assert again.last_epoch == before.last_epoch + 1
    assert again.base_lrs == before.base_lrs


def wrappers(optimizer: Any) -> int:
    """The number of wrappers around the optimizer's step."""
    layers, function = 0, optimizer.step
    while hasattr(function, "__wrapped__"):
        layers, function = layers + 1, function.__wrapped__
    return layers


@pytest.mark.parametrize("name", [n for n in SIMPLE if n not in OWN_BASE])
def test_the_optimizer_step_is_wrapped_once(name: str) -> None:
    """A second and a third scheduler reuse the first one's wrapper."""
    optimizer = fresh()
    make(name, optimizer)
    layers = wrappers(optimizer)
    wrapped = optimizer.step
    for _ in range(2):
        make(name, optimizer)
        assert wrappers(optimizer) == layers
        assert optimizer.step is wrapped


@pytest.mark.parametrize("name", SIMPLE)
def test_the_wrapped_step_is_still_the_step(name: str) -> None:
    """Closures are called, their loss is returned, parameters are updated, and the method keeps its name."""
    parameter = torch.ones(1)
    parameter.grad = torch.ones(1)
    optimizer = torch.optim.SGD([parameter], lr=0.5, momentum=0.9)
    title, doc = optimizer.step.__name__, optimizer.step.__doc__
    make(name, optimizer)
    assert (optimizer.step.__name__, optimizer.step.__doc__) == (title, doc)
    optimizer.param_groups[0]["lr"] = 0.25
    loss = torch.tensor(7.0)
    assert optimizer.step(lambda: loss) is loss
    assert parameter.item() == 0.75


@pytest.fixture
def young_heap() -> Iterator[None]:
    """Limit the garbage collector to the test's own objects: a full pass over torch's objects takes 0.2 s."""
    gc.collect(0)
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("young_heap")
@pytest.mark.parametrize("name", EVERY)
def test_an_optimizer_is_not_kept_alive(name: str) -> None:
    """The wrapper of step has only a weak reference: without other references the optimizer is freed."""
    optimizer = fresh()
    scheduler = make(name, optimizer)
    step(scheduler, 2)
    gone = weakref.ref(optimizer)
    del optimizer, scheduler
    gc.collect()
    assert gone() is None


@pytest.mark.usefixtures("young_heap")
@pytest.mark.parametrize("name", SIMPLE)
def test_an_optimizer_is_freed_without_the_collector(name: str) -> None:
    """The wrapper creates no reference cycle, so deleting the last reference frees the optimizer."""
    optimizer = fresh()
    scheduler = make(name, optimizer)
    gone = weakref.ref(optimizer)
    gc.collect()
    gc.disable()
    try:
        del optimizer, scheduler
        assert gone() is None
    finally:
        gc.enable()


def test_the_base_class_has_no_schedule() -> None:
    """LRScheduler itself cannot be built, and a subclass needs only get_lr."""
    with pytest.raises(NotImplementedError):
        lrs.LRScheduler(fresh())

    class Halving(lrs.LRScheduler):
        def get_lr(self) -> list[float | torch.Tensor]:
            return [lr * 0.5**self.last_epoch for lr in self.base_lrs]

    scheduler = Halving(fresh(groups=2))
    step(scheduler, 3)
    assert rates(scheduler.optimizer) == scheduler.get_last_lr() == [0.3 / 8, 0.07 / 8]
