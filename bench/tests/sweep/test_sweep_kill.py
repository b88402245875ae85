"""A sweep killed without warning, and one on a Dask cluster: real processes, on a tiny grid."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.sweep import shards
from bench.sweep.engine import dask, run_sweep
from bench.sweep.shards import Shards, key_of
from bench.tests.sweeps import GRID, InlineExecutor
from bench.tests.toy_models import one_thread
from suite.tests.house.tree import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures(one_thread.__name__)]

#: A sweep that reports its second shard on standard output and then waits to be killed, its worker still busy.
SWEEP = """
import sys
from pathlib import Path
from bench.sweep.engine import processes, run_sweep
from bench.tests.sweeps import GRID

def wait_after_two(done, total):
    if done == 4:
        print(done, flush=True)
        sys.stdin.read()

if __name__ == "__main__":
    with processes(1) as pool:
        run_sweep(GRID, pool, Path(sys.argv[1]), size=2, report=wait_after_two)
"""
#: Seconds to wait for a scheduler that does answer, however busy the machine is.
PATIENCE = 600.0


def test_a_killed_sweep_resumes_where_it_was(tmp_path: Path) -> None:
    """After kill -9 between shards every finished run is kept, no run is repeated, and the result is the same."""
    command = [sys.executable, "-c", SWEEP, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        reported = process.stdout.readline()  # returns when two shards are written, or when the process has died
        process.kill()
    assert int(reported) == 4
    kept = Shards(tmp_path, key_of(GRID)).read(GRID.runs())
    assert len(kept) == 2 * len(list(tmp_path.glob("*.csv"))) == 4
    executor = InlineExecutor()
    resumed = run_sweep(GRID, executor, tmp_path)
    assert executor.runs == 24 - len(kept)
    undisturbed = run_sweep(GRID, InlineExecutor(), tmp_path / "other")
    assert shards.packed(resumed.items()) == shards.packed(undisturbed.items())


def test_a_dask_cluster_gives_the_same(tmp_path: Path) -> None:
    """Two workers of a local cluster, reached by its address, give the same bits as this process."""
    distributed = pytest.importorskip("distributed", reason="dask[distributed] is not installed")
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with (
        distributed.LocalCluster(**options, silence_logs=50) as cluster,
        dask(cluster.scheduler_address, timeout=PATIENCE) as executor,
    ):
        from_cluster = run_sweep(GRID, executor, tmp_path / "dask", size=6)
    inline = run_sweep(GRID, InlineExecutor(), tmp_path / "inline", size=6)
    assert shards.packed(from_cluster.items()) == shards.packed(inline.items())


def test_a_cluster_that_does_not_answer_is_an_error() -> None:
    """Without a scheduler at the address: OSError, which the command turns into one line."""
    pytest.importorskip("distributed", reason="dask[distributed] is not installed")
    with pytest.raises(OSError, match="Timed out"), dask("tcp://127.0.0.1:9", timeout=0.2):
        pytest.fail("connected to nothing")
