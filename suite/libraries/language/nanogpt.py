"""nanoGPT: a function of the iteration, written out here by its formula; its value is the LR of every group."""

from __future__ import annotations

from reference import CosineDecay, LinearWarmup, family
from suite.libraries.core.library import Library, LibrarySchedule

#: Our own words for the formula of get_lr in train.py of github.com/karpathy/nanoGPT, as of 2025.
GET_LR = '''
def get_lr(it, learning_rate, warmup_iters, lr_decay_iters, min_lr):
    """A line from 1/(W+1), then half a cosine, then min_lr (nanoGPT, train.py, get_lr)."""
    if it < warmup_iters:
        return (it + 1) / (warmup_iters + 1) * learning_rate
    if it > lr_decay_iters:
        return min_lr
    share = (it - warmup_iters) / (lr_decay_iters - warmup_iters)
    return min_lr + (learning_rate - min_lr) * (1 + math.cos(math.pi * share)) / 2
'''

LIBRARY = Library(
    "nanogpt",
    project="",
    files=(),
    releases=("2025",),
    schedules=(
        LibrarySchedule(
            "cosine",
            f"import math\nfrom functools import partial\n\n{GET_LR}",
            "partial(get_lr, learning_rate={base_lr}, warmup_iters={warmup_steps}, lr_decay_iters={total_steps}, "
            "min_lr={min_lr})",
            lambda a: family("F", LinearWarmup(a.warmup_steps), CosineDecay(a.decay_steps, a.min_lr)),
            rate="scheduler(t)",
            fields={"min_lr": 0.0},
            variants={"min-lr": {"min_lr": 1e-4}},
            docs="comments of get_lr: linear warmup for warmup_iters steps, cosine decay down to min_lr, then min_lr",
        ),
    ),
)
