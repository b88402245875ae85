"""The ways that only a GPU has, run with a faked one: a CPU that says it is a GPU, and graphs that repeat the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from bench.cuda import speed
from bench.cuda.sizes import CudaSizes
from bench.cuda.speed import EAGER, GRAPH, PLAIN, PLAIN_GRAPH, PRODUCTS
from bench.tests.toy_models import one_thread
from bench.toy import captured, devices
from bench.toy.batched import row_kernel
from bench.toy.batched.batched import Batched
from bench.toy.batched.resident import Resident
from bench.toy.config import named

TINY = CudaSizes("tiny", rounds=2, seconds=0.01, update=2)


class FakeGpu(str):
    """A device that torch takes for the CPU and our code for a GPU."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return other == "cuda"

    def __ne__(self, other: object) -> bool:
        return other != "cuda"


GPU = FakeGpu("cpu")


class Repeated:
    """A graph that repeats the work; the first calls are undone where that is asked for."""

    made: ClassVar[list[Repeated]] = []

    def __init__(self, work: Callable[[], Tensor], undo: Callable[[], None] | None = None) -> None:
        self.work = work
        work()
        if undo is not None:
            undo()
        self.made.append(self)

    def __call__(self) -> Tensor:
        return self.work()


class FakeBatched(Batched):
    """Replicas whose graph is a repetition."""

    def __init__(self, *args: Any, execution: str, **options: Any) -> None:
        super().__init__(*args, execution="resident", **options)
        if execution == "graph":
            self.resident = Resident(self, Repeated)


@pytest.fixture(autouse=True)
def fake_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything that asks for a GPU find the fake one, which has allocated 2 GiB, and at most 3."""
    Repeated.made.clear()
    for module in (captured, devices):
        monkeypatch.setattr(module, "require", lambda device: None)
    for name in ("synchronize", "empty_cache", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda: None)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 2 * 2**30)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 3 * 2**30)
    adam = torch.optim.Adam

    def on_a_cpu(*args: Any, capturable: bool = False, **options: Any) -> torch.optim.Optimizer:
        return adam(*args, **options)  # capturable=True needs a real one

    monkeypatch.setattr(torch.optim, "Adam", on_a_cpu)
    for module in (captured, speed):
        monkeypatch.setattr(module, "Captured", Repeated)
    monkeypatch.setattr(speed, "Batched", FakeBatched)


pytestmark = pytest.mark.usefixtures(one_thread.__name__)


def test_plain_loop_is_measured_in_a_graph_too() -> None:
    """The loop as users write it and the same in a graph stand side by side, with the memory they took."""
    rows = speed.plain("small16", TINY, GPU)
    assert [row["way"] for row in rows] == [PLAIN, PLAIN_GRAPH]
    assert [row["peak_gib"] for row in rows] == [1.0, 1.0]
    assert len(Repeated.made) == 1


def test_every_kind_of_lr_is_measured() -> None:
    """All four kinds have a rate, the graph as well."""
    rows = speed.capture("small16", TINY, GPU)
    assert [row["kind"] for row in rows] == list(captured.KINDS)
    assert all(float(row["per_second"] or 0) > 0 for row in rows)


def test_batched_graph_and_products_are_measured() -> None:
    """Step by step, one graph and products have rates; the graph's losses are those of the steps."""
    rows = {row["way"]: row for row in speed.batched("small16", 2, TINY, GPU)}
    assert [*rows] == [EAGER, GRAPH, PRODUCTS]
    assert rows[GRAPH]["loss_difference"] == 0
    assert rows[GRAPH]["peak_gib"] == 1.0
    assert len(Repeated.made) == 2  # the products too, so that they wait for no launch


@pytest.mark.parametrize("triton", [False, True])
def test_update_is_measured_by_both_ways(triton: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is Triton its kernel is measured beside the operations; bytes per second are of 28 per number."""
    monkeypatch.setattr(speed, "available", lambda: triton)
    monkeypatch.setattr(row_kernel, "available", lambda: False)
    rows = speed.update(TINY, GPU)
    assert [row["way"] for row in rows] == ["operations", "kernel"][: 1 + triton]
    numbers = FakeBatched(named("small16"), torch.zeros(2, 1), [0, 1], execution="resident").parameters
    for row in rows:
        moved = float(row["gb_per_second"] or 0) * float(row["seconds"] or 0)
        assert moved == pytest.approx(28 * numbers.numel() / 1e9, rel=1e-12)
