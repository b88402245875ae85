"""How a measured answer is published: a text, a table and a picture, with all that made them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.toy.machine import machine
from bench.toy.measures import FAILED_LOSS, STABLE_LOSS, Estimate
from suite.shared.files import write_whole
from suite.shared.plots import house_style, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

INTERVALS = "95 %, Student's t over seeds; of the differences of the same seed where two are compared"
STABILITY = (
    f"stable: validation loss below {STABLE_LOSS} nats per token; failed: above {FAILED_LOSS} (or not finite) at an LR "
    "above the best one; max stable LR: median over seeds of the largest stable LR, its interval by order statistics"
)
SENSITIVITY = (
    "mean over the LRs of min(loss, loss at initialisation), minus the least loss (Wortsman et al. 2023); "
    "it depends on the range of LRs"
)


@dataclasses.dataclass(frozen=True, eq=False)
class Claim:
    """A question, and what was measured.

    * `name`: the name of its files and of its command; `seeds`: how many each setting was run with;
    * `answer`: sentences, made from the numbers of the table, not written beforehand;
    * `how`: what was run and what its numbers mean, by heading;
    * `table`: one row for each thing that was compared, intervals included;
    * `draw`: makes the picture; `alt`: what it shows, in words;
    * `command`: what makes it anew, if not `claim`.
    """

    name: str
    seeds: int
    question: str
    answer: Sequence[str]
    how: Mapping[str, str]
    table: DataFrame
    draw: Callable[[], Figure]
    alt: str
    command: str = ""


def figure(height: float, title: str, caption: str) -> Figure:
    """An empty figure with a title that says what is seen and a caption that says of what."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(9.6, height), dpi=110, layout="constrained")
    made.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    made.supxlabel(caption, x=0.01, ha="left", fontsize=9, color="#555555")
    return made


def interval(estimate: Estimate) -> str:
    """A value with its interval.

    >>> interval(Estimate(0.5, 0.25, 0.75))
    '0.5 [0.25, 0.75]'
    """
    value, low, high = (f"{number:.3g}" for number in estimate)
    return f"{value} [{low}, {high}]"


def markdown_table(table: DataFrame) -> str:
    """A data frame as a Markdown table; numbers with 3 significant digits, estimates with their intervals."""

    def cell(value: Any) -> str:
        if isinstance(value, Estimate):
            return interval(value)
        return "-" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)

    head = [" | ".join(map(str, table.columns)), " | ".join("---" for _ in table.columns)]
    rows = [" | ".join(cell(value) for value in row) for row in table.itertuples(index=False)]
    return "\n".join(f"| {row} |" for row in [*head, *rows])


def tidy(table: DataFrame) -> DataFrame:
    """The same with one number in a cell: an estimate becomes three columns, its value, `low` and `high`."""
    import pandas

    columns: dict[str, list[Any]] = {}
    for name in table.columns:
        cells = list(table[name])
        if any(isinstance(cell, Estimate) for cell in cells):
            for i, end in enumerate(("", " low", " high")):
                columns[f"{name}{end}"] = [cell[i] if isinstance(cell, Estimate) else None for cell in cells]
        else:
            columns[name] = cells
    return pandas.DataFrame(columns)


def text(claim: Claim) -> str:
    """The page of a claim."""
    how = [f"* **{head}**: {words}" for head, words in claim.how.items()]
    command = claim.command or f"python -m bench claim {claim.name} --seeds {claim.seeds}"
    return "\n".join(
        [
            f"# {claim.question}",
            "",
            *claim.answer,
            "",
            f"![{claim.alt}]({claim.name}.png)",
            "",
            markdown_table(claim.table),
            "",
            *how,
            f"* **Command**: `{command}`",
            f"* **Made on**: {machine()}",
            "",
        ]
    )


def publish(claim: Claim, folder: Path) -> list[Path]:
    """Write the text, the table and the picture of a claim; each file is there whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{claim.name}{kind}" for kind in (".md", ".csv", ".png")]
    write_whole(paths[0], text(claim).encode())
    write_whole(paths[1], tidy(claim.table).to_csv(index=False).encode())
    with house_style():
        save(claim.draw(), paths[2])
    return paths
