"""Replica steps per second of the batched trainer, compared with a loop over nn.Transformer.

``python -m bench.toy.batched.speed small16`` prints one measurement as JSON. It is a separate program because the
memory allocator reads its settings at start-up; ``bench/speed/test_batched_speed.py`` starts it with them.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable

import torch

from bench.toy.config import Config, named
from bench.toy.devices import settle
from bench.toy.model import build
from bench.toy.optimizers import configured_optimizer
from bench.toy.plain import token_loss
from bench.toy.rates import grid
from bench.toy.task import VOCABULARY, Task, batch_order, digits_needed
from reference import parse

from .batched import Batched

#: The configuration, and the number of replicas at once on a CPU and on a GPU.
WIDTHS = {
    "small16": (named("small16"), 256, 1024),
    "small32": (named("small32"), 128, 512),
    "small64": (named("small64"), 64, 256),
    "tutorial": (named("tutorial", dropout=0.0), 16, 64),
    "tutorial_ff512": (named("tutorial", dropout=0.0, feed_forward=512), 16, 64),
}
SECONDS = 0.6
COMPARED = 3
STEPS = 1000


@dataclasses.dataclass(frozen=True)
class Speed:
    """One measurement; rates in (replica) steps per second, one per round.

    `products`: torch's matrix products of forward and backward pass alone, an upper bound for a pass made of them.
    `cores`: CPU time over wall time and threads during the products; if it is far below 1, other programs were
    running and the ratios mean nothing: torch's own threads, which wait for each other, suffer most.
    """

    replicas: int
    threads: int
    compile_seconds: float
    plain: list[float]
    batched: list[float]
    products: list[float]
    cores: float

    def ratios(self) -> list[float]:
        """Batched over plain in each round."""
        return [ours / theirs for ours, theirs in zip(self.batched, self.plain, strict=True)]

    def summary(self) -> dict[str, float]:
        """Median, minimum and maximum ratio; the ratio of the best rounds; that ratio for the products alone."""
        ratios = self.ratios()
        best = max(self.plain)
        return {
            "ratio": statistics.median(ratios),
            "ratio_min": min(ratios),
            "ratio_max": max(ratios),
            "ratio_of_best": max(self.batched) / best,
            "floor_ratio": max(self.products) / best,
        }


def shapes(config: Config) -> list[tuple[int, int, int]]:
    """Tokens, inputs and outputs of every linear layer in one step of one replica."""
    d, hidden = config.d_model, config.feed_forward
    digits = digits_needed(config.limit)
    source, target = config.batch_size * digits, config.batch_size * (digits + 1)
    encoder = [(source, d, 3 * d), (source, d, d), (source, d, hidden), (source, hidden, d)]
    self_attention, cross_attention = [(target, d, 3 * d), (target, d, d)], [(target, d, d)] * 2 + [(source, d, 2 * d)]
    decoder = [*self_attention, *cross_attention, (target, d, hidden), (target, hidden, d)]
    return (encoder + decoder) * config.layers + [(target, d, len(VOCABULARY))]


def products_of(config: Config, runs: Batched) -> Callable[[], None]:
    """A function that computes only the matrix products of one step, on the threads of `runs`."""
    size = runs.groups[0].stop

    def job() -> Callable[[], None]:
        tensors = []
        for tokens, i, o in shapes(config):
            x, w, dy = (runs.parameters.new_zeros(size, *shape) for shape in ((tokens, i), (o, i), (tokens, o)))
            tensors.append((x, w, dy, *(torch.empty_like(each) for each in (x, w, dy))))

        def multiply() -> None:
            for x, w, dy, dx, dw, y in tensors:
                torch.bmm(x, w.mT, out=y)
                torch.bmm(dy, w, out=dx)
                torch.bmm(dy.mT, x, out=dw)

        return multiply

    jobs = [job() for _ in runs.groups]
    return lambda: runs.workers.run(jobs)


def rate(step: Callable[[], object], each: int, seconds: float, device: torch.device) -> float:
    """Steps per second times `each`, repeating the step for `seconds`."""
    settle(device.type)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        step()
        count += 1
    settle(device.type)
    return count * each / (time.perf_counter() - start)


def measure(
    name: str,
    *,
    threads: int,
    device: str,
    rounds: int,
    compiled: bool = False,
    native: bool = False,
    replicas: int = 0,
) -> Speed:
    """Measure one width; the two trainers take turns for `rounds` rounds.

    Raises RuntimeError if their losses differ.
    """
    config, on_cpu, on_gpu = WIDTHS[name]
    place, count = torch.device(device), replicas or (on_cpu if device == "cpu" else on_gpu)
    torch.set_num_threads(threads)
    task = Task.make(config.limit, config.validation_share, config.split_seed)
    order = itertools.cycle(batch_order(task.train, config.batch_size, STEPS, seed=0))
    model = build(config, seed=0).to(place)
    optimizer = configured_optimizer(config)(model.parameters(), 1e-3)

    def plain() -> torch.Tensor:
        batch = task.pairs.take(next(order)).to(place)
        optimizer.zero_grad()
        loss = token_loss(model(batch.source, batch.target_in), batch.target_out)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss.detach()

    rates = grid([parse("linear0+hold")] * count, [1e-3] * count, STEPS)
    seeds = list(range(count))
    runs = Batched(config, rates, seeds, device=device, threads=threads, compiled=compiled, native=native)
    start = time.perf_counter()
    runs.step()
    compile_seconds = time.perf_counter() - start if compiled else 0.0
    runs.run(COMPARED - 1)
    expected = torch.stack([plain() for _ in range(COMPARED)]).double().cpu()
    if not torch.allclose(runs.losses[0, :COMPARED], expected, rtol=1e-4, atol=0):
        raise RuntimeError(f"losses={runs.losses[0, :COMPARED].tolist()} must be {expected.tolist()}")
    products = products_of(config, runs)
    products()
    plains, batches, multiplied, shares = [], [], [], []
    for _ in range(rounds):
        plains.append(rate(plain, 1, SECONDS, place))
        batches.append(rate(runs.step, count, SECONDS, place))
        wall, used = time.perf_counter(), time.process_time()
        multiplied.append(rate(products, count, SECONDS, place))
        shares.append((time.process_time() - used) / (time.perf_counter() - wall) / threads)
    return Speed(count, threads, compile_seconds, plains, batches, multiplied, statistics.median(shares))


def main() -> None:
    """Measure one width and print the result as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.toy.batched.speed", description=__doc__)
    parser.add_argument("name", choices=WIDTHS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--native", action="store_true", help="the forward and backward pass in C")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--replicas", type=int, default=0, help="default: the number that suits the width")
    speed = measure(**vars(parser.parse_args()))
    json.dump({**dataclasses.asdict(speed), **speed.summary()}, sys.stdout)


if __name__ == "__main__":
    main()
