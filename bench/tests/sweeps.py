"""Shared by the tests of sweeps: a grid that trains in milliseconds, and an executor that can fail."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from bench.sweep.spec import Spec
from bench.toy.config import Config

TINY = Config(d_model=16, feed_forward=4, heads=1, layers=1, limit=10, batch_size=3)
#: 2 norms × 3 settings × 2 LRs × 2 seeds: 24 runs.
GRID = Spec(
    TINY,
    "tiny",
    steps=6,
    warmups=(0, 3),
    lrs=(0.01, 0.1),
    seeds=(0, 1),
    kinds=("linear", "cosine"),
    norms=("post", "pre"),
    match=("steps",),
)


class InlineExecutor(Executor):
    """Runs each job immediately in the calling thread and counts the runs; after `max_jobs` jobs it raises `error`."""

    def __init__(self, max_jobs: int | None = None, error: Exception | None = None) -> None:
        self.max_jobs, self.error, self.jobs, self.runs = max_jobs, error or RuntimeError("stopped"), 0, 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a job."""
        future: Future[Any] = Future()
        if self.jobs == self.max_jobs:
            future.set_exception(self.error)
        else:
            self.jobs += 1
            self.runs += len(args[0].runs)
            future.set_result(fn(*args, **kwargs))
        return future
