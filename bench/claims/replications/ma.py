"""Ma & Yarats 2021: an untuned linear warmup of 2/(1−β2) steps does what RAdam does."""

from __future__ import annotations

from bench.claims.core.grid import COLUMNS as COLUMNS
from bench.sweep.options import rates

from .core.arms import PaperArm
from .core.paper import Paper
from .core.prediction import NATS, SAME, SENSITIVITY, Prediction, Term

#: β2 → the length of the untuned linear warmup, 2/(1−β2): both fit into the 200 steps.
LENGTHS = {0.95: 40, 0.98: 100}
#: LR sensitivities count as equal within this many nats.
MARGIN = 0.05
LRS = rates(0.005, 0.16, 16)

PAPER = Paper(
    name="ma",
    cite="Ma & Yarats 2021",
    link="https://arxiv.org/abs/1910.04209",
    where="abstract",
    question="Does an untuned linear warmup do what RAdam does, as Ma & Yarats say?",
    statement="RAdam behaves like Adam with a fixed warmup; a linear warmup over 2/(1−β2) steps, without tuning, does "
    "as well.",
    arms=(
        *(PaperArm(f"Adam, β2 {beta:g}", (0, length), LRS, {"betas": (0.9, beta)}) for beta, length in LENGTHS.items()),
        *(PaperArm(f"RAdam, β2 {beta:g}", (0,), LRS, {"optimizer": "radam", "betas": (0.9, beta)}) for beta in LENGTHS),
    ),
    predictions=(
        *(
            Prediction(
                f"LR sensitivity, RAdam minus Adam with {length} steps of warmup, β2 {beta:g}",
                (Term(f"RAdam, β2 {beta:g}", 0, 1.0), Term(f"Adam, β2 {beta:g}", length, -1.0)),
                -MARGIN,
                MARGIN,
                (0.0, 0.0),
                SENSITIVITY,
                NATS,
            )
            for beta, length in LENGTHS.items()
        ),
        *(
            Prediction(
                f"edge, RAdam over Adam with {length} steps of warmup, β2 {beta:g}",
                (Term(f"RAdam, β2 {beta:g}", 0, 1.0), Term(f"Adam, β2 {beta:g}", length, -1.0)),
                -SAME,
                SAME,
                (0.0, 0.0),
            )
            for beta, length in LENGTHS.items()
        ),
    ),
    known="no run with these β2 and none with RAdam. After the predictions were written, seeds 5000 and 5001 were "
    "run at every third LR to see whether the edges lie inside the LRs; they do",
    limits="the paper compares scores at LRs that train well, with β2 0.98 to 0.999 and runs of many thousand steps, "
    "where the warmup is a small part; here it is 20% and 50% of the run, the cosine after it is shorter by as much, "
    "and the LRs go beyond the edge. Our warmup starts with an LR of 0 at the first step, the paper's with (1−β2)/2 "
    "of the peak. RAdam takes its first steps, up to a length of 5 of its average, without the second moment",
)
specs, train, claim = PAPER.specs, PAPER.train, PAPER.claim
