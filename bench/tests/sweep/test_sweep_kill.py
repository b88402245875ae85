"""A sweep that is killed without warning, and one on a Dask cluster: for real, on a grid of milliseconds."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.sweep import shards
from bench.sweep.engine import dask, run_sweep
from bench.sweep.shards import Shards, key_of
from bench.tests.sweeps import GRID, Here
from bench.tests.toy_models import one_thread
from suite.tests.house.tree import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures(one_thread.__name__)]

#: Long enough to be killed between two shards.
LONGER = dataclasses.replace(GRID, steps=60)
SWEEP = """
import sys
from pathlib import Path
from bench.sweep.engine import processes, run_sweep
from bench.tests.sweep.test_sweep_kill import LONGER
if __name__ == "__main__":
    with processes(1) as pool:
        run_sweep(LONGER, pool, Path(sys.argv[1]), size=2)
"""
#: A worker process has to import torch first.
PATIENCE = 120.0


def test_a_killed_sweep_goes_on_where_it_was(tmp_path: Path) -> None:
    """After kill -9 between shards every finished run is found, no run is run twice, and the result is the same."""
    process = subprocess.Popen([sys.executable, "-c", SWEEP, str(tmp_path)], cwd=ROOT)
    limit = time.monotonic() + PATIENCE
    while not list(tmp_path.glob("*.csv")) and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.02)
    process.kill()
    process.wait()
    found = Shards(tmp_path, key_of(LONGER)).read(LONGER.runs())
    assert len(found) == 2 * len(list(tmp_path.glob("*.csv"))) > 0
    executor = Here()
    resumed = run_sweep(LONGER, executor, tmp_path)
    assert executor.runs == 24 - len(found)
    undisturbed = run_sweep(LONGER, Here(), tmp_path / "other")
    assert shards.packed(resumed.items()) == shards.packed(undisturbed.items())


def test_a_dask_cluster_gives_the_same(tmp_path: Path) -> None:
    """Two workers of a local cluster, reached by its address, give the bits of this process."""
    distributed = pytest.importorskip("distributed", reason="dask[distributed] is not installed")
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**options, silence_logs=50) as cluster, dask(cluster.scheduler_address) as executor:
        found = run_sweep(GRID, executor, tmp_path / "dask", size=6)
    here = run_sweep(GRID, Here(), tmp_path / "here", size=6)
    assert shards.packed(found.items()) == shards.packed(here.items())


def test_a_cluster_that_does_not_answer_is_an_error() -> None:
    """No scheduler at the address: OSError, which the command turns into one line."""
    pytest.importorskip("distributed", reason="dask[distributed] is not installed")
    with pytest.raises(OSError, match="Timed out"), dask("tcp://127.0.0.1:9", timeout=0.2):
        pytest.fail("connected to nothing")
