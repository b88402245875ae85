"""The figures of the public examples: by kind, mode and log, with Wilson's intervals, as a table, CSV and Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.diagnose.core.causes import CAUSES
from bench.toy.machine import machine
from bench.toy.measures import Estimate, share
from suite.shared.files import write_whole
from suite.shared.markdown import markdown_table

from .mistake import ALL_MODES, NOTHING
from .public_example import HEALTHY, by_label
from .public_score import HALF, RIGHT, UNKNOWN, WRONG, PublicScore

if TYPE_CHECKING:
    from pandas import DataFrame

#: Column → which results it counts, and whether only those without a tied explanation.
SHARES: dict[str, tuple[tuple[str, ...], bool]] = {
    "right": ((RIGHT,), False),
    "right_or_half": ((RIGHT, HALF), False),
    "wrong": ((WRONG,), False),
    "wrong_and_sure": ((WRONG,), True),
    "unknown": ((UNKNOWN,), False),
}
#: The column of answers that are right or, given nothing, have the right facts.
INFORMED = "right_or_facts"
#: Of the wrong and half right answers of a kind, the commonest are listed.
LISTED = 4
NAME = "public"
MEANING = (
    "* Right: the cause, or one with the same trace, comes first. Half: a cause that points at the same line of "
    "code comes first, or, given nothing, a schedule that gives the log within 1 % of its peak. "
    "Sure: no other explanation fits equally well. Unknown includes settings that are refused. Right or facts: given "
    "nothing, no wrong cause is named and the facts are true of the run at every update: the phases and their curves "
    "within 2 % of the peak, a negative LR and an LR of 0."
)


def groups(scores: list[PublicScore]) -> Iterator[tuple[str, str, list[PublicScore]]]:
    """The groups of the table with their section: totals first, then every mistake and every healthy schedule."""
    faulty = [s for s in scores if s.example.label != HEALTHY]
    healthy = [s for s in scores if s.example.label == HEALTHY]
    yield "all", "with a mistake", faulty
    yield "all", "  that has a cause", [s for s in faulty if s.example.label in CAUSES]
    yield "all", "  without a cause of its own", [s for s in faulty if s.example.label not in CAUSES]
    yield "all", "healthy", healthy
    for name, some in (("with a mistake", faulty), ("healthy", healthy)):
        for degraded, log in ((False, "clean"), (True, "degraded")):
            for mode in ALL_MODES:
                those = [s for s in some if s.example.logging.degraded is degraded and s.example.mode == mode]
                yield "log and mode", f"{name}, {log}, given {mode}", those
    named = [s for s in faulty if s.example.mode != NOTHING and s.result != UNKNOWN]
    for name, sure in (("sure: one explanation fits, told", True), ("likely: several fit equally well, told", False)):
        yield "confidence", name, [s for s in named if s.sure is sure]
    for label in sorted({s.example.label for s in faulty}):
        missing = "" if label in CAUSES else " (no cause yet)"
        yield "mistake", f"{label}{missing}", [s for s in faulty if s.example.label == label]
    for schedule in sorted({s.example.wanted.schedule.name for s in healthy}):
        yield "healthy schedule", schedule, [s for s in healthy if s.example.wanted.schedule.name == schedule]


def line(section: str, name: str, scores: list[PublicScore]) -> dict[str, Any]:
    """One line of the table; shares with 95 % intervals."""
    taken = Counter(s.named for s in scores if s.result != RIGHT and s.named != UNKNOWN)
    shares = {
        column: share([s.result in results and (s.sure or not sure) for s in scores])
        for column, (results, sure) in SHARES.items()
    }
    shares[INFORMED] = share([s.informed for s in scores])
    named = ", ".join(f"{cause} {count}" for cause, count in taken.most_common(LISTED))
    return {"section": section, "kind": name, "n": len(scores), **shares, "named_instead": named}


def lines(scores: list[PublicScore]) -> list[dict[str, Any]]:
    """Every line of a group that has examples."""
    return [line(section, name, some) for section, name, some in groups(scores) if some]


def cell(value: Any) -> str:
    """A share in percent with its interval, anything else as it is.

    >>> cell(Estimate(0.5, 0.25, 0.75)), cell(3)
    ('50 [25, 75]', '3')
    """
    return (
        f"{100 * value.value:.0f} [{100 * value.low:.0f}, {100 * value.high:.0f}]" if _is_share(value) else str(value)
    )


def short(value: Any) -> str:
    """A share in percent without its interval, anything else as it is.

    >>> short(Estimate(0.5, 0.25, 0.75))
    '50'
    """
    return f"{100 * value.value:.0f}" if _is_share(value) else str(value)


def _is_share(value: Any) -> bool:
    return isinstance(value, Estimate)


def as_frame(rows: list[dict[str, Any]]) -> DataFrame:
    """The lines with the ends of each interval in columns of their own."""
    import pandas

    flat: list[dict[str, Any]] = []
    for row in rows:
        flat.append({})
        for column, value in row.items():
            if _is_share(value):
                flat[-1] |= {column: value.value, f"{column}_low": value.low, f"{column}_high": value.high}
            else:
                flat[-1][column] = value.strip() if isinstance(value, str) else value
    return pandas.DataFrame(flat)


def as_markdown(rows: list[dict[str, Any]], seeds: tuple[int, int]) -> str:
    """The page: the figures, then what they mean and how they were made."""
    head = [name.replace("_", " ") + (" %" if name in (*SHARES, INFORMED) else "") for name in rows[0]]
    words = [
        "# How often is the diagnosis right on the schedules and loops of public libraries?",
        "",
        markdown_table(head, [[cell(value) for value in row.values()] for row in rows]),
        "",
        f"* Examples: seeds {seeds[0]} to {seeds[1] - 1}, half healthy; seeds below 10000 are for developing rules.",
        "* Intervals: 95 %, Wilson.",
        MEANING,
        "* Clean: every update in full precision. Degraded: every n-th, to 3 to 6 digits, some with rows missing.",
        f"* Machine: {machine()}.",
        f"* Command: `python -m bench score --generator {NAME} --seeds {seeds[0]} {seeds[1]} --out results/diagnosis`.",
        "",
        "## Mistakes that have no cause yet",
        "",
        *([f"* `{each.label}`: {each.words}." for each in unnamed()] or ["None."]),
        "",
    ]
    return "\n".join(words)


def unnamed() -> list[Any]:
    """The first mistake of each label that the causes lack."""
    return [mistakes[0] for label, mistakes in sorted(by_label().items()) if label not in CAUSES]


def publish_scores(rows: list[dict[str, Any]], seeds: tuple[int, int], folder: Path) -> None:
    """Write `public.csv` and `public.md` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    data = as_frame(rows).to_csv(index=False, float_format="%.4g")
    write_whole(folder / f"{NAME}.csv", data.encode())
    write_whole(folder / f"{NAME}.md", as_markdown(rows, seeds).encode())
