"""Xiong et al. 2020: a Transformer with pre-LN needs no warmup."""

from __future__ import annotations

import math

from bench.claims.core.grid import COLUMNS as COLUMNS
from bench.claims.warmup_length import FIFTH, NORMS

from .core.paper import Paper
from .core.prediction import SAME, SMALLEST, Prediction, factor
from .kalra import ARMS, KNOWN

POST, PRE = (NORMS[norm][0] for norm in ("post", "pre"))

PAPER = Paper(
    name="xiong",
    cite="Xiong et al. 2020",
    link="https://arxiv.org/abs/2002.04745",
    where="abstract",
    question="Does pre-LN make the warmup unnecessary, as Xiong et al. say?",
    statement="With the LayerNorm before each block the gradients are well-behaved at initialisation, so that the "
    "warmup can be removed; with it after each block the warmup is essential.",
    arms=ARMS,
    predictions=(
        Prediction(f"factor of a 20% warmup on the edge, {POST}", factor(POST, FIFTH), SMALLEST, math.inf, (0.2, 1.3)),
        Prediction(f"factor of a 20% warmup on the edge, {PRE}", factor(PRE, FIFTH), -SAME, SAME, (0.0, 0.0)),
        Prediction(
            f"factor of a 20% warmup, {PRE} over {POST}",
            (*factor(PRE, FIFTH), *factor(POST, FIFTH, -1.0)),
            -math.inf,
            -SMALLEST,
            (-1.3, -0.2),
        ),
    ),
    known=KNOWN,
    limits="2 + 2 layers of 16 features and 200 steps; the paper has 6 + 6 layers of 512, where post-LN differs from "
    "pre-LN more, since its gradients at initialisation grow towards the last layer. The paper compares scores at "
    "given LRs, this page the highest LR",
    runs_from="warmup_length",
)
specs, train, claim = PAPER.specs, PAPER.train, PAPER.claim
