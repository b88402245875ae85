"""Gilmer et al. 2021: with SGD, clipping the gradient does what a warmup does."""

from __future__ import annotations

import math

from bench.claims.core.grid import COLUMNS as COLUMNS
from bench.sweep.options import rates

from .core.arms import PaperArm
from .core.paper import Paper
from .core.prediction import SAME, SMALLEST, Prediction, Term, factor

STEPS = 800
FIFTH = STEPS // 5
LRS = rates(0.0125, 6.4, 19)
PLAIN, CLIPPED = "no clipping", "clipped at 1"

PAPER = Paper(
    name="gilmer",
    cite="Gilmer et al. 2021",
    link="https://arxiv.org/abs/2110.04369",
    where="the sections on warmup and on clipping",
    question="Does clipping the gradient replace a warmup with SGD, as Gilmer et al. say?",
    statement="Training with momentum is unstable where the curvature is too high for the LR; a warmup lets training "
    "move to flatter regions first, and clipping the gradient gets through the same instability without one.",
    arms=tuple(
        PaperArm(name, (0, FIFTH), LRS, {"optimizer": "sgd", "momentum": 0.9, **clip}, steps=STEPS)
        for name, clip in ((PLAIN, {}), (CLIPPED, {"max_norm": 1.0}))
    ),
    predictions=(
        Prediction("factor of a 20% warmup, no clipping", factor(PLAIN, FIFTH), SMALLEST, math.inf, (0.2, 3.0)),
        Prediction(
            "edge, clipping without warmup over a 20% warmup without clipping",
            (Term(CLIPPED, 0, 1.0), Term(PLAIN, FIFTH, -1.0)),
            -SAME,
            math.inf,
            (0.0, 3.0),
        ),
        Prediction("factor of a 20% warmup, clipped at 1", factor(CLIPPED, FIFTH), -SAME, SAME, (0.0, 0.0)),
    ),
    known="a few runs of SGD with momentum failed at an LR of 0.4 and became not finite at 1.6; none was clipped. "
    "After the predictions were written, seeds 5000 and 5001 were run at every third LR to see whether the "
    "edges lie inside the LRs; they do, and without clipping a warmup raised neither of the two edges",
    limits="a post-LN Transformer with Adam's task; the paper has residual networks on images and a Transformer on "
    "text. A clipped step has a norm of at most the LR, so that a high LR means another thing there. SGD may learn "
    "this task at no LR in 800 steps, and then nothing is testable",
)
specs, train, claim = PAPER.specs, PAPER.train, PAPER.claim
