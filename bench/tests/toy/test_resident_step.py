"""A step whose state lives on the device, run on a CPU: it trains as the groups do, and can be captured."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import reference as ref
from bench.tests.row_updates import RowState
from bench.tests.toy_models import ODD, one_thread
from bench.toy.batched import adam, row_kernel
from bench.toy.batched.batched import Batched
from bench.toy.batched.layers import Model
from bench.toy.batched.records import MEASURED
from bench.toy.batched.resident import Resident
from bench.toy.captured import WARMUP_CALLS
from bench.toy.config import Config, named
from bench.toy.rates import grid

pytestmark = pytest.mark.usefixtures(one_thread.__name__)

SCHEDULES = [ref.parse(slug) for slug in ("linear4+cosine4", "linear0+hold", "exponential4+lineardecay4")]
STEPS = 8
#: In float64 two ways to round Adam's update differ by less than this in a few steps.
EXACT = 1e-12


def runs_of(config: Config, replicas: list[int], **options: Any) -> Batched:
    """Replicas of one family (k determines LR, schedule and seed), before their first step."""
    rates = grid([SCHEDULES[k % 3] for k in replicas], [1e-3 * (1 + k) for k in replicas], STEPS)
    return Batched(config, rates, [k % 5 for k in replicas], **options)


class Replayed:
    """A graph as far as a CPU has one: the first calls are undone, each call repeats the work."""

    def __init__(self, work: Callable[[], Tensor], undo: Callable[[], None]) -> None:
        self.work = work
        for _ in range(WARMUP_CALLS):
            work()
            undo()

    def __call__(self) -> Tensor:
        return self.work()


def without_fused_adam(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the groups update as the device does, without torch's own kernel."""
    monkeypatch.setattr(adam, "has_fused_adam", lambda device: False)


def equal(one: Batched, other: Batched) -> bool:
    """Whether parameters, Adam's state, validation and all records have the same bits."""
    records = all(
        torch.equal(getattr(one, name).nan_to_num(), getattr(other, name).nan_to_num()) for name in ("lrs", *MEASURED)
    )
    state = [
        (each.parameters, each.optimizer.state[0], each.optimizer.state[1], each.evaluate()) for each in (one, other)
    ]
    return records and all(torch.equal(x, y) for x, y in zip(*state, strict=True))


