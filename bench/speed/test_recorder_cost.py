"""What watching costs: a toy training step with the recorder, and with the monitor, beside the same step without.

Run ``python -m pytest bench/speed/test_recorder_cost.py --benchmark-only -s``; plain ``pytest`` times nothing.
The same loop runs with and without, in turn, on one thread, and every step is timed for itself, in seconds of the
processor: nothing here waits. The share is that of the median steps; its interval is a bootstrap over the rounds.

asv imports this module too, in environments without pytest: so it imports no pytest.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Adam
from torch.optim.lr_scheduler import CosineAnnealingLR

from bench.toy.config import CONFIGS
from bench.toy.model import build
from bench.toy.plain import token_loss
from bench.toy.task import Task, batch_order
from bench.watch import Monitor, Recorder

if TYPE_CHECKING:
    import pytest

#: Steps that are timed in one round, and before them such that are not: what was replaced is first called slowly.
STEPS, FIRST = 25, 5
ROUNDS = 60
DRAWS = 2000
#: The share of a step that the recorder may cost.
RECORDER_BAR = 0.02


class Loop:
    """A training loop on the toy task that can go on for ever."""

    def __init__(self, name: str) -> None:
        config = CONFIGS[name]
        task = Task.make(config.limit, config.validation_share, config.split_seed)
        order = batch_order(task.train, config.batch_size, 28, seed=0)
        self.batches = [task.pairs.take(rows) for rows in order]
        self.model = build(config, 0)
        self.optimizer = Adam(self.model.parameters(), lr=1e-3, fused=True)
        self.scheduler = CosineAnnealingLR(self.optimizer, 10**9)
        self.at = 0

    def run(self, steps: int, look: Callable[[Tensor], None] | None = None) -> list[float]:
        """Train on; the seconds of the processor that each step took."""
        seconds = []
        for _ in range(steps):
            start = time.process_time()
            batch = self.batches[self.at % len(self.batches)]
            self.at += 1
            self.optimizer.zero_grad()
            loss = token_loss(self.model(batch.source, batch.target_in), batch.target_out)
            if look is not None:
                look(loss)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            self.scheduler.step()
            seconds.append(time.process_time() - start)
        return seconds


@contextlib.contextmanager
def recorder(loop: Loop) -> Iterator[Callable[[Tensor], None] | None]:
    """The recorder, as `python -m bench record` has it."""
    with Recorder():
        yield None


@contextlib.contextmanager
def monitor(loop: Loop) -> Iterator[Callable[[Tensor], None]]:
    """The monitor at every step, the loss handed over."""
    with Monitor(loop.model, loop.optimizer) as watching:
        yield watching.loss


@contextlib.contextmanager
def monitor_every_10(loop: Loop) -> Iterator[Callable[[Tensor], None]]:
    """The monitor at every tenth step."""
    with Monitor(loop.model, loop.optimizer, every=10) as watching:
        yield watching.loss


class Watch(NamedTuple):
    """A way to watch a loop, and the share of a step that it may cost, if there is a bar."""

    open: Callable[[Loop], contextlib.AbstractContextManager[Callable[[Tensor], None] | None]]
    bar: float | None = None


WATCHES = {
    "recorder": Watch(recorder, RECORDER_BAR),
    "monitor": Watch(monitor),
    "monitor, every=10": Watch(monitor_every_10),
}


def measure(watch: Watch, loop: Loop) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Seconds of each step without and with: [rounds, steps] each."""
    found: dict[bool, list[list[float]]] = {False: [], True: []}
    for i in range(ROUNDS):
        for watched in (True, False) if i % 2 else (False, True):
            with contextlib.ExitStack() as stack:
                look = stack.enter_context(watch.open(loop)) if watched else None
                found[watched].append(loop.run(FIRST + STEPS, look)[FIRST:])
    return np.array(found[False]), np.array(found[True])


def share(plain: NDArray[np.float64], watched: NDArray[np.float64]) -> float:
    """What watching adds to the median step, as a share of it."""
    return float(np.median(watched) / np.median(plain) - 1)


def interval(plain: NDArray[np.float64], watched: NDArray[np.float64]) -> tuple[float, float]:
    """The 95 % interval of the share, over draws of rounds."""
    draw = np.random.default_rng(0).integers(len(plain), size=(DRAWS, len(plain)))
    low, high = np.quantile([share(plain[rows], watched[rows]) for rows in draw], (0.025, 0.975))
    return float(low), float(high)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One benchmark for each way to watch (a hook, as this module imports no pytest)."""
    metafunc.parametrize("name", WATCHES)


def test_recorder_cost(name: str, benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The recorder costs less than 2 % of a step of the smallest toy model; what the monitor costs is printed."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        plain, watched = benchmark.pedantic(measure, args=(WATCHES[name], Loop("small16")), rounds=1)
    finally:
        torch.set_num_threads(threads)
    step, added, bar = float(np.median(plain)), share(plain, watched), WATCHES[name].bar
    low, high = interval(plain, watched)
    benchmark.extra_info.update(seconds_per_step=step, share=added, interval=[low, high], bar=bar)
    with capsys.disabled():
        said = "" if bar is None else f" (bar {bar:.0%})"
        print(f"\n{name:20} {added:6.2%} [{low:.2%}, {high:.2%}] of a step of {step * 1e3:.1f} ms{said}")
    assert bar is None or added < bar
