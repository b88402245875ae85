"""The registry of causes: everything that a diagnosis can name, with what it looks like and the line to change."""

from __future__ import annotations

from .cause import Cause
from .causes_of_clocks import CLOCK_CAUSES
from .causes_of_scales import SCALE_CAUSES
from .causes_of_shapes import SHAPE_CAUSES
from .causes_of_torch import TORCH_CAUSES

#: What is no mistake: the schedule is as it should be, only the log is coarse.
HEALTHY = (
    Cause(
        "follows",
        "the trace follows the schedule",
        "every logged LR is the expected one, within the rounding of the log",
        "nothing is wrong with the schedule",
        "nothing to change",
        "The learning rate is as it should be: {schedule}{log}.",
        0,
    ),
    Cause(
        "log-rounded",
        "the log is rounded",
        "every logged LR is the expected one to 3–6 significant digits, and no better",
        "the logger writes few digits",
        "nothing in the schedule; log with repr(lr) or '%.9g' to compare exactly",
        "The learning rate is as it should be: {schedule}{log}.",
        0,
    ),
    Cause(
        "log-strided",
        "the log holds every n-th step",
        "the steps column rises by n, and each LR is that of its step",
        "the logger writes every n steps",
        "nothing in the schedule; set the logging interval to 1 to see the first steps",
        "The learning rate is as it should be: {schedule}{log}.",
        0,
    ),
)

#: Cause id → cause, in the order of the files.
CAUSES: dict[str, Cause] = {c.id: c for c in (*HEALTHY, *CLOCK_CAUSES, *SCALE_CAUSES, *SHAPE_CAUSES, *TORCH_CAUSES)}


def group_of(cause: str) -> str:
    """The id that stands for a cause and all that a trace cannot tell from it."""
    return CAUSES[cause].merged_with or cause
