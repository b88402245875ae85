"""The batched trainer on a GPU: one graph for a step, the kernel for Adam, and independence of neighbours."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

import reference as ref
from bench.tests.gpu import MARKS
from bench.tests.row_updates import RowState
from bench.tests.toy_models import ODD
from bench.toy.batched import row_kernel
from bench.toy.batched.batched import Batched
from bench.toy.batched.records import MEASURED
from bench.toy.captured import Captured
from bench.toy.config import OPTIMIZERS, Config, named
from bench.toy.rates import grid

pytestmark = MARKS

DEVICE = "cuda"
SCHEDULES = [ref.parse(slug) for slug in ("linear4+cosine4", "linear0+hold", "exponential4+lineardecay4")]
STEPS = 8
#: In float64 two ways to compute the same step differ by rounding only, which has not grown much after a few steps.
EXACT = 1e-12
#: A key bias shifts all logits of a query alike, so that its gradient is 0 but for rounding, u = 1e-16 of the others.
#: Adam makes a step of up to lr·u/eps of it, 1e-8·lr, which moves the logits and not the losses; the LRs are up to 0.1.
LOGITS = 1e-9 * STEPS
PRE = named("small16", norm_first=True)
CONFIGS = {
    "post": named("small16"),
    "pre": PRE,
    "odd": ODD,
    "qk": named("small16", norm_first=True, qk_norm=True),
    "language": named("language16"),
}


def runs_of(config: Config, replicas: list[int], **options: Any) -> Batched:
    """Replicas of one family (k determines LR, schedule and seed), before their first step."""
    rates = grid([SCHEDULES[k % 3] for k in replicas], [1e-3 * (1 + k) for k in replicas], STEPS)
    return Batched(config, rates, [k % 5 for k in replicas], **{"device": DEVICE, **options})


def finished(config: Config, replicas: list[int], **options: Any) -> Batched:
    """Replicas of the same family, after their last step."""
    runs = runs_of(config, replicas, **options)
    runs.run()
    return runs


def close(one: Batched, other: Batched) -> None:
    """Check that all records and the validation losses agree but for rounding in float64."""
    for name in MEASURED if one.instruments else MEASURED[:1]:
        bound = LOGITS if name == "attention_logits" else EXACT
        torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=bound, atol=0)
    torch.testing.assert_close(one.evaluate(), other.evaluate(), rtol=EXACT, atol=0)


@pytest.fixture
def no_waiting() -> Iterator[Callable[[str], None]]:
    """A function that sets what happens when the host waits for the GPU; restored afterwards."""
    yield torch.cuda.set_sync_debug_mode
    torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("instruments", [False, True])
def test_graph_is_the_step(config: Config, instruments: bool) -> None:
    """Replaying the graph trains as its operations do one by one, and as the groups on a CPU do."""
    options: dict[str, Any] = {"dtype": torch.float64, "instruments": instruments}
    graph = finished(config, list(range(7)), **options)
    assert graph.execution == "graph"
    assert graph.resident is not None
    assert isinstance(graph.resident.replay, Captured)
    close(graph, finished(config, list(range(7)), execution="resident", **options))
    close(graph, finished(config, list(range(7)), device="cpu", **options))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_is_captured(optimizer: str) -> None:
    """With each optimizer, gradients clipped, the graph trains as the operations one by one and as a CPU do."""
    config = dataclasses.replace(PRE, optimizer=optimizer, max_norm=0.5)
    graph = finished(config, list(range(5)), dtype=torch.float64)
    for options in ({"execution": "resident"}, {"device": "cpu"}):
        close(graph, finished(config, list(range(5)), dtype=torch.float64, **options))


@pytest.mark.parametrize("name", ["qk", "language"])
@pytest.mark.parametrize("execution", ["graph", "resident"])
def test_step_waits_for_nothing(execution: str, name: str, no_waiting: Callable[[str], None]) -> None:
    """After the first step, which captures, steps do not wait for the GPU; reading the losses does."""
    runs = runs_of(CONFIGS[name], list(range(7)), execution=execution, instruments=True)
    runs.run(1)
    no_waiting("error")
    runs.run(STEPS - 1)
    with pytest.raises(RuntimeError, match="synchroniz"):
        _ = runs.losses
    no_waiting("default")
    assert bool(runs.losses.isfinite().all())


@pytest.mark.parametrize("execution", ["graph", "resident"])
def test_neighbours_change_nothing(execution: str) -> None:
    """Among as many replicas, one has the same bits whatever the others are, also beside NaN."""
    first = finished(PRE, [0, 1, 2, 3, 4, 5], execution=execution)
    second = finished(PRE, [9, 1, 8, 7, 4, 6], execution=execution)
    planted = runs_of(PRE, [0, 1, 2, 3, 4, 5], execution=execution)
    planted.run(3)
    planted.parameters[[0, 3]] = torch.nan
    planted.run()
    for runs in (second, planted):
        for k in (1, 4):
            assert torch.equal(runs.parameters[k], first.parameters[k])
            assert torch.equal(runs.losses[k], first.losses[k])
    assert bool(planted.parameters[0].isnan().any())
    assert not torch.equal(second.parameters[0], first.parameters[0])


def test_number_of_replicas_changes_only_rounding() -> None:
    """With fewer neighbours, which may choose other matrix kernels, a replica trains the same but for rounding."""
    many, few = (finished(PRE, replicas, dtype=torch.float64) for replicas in (list(range(64)), [7, 40, 63]))
    torch.testing.assert_close(few.losses, many.losses[[7, 40, 63]], rtol=EXACT, atol=0)


def test_retirement_captures_again() -> None:
    """The remaining replicas continue in a new graph, without a trace of the capture."""
    undisturbed, runs = (runs_of(PRE, list(range(9)), dtype=torch.float64) for _ in range(2))
    undisturbed.run()
    runs.run(2)
    before = runs.resident
    runs.retire(torch.tensor([True, False, False, True, False, True, True, False, True]))
    runs.run(STEPS - 3)
    runs.retire(runs.alive == 2)
    runs.run()  # captures for the last step alone
    assert runs.resident is not before
    assert runs.alive.tolist() == [1, 4, 7]
    torch.testing.assert_close(runs.losses[runs.alive], undisturbed.losses[runs.alive], rtol=EXACT, atol=0)
    assert runs.losses.isnan().sum(1).tolist() == [6, 0, 1, 6, 0, 6, 6, 0, 6]


def test_setup_is_the_one_of_a_cpu() -> None:
    """Weights and batches have the same bits on the GPU as on the CPU."""
    here, there = (runs_of(PRE, list(range(6)), device=device) for device in ("cpu", DEVICE))
    assert torch.equal(there.parameters.cpu(), here.parameters)
    assert torch.equal(there.orders[there.order_of].cpu(), here.orders[here.order_of])


@pytest.mark.slow
@pytest.mark.parametrize("instruments", [False, True])
def test_compiled_pass_in_a_graph_trains_the_same(instruments: bool) -> None:
    """The compiled pass, captured, agrees up to rounding, also for fewer replicas than it was compiled for."""
    options: dict[str, Any] = {"dtype": torch.float64, "instruments": instruments}
    plain, compiled = (runs_of(ODD, list(range(5)), compiled=on, **options) for on in (False, True))
    for runs in (plain, compiled):
        runs.run(3)
        runs.retire(runs.alive == 1)
        runs.run()
    for name in MEASURED if instruments else MEASURED[:1]:
        bound = LOGITS if name == "attention_logits" else EXACT
        torch.testing.assert_close(getattr(compiled, name), getattr(plain, name), rtol=bound, atol=0, equal_nan=True)


@pytest.mark.parametrize("update", [RowState.by_adam, RowState.by_kernel])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_update_of_rows_is_adam(update: Callable[[RowState], None], dtype: torch.dtype) -> None:
    """One update of rows by the kernel is that of torch.optim.Adam, up to the rounding of its operations."""
    if update is RowState.by_kernel and not row_kernel.available():
        pytest.skip("Triton must be available")
    rows = RowState.make(dtype, DEVICE)
    expected, bound, before = rows.expected(), rows.bound(), rows.parameters.cpu().double()
    update(rows)
    assert bool(((rows.parameters.cpu().double() - expected).abs() <= bound).all())
    assert bool(((before - expected).abs() > bound).all())