@pytest.mark.parametrize("config", [named("small16", norm_first=True), ODD], ids=["pre", "odd"])
@pytest.mark.parametrize("instruments", [False, True])
def test_resident_step_is_the_step(config: Config, instruments: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same operations for Adam, groups and resident steps agree to the last bit, records included."""
    without_fused_adam(monkeypatch)
    groups, resident = (
        runs_of(config, list(range(9)), execution=execution, instruments=instruments)
        for execution in ("groups", "resident")
    )
    groups.run()
    resident.run(3)
    assert bool(resident.losses[:, 3:].isnan().all())
    resident.run()
    assert equal(groups, resident)
    assert bool(resident.losses.isfinite().all())


def test_resident_step_trains_as_torch_does() -> None:
    """In float64 the resident step agrees with torch's fused Adam in the groups."""
    groups, resident = (
        runs_of(ODD, list(range(3)), dtype=torch.float64, execution=execution) for execution in (None, "resident")
    )
    groups.run()
    resident.run()
    assert (groups.execution, groups.resident) == ("groups", None)
    torch.testing.assert_close(resident.losses, groups.losses, rtol=EXACT, atol=0)


def test_undone_calls_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls before a capture change neither parameters, Adam's state, records nor the step number."""
    without_fused_adam(monkeypatch)
    plain, captured = (runs_of(ODD, list(range(4)), execution="resident", instruments=True) for _ in range(2))
    captured.resident = Resident(captured, Replayed)
    for runs in (plain, captured):
        runs.run()
    assert equal(plain, captured)


def test_compaction_captures_again() -> None:
    """After a retirement, also before the last step, a new capture continues the remaining replicas unchanged."""
    undisturbed, runs = (runs_of(ODD, list(range(6)), execution="resident") for _ in range(2))
    undisturbed.run()
    runs.resident = Resident(runs, Replayed)
    runs.run(2)
    runs.retire(torch.tensor([False, True, False, False, True, False]))
    assert runs.records.buffer is None
    runs.resident = Resident(runs, Replayed)
    runs.run(STEPS - 3)
    runs.retire(runs.alive == 5)
    runs.resident = Resident(runs, Replayed)
    runs.run()
    assert runs.alive.tolist() == [0, 2, 3]
    assert torch.equal(runs.parameters, undisturbed.parameters[runs.alive])
    assert torch.equal(runs.losses[runs.alive], undisturbed.losses[runs.alive])
    assert runs.losses.isnan().sum(1).tolist() == [0, STEPS - 2, 0, 0, STEPS - 2, 1]
    assert torch.equal(runs.lrs[runs.alive], runs.rates[runs.alive])


def test_all_may_be_retired() -> None:
    """With no replicas left a resident step does nothing."""
    runs = runs_of(ODD, [0, 1], execution="resident")
    runs.run(1)
    runs.retire(torch.tensor([True, True]))
    runs.run()
    assert runs.losses.isnan().sum(1).tolist() == [STEPS - 1] * 2
    with pytest.raises(RuntimeError, match=r"^step=8 must be < 8, the length of the schedules$"):
        runs.step()


def test_step_returns_the_losses() -> None:
    """A single step returns what is in the records, in the order of the replicas alive."""
    runs = runs_of(ODD, [0, 1, 2], execution="resident")
    runs.retire(torch.tensor([True, False, False]))
    assert torch.equal(runs.step(), runs.losses[1:, 0])


@pytest.mark.parametrize("execution", ["groups", "resident"])
def test_memory_is_freed_at_once(execution: str) -> None:
    """With the last reference to the runs their parameters go, without a search for circles of references."""
    gc.disable()
    try:
        runs = runs_of(ODD, [0, 1], execution=execution)
        runs.run(2)
        parameters = weakref.ref(runs.parameters)
        del runs
        assert parameters() is None
    finally:
        gc.enable()


def test_products_are_written_into_the_rows() -> None:
    """Off the CPU a product goes straight into the replicas' rows, which need not be resized for it."""
    rows = torch.empty(3, 40, device="meta")
    weight = rows[:, 4:34].view(3, 5, 6)
    before = weight.stride()
    Model({}, {"w": weight}).put_product("w", slice(1, 4), rows.new_empty(3, 3, 7), rows.new_empty(3, 7, 6))
    assert weight.stride() == before == (40, 6, 1)


def test_graph_needs_a_gpu() -> None:
    """On a CPU a graph is refused, and so is an unknown way to take steps."""
    with pytest.raises(ValueError, match=r"^device=cpu must be cuda for execution=graph$"):
        runs_of(ODD, [0], execution="graph")
    with pytest.raises(ValueError, match=r"^execution='lazy' must be one of groups, resident, graph$"):
        runs_of(ODD, [0], execution="lazy")


@pytest.mark.parametrize("update", [RowState.by_adam, RowState.by_kernel])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_update_of_rows_is_adam(update: Callable[[RowState], None], dtype: torch.dtype) -> None:
    """One update of rows with their own LRs is that of torch.optim.Adam, up to the rounding of its operations."""
    if update is RowState.by_kernel and not interpreted():
        pytest.skip("Triton must be available, with TRITON_INTERPRET=1: nothing else runs its kernels on a CPU")
    rows = RowState.make(dtype, "cpu")
    expected, bound, before = rows.expected(), rows.bound(), rows.parameters.clone()
    update(rows)
    assert bool(((rows.parameters.double() - expected).abs() <= bound).all())
    assert bool(((before.double() - expected).abs() > bound).all())  # the bound sees an update that is missing


def interpreted() -> bool:
    """Whether Triton runs kernels on the CPU here."""
    return row_kernel.available() and type(row_kernel._kernel).__name__ == "InterpretedFunction"
