"""torchtune: one function that returns a LambdaLR; the recipes step it after each update."""

from __future__ import annotations

from reference import ConstantDecay, Convention, CosineDecay, LinearWarmup, Schedule, WarmupDecay, family, sequential
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.library import Library, LibrarySchedule


def _cosine(a: Arguments) -> Schedule:
    """Half a wave, or `num_cycles` whole ones, which end where they began."""
    rising = LinearWarmup(a.warmup_steps)
    if a.num_cycles == 0.5:
        return family("A", rising, CosineDecay(a.decay_steps))
    waves = WarmupDecay(rising, CosineDecay(a.decay_steps // (2 * a.num_cycles)), Convention(past_end="periodic"))
    return sequential(waves, ConstantDecay(), milestones=[a.total_steps])


LIBRARY = Library(
    "torchtune",
    project="torchtune",
    files=("torchtune/modules/lr_schedulers.py", "torchtune/training/lr_schedulers.py"),
    releases=("0.0.1", "0.2.1", "0.4.0", "0.5.0", "0.6.1"),
    schedules=(
        LibrarySchedule(
            "cosine",
            """
try:
    from torchtune.training.lr_schedulers import get_cosine_schedule_with_warmup
except ImportError:  # before 0.4.0
    from torchtune.modules.lr_schedulers import get_cosine_schedule_with_warmup
""",
            "get_cosine_schedule_with_warmup(optimizer, {warmup_steps}, {total_steps}, num_cycles={num_cycles})",
            _cosine,
            fields={"num_cycles": 0.5},
            variants={"cycles1": {"num_cycles": 1}, "cycles2": {"num_cycles": 2}},
            docs="docstring: a linear increase from 0.0 to lr, then a decrease to 0.0 on a cosine schedule",
            reading="after-total",
        ),
    ),
)
