"""The training benchmarks time what they claim: the right LRs, on available devices."""

from __future__ import annotations

import math
import time
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bench.asv_benchmarks import tensor_lr, training
from bench.tests.toy_models import ODD, one_thread
from bench.toy.config import named
from bench.toy.devices import DEVICES
from bench.toy.rules import WARMUPS, WAYS, Rule, by_warmup, by_way, effective
from bench.toy.stopwatch import FIRST_STEPS
from suite.engine.tolerances import of_peak

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures(one_thread.__name__)]  # trains

WARMUP, STEPS, PEAK = 7, 23, 3e-3


def used(rule: Rule) -> list[float]:
    """The LRs used by the plain trainer's optimizer under a rule."""
    loop = rule.loop(ODD, STEPS)
    for _ in range(STEPS):
        loop.step()
    return loop.used


def near(rule: Rule) -> object:
    """The trace claimed by a rule, up to the rounding of torch's recursions."""
    trace = rule.claims.trace(STEPS, rule.base_lr)
    return pytest.approx(trace, rel=0, abs=of_peak(STEPS) * trace.max())


@pytest.mark.parametrize("warmup", WARMUPS)
def test_warmup_applies_the_lr_that_it_claims(warmup: str) -> None:
    """Every timed warmup uses the LRs of its reference schedule."""
    rule = by_warmup(warmup, ODD, WARMUP, STEPS, PEAK)
    assert used(rule) == near(rule)


@pytest.mark.parametrize("way", WAYS)
def test_way_applies_the_lr_that_it_claims(way: str) -> None:
    """Every way to apply linear warmup and cosine uses the LRs of its reference schedule."""
    rule = by_way(way, ODD, WARMUP, STEPS, PEAK)
    assert used(rule) == near(rule)


def test_ways_share_one_schedule() -> None:
    """All ways claim the same schedule except the chain, which can only multiply and stays below the peak."""
    claims = {way: by_way(way, ODD, WARMUP, STEPS).claims for way in WAYS}
    same = effective("linear", ODD, WARMUP, STEPS)
    assert [way for way in WAYS if claims[way] != same] == ["chained"]
    assert claims["chained"].trace(STEPS).max() < same.trace(STEPS).max() == 1.0


def test_warmups_differ() -> None:
    """No two of the warmups are the same schedule, and none rises above its peak."""
    traces = {tuple(effective(warmup, ODD, WARMUP, STEPS).trace(STEPS).round(9)) for warmup in WARMUPS}
    assert len(traces) == len(WARMUPS)
    assert max(map(max, traces)) == 1.0


def test_radam_is_torch_s_own() -> None:
    """RAdam's warmup is inside the optimizer, with the constants of the configuration."""
    optimizer = by_warmup("radam", ODD, WARMUP, STEPS, PEAK).loop(ODD, 1).optimizer
    assert type(optimizer) is torch.optim.RAdam
    assert (optimizer.defaults["betas"], optimizer.defaults["eps"]) == (ODD.betas, ODD.eps)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: by_warmup("slow", ODD, 2, 4), f"warmup='slow' must be one of {', '.join(WARMUPS)}"),
        (lambda: by_way("magic", ODD, 2, 4), f"way='magic' must be one of {', '.join(WAYS)}"),
        (lambda: by_way("lambda", ODD, 1, 4), "warmup_steps=1 must be >= 2"),
        (lambda: by_warmup("linear", ODD, 4, 4), "warmup_steps=4 must be < 4, the total number of steps"),
    ],
)
def test_bad_arguments_are_named(make, message: str) -> None:  # type: ignore[no-untyped-def]
    """A bad argument is refused with its name, its value and the rule."""
    with pytest.raises(ValueError, match="must") as raised:
        make()
    assert str(raised.value) == message


def test_rule_without_a_scheduler_builds_none() -> None:
    """A closed form is set in the loop, so there is no scheduler to build."""
    rule = by_way("closed", ODD, WARMUP, STEPS)
    with pytest.raises(TypeError, match=r"^rule=\S+ must build a torch scheduler, not set values in the loop$"):
        rule.scheduler(rule.loop(ODD, 1).optimizer)


BENCHMARKS = [
    *(training.WarmupStep, training.WayStep, training.SchedulerShare, training.Throughput, training.Replicas),
    *(training.DeviceMemory, tensor_lr.TensorStep),
]


@pytest.mark.parametrize("benchmark_class", BENCHMARKS, ids=lambda cls: cls.__name__)
def test_absent_device_is_skipped(benchmark_class: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a GPU, every benchmark that needs one raises in its setup the error that asv treats as a skip."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    first = [axis[0] for axis in benchmark_class.params]
    if "device" in benchmark_class.param_names:
        assert benchmark_class.param_names[-1] == "device"
        first[-1] = DEVICES[1]
    with pytest.raises(NotImplementedError, match=r"^device=cuda is absent: torch sees no GPU here$"):
        benchmark_class().setup(*first)


def test_timed_steps_train(monkeypatch: pytest.MonkeyPatch) -> None:
    """One call of a timed method is one optimizer step, within the warmup."""
    monkeypatch.setattr(training, "TOTAL_STEPS", 40)
    monkeypatch.setattr(training, "WARMUP_STEPS", 20)
    for benchmark, axes in (
        (training.WarmupStep(), ("cosine", "small16", "cpu")),
        (training.WayStep(), ("chained", "small16", "cpu")),
    ):
        benchmark.setup(*axes)
        benchmark.time_step(*axes)
        lrs = benchmark.loop.used
        assert len(lrs) == FIRST_STEPS + 1
        assert lrs == sorted(set(lrs))


def test_share_is_that_of_the_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a fake clock: 1 + 2 of 100 seconds is 3 %, even if a few steps are slow."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(time, "perf_counter", lambda: clock.now)

    def spend(seconds: float) -> None:
        clock.now += seconds

    work, rest = iter([97, 97, 5000, 97, 97]), iter([2, 900, 2, 2, 2])
    driver = SimpleNamespace(before=lambda: spend(1), after=lambda: spend(next(rest)))

    def step() -> None:
        driver.before()
        spend(next(work))
        driver.after()

    loop = SimpleNamespace(driver=driver, step=step)
    assert training.scheduler_share(loop, 5) == pytest.approx(3.0)  # type: ignore[arg-type]


def test_tracked_numbers_of_training_are_positive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tracked number of a short run is finite and above 0."""
    monkeypatch.setattr(training, "REPLICAS", {"cpu": 2})
    monkeypatch.setattr(training, "ROUNDS", 1)
    monkeypatch.setattr(training, "SHORT_WARMUP", 2)
    monkeypatch.setattr(training, "SHORT_TOTAL", 4)
    share, tokens, replicas = training.SchedulerShare(), training.Throughput(), training.Replicas()
    share.setup("closed", "small16", "cpu")
    tokens.setup("small16", "cpu")
    numbers = [
        share.track_percent("closed", "small16", "cpu"),
        tokens.track_seconds_per_1000_tokens("small16", "cpu"),
        replicas.track_seconds_per_replica_step("small16", "cpu"),
        replicas.track_batched_over_sequential("small16", "cpu"),
    ]
    assert all(math.isfinite(number) and number > 0 for number in numbers)


def test_tokens_are_those_that_a_step_reads() -> None:
    """The number of tokens per step is the size of the tables given to the model."""
    loop = by_way("closed", named("small16"), 2, 4).loop(named("small16"), 4)
    batch = loop.task.pairs.take(loop.order[0])
    assert training.tokens_per_step("small16") == batch.source.numel() + batch.target_in.numel() == 224
