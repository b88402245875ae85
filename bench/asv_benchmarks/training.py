"""asv: the cost of a step of the plain trainer under each warmup, and the savings of batched replicas.

Everything runs on one thread, in float32. asv regards smaller as better, so throughput is given in seconds per
1000 tokens, and the speed-up as the ratio of batched to sequential seconds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from bench.toy.batched.batched import Batched
from bench.toy.config import CONFIGS, named
from bench.toy.devices import DEVICES, require, settle
from bench.toy.plain import PlainLoop
from bench.toy.rates import grid
from bench.toy.rules import WARMUPS, WAYS, Rule, by_warmup, by_way, effective
from bench.toy.stopwatch import FIRST_STEPS, Stopwatch
from bench.toy.task import digits_needed

#: More steps than asv takes, so that no timed step is past the end; all timed steps are in the warmup.
WARMUP_STEPS, TOTAL_STEPS = 1_000, 10_000
#: A complete schedule, half of it warmup, for measurements over many steps.
SHORT_WARMUP, SHORT_TOTAL = 20, 40
REPLICAS = {"cpu": 64, "cuda": 1024}
ROUNDS = 7


def started(rule: Rule, config: str, device: str, steps: int = TOTAL_STEPS) -> PlainLoop:
    """The plain trainer under a rule, after its first steps."""
    require(device)
    torch.set_num_threads(1)
    loop = rule.loop(named(config), steps + FIRST_STEPS, device)
    for _ in range(FIRST_STEPS):
        loop.step()
    return loop


def seconds(action: Callable[[], object], device: str) -> float:
    """The seconds an action takes, including the work it queues on the device."""
    settle(device)
    start = time.perf_counter()
    action()
    settle(device)
    return time.perf_counter() - start


def scheduler_share(loop: PlainLoop, steps: int) -> float:
    """The percentage of a step spent on the LR: the median time on the LR over the median time of a step.

    Both are measured in the same steps. The median, because another process that takes the core for a moment
    turns a microsecond into a millisecond.
    """
    before, after = Stopwatch(loop.driver.before), Stopwatch(loop.driver.after)
    vars(loop.driver).update(before=before, after=after)
    step = Stopwatch(loop.step)
    for _ in range(steps):
        step()
    scheduler = [a + b for a, b in zip(before.seconds, after.seconds, strict=True)]
    return 100 * statistics.median(scheduler) / statistics.median(step.seconds)


def tokens_per_step(config: str) -> int:
    """The number of tokens one step reads, including padding: B·(s + t) for source length s and target length t."""
    digits = digits_needed(CONFIGS[config].limit)
    return CONFIGS[config].batch_size * (digits + digits + 1)


def batched_and_sequential(config: str, device: str) -> tuple[float, float]:
    """Seconds per replica step, in a batch of `REPLICAS` and alone: medians over alternating rounds."""
    alone = started(by_way("closed", named(config), SHORT_WARMUP, SHORT_TOTAL), config, device, steps=4 * ROUNDS)
    count = REPLICAS[device]
    together = batch(config, device, count)
    together.run(FIRST_STEPS)
    rounds = []
    for _ in range(ROUNDS):
        per_replica = seconds(together.step, device) / count
        rounds.append((per_replica, seconds(lambda: [alone.step() for _ in range(4)], device) / 4))
    batched, sequential = zip(*rounds, strict=True)
    return statistics.median(batched), statistics.median(sequential)


def batch(config: str, device: str, count: int) -> Batched:
    """Replicas with the same schedule and different seeds, before their first step."""
    schedule = effective("linear", named(config), SHORT_WARMUP, SHORT_TOTAL)
    rates = grid([schedule] * count, [1e-3] * count, SHORT_TOTAL)
    return Batched(named(config), rates, [k % 8 for k in range(count)], device=device)


class WarmupStep:
    """The step of the plain trainer under each warmup, as torch users write it."""

    param_names = ("warmup", "config", "device")
    params = (list(WARMUPS), ["small16", "small64"], list(DEVICES))
    repeat = (10, 40, 2.0)

    def setup(self, warmup: str, config: str, device: str) -> None:
        """Build, and take the first steps."""
        self.loop = started(by_warmup(warmup, named(config), WARMUP_STEPS, TOTAL_STEPS), config, device)

    def time_step(self, warmup: str, config: str, device: str) -> None:
        """Seconds for one optimizer step: batch, forward, backward, optimizer, scheduler, and reading the loss.

        `radam` is torch's RAdam, which has no fused kernel: its time is the optimizer's, not the warmup's.
        """
        self.loop.step()


class WayStep:
    """The same linear warmup and cosine, applied in each way."""

    param_names = ("way", "config", "device")
    params = (list(WAYS), ["small16", "small64"], list(DEVICES))
    repeat = (10, 40, 2.0)

    def setup(self, way: str, config: str, device: str) -> None:
        """Build, and take the first steps."""
        self.loop = started(by_way(way, named(config), WARMUP_STEPS, TOTAL_STEPS), config, device)

    def time_step(self, way: str, config: str, device: str) -> None:
        """Seconds for one optimizer step, as in WarmupStep."""
        self.loop.step()


class SchedulerShare:
    """The scheduler's share of a step, over a complete short schedule."""

    param_names = ("way", "config", "device")
    params = (list(WAYS), ["small16", "small64"], list(DEVICES))

    def setup(self, way: str, config: str, device: str) -> None:
        """Build, and take the first steps."""
        rule = by_way(way, named(config), SHORT_WARMUP, SHORT_TOTAL)
        self.loop = started(rule, config, device, SHORT_TOTAL)

    def track_percent(self, way: str, config: str, device: str) -> float:
        """Per cent of a step spent on the LR."""
        return scheduler_share(self.loop, SHORT_TOTAL)

    track_percent.unit = "percent of a step"  # type: ignore[attr-defined]


