"""The overhead of watching: a toy training step with the recorder or the monitor, against the same step without.

Run ``python -m pytest bench/speed/test_recorder_cost.py --benchmark-only -s``; plain ``pytest`` times nothing.
The same loop runs with and without in turn, on one thread; each step is timed separately, in CPU time, as nothing
here waits. The overhead compares the median steps; its interval is a bootstrap over the rounds.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
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

#: Timed steps per round, and untimed steps before them: the first calls of patched functions are slow.
STEPS, FIRST = 25, 5
ROUNDS = 60
DRAWS = 2000
#: The overhead that the recorder may have, as a share of a step.
RECORDER_BAR = 0.02


class EndlessLoop:
    """A training loop on the toy task without an end."""

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
        """Train `steps` more steps and return the CPU seconds of each."""
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
def recorder(loop: EndlessLoop) -> Iterator[Callable[[Tensor], None] | None]:
    """The recorder, as `python -m bench record` uses it."""
    with Recorder():
        yield None


@contextlib.contextmanager
def monitor(loop: EndlessLoop) -> Iterator[Callable[[Tensor], None]]:
    """The monitor at every step, given the loss."""
    with Monitor(loop.model, loop.optimizer) as watching:
        yield watching.loss


@contextlib.contextmanager
def monitor_every_10(loop: EndlessLoop) -> Iterator[Callable[[Tensor], None]]:
    """The monitor at every tenth step."""
    with Monitor(loop.model, loop.optimizer, every=10) as watching:
        yield watching.loss


class WatchMode(NamedTuple):
    """A way to watch a loop, and the overhead allowed as a share of a step, if any."""

    open: Callable[[EndlessLoop], contextlib.AbstractContextManager[Callable[[Tensor], None] | None]]
    bar: float | None = None


MODES = {
    "recorder": WatchMode(recorder, RECORDER_BAR),
    "monitor": WatchMode(monitor),
    "monitor, every=10": WatchMode(monitor_every_10),
}


def measure(mode: WatchMode, loop: EndlessLoop) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Seconds of each step without and with watching: [rounds, steps] each."""
    seconds: dict[bool, list[list[float]]] = {False: [], True: []}
    for i in range(ROUNDS):
        for watched in (True, False) if i % 2 else (False, True):
            with contextlib.ExitStack() as stack:
                look = stack.enter_context(mode.open(loop)) if watched else None
                seconds[watched].append(loop.run(FIRST + STEPS, look)[FIRST:])
    return np.array(seconds[False]), np.array(seconds[True])


def share(plain: NDArray[np.float64], watched: NDArray[np.float64]) -> float:
    """The overhead of watching on the median step, as a share of it."""
    return float(np.median(watched) / np.median(plain) - 1)


def interval(plain: NDArray[np.float64], watched: NDArray[np.float64]) -> tuple[float, float]:
    """The 95 % interval of the overhead, a bootstrap over rounds."""
    draw = np.random.default_rng(0).integers(len(plain), size=(DRAWS, len(plain)))
    low, high = np.quantile([share(plain[rows], watched[rows]) for rows in draw], (0.025, 0.975))
    return float(low), float(high)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One benchmark for each way to watch."""
    metafunc.parametrize("name", MODES)


def test_recorder_cost(name: str, benchmark: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The recorder costs less than 2 % of a step of the smallest toy model; the monitor's overhead is printed."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        plain, watched = benchmark.pedantic(measure, args=(MODES[name], EndlessLoop("small16")), rounds=1)
    finally:
        torch.set_num_threads(threads)
    step, added, bar = float(np.median(plain)), share(plain, watched), MODES[name].bar
    low, high = interval(plain, watched)
    benchmark.extra_info.update(seconds_per_step=step, share=added, interval=[low, high], bar=bar)
    with capsys.disabled():
        limit = "" if bar is None else f" (bar {bar:.0%})"
        print(f"\n{name:20} {added:6.2%} [{low:.2%}, {high:.2%}] of a step of {step * 1e3:.1f} ms{limit}")
    assert bar is None or added < bar
