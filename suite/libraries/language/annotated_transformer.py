"""The Annotated Transformer: a function for LambdaLR, written out here by its formula; stepped after each update."""

from __future__ import annotations

from reference import Noam
from suite.libraries.core.library import Library, LibrarySchedule

#: Our own words for the formula of rate in github.com/harvardnlp/annotated-transformer, as of 2022.
RATE = '''
def rate(step, model_size, factor, warmup):
    """Noam with the step raised to 1 at least (The Annotated Transformer, 2022, rate)."""
    n = max(step, 1)
    return factor * model_size**-0.5 * min(n**-0.5, n * warmup**-1.5)
'''

LIBRARY = Library(
    "annotated-transformer",
    project="",
    files=(),
    releases=("2022",),
    schedules=(
        LibrarySchedule(
            "noam",
            f"from torch.optim.lr_scheduler import LambdaLR\n\n{RATE}",
            "LambdaLR(optimizer, lambda step: rate(step, {model_size}, {factor}, {warmup_steps}))",
            lambda a: Noam(a.warmup_steps, a.model_size, a.factor, "max_one"),
            fields={"model_size": 16, "factor": 1.0},
            variants={"factor": {"factor": 0.5}},
            docs="Vaswani et al. 2017; comment: the step is 1 at least, to avoid zero to a negative power",
        ),
    ),
)
