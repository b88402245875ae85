"""Yang et al. 2021: in the standard parametrization the highest LR of Adam falls with the width."""

from __future__ import annotations

import math

from bench.claims.core.grid import COLUMNS as COLUMNS
from bench.sweep.options import rates

from .core.arms import PaperArm
from .core.paper import Paper
from .core.prediction import SMALLEST, Prediction, Term

FIFTH = 40
#: Width → LRs about where the edge is expected.
LRS = {16: rates(0.005, 0.16, 16), 32: rates(0.0025, 0.08, 16), 64: rates(0.00125, 0.08, 19)}
#: From the narrowest to the widest, in octaves.
OCTAVES_OF_WIDTH = math.log2(64 / 16)

PAPER = Paper(
    name="yang",
    cite="Yang et al. 2021",
    link="https://arxiv.org/abs/2203.03466",
    where="the sections on LR transfer over width",
    question="Does the highest LR fall with the width, with and without a warmup, as Yang et al. say?",
    statement="In the standard parametrization the best LR of Adam is lower in a wider network, because the outputs "
    "of hidden layers change by width × LR in one step; an LR that suits one width does not suit another.",
    arms=tuple(PaperArm(f"width {width}", (0, FIFTH), lrs, config=f"small{width}") for width, lrs in LRS.items()),
    predictions=tuple(
        Prediction(
            f"exponent of the edge over the width, 16 to 64, {words}",
            # Least squares over three widths that are equally spaced: the middle one has no weight.
            (Term("width 64", warmup, 1 / OCTAVES_OF_WIDTH), Term("width 16", warmup, -1 / OCTAVES_OF_WIDTH)),
            -math.inf,
            -SMALLEST,
            (-1.0, -0.5),
            unit="octaves per doubling",
        )
        for words, warmup in (("no warmup", 0), ("20% warmup", FIFTH))
    ),
    known="a pilot with another code: an edge of 0.025 with 16 features (8 seeds) and about 0.009 with 64 (3 seeds), "
    "without a warmup, which is an exponent of about -0.7. After the predictions were written, seeds 5000 and "
    "5001 were run at every third LR to see whether the edges lie inside the LRs; they do",
    limits="three widths, 16 to 64, of 4 heads, so that the features of a head grow too; the paper has widths of 128 "
    "to 8192. The paper is about the best LR, this page about the highest",
)
specs, train, claim = PAPER.specs, PAPER.train, PAPER.claim
