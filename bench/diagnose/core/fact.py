"""A fact about a trace: what anyone can read off it, without a guess at the schedule behind it."""

from __future__ import annotations

import dataclasses
from typing import Any

#: Every kind of fact, the most telling first; ids are stable.
FACT_IDS = (
    *(
        "unlike-told",
        "not-finite",
        "negative",
        "zero",
        "interleaved",
        "wrong-updates",
        "noise",
        "restart",
        "jump",
        "rises-again",
    ),
    *("stuck", "peak", "phases", "constant", "cycles", "levels", "rising", "floor", "ends"),
    *("groups", "rest"),
)
#: Where to look next for a fact that no sound schedule has, while its cause is unknown.
LOOK = {
    "unlike-told": "the numbers that the scheduler is built with, and their unit: optimizer steps.",
    "not-finite": "the numbers that the scheduler gets: a length of 0, 0/0, or a metric that is NaN.",
    "negative": "the length of the decay: without a floor it must not be shorter than the run.",
    "zero": "the length of the decay, in optimizer steps, and how often scheduler.step() is called.",
    "interleaved": "the logging call: give each group and run a name of its own.",
    "wrong-updates": "what writes to param_group['lr'] at these steps beside the scheduler.",
    "noise": "what writes to param_group['lr'] beside the scheduler, and which step numbers the log uses.",
    "restart": "the resume: load the scheduler's state_dict, or pass last_epoch.",
    "jump": "what happens at this step: a resume with other arguments, or a second writer of the LR.",
    "rises-again": "the length of the cosine (T_max): it must not be shorter than the run in scheduler steps.",
    "stuck": "whether scheduler.step() is still called after this step, and on which object.",
    "peak": "base LR and composition: a decay that runs during the warmup lowers the peak.",
    "constant": "whether a scheduler drives this optimizer, and whether its step() is called.",
    "rising": "the length of the warmup, in optimizer steps.",
}


@dataclasses.dataclass(frozen=True)
class Fact:
    """One fact about a trace.

    `id`: one of `FACT_IDS`; `sentence`: the fact in words; `numbers`: the same as plain data; `sick`: whether no sound
    schedule has it, so that it is a finding by itself.
    """

    id: str
    sentence: str
    numbers: dict[str, Any]
    sick: bool = False

    def to_json(self) -> dict[str, Any]:
        """The fact as plain data for JSON."""
        return dataclasses.asdict(self)


def telling(facts: list[Fact]) -> tuple[Fact, ...]:
    """The facts, the most telling first: sick ones before neutral ones.

    >>> [fact.id for fact in telling([Fact("ends", "", {}), Fact("phases", "", {}), Fact("jump", "", {}, True)])]
    ['jump', 'phases', 'ends']
    """
    return tuple(sorted(facts, key=lambda fact: (not fact.sick, FACT_IDS.index(fact.id))))
