"""Python threads that each run torch on one core: they share whole replicas, never a single operation.

torch's own threads would split a matrix product differently for 1 replica than for 2, and so round
differently; they also synchronise after every operation, of which a step has over a thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import torch

from reference.check import integer


class Workers:
    """Runs jobs on `threads` threads (1: the caller's), each with torch set to one thread."""

    def __init__(self, threads: int) -> None:
        self.threads = integer("threads", threads, 1)
        self.pool: ThreadPoolExecutor | None = None
        if threads > 1:
            self.pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))

    def run(self, jobs: Iterable[Callable[[], None]]) -> None:
        """Run all jobs and raise the first error; the caller's number of torch threads is restored."""
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            if self.pool is None:
                for job in jobs:
                    job()
            else:
                for done in [self.pool.submit(job) for job in jobs]:
                    done.result()
        finally:
            torch.set_num_threads(before)
