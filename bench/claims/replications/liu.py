"""Liu et al. 2020: a warmup is needed for Adam's second moment, so a shorter memory of it, or none, needs it less."""

from __future__ import annotations

import math

from bench.claims.core.grid import COLUMNS as COLUMNS
from bench.sweep.options import rates

from .core.arms import PaperArm
from .core.paper import Paper
from .core.prediction import SAME, SMALLEST, Prediction, factor

#: With a warmup Lion learns the task in no 200 steps, so these arms are longer than those of other papers.
STEPS = 800
FIFTH = STEPS // 5
LRS, LION_LRS = rates(0.005, 0.16, 16), rates(0.0002, 0.0256, 22)
LONG, SHORT, LION = "Adam, β2 0.999", "Adam, β2 0.95", "Lion"

PAPER = Paper(
    name="liu",
    cite="Liu et al. 2020",
    link="https://arxiv.org/abs/1908.03265",
    where="section 3",
    question="Does a warmup buy less with a lower β2, and little with Lion, as the argument of Liu et al. implies?",
    statement="Early in training Adam's step is divided by a second moment of a few gradients, whose variance is "
    "large; a warmup keeps steps small until it has settled. A lower β2 settles sooner, and Lion has no second "
    "moment, so that both should need a warmup less.",
    arms=(
        PaperArm(LONG, (0, FIFTH), LRS, {"betas": (0.9, 0.999)}, steps=STEPS),
        PaperArm(SHORT, (0, FIFTH), LRS, {"betas": (0.9, 0.95)}, steps=STEPS),
        PaperArm(LION, (0, FIFTH), LION_LRS, {"optimizer": "lion", "betas": (0.9, 0.99)}, steps=STEPS),
    ),
    predictions=(
        Prediction(
            "factor of a 20% warmup with β2 0.95 over that with 0.999",
            (*factor(SHORT, FIFTH), *factor(LONG, FIFTH, -1.0)),
            -math.inf,
            -SMALLEST,
            (-0.8, -0.2),
        ),
        Prediction(
            "factor of a 20% warmup with Lion over that with Adam",
            (*factor(LION, FIFTH), *factor(LONG, FIFTH, -1.0)),
            -math.inf,
            -SMALLEST,
            (-0.8, -0.2),
        ),
        Prediction("factor of a 20% warmup with Lion", factor(LION, FIFTH), -SAME, SAME, (0.0, 0.0)),
    ),
    known="the factor with β2 0.999 (1.79, in 200 steps); no run with another β2 and none with Lion. After the "
    "predictions were written, seeds 5000 and 5001 were run at every third LR to see whether the edges lie inside the "
    "LRs: those of Adam do. In 200 steps Lion with a warmup of 20% learned at no LR, in the plain trainer too, where "
    "it learned without one; in 400 at hardly any, in 800 at most: the arms were made longer",
    limits="the paper argues about variance and proposes RAdam; what follows for a lower β2 and for Lion is our "
    "reading, and Kosson et al. 2024 report that Lion gains from a warmup too, which would falsify it. Lion's LRs "
    "are another scale, which factors do not depend on. No weight decay",
)
specs, train, claim = PAPER.specs, PAPER.train, PAPER.claim
