"""What the registry says of one cause."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Cause:
    """A cause and how to speak of it.

    `id`; `title`; `looks`: what the trace looks like; `why`: what does it; `fix`: the line of code to change;
    `sentence`: a template over the parameters of a hypothesis and ``first``, ``size``; `cost`: how much the cause
    assumes, so that of two that fit the simpler is named (0 nothing, 1 one number, 2 two numbers …);
    `merged_with`: the cause that gives the same trace, and `argument`: why no trace can tell them apart.
    """

    id: str
    title: str
    looks: str
    why: str
    fix: str
    sentence: str
    cost: float
    merged_with: str = ""
    argument: str = ""
