"""Runs a sweep on any executor; each finished shard is saved at once and never run again."""

from __future__ import annotations

import contextlib
import importlib
import math
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor, as_completed
from itertools import groupby, pairwise
from pathlib import Path

from bench.toy.machine import MALLOC
from reference.check import integer
from suite.shared.files import end_with_parent

from .shards import Shards, key_of
from .spec import Run, Spec
from .train import Job, Result, code_key, train_runs

#: Runs trained together. A replica costs about as much beside 31 others as beside 63,
#: and with smaller shards a kill loses less and the progress bar is smoother.
SHARD = 32
#: On a GPU a step costs about the same until the device is full.
SHARD_ON_GPU = 1024
#: Called with the number of finished runs and the total.
ProgressReport = Callable[[int, int], None]


class DiskError(Exception):
    """A finished shard could not be written; the message is one line that says how many runs are saved."""


def cut(runs: Sequence[Run], size: int, jobs: int = 1) -> list[tuple[Run, ...]]:
    """Cut runs into shards of nearly equal length, at most `size`.

    All runs of a shard have the same norm placement; for each placement the number of shards is a multiple of `jobs`.

    >>> run = Run("linear0+hold", "none", 0, 0.0, "hold", "post", 0.1, 0)
    >>> [len(shard) for shard in cut([run._replace(seed=seed) for seed in range(10)], 4, 2)]
    [2, 3, 3, 2]
    """
    integer("size", size, 1)
    shards: list[tuple[Run, ...]] = []
    for _, group in groupby(runs, key=lambda run: run.norm):
        same = list(group)
        count = -(-math.ceil(len(same) / size) // integer("jobs", jobs, 1)) * jobs
        edges = [round(len(same) * i / count) for i in range(count + 1)]
        shards += [tuple(same[i:j]) for i, j in pairwise(edges) if i < j]
    return shards


def run_sweep(
    spec: Spec,
    executor: Executor,
    folder: Path,
    *,
    size: int | None = None,
    jobs: int = 1,
    report: ProgressReport = lambda done, total: None,
) -> dict[Run, Result]:
    """Run a sweep and return the result of each run, in the order of the grid.

    Runs whose shards are in `folder` are read; the others are cut into shards of at most `size` runs for `jobs`
    workers and submitted to `executor`; each shard is written as soon as it is finished. The results depend
    neither on these numbers nor on interruptions (on a CPU, without `compiled`).
    Raises DiskError if a shard cannot be written, OSError if the folder cannot be created or read,
    and whatever a worker raises; shards finished before that are kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    runs, shards = spec.runs(), Shards(folder, key_of(spec))
    results = shards.read(runs)
    report(len(results), len(runs))
    if size is None:
        size = SHARD if spec.device == "cpu" else SHARD_ON_GPU
    code = code_key()
    futures: dict[Future[list[Result]], tuple[Run, ...]] = {}
    stopped: BaseException | None = None
    try:
        for part in cut([run for run in runs if run not in results], size, jobs):
            futures[executor.submit(train_runs, Job(spec, part, code))] = part
        for future in as_completed(futures):
            failure = CancelledError("cancelled") if future.cancelled() else future.exception()
            if failure is not None:  # shards already started elsewhere are still awaited and saved
                stopped = stopped or failure
                _cancel(futures)
                continue
            rows = list(zip(futures[future], future.result(), strict=True))
            try:
                shards.add(rows)
            except OSError as error:
                raise DiskError(
                    f"out={folder}: {error.strerror}; {len(results)} of {len(runs)} runs are saved, "
                    "rerun the same command to resume"
                ) from error
            results.update(rows)
            report(len(results), len(runs))
    finally:
        _cancel(futures)
    if stopped is not None:
        raise stopped
    return {run: results[run] for run in runs}


def _cancel(futures: Iterable[Future[list[Result]]]) -> None:
    for future in futures:
        future.cancel()


def _start_worker() -> None:
    """Set up a worker: it exits with its parent, and at Ctrl-C immediately and silently."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def processes(jobs: int) -> Iterator[Executor]:
    """Worker processes on this machine, spawned because torch's threads do not survive a fork."""
    for name, value in MALLOC.items():
        os.environ.setdefault(name, value)  # read by a process when it starts
    with ProcessPoolExecutor(
        integer("jobs", jobs, 1), multiprocessing.get_context("spawn"), initializer=_start_worker
    ) as pool:
        yield pool


@contextlib.contextmanager
def dask(address: str, timeout: float = 20.0) -> Iterator[Executor]:
    """The workers of a Dask cluster; workers and scheduler need this repository and the same package versions.

    Raises OSError if no scheduler answers at the address.
    """
    client = importlib.import_module("distributed").Client  # it has no types
    with client(address, timeout=timeout, set_as_default=False) as connected, connected.get_executor() as executor:
        yield executor
