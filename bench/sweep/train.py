"""Trains the runs of one shard together, in a worker process, and collects their results."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import platform
import threading
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from bench.toy.batched.batched import Batched
from bench.toy.batched.records import first_at_or_below
from bench.toy.measures import FAILED_LOSS
from bench.toy.rates import grid
from reference import parse

from .spec import Run, Spec

ROOT = Path(__file__).parents[2]
#: The source files that a result depends on.
SOURCES = (
    "reference/*.py",
    "bench/toy/*.py",
    "bench/toy/batched/*.py",
    "bench/toy/language/*.py",
    "bench/toy/native/*.*",
    "bench/sweep/train.py",
)
#: Weights are drawn from torch's global generator, so in a pool of threads only one may draw at a time.
_DRAWING = threading.Lock()


class Result(NamedTuple):
    """The measurements of one run; losses in nats per token above the task's floor, which is 0 for numbers.

    * `loss`, `initial_loss`: validation loss after the last step and before the first;
    * `first_failing_step`: the step from which the training loss stays above 1.0 or not finite to the end
      (0: it never learned); None if the run ends at or below 1.0;
    * `steps_to_target`: the first step whose training loss is at or below the target, or None;
    * `max_attention_logit`, `max_gradient_norm`, `max_update_ratio`: over all steps, NaN without instruments.
    """

    loss: float
    initial_loss: float
    first_failing_step: int | None
    steps_to_target: int | None
    max_attention_logit: float
    max_gradient_norm: float
    max_update_ratio: float


@dataclasses.dataclass(frozen=True)
class Job:
    """Runs with the same norm placement, and the key of the code that must run them."""

    spec: Spec
    runs: tuple[Run, ...]
    code: str


class OtherCode(RuntimeError):
    """A worker's code or package versions differ from those of the submitting process."""


def code_key() -> str:
    """A hash of all code that a result depends on: our sources and the versions of torch, NumPy and Python."""
    versions = (torch.__version__, np.__version__, platform.python_version())
    digest = hashlib.sha256("\0".join(versions).encode())
    for path in sorted(path for pattern in SOURCES for path in ROOT.glob(pattern)):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def train_runs(job: Job) -> list[Result]:
    """Train the runs of a job together; no result depends on the other runs of the job.

    Raises OtherCode if the code here differs from the job's.
    """
    if code_key() != job.code:
        raise OtherCode(f"worker={platform.node()} must have the same code and versions of torch, NumPy and Python")
    spec, runs = job.spec, job.runs
    config = dataclasses.replace(spec.config, norm_first=runs[0].norm == "pre")
    rates = grid([parse(run.schedule) for run in runs], [run.lr for run in runs], spec.steps)
    with _DRAWING:
        batched = Batched(
            config,
            rates,
            [run.seed for run in runs],
            dtype=getattr(torch, spec.dtype),
            device=spec.device,
            compiled=spec.compiled,
            native=spec.native,
            instruments=spec.instruments,
        )
    before = batched.evaluate()
    batched.run()
    nothing = [math.nan] * len(runs)
    above = batched.losses - batched.floor
    columns = (
        batched.evaluate().tolist(),
        before.tolist(),
        failing_since(above, FAILED_LOSS),
        [None if step < 0 else step for step in first_at_or_below(above, spec.target).tolist()],
        *(
            [largest(record) for record in (batched.attention_logits, batched.gradient_norms, batched.update_ratios)]
            if spec.instruments
            else [nothing] * 3
        ),
    )
    return [Result(*row) for row in zip(*columns, strict=True)]


def failing_since(losses: Tensor, limit: float) -> list[int | None]:
    """The step from which losses [K, T] stay above the limit or not finite to the end; None for runs that end below it.

    >>> failing_since(torch.tensor([[2.0, 0.1, 2.0, torch.nan], [2.0, 0.1, 2.0, 0.1], [2.0, 2.0, 2.0, 2.0]]), 1.0)
    [2, None, 0]
    """
    high = ~(losses <= limit)
    last = high.flip(1).long().cumprod(1).sum(1)  # the number of such steps at the end
    return [losses.shape[1] - count if count else None for count in last.tolist()]


def largest(record: Tensor) -> list[float]:
    """The maximum of each row [K, T]; NaN counts as infinite, since it results from overflow.

    >>> largest(torch.tensor([[1.0, 3.0], [1.0, torch.nan]]))
    [3.0, inf]
    """
    maxima: list[float] = record.nan_to_num(nan=math.inf, posinf=math.inf).amax(1).tolist()
    return maxima
