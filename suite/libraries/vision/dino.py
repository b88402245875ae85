"""DINO: a function that returns the LRs of all iterations, written out here by its formula."""

from __future__ import annotations

from reference import Convention, CosineDecay, LinearWarmup, WarmupDecay
from suite.libraries.core.library import Library, LibrarySchedule

#: Our own words for the formula of cosine_scheduler in utils.py of github.com/facebookresearch/dino, as of 2021.
COSINE_SCHEDULER = '''
def cosine_scheduler(base_value, final_value, epochs, niter_per_ep, warmup_epochs=0, start_warmup_value=0):
    """A linspace of W points, then half a cosine, as one array (DINO, utils.py, cosine_scheduler)."""
    warmup_iters, total = warmup_epochs * niter_per_ep, epochs * niter_per_ep
    rise = numpy.linspace(start_warmup_value, base_value, warmup_iters)
    n = numpy.arange(total - warmup_iters)
    fall = final_value + (base_value - final_value) * (1 + numpy.cos(numpy.pi * n / len(n))) / 2
    values = numpy.concatenate((rise, fall))
    assert len(values) == total
    return values
'''

LIBRARY = Library(
    "dino",
    project="",
    files=(),
    releases=("2021",),
    schedules=(
        LibrarySchedule(
            "cosine",
            f"import numpy\n\n{COSINE_SCHEDULER}",
            "cosine_scheduler({base_lr}, {min_lr}, epochs={total_steps}, niter_per_ep=1, "
            "warmup_epochs={warmup_steps}, start_warmup_value={start_lr})",
            lambda a: WarmupDecay(
                LinearWarmup(a.warmup_steps, a.start_lr / a.base_lr),
                CosineDecay(a.decay_steps, a.min_lr),
                Convention("linspace"),
            ),
            rate="scheduler[t]",
            fields={"min_lr": 0.0, "start_lr": 0.0},
            variants={"min-lr": {"min_lr": 1e-4}, "start-lr": {"start_lr": 1e-4}},
            docs="arguments: from start_warmup_value to base_value in warmup_epochs, then to final_value",
        ),
    ),
)
