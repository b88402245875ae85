"""Kalra & Barkeshli 2024: a warmup buys a higher peak LR, and little else."""

from __future__ import annotations

import math

from bench.claims import warmup_length
from bench.claims.core.grid import COLUMNS as COLUMNS
from bench.claims.warmup_length import FIFTH, NORMS

from .core.arms import PaperArm
from .core.paper import Paper
from .core.prediction import BEST, SMALLEST, Prediction, Term, factor

#: The lowest loss counts as unchanged within 10 %.
UNCHANGED = math.log2(1.1)
ARMS = tuple(
    PaperArm(words, warmup_length.WARMUPS, warmup_length.LRS[norm], norm=norm) for norm, (words, _) in NORMS.items()
)
#: What was known when a paper that reads these runs was compared with them.
KNOWN = (
    "these runs and their factors had been published, and the ones on fresh seeds too, when the bounds were "
    "written, so that this is a comparison with the paper and not a blind test; the bounds are those of every "
    "replication here"
)

PAPER = Paper(
    name="kalra",
    cite="Kalra & Barkeshli 2024",
    link="https://arxiv.org/abs/2406.09405",
    where="abstract",
    question="Does a warmup buy a higher peak LR and little else, as Kalra & Barkeshli say?",
    statement="The main benefit of a warmup is that the network tolerates a larger target LR; the performance at the "
    "best LR is about the same with and without.",
    arms=ARMS,
    predictions=(
        *(
            Prediction(
                f"factor of a 20% warmup on the edge, {arm.name}",
                factor(arm.name, FIFTH),
                SMALLEST,
                math.inf,
                (0.2, 1.3),
            )
            for arm in ARMS
        ),
        *(
            Prediction(
                f"lowest loss with a 20% warmup over that without, {arm.name}",
                (Term(arm.name, FIFTH, 1.0), Term(arm.name, 0, -1.0)),
                -UNCHANGED,
                UNCHANGED,
                (0.0, 0.0),
                BEST,
            )
            for arm in ARMS
        ),
    ),
    known=KNOWN,
    limits="the lowest possible loss of this task is 0, so that a few thousandths of a nat are a large share of the "
    "lowest loss: 10% is stricter than on a task with a floor. Adam, d 16 and 200 steps; the paper has several "
    "networks, SGD and Adam, with LRs in octaves and one seed for its phase diagrams",
    runs_from="warmup_length",
)
specs, train, claim = PAPER.specs, PAPER.train, PAPER.claim
