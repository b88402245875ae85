"""The causes that a diagnosis can name, read from causes.toml and checked.

The cost of a cause decides between causes that fit the same trace: the lower one is named, and costs that differ by
less than `rank.EQUAL_COST` are reported as a tie. It is ``numbers + offset``. `numbers` counts the free numbers that
the hypothesis reads from the trace, one unit each: a cause that needs fewer explains more. `offset` orders causes with
equally many numbers: negative where a number must equal one of the expected schedule's (it is not free), positive
where the cause is rarer than its rivals; `cost_reason` names them. Offsets were set on generated examples with seeds
below 10000 (`python -m bench score`), and the scores that we report are of other seeds.
"""

from __future__ import annotations

import dataclasses
import string
from pathlib import Path
from typing import Any

from suite.shared.toml_file import read_toml

TABLE = Path(__file__).with_name("causes.toml")
#: What a sentence can mention: parameters of hypotheses, and `schedule` and `log` in words.
TEMPLATE_FIELDS = frozenset(
    {"k", "n", "r", "c", "d", "m", "w", "value", "base", "first_lr", "meant", "where", "schedule", "log"}
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cause:
    """One entry of causes.toml, which explains the fields."""

    id: str
    title: str
    looks: str
    why: str
    fix: str
    sentence: str
    numbers: int
    offset: float = 0.0
    cost_reason: str = ""
    merged_with: str = ""
    argument: str = ""

    @property
    def cost(self) -> float:
        """How much the cause assumes (see the top of this module)."""
        return self.numbers + self.offset


def load(rows: dict[str, dict[str, Any]]) -> dict[str, Cause]:
    """The causes of a table by id; raises ValueError, the bad entry first, for one that breaks a rule."""
    fields = {field.name: field for field in dataclasses.fields(Cause) if field.name != "id"}
    required = {name for name, field in fields.items() if field.default is dataclasses.MISSING}
    for name, row in rows.items():
        for wrong, rule in (
            (row.keys() - fields.keys(), "unknown"),
            (required - row.keys(), "missing"),
            ({key for key in row if row[key] == ""}, "empty"),
        ):
            if wrong:
                raise ValueError(f"cause={name!r} has {rule} fields: {', '.join(sorted(wrong))}")
        mentioned = {field for _, field, _, _ in string.Formatter().parse(row["sentence"]) if field is not None}
        if not mentioned <= TEMPLATE_FIELDS:
            unknown = ", ".join(sorted(mentioned - TEMPLATE_FIELDS))
            raise ValueError(f"cause={name!r} must mention parameters that hypotheses give, not {unknown}")
        if ("offset" in row) != ("cost_reason" in row):
            raise ValueError(f"cause={name!r} must have both of offset and cost_reason, or neither")
        if ("merged_with" in row) != ("argument" in row):
            raise ValueError(f"cause={name!r} must have both of merged_with and argument, or neither")
        if "merged_with" in row and row["merged_with"] not in rows.keys() - {name}:
            raise ValueError(f"cause={name!r} must be merged with another cause, not {row['merged_with']!r}")
    return {name: Cause(id=name, **row) for name, row in rows.items()}


#: Cause id → cause, in the order of the table.
CAUSES: dict[str, Cause] = load(read_toml(TABLE))


def group_of(cause: str) -> str:
    """The id of a cause and of all others that give the same trace."""
    return CAUSES[cause].merged_with or cause
