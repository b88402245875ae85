"""asv runs the intended benchmarks: no typos in its configuration, no stray benchmarks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from suite.tests.house.tree import ROOT

pytestmark = pytest.mark.slow  # asv discovers benchmarks in separate processes

CONFIG = ROOT / "asv.conf.json"
#: Every benchmark, by asv's name. Any function called time_…, mem_… or track_… would be added.
BENCHMARKS = [
    "lr_trace.LearningRates.track_steps_off",
    "machine_load.MachineLoad.track_seconds_per_cpu_second",
    "scheduler_step.SchedulerConstruction.time_construct",
    "scheduler_step.SchedulerStep.time_state_dict",
    "scheduler_step.SchedulerStep.time_step",
    "stability.Platform.track_checksum",
    "stability.Stability.track_early_loss",
    "stability.Stability.track_inverse_edge",
    "stability.Stability.track_inverse_edge_error",
    "stability.Stability.track_lr_sensitivity",
    "stability.Stability.track_lr_sensitivity_error",
    "stability.Stability.track_steps_off",
    "tensor_lr.TensorStep.time_step",
    "training.DeviceMemory.track_peak",
    "training.HostMemory.peakmem_train",
    "training.Replicas.track_batched_over_sequential",
    "training.Replicas.track_seconds_per_replica_step",
    "training.SchedulerShare.track_percent",
    "training.Throughput.track_seconds_per_1000_tokens",
    "training.WarmupStep.time_step",
    "training.WayStep.time_step",
]
DISCOVER = """
import sys
from asv_runner.discovery import list_benchmarks
with open(sys.argv[2], "w") as file:
    list_benchmarks(sys.argv[1], file)
"""
STEP_EVERY_COMPOSITION = """
import itertools, json, sys
sys.path.insert(0, sys.argv[1])
from bench.asv_benchmarks.scheduler_step import PEAK_LR, SchedulerConstruction, SchedulerStep
rates = {}
for composition, lr_type in itertools.product(SchedulerStep.params[0], SchedulerStep.params[2]):
    benchmark = SchedulerStep()
    benchmark.setup(composition, 3, lr_type)
    benchmark.time_step(composition, 3, lr_type)
    rates[f"{composition} {lr_type}"] = [float(lr) / PEAK_LR for lr in benchmark.scheduler.get_last_lr()]
    for sample in ("first", "second"):
        benchmark = SchedulerConstruction()
        benchmark.setup(composition, 3, lr_type)
        groups = benchmark.optimizer.param_groups
        before = [float(g["lr"]) / PEAK_LR for g in groups if "initial_lr" not in g]
        benchmark.time_construct(composition, 3, lr_type)
        rates[f"{composition} {lr_type} {sample}"] = before + [float(g["initial_lr"]) / PEAK_LR for g in groups]
