"""The recorder records what the optimizer used, whatever the loop does."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim import lr_scheduler as lrs

import reference as ref
from bench.tests.gpu import needs_gpu
from bench.tests.loops import loop, loss_of, parameters, scaled_loop
from bench.watch import Recorder
from bench.watch.steps.csv_journal import StepRow
from suite.engine.tolerances import relative

STEPS, WARMUP = 12, 4
TWIN = ref.SequentialLR((ref.LinearLR(0.1, total_iters=WARMUP), ref.CosineAnnealingLR(STEPS - WARMUP)), (WARMUP,))


#: torch warns when a scheduler is stepped before the optimizer, which these loops do on purpose.
early = pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")


def sequential(optimizer: Optimizer) -> lrs.SequentialLR:
    """Linear warmup, then a cosine."""
    parts = [lrs.LinearLR(optimizer, 0.1, total_iters=WARMUP), lrs.CosineAnnealingLR(optimizer, STEPS - WARMUP)]
    return lrs.SequentialLR(optimizer, parts, [WARMUP])


def halving(optimizer: Optimizer) -> lrs.StepLR:
    """Halve the LR at every scheduler step, so that the LR shows how many there were."""
    return lrs.StepLR(optimizer, 1, 0.5)


def rates(recorder: Recorder) -> list[list[float]]:
    """The recorded LRs of every optimizer and group."""
    return [series.lrs.tolist() for series in recorder.series()]


def rows(recorder: Recorder) -> list[StepRow]:
    """All recorded rows."""
    return list(recorder.log.rows())


def test_every_group_follows_the_twin_of_its_scheduler() -> None:
    """Two groups with different base LRs give two traces, each equal to the scheduler's twin."""
    first, second = parameters()
    optimizer = SGD([{"params": [first], "lr": 0.3}, {"params": [second], "lr": 0.02}])
    scheduler = sequential(optimizer)
    with Recorder() as recorder:
        loop(optimizer, scheduler, STEPS)
    assert [trace.name for trace in recorder.traces] == ["SGD group 0", "SGD group 1"]
    for trace, base in zip(recorder.traces, (0.3, 0.02), strict=True):
        assert trace.steps.tolist() == list(range(STEPS))
        assert trace.lrs == pytest.approx(TWIN.trace(STEPS, base), rel=relative(STEPS), abs=0)


def test_momentum_and_weight_decay_are_those_of_each_group() -> None:
    """For Adam β1, for SGD the momentum; NaN for an optimizer without it."""
    adam = AdamW(parameters(1), lr=0.1, betas=(0.7, 0.9), weight_decay=0.03)
    sgd = SGD(parameters(1), lr=0.1, momentum=0.6)
    adagrad = torch.optim.Rprop(parameters(1), lr=0.1)
    with Recorder() as recorder:
        for optimizer in (adam, sgd, adagrad):
            loop(optimizer, None, 1)
    recorded = [(row.momentum, row.weight_decay) for row in rows(recorder)]
    assert recorded[:2] == [(0.7, 0.03), (0.6, 0.0)]
    assert all(math.isnan(number) for number in recorded[2])


@early
@pytest.mark.parametrize("fused", [False, True], ids=["plain", "fused"])
def test_steps_skipped_by_a_gradient_scaler_do_not_count(fused: bool) -> None:
    """Where the gradient is infinite nothing is updated: the trace only has the LRs of the other steps."""
    spoiled = frozenset({0, 3, 4})
    optimizer = Adam(parameters(1), lr=1.0, fused=fused)
    weight = optimizer.param_groups[0]["params"][0]
    scheduler = halving(optimizer)
    weights = [weight.detach().clone()]
    with Recorder() as recorder:
        scaled_loop(optimizer, scheduler, 7, spoiled, lambda step: weights.append(weight.detach().clone()))
    updated = [step for step in range(7) if not torch.equal(weights[step], weights[step + 1])]
    assert updated == [1, 2, 5, 6]
    assert rates(recorder) == [[0.5**step for step in updated]]
    assert [(row.skipped, row.scheduler_steps, row.backwards) for row in rows(recorder)] == [
        (1, 1, 2),
        (0, 1, 1),
        (2, 3, 3),
        (0, 1, 1),
    ]
    assert recorder.log.optimizers[0].skipped == 3


@early
def test_an_optimizer_that_never_updates_is_named() -> None:
    """A run whose steps are all skipped has no trace, and the summary says why."""
    optimizer = SGD(parameters(1), lr=1.0)
    with Recorder() as recorder:
        scaled_loop(optimizer, halving(optimizer), 3, frozenset(range(3)), lambda step: None)
    assert rates(recorder) == []
    assert recorder.summary() == ["SGD: no updates, 3 steps skipped by the gradient scaler"]


