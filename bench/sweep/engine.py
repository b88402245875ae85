"""Runs a sweep on any executor; what is finished is on disk at once, and is not run again."""

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

#: Runs that are trained together. A replica costs about as much beside 31 others as beside 63,
#: and smaller shards mean less lost by a kill and a smoother progress bar.
SHARD = 32
#: On a GPU one step costs about the same until the device is full.
SHARD_ON_GPU = 1024
#: Called with the number of finished runs and of all runs.
Report = Callable[[int, int], None]


class DiskError(Exception):
    """A finished shard could not be written; the text is one line that says what is kept."""


def cut(runs: Sequence[Run], size: int, jobs: int = 1) -> list[tuple[Run, ...]]:
    """Shards of nearly equal length, at most `size`: each of one norm placement, their number a multiple of `jobs`.

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
    report: Report = lambda done, total: None,
) -> dict[Run, Result]:
    """All runs of a sweep with their results, in the order of the grid.

    Runs whose shards lie in `folder` are read; the others are cut into shards of at most `size` runs for `jobs`
    workers and submitted to `executor`; each shard is written as soon as it is finished. The results depend
    neither on these numbers nor on how often the sweep was interrupted (on a CPU, without `compiled`).
    Raises DiskError where a shard cannot be written, OSError where the folder cannot be made or read,
    and whatever a worker raises; shards finished until then are kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted, shards = spec.runs(), Shards(folder, key_of(spec))
    found = shards.read(wanted)
    report(len(found), len(wanted))
    if size is None:
        size = SHARD if spec.device == "cpu" else SHARD_ON_GPU
    code = code_key()
    futures: dict[Future[list[Result]], tuple[Run, ...]] = {}
    stopped: BaseException | None = None
    try:
        for part in cut([run for run in wanted if run not in found], size, jobs):
            futures[executor.submit(train_runs, Job(spec, part, code))] = part
        for future in as_completed(futures):
            failure = CancelledError("cancelled") if future.cancelled() else future.exception()
            if failure is not None:  # what other workers have begun is still waited for, and kept
                stopped = stopped or failure
                _cancel(futures)
                continue
            rows = list(zip(futures[future], future.result(), strict=True))
            try:
                shards.add(rows)
            except OSError as error:
                raise DiskError(
                    f"out={folder}: {error.strerror}; {len(found)} of {len(wanted)} runs are kept, "
                    "the same command goes on from there"
                ) from error
            found.update(rows)
            report(len(found), len(wanted))
    finally:
        _cancel(futures)
    if stopped is not None:
        raise stopped
    return {run: found[run] for run in wanted}


def _cancel(futures: Iterable[Future[list[Result]]]) -> None:
    for future in futures:
        future.cancel()


def _begin() -> None:
    """Set up a worker: it ends with its parent, and at Ctrl-C at once and without a word."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def processes(jobs: int) -> Iterator[Executor]:
    """Worker processes of this machine, started afresh: torch's threads do not survive a fork."""
    for name, value in MALLOC.items():
        os.environ.setdefault(name, value)  # read by a process when it starts
    with ProcessPoolExecutor(
        integer("jobs", jobs, 1), multiprocessing.get_context("spawn"), initializer=_begin
    ) as pool:
        yield pool


@contextlib.contextmanager
def dask(address: str, timeout: float = 20.0) -> Iterator[Executor]:
    """The workers of a Dask cluster; they and its scheduler must find this repository and the same versions.

    Raises OSError where no scheduler answers at the address.
    """
    client = importlib.import_module("distributed").Client  # it has no types
    with client(address, timeout=timeout, set_as_default=False) as connected, connected.get_executor() as executor:
        yield executor