print(json.dumps(rates))
"""


def discover(folder: Path, scratch: Path) -> list[dict[str, object]]:
    """The benchmarks that asv discovers in a folder, from an empty working directory and without our environment."""
    out = scratch / "benchmarks.json"
    command = [sys.executable, "-I", "-c", DISCOVER, str(folder), str(out)]
    subprocess.run(command, cwd=scratch, check=True)
    benchmarks: list[dict[str, object]] = json.loads(out.read_text())
    return benchmarks


@pytest.fixture(scope="module")
def discovered(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    """The benchmarks of bench/asv_benchmarks as asv discovers them."""
    return discover(ROOT / "bench" / "asv_benchmarks", tmp_path_factory.mktemp("asv"))


def unknown_keys(conf: dict[str, object]) -> set[str]:
    """Keys that asv would silently ignore."""
    from asv.config import Config

    return set(conf) - set(vars(Config())) - {"version"}  # the version of the format, read by asv.util


def test_configuration_keys_are_known() -> None:
    """asv knows every key of its configuration."""
    assert unknown_keys(json.loads(CONFIG.read_text())) == set()


def test_unknown_key_is_noticed() -> None:
    """A misspelt key is reported."""
    assert unknown_keys({"project": "x", "result_dir": "y"}) == {"result_dir"}


def test_configuration_is_read_by_asv() -> None:
    """asv loads the file; torch is an axis, nothing of ours is built, results go to results/asv."""
    from asv.config import Config

    conf = Config.load(str(CONFIG))
    assert len(conf.matrix["req"]["torch"]) > 1
    assert set(conf.matrix["req"]) == {"torch", "numpy"}
    # rich is all else that bench/ may import at its top; in the matrix it would be a part of every result's name.
    assert conf.install_command == ["in-dir={env_dir} python -m pip install rich==15.0.0"]
    assert (conf.build_command, conf.uninstall_command) == ([], [])
    assert (conf.benchmark_dir, conf.results_dir) == ("bench/asv_benchmarks", "results/asv")


def test_discovered_benchmarks_are_the_listed_ones(discovered: list[dict[str, object]]) -> None:
    """asv discovers exactly the listed benchmarks, each once, and can import every module of the folder."""
    assert sorted(str(benchmark["name"]) for benchmark in discovered) == BENCHMARKS


def test_parameters_are_plain_words_and_numbers(discovered: list[dict[str, object]]) -> None:
    """Parameters are strings and integers: asv stores their repr as part of a result's key."""
    for benchmark in discovered:
        params = benchmark["params"]
        assert isinstance(params, list)
        assert [value for axis in params for value in axis if not value.strip("'").isalnum()] == []


def test_stray_benchmark_is_noticed(tmp_path: Path) -> None:
    """A helper with a benchmark's name, imported into a second module, is discovered twice."""
    package = tmp_path / "strays"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "a.py").write_text("def track_loss():\n    pass\n")
    (package / "b.py").write_text("from .a import track_loss\n")
    assert [stray["name"] for stray in discover(package, tmp_path)] == ["a.track_loss", "b.track_loss"]


@pytest.fixture(scope="module")
def rates_when_timed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[float]]:
    """LRs of three groups over the peak LR after one timed call, by composition and type of LR.

    Runs in a separate process, because the module sets torch's number of threads at import.
    """
    command = [sys.executable, "-c", STEP_EVERY_COMPOSITION, str(ROOT)]
    scratch = tmp_path_factory.mktemp("step")
    run = subprocess.run(command, cwd=scratch, check=True, stdout=subprocess.PIPE)
    rates: dict[str, list[float]] = json.loads(run.stdout)
    return rates


@pytest.mark.parametrize("composition", ["sequential", "chained", "lambda", "cosine"])
@pytest.mark.parametrize("lr_type", ["float", "tensor"])
def test_timed_schedule_works(composition: str, lr_type: str, rates_when_timed: dict[str, list[float]]) -> None:
    """When timing starts, every composition of the step benchmark is in its cosine, in each group."""
    # The cosine has barely started (11 of 10**9 steps); the rest is rounding, 11 steps of it.
    rounding = 11 * 2.0**-23 if lr_type == "tensor" else 11 * 2.0**-52
    assert rates_when_timed[f"{composition} {lr_type}"] == pytest.approx([1.0] * 3, rel=rounding, abs=0)


@pytest.mark.parametrize("composition", ["sequential", "chained", "lambda", "cosine"])
@pytest.mark.parametrize("lr_type", ["float", "tensor"])
def test_each_timed_construction_starts_without_a_scheduler(
    composition: str, lr_type: str, rates_when_timed: dict[str, list[float]]
) -> None:
    """Every sample of the construction benchmark gets an optimizer at its peak LR without an earlier scheduler."""
    rounding = 2.0**-23 if lr_type == "tensor" else 0
    for sample in ("first", "second"):
        rates = rates_when_timed[f"{composition} {lr_type} {sample}"]
        assert rates == pytest.approx([1.0] * 6, rel=rounding, abs=0)