def test_optimizers_are_distinguished() -> None:
    """Two of one class and one constructed later have their own names and steps."""
    first, second = SGD(parameters(1), lr=0.1), SGD(parameters(1), lr=0.2)
    with Recorder() as recorder:
        loop(first, None, 2)
        loop(second, None, 1)
        loop(first, None, 1)
        loop(Adam(parameters(1), lr=0.3), None, 2)
    assert [(series.name, series.lrs.tolist()) for series in recorder.series()] == [
        ("SGD", [0.1] * 3),
        ("SGD-2", [0.2]),
        ("Adam", [0.3] * 2),
    ]
    assert [trace.name for trace in recorder.traces] == ["SGD", "Adam"]  # a trace needs two steps


def test_a_group_added_later_starts_at_its_first_step() -> None:
    """The trace of a group added by unfreezing has the optimizer's step numbers."""
    optimizer = SGD(parameters(1), lr=0.1)
    with Recorder() as recorder:
        loop(optimizer, None, 2)
        optimizer.add_param_group({"params": parameters(1), "lr": 0.01})
        loop(optimizer, None, 2)
    assert [series.steps.tolist() for series in recorder.series()] == [[0, 1, 2, 3], [2, 3]]


def test_a_tensor_lr_is_read_when_it_is_used() -> None:
    """Schedulers change a tensor LR in place; each step still has its own value, in float32 precision."""
    optimizer = Adam(parameters(1), lr=torch.tensor(0.3), foreach=False)
    scheduler = sequential(optimizer)
    with Recorder() as recorder:
        loop(optimizer, scheduler, STEPS)
    recorder.assert_follows(TWIN, base_lr=0.3)
    assert rates(recorder)[0] == pytest.approx(TWIN.trace(STEPS, 0.3), rel=1e-6, abs=1e-8)
    assert len(set(rates(recorder)[0])) == STEPS


@needs_gpu
@pytest.mark.parametrize("fused", [False, True], ids=["capturable", "fused"])
def test_a_tensor_lr_on_a_device_is_read_when_it_is_used(fused: bool) -> None:
    """On CUDA the LR is copied on the device and read later."""
    weights = [torch.nn.Parameter(p.detach().cuda()) for p in parameters(1)]
    optimizer = Adam(weights, lr=torch.tensor(0.3, device="cuda"), fused=fused, capturable=not fused)
    scheduler = sequential(optimizer)
    with Recorder() as recorder:
        loop(optimizer, scheduler, STEPS)
    recorder.assert_follows(TWIN, base_lr=0.3)


@pytest.mark.slow
def test_a_compiled_step_is_recorded_and_not_recompiled() -> None:
    """torch.compile of the step does not change the trace, and the recorder causes no recompilation."""
    optimizer = Adam(parameters(1), lr=torch.tensor(0.3), capturable=False)
    scheduler = sequential(optimizer)
    step = torch.compile(optimizer.step, backend="eager")
    with Recorder() as recorder, torch._dynamo.config.patch(error_on_recompile=True):
        for _ in range(STEPS):
            loss_of(optimizer).backward()  # type: ignore[no-untyped-call]
            step()
            optimizer.zero_grad()
            scheduler.step()
    recorder.assert_follows(TWIN, base_lr=0.3)


def test_autocast_changes_nothing() -> None:
    """Under automatic mixed precision the trace is the same."""
    optimizer = SGD(parameters(1), lr=0.5)
    scheduler = halving(optimizer)
    with Recorder() as recorder, torch.autocast("cpu", dtype=torch.bfloat16):
        loop(optimizer, scheduler, 3)
    assert rates(recorder) == [[0.5, 0.25, 0.125]]


def test_an_lr_set_by_a_hook_just_before_the_step_is_recorded() -> None:
    """The optimizer's own hooks run after the global ones; the LR they set is the one the step uses."""
    optimizer = SGD(parameters(1), lr=9.0)

    def set_rate(used: Optimizer, args: Any, kwargs: Any) -> None:
        used.param_groups[0]["lr"] = 0.25

    optimizer.register_step_pre_hook(set_rate)
    with Recorder() as recorder:
        loop(optimizer, None, 1)
    assert rates(recorder) == [[0.25]]


def test_a_scheduler_stepped_in_a_post_hook_affects_the_next_step() -> None:
    """An LR that changes after the step belongs to the next step."""
    optimizer = SGD(parameters(1), lr=1.0)
    scheduler = halving(optimizer)
    optimizer.register_step_post_hook(lambda *call: scheduler.step())
    with Recorder() as recorder:
        loop(optimizer, None, 3)
    assert rates(recorder) == [[1.0, 0.5, 0.25]]


@pytest.mark.parametrize("by_name", [False, True], ids=["position", "keyword"])
def test_an_lr_set_by_the_closure_is_recorded(by_name: bool) -> None:
    """A closure runs inside the step before the update, as Lightning's whole training step does."""
    optimizer = SGD(parameters(1), lr=9.0)

    def closure() -> Tensor:
        optimizer.param_groups[0]["lr"] = 0.25
        loss = loss_of(optimizer)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with Recorder() as recorder:
        optimizer.step(closure=closure) if by_name else optimizer.step(closure)
    assert rates(recorder) == [[0.25]]
    assert rows(recorder)[0].backwards == 1
