"""The LR that moves the weights is the scheduled LR, measured by how far a parameter moves, not read from the group."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from bench.tests.gpu import needs_gpu
from bench.tests.toy_models import one_thread
from bench.toy.captured import KINDS, WARMUP_CALLS, Captured, optimizer_of
from bench.toy.config import Config
from bench.toy.optimizers import OptimizerFactory
from bench.toy.rules import by_way
from suite.engine.tolerances import of_peak

pytestmark = pytest.mark.usefixtures(one_thread.__name__)

#: β1 = β2 = 0 makes Adam's update lr·g/|g|; eps is far below the gradient, which is 1.
PURE = Config(16, 16, betas=(0.0, 0.0), eps=1e-30)
WARMUP, STEPS, PEAK = 5, 17, 0.3


def sgd(kind: str) -> OptimizerFactory:
    """Plain gradient descent, whose update is lr·g."""
    return lambda parameters, lr: torch.optim.SGD(parameters, lr=lr if kind == "float" else torch.tensor(lr))


class Probe:
    """One float64 number at 0 whose gradient is always 1: each step moves it by the LR that was applied."""

    def __init__(self, make: OptimizerFactory, device: str, captured: bool = False) -> None:
        self.place = Parameter(torch.zeros(1, dtype=torch.float64, device=device))
        self.optimizer = make([self.place], PEAK)
        self.run: Callable[[], Tensor] = Captured(self._work) if captured else self._work

    def _work(self) -> Tensor:
        self.optimizer.zero_grad()
        loss = self.place.sum()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss

    def applied(self, after: Callable[[], object]) -> list[float]:
        """The LR of every step; `after` is called after each."""
        moved = []
        for _ in range(STEPS):
            before = self.place.item()
            self.run()
            moved.append(before - self.place.item())
            after()
        return moved


def expected(way: str) -> list[float]:
    """The reference's trace."""
    return [float(lr) for lr in by_way(way, PURE, WARMUP, STEPS, PEAK).claims.trace(STEPS, PEAK)]


def scheduled(way: str, probe: Probe) -> Callable[[], object]:
    """Build the way's scheduler on the probe's optimizer and return its step function."""
    scheduler = by_way(way, PURE, WARMUP, STEPS, PEAK).scheduler(probe.optimizer)
    return lambda: scheduler.step()


def near(way: str) -> object:
    """The reference's trace, up to the rounding of schedulers in a float32 tensor, as a share of the peak."""
    return pytest.approx(expected(way), rel=0, abs=of_peak(STEPS, "float32") * PEAK)


@pytest.mark.parametrize("way", ["sequential", "chained", "lambda"])
@pytest.mark.parametrize("kind", ["float", "tensor"])
@pytest.mark.parametrize("make", [sgd, lambda kind: optimizer_of(kind, PURE, "cpu")], ids=["sgd", "adam"])
def test_lr_that_moves_is_the_lr_scheduled(way: str, kind: str, make) -> None:  # type: ignore[no-untyped-def]
    """Under SGD and fused Adam, with a number or a tensor as LR, each step moves the weight by the reference's LR."""
    probe = Probe(make(kind), "cpu")
    assert probe.applied(scheduled(way, probe)) == near(way)


@pytest.mark.parametrize("late", [False, True])
def test_probe_notices_a_schedule_one_step_late(late: bool) -> None:
    """The same check fails with a scheduler that misses its first step."""
    probe = Probe(sgd("float"), "cpu")
    step, calls = scheduled("sequential", probe), iter(range(STEPS))
    applied = probe.applied(lambda: step() if next(calls) or not late else None)
    assert (applied == near("sequential")) is not late


@pytest.mark.parametrize("kind", ["capturable", "graph"])
def test_capture_asks_for_a_gpu(kind: str) -> None:
    """The capturable kinds are refused on a CPU."""
    with pytest.raises(NotImplementedError, match=f"^kind={kind} needs a GPU: nothing can be captured on device=cpu$"):
        optimizer_of(kind, PURE, "cpu")


@needs_gpu
@pytest.mark.parametrize("way", ["sequential", "chained", "lambda"])
@pytest.mark.parametrize("kind", KINDS)
def test_gpu_applies_the_lr_scheduled(way: str, kind: str) -> None:
    """On a GPU the scheduled LR is applied too, at every step, and in a captured graph at every replay."""
    probe = Probe(optimizer_of(kind, PURE, "cuda"), "cuda", captured=kind == "graph")
    assert probe.applied(scheduled(way, probe)) == near(way)


def capturable_float(parameters: Iterable[Parameter], lr: float) -> Optimizer:
    """Capturable Adam, but with a number as its LR."""
    return torch.optim.Adam(parameters, lr=lr, betas=PURE.betas, eps=PURE.eps, fused=True, capturable=True)


@needs_gpu
def test_graph_freezes_a_float_lr() -> None:
    """The pitfall: the scheduler changes the number in the group, but every replay applies the captured one."""
    probe = Probe(capturable_float, "cuda", captured=True)
    assert probe.applied(scheduled("sequential", probe)) == pytest.approx([PEAK] * STEPS, rel=1e-6)
    assert probe.optimizer.param_groups[0]["lr"] < PEAK / 10


@needs_gpu
def test_graph_freezes_a_tensor_that_is_replaced() -> None:
    """The pitfall's other form: a loop that assigns a new object in the group does not affect the graph."""
    probe = Probe(optimizer_of("graph", PURE, "cuda"), "cuda", captured=True)
    group, rates = probe.optimizer.param_groups[0], iter(expected("sequential"))
    applied = probe.applied(lambda: group.update(lr=torch.tensor(next(rates), device="cuda")))
    assert applied == pytest.approx([PEAK] * STEPS, rel=1e-6)


def test_capture_warms_up_and_then_only_replays(monkeypatch: pytest.MonkeyPatch) -> None:
    """With fakes for torch's streams and graphs: the work runs before and during the capture, never after it."""
    done: list[str] = []

    class Fake:
        def wait_stream(self, other: object) -> None:
            done.append("wait")

        def replay(self) -> None:
            done.append("replay")

    for name, value in {
        "is_available": lambda: True,
        "Stream": Fake,
        "CUDAGraph": Fake,
        "current_stream": Fake,
        "stream": contextlib.nullcontext,
        "graph": contextlib.nullcontext,
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    result = torch.zeros(1)
    captured = Captured(lambda: done.append("work") or result)  # type: ignore[func-returns-value]
    assert done == ["wait", *["work"] * WARMUP_CALLS, "wait", "work"]
    done.clear()
    assert [captured() is result, captured() is result] == [True, True]
    assert done == ["replay", "replay"]
