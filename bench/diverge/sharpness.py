"""The preconditioned sharpness of a run of the toy model, against the limit of its LR."""

from __future__ import annotations

import numpy as np
import torch

from bench.toy.config import named
from bench.toy.plain import PlainLoop, token_loss
from bench.watch.sharpness import preconditioned_sharpness
from reference import parse
from reference.check import Rates, Steps

from .runs import Plan

#: Before that v is hardly more than g², and the sharpness says nothing.
FROM_STEP = 20
#: It is measured so many times in a run; a measurement costs as much as some 30 steps.
TIMES = 20
#: Numbers of the training part whose loss is looked at, always the same; relative error of the eigenvalue.
NUMBERS, TOLERANCE = 128, 1e-2


def sharpness_of(plan: Plan) -> tuple[Steps, Rates]:
    """Where the sharpness was measured, and λ_max(P^{-1/2}·H·P^{-1/2})·(1−β1)·η/(2+2β1) there: unstable above 1.

    A second run of the plan, with the plain trainer: rounding parts it from the first where the LR is high.
    It ends where a loss is not finite. Source: Cohen et al. 2022, arXiv 2207.14484.
    """
    model = named(plan.config, norm_first=plan.norm == "pre")
    loop = PlainLoop(model, parse(plan.schedule), plan.steps, plan.seed, plan.base_lr)
    pairs = loop.task.pairs.take(loop.task.train[:NUMBERS])
    wanted = set(range(FROM_STEP, plan.steps, max((plan.steps - FROM_STEP) // TIMES, 1)))
    steps, values = [], []
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for step in range(plan.steps):
            if not np.isfinite(loop.step()):
                break
            if step in wanted:
                found = preconditioned_sharpness(
                    loop.model,
                    loop.optimizer,
                    lambda: token_loss(loop.model(pairs.source, pairs.target_in), pairs.target_out),
                    tolerance=TOLERANCE,
                )
                steps.append(step)
                values.append(found.value / found.limit)
    finally:
        torch.set_num_threads(before)
    return np.array(steps, dtype=np.int64), np.array(values)
