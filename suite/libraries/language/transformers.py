"""transformers: functions that return a LambdaLR; its Trainer steps it after each update."""

from __future__ import annotations

from reference import CosineDecay, LinearDecay, LinearWarmup, family
from suite.libraries.core.library import Library, LibrarySchedule

FROM = "from transformers.optimization import "

LIBRARY = Library(
    "transformers",
    project="transformers",
    files=("transformers/optimization.py",),
    releases=("3.5.1", "4.30.2", "4.46.3", "4.57.0", "5.24.0"),
    schedules=(
        LibrarySchedule(
            "linear",
            FROM + "get_linear_schedule_with_warmup",
            "get_linear_schedule_with_warmup(optimizer, {warmup_steps}, {total_steps})",
            lambda a: family("A", LinearWarmup(a.warmup_steps), LinearDecay(a.decay_steps)),
            docs="docstring: decreases linearly to 0, after a warmup in which it increases linearly from 0",
        ),
        LibrarySchedule(
            "cosine",
            FROM + "get_cosine_schedule_with_warmup",
            "get_cosine_schedule_with_warmup(optimizer, {warmup_steps}, {total_steps})",
            lambda a: family("A", LinearWarmup(a.warmup_steps), CosineDecay(a.decay_steps)),
            docs="docstring: decreases following the cosine function to 0, after a linear warmup from 0",
            reading="after-total",
        ),
    ),
)
