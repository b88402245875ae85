"""A claim and, where its runs were repeated on fresh seeds, its replication, from one table of runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .publish import Claim
from .replication import section
from .runs import PUBLISHED, REPLICATION, part_of, seeds_of

if TYPE_CHECKING:
    from pandas import DataFrame


def page(claim: Callable[[DataFrame], Claim], runs: DataFrame) -> tuple[Claim, Claim | None, list[str]]:
    """The published claim, its replication if there is one, and the lines that compare the two."""
    published, repeated = claim(part_of(runs, PUBLISHED)), part_of(runs, REPLICATION)
    if not len(repeated):
        return published, None, []
    fresh = claim(repeated)
    return published, fresh, section(published, fresh, claim(runs), seeds_of(repeated))