class Throughput:
    """Throughput by width, under SequentialLR."""

    param_names = ("config", "device")
    params = (["small16", "small32", "small64"], list(DEVICES))

    def setup(self, config: str, device: str) -> None:
        """Build, and take the first steps."""
        self.loop = started(by_way("sequential", named(config), SHORT_WARMUP, SHORT_TOTAL), config, device)

    def track_seconds_per_1000_tokens(self, config: str, device: str) -> float:
        """Seconds to train on 1000 tokens, padding included; tokens per second are 1000 over this."""
        taken = [seconds(self.loop.step, device) for _ in range(SHORT_TOTAL)]
        return 1000 * statistics.median(taken) / tokens_per_step(config)

    track_seconds_per_1000_tokens.unit = "s per 1000 tokens"  # type: ignore[attr-defined]


class Replicas:
    """Many replicas at once against one after another, alternating in one process."""

    param_names = ("config", "device")
    params = (["small16", "small32"], list(DEVICES))
    timeout = 300

    def setup(self, config: str, device: str) -> None:
        """Skip an absent device."""
        require(device)

    def track_seconds_per_replica_step(self, config: str, device: str) -> float:
        """Seconds for one step of one replica in a batch of 64 (1024 on a GPU)."""
        return batched_and_sequential(config, device)[0]

    track_seconds_per_replica_step.unit = "s per replica step"  # type: ignore[attr-defined]

    def track_batched_over_sequential(self, config: str, device: str) -> float:
        """The same over the seconds of a step of the plain trainer: 0.1 is ten times as fast."""
        batched, sequential = batched_and_sequential(config, device)
        return batched / sequential

    track_batched_over_sequential.unit = "batched / sequential"  # type: ignore[attr-defined]


class HostMemory:
    """Peak memory of the whole process, including torch itself (about 0.3 GB)."""

    param_names = ("trainer", "config")
    params = (["plain", "batched"], ["small16", "small64"])

    def peakmem_train(self, trainer: str, config: str) -> None:
        """Bytes at most, in a few steps of one run, or of a batch of 64."""
        a_few_steps(trainer, config, "cpu")


class DeviceMemory:
    """Peak memory that torch allocates on a GPU."""

    param_names = ("trainer", "config")
    params = (["plain", "batched"], ["small16", "small64"])

    def setup(self, trainer: str, config: str) -> None:
        """Skip without a GPU."""
        require("cuda")

    def track_peak(self, trainer: str, config: str) -> int:
        """Bytes at most, in a few steps of one run, or of a batch of 1024."""
        torch.cuda.reset_peak_memory_stats()
        a_few_steps(trainer, config, "cuda")
        return int(torch.cuda.max_memory_allocated())

    track_peak.unit = "bytes"  # type: ignore[attr-defined]


def a_few_steps(trainer: str, config: str, device: str) -> None:
    """Take the first steps of a run, or of a batch of replicas."""
    if trainer == "plain":
        started(by_way("sequential", named(config), SHORT_WARMUP, SHORT_TOTAL), config, device)
        return
    torch.set_num_threads(1)
    batch(config, device, REPLICAS[device]).run(FIRST_STEPS)
