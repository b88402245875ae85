"""Publish a measured answer as a text, a table and a picture, with the command and the versions that produced it."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.toy.machine import machine
from bench.toy.measures import EDGE_LOSS, FAILED_LOSS, STABLE_LOSS, Estimate
from suite.shared.files import write_whole
from suite.shared.markdown import markdown_table
from suite.shared.plots import house_style, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

INTERVALS = (
    "95%, Student's t over seeds, each by itself; comparisons use the same seed on both sides, factors are geometric "
    "means of the seeds' ratios. p: two-sided paired t test, corrected for all comparisons of the table (Holm)"
)
EDGE = (
    f"the LR at which the validation loss crosses {EDGE_LOSS:g} nats per token, log loss interpolated linearly in log "
    "LR between two neighbours of the grid, above the largest LR whose loss is lower; geometric mean over seeds"
)
STABILITY = (
    f"stable: validation loss below {STABLE_LOSS} nats per token; failed: above {FAILED_LOSS:g} (or not finite) at an "
    "LR above the best one; failed share: of the LRs of the grid, mean over seeds"
)
SENSITIVITY = (
    "mean over the LRs of min(loss, loss at initialisation), minus the lowest loss (Wortsman et al. 2023, whose name "
    "it has); it depends on the range of LRs, so it is always quoted with the range"
)


#: Characters of a picture's title that fit on a line.
TITLE_WIDTH = 86


class Headline(NamedTuple):
    """A number that a claim rests on, and that a replication has to give again.

    `estimate` with its 95 % interval; `neutral`: its value where there is no effect, 1 for a factor and 0 for a
    difference.
    """

    words: str
    estimate: Estimate
    neutral: float = 1.0


@dataclasses.dataclass(frozen=True, eq=False)
class Claim:
    """A question and its measured answer.

    * `name`: the name of its files and its argument of `claim`; `seeds`: the number of seeds of each setting;
    * `answer`: sentences, generated from the numbers of the table;
    * `how`: what was run and what the numbers mean, by heading;
    * `table`: one row per item compared, with intervals;
    * `draw`: draws the picture; `alt`: its description;
    * `command`: the command that reproduces it, if not `claim`;
    * `headlines`: the numbers that are compared with those of a replication;
    * `source`: the code and the machine that measured it, if not this one now;
    * `again`: the command that recomputes it from its runs, if not `claim`;
    * `runs_from`: the claim whose runs it is computed from, if it trains none.
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
    headlines: Sequence[Headline] = ()
    source: str = ""
    again: str = ""
    runs_from: str = ""

    def runs_command(self, options: str) -> str:
        """The command that trains its runs."""
        return f"python -m bench claim {self.runs_from or self.name} {options}"


def figure(height: float, title: str, caption: str) -> Figure:
    """An empty figure with a title that states the result and a caption that states the data."""
    from matplotlib.figure import Figure

    picture = Figure(figsize=(9.6, height), dpi=110, layout="constrained")
    picture.suptitle("\n".join(textwrap.wrap(title, TITLE_WIDTH)), x=0.01, ha="left", fontsize=13, fontweight="bold")
    picture.supxlabel(caption, x=0.01, ha="left", fontsize=9, color="#555555")
    return picture


def interval(estimate: Estimate) -> str:
    """A value with its interval.

    >>> interval(Estimate(0.5, 0.25, 0.75))
    '0.5 [0.25, 0.75]'
    """
    value, low, high = (f"{number:.3g}" for number in estimate)
    return f"{value} [{low}, {high}]"


def frame_as_markdown(table: DataFrame) -> str:
    """A data frame as a Markdown table; numbers with 3 significant digits, estimates with their intervals."""

    def cell(value: Any) -> str:
        if isinstance(value, Estimate):
            return interval(value)
        missing = value is None or value != value  # pandas makes NaN of None beside text
        return "-" if missing else f"{value:.3g}" if isinstance(value, float) else str(value)

    rows = [[cell(value) for value in row] for row in table.itertuples(index=False)]
    return markdown_table([str(column) for column in table.columns], rows)


def tidy(table: DataFrame) -> DataFrame:
    """The same table with one number per cell: an estimate becomes three columns, its value, `low` and `high`."""
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


def text(claim: Claim, more: Sequence[str] = ()) -> str:
    """The Markdown page of a claim; `more`: lines after its table."""
    how = [f"* **{head}**: {words}" for head, words in claim.how.items()]
    command = claim.command or claim.runs_command(f"--seeds {claim.seeds}")
    runs = f"results/claims/{claim.runs_from or claim.name}.runs.csv.gz"
    again = claim.again or f"python -m bench claim {claim.name} --from {runs}"
    return "\n".join(
        [
            f"# {claim.question}",
            "",
            *claim.answer,
            "",
            f"![{claim.alt}]({claim.name}.png)",
            "",
            frame_as_markdown(claim.table),
            "",
            *more,
            *how,
            f"* **Command**: `{command}`",
            *([f"* **From its runs, without training**: `{again}`"] if claim.source else []),
            f"* **Measured on**: {claim.source or machine()}",
            "",
        ]
    )


def table_csv(claim: Claim) -> str:
    """The table of a claim as CSV; six digits, which do not depend on how a machine rounds."""
    return str(tidy(claim.table).to_csv(index=False, float_format="%.6g"))


def publish(claim: Claim, folder: Path, more: Sequence[str] = ()) -> list[Path]:
    """Write the text, the table and the picture of a claim, each file atomically; `more`: see `text`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{claim.name}{kind}" for kind in (".md", ".csv", ".png")]
    write_whole(paths[0], text(claim, more).encode())
    write_whole(paths[1], table_csv(claim).encode())
    with house_style():
        save(claim.draw(), paths[2])
    return paths
