"""Wortsman et al. 2023: qk-norm takes away most of the LR sensitivity, and a warmup still helps with it."""

from __future__ import annotations

import math

from bench.claims.core.grid import COLUMNS as COLUMNS
from bench.sweep.options import rates

from .core.arms import PaperArm
from .core.paper import Paper
from .core.prediction import NATS, SENSITIVITY, SMALLEST, Prediction, Term, factor

FIFTH = 40
LRS = rates(0.00625, 0.2, 16)
PLAIN, NORMED = "no qk-norm", "qk-norm"

PAPER = Paper(
    name="wortsman",
    cite="Wortsman et al. 2023",
    link="https://arxiv.org/abs/2309.14322",
    where="the sections on the growth of attention logits and on warmup",
    question="Does qk-norm take away most of the LR sensitivity, with and without a warmup, as Wortsman et al. say?",
    statement="At high LRs attention logits grow until training fails; a LayerNorm on queries and keys prevents that, "
    "so that the loss depends on the LR much less. With it, a longer warmup lowers the LR sensitivity further.",
    arms=tuple(
        PaperArm(name, (0, FIFTH), LRS, {"qk_norm": True} if name == NORMED else {}) for name in (PLAIN, NORMED)
    ),
    predictions=(
        *(
            Prediction(
                f"LR sensitivity with qk-norm minus half of that without, {words}",
                (Term(NORMED, warmup, 1.0), Term(PLAIN, warmup, -0.5)),
                -math.inf,
                0.0,
                (-0.5, 0.0),
                SENSITIVITY,
                NATS,
            )
            for words, warmup in (("no warmup", 0), ("20% warmup", FIFTH))
        ),
        Prediction("factor of a 20% warmup, qk-norm", factor(NORMED, FIFTH), SMALLEST, math.inf, (0.2, 1.3)),
        Prediction(
            "factor of a 20% warmup, qk-norm over no qk-norm",
            (*factor(NORMED, FIFTH), *factor(PLAIN, FIFTH, -1.0)),
            -math.inf,
            -SMALLEST,
            (-0.8, -0.2),
        ),
    ),
    known="a pilot with a few seeds and another code: qk-norm changed the LR sensitivity by -5% without a warmup and "
    "by -28% with one, the opposite of what the last prediction expects. After the predictions were written, "
    "seeds 5000 and 5001 were run at every third LR to see whether the edges lie inside the LRs; they do",
    limits="the paper has language models of 10 M to 1 B parameters, trained for 100 000 steps with AdamW and a "
    "warmup of 5%, with LRs of which the best lies in the middle; the sensitivity over our LRs, 0.00625 to 0.2, is "
    "another number. The last prediction is ours: if a warmup helps by keeping logits small, it helps less with "
    "qk-norm",
)
specs, train, claim = PAPER.specs, PAPER.train, PAPER.claim
