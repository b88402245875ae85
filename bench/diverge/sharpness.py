"""The preconditioned sharpness of a toy-model run, relative to the stability limit of its LR."""

from __future__ import annotations

import numpy as np
import torch

from bench.toy.config import named
from bench.toy.plain import PlainLoop, token_loss
from bench.watch.sharpness import preconditioned_sharpness
from reference import parse
from reference.check import Rates, Steps

from .runs import Plan

#: Before this step v is hardly more than g², and the sharpness is meaningless.
FROM_STEP = 20
#: Measurements per run; each costs about as much as 30 steps.
TIMES = 20
#: The loss is that of this many fixed training examples; the tolerance is the relative error of the eigenvalue.
NUMBERS, TOLERANCE = 128, 1e-2


def sharpness_of(plan: Plan) -> tuple[Steps, Rates]:
    """The steps of the measurements, and λ_max(P^{-1/2}·H·P^{-1/2})·(1−β1)·η/(2+2β1) at each: unstable above 1.

    Runs the plan a second time with the plain trainer; at a high LR, rounding makes the two runs diverge.
    Stops at the first loss that is not finite. Source: Cohen et al. 2022, arXiv 2207.14484.
    """
    model = named(plan.config, norm_first=plan.norm == "pre")
    loop = PlainLoop(model, parse(plan.schedule), plan.steps, plan.seed, plan.base_lr)
    pairs = loop.task.pairs.take(loop.task.train[:NUMBERS])
    measured_at = set(range(FROM_STEP, plan.steps, max((plan.steps - FROM_STEP) // TIMES, 1)))
    steps, values = [], []
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for step in range(plan.steps):
            if not np.isfinite(loop.step()):
                break
            if step in measured_at:
                sharpness = preconditioned_sharpness(
                    loop.model,
                    loop.optimizer,
                    lambda: token_loss(loop.model(pairs.source, pairs.target_in), pairs.target_out),
                    tolerance=TOLERANCE,
                )
                steps.append(step)
                values.append(sharpness.value / sharpness.limit)
    finally:
        torch.set_num_threads(before)
    return np.array(steps, dtype=np.int64), np.array(values)
