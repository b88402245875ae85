"""Kosson, Messmer & Jaggi 2024: larger batches need a warmup more, a higher momentum less."""

from __future__ import annotations

import math

from bench.claims.core.grid import COLUMNS as COLUMNS
from bench.sweep.options import rates

from .core.arms import PaperArm
from .core.paper import Paper
from .core.prediction import SMALLEST, Prediction, factor

#: A batch of 8 and a β1 of 0.98 learn the task in no 200 steps, so these arms are longer than those of other papers.
STEPS, MOMENTUM_STEPS = 400, 800
FIFTH, MOMENTUM_FIFTH = STEPS // 5, MOMENTUM_STEPS // 5
BATCHES = (8, 32, 128)
#: The batch grows by this many octaves from the first to the last.
OCTAVES_OF_BATCH = math.log2(BATCHES[-1] / BATCHES[0])
BATCH_LRS, MOMENTUM_LRS = rates(0.0025, 0.16, 19), rates(0.00125, 0.16, 22)

PAPER = Paper(
    name="kosson",
    cite="Kosson, Messmer & Jaggi 2024",
    link="https://arxiv.org/abs/2410.23922",
    where="the sections on the signal-to-noise ratio of the gradient and on momentum",
    question="Does a warmup buy more with larger batches and less with a higher momentum, as Kosson et al. say?",
    statement="Early in training the critical batch size is small: gradients agree with each other, so that updates "
    "of a fixed size move the network's outputs too far, the more the larger the batch. A higher momentum with its "
    "bias correction averages this out and makes a warmup less necessary.",
    arms=(
        *(PaperArm(f"batch {size}", (0, FIFTH), BATCH_LRS, {"batch_size": size}, steps=STEPS) for size in BATCHES),
        *(
            PaperArm(f"β1 {beta:g}", (0, MOMENTUM_FIFTH), MOMENTUM_LRS, {"betas": (beta, 0.999)}, steps=MOMENTUM_STEPS)
            for beta in (0.9, 0.98)
        ),
    ),
    predictions=(
        Prediction(
            "slope of the log2 factor of a 20% warmup over log2 batch size, 8 to 128",
            # Least squares over three sizes that are equally spaced: the middle one has no weight.
            (
                *factor("batch 128", FIFTH, 1 / OCTAVES_OF_BATCH),
                *factor("batch 8", FIFTH, -1 / OCTAVES_OF_BATCH),
            ),
            SMALLEST / OCTAVES_OF_BATCH,
            math.inf,
            (0.05, 0.3),
            unit="octaves per doubling",
        ),
        Prediction(
            "factor of a 20% warmup with β1 0.98 over that with 0.9",
            (*factor("β1 0.98", MOMENTUM_FIFTH), *factor("β1 0.9", MOMENTUM_FIFTH, -1.0)),
            -math.inf,
            -SMALLEST,
            (-0.8, -0.2),
        ),
    ),
    known="the factor with batches of 32 and β1 0.9 (1.79); no run with another batch size or β1. After the "
    "predictions were written, seeds 5000 and 5001 were run at every third LR to see whether the edges lie "
    "inside the LRs; in 200 steps a batch of 8 and a β1 of 0.98 learned at hardly any LR, and the arms were "
    "made longer",
    limits="400 steps at every batch size, so that a larger batch also sees more numbers, and 128 of the 900 that are "
    "trained on is a seventh of them: there is less noise to average than in a language model. Adam without weight "
    "decay; the paper has GPT-2 with 124 M parameters, AdamW, Lion and its own variants. The paper compares final "
    "losses over LR and warmup, this page the highest LR",
)
specs, train, claim = PAPER.specs, PAPER.train, PAPER.claim
