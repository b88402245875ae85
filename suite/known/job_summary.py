"""The result of `check` for a pull request or a CI job: Markdown, and annotations of what is new."""

from __future__ import annotations

from collections.abc import Sequence

from suite.shared.github import MOST, annotation, cell

from .findings import Finding, by_entry
from .report import news_of, summary_line

#: Rows of the table; the rest is counted.
ROWS = 20


def news_lines(
    release: str, findings: Sequence[Finding], stale: Sequence[str], missing: Sequence[str]
) -> list[tuple[str, str]]:
    """What is new: the case or entry, and what is new about it."""
    lines = [(name, "this class is missing; every case that needs it counts as absent") for name in missing]
    lines += [(f.case.id, news_of(f)) for f in findings if f.standing in ("news", "fixed")]
    return lines + [(entry, f"known for torch {release}, but no case shows it any more") for entry in stale]


def check_markdown(
    name: str, release: str, findings: Sequence[Finding], stale: Sequence[str], missing: Sequence[str]
) -> str:
    """The counts, and what is new, as Markdown."""
    news = news_lines(release, findings, stale, missing)
    head = f"{len(news)} new" if news else "nothing new"
    counts = summary_line(findings, by_entry(findings), len(news))
    lines = [f"### Learning-rate schedulers of `{name}`: {head}", "", f"{counts}."]
    if news:
        lines += ["", "| case | what is new |", "|---|---|"]
        lines += [f"| `{place}` | {cell(words)} |" for place, words in news[:ROWS]]
        lines += [f"\n… and {len(news) - ROWS} more."] if len(news) > ROWS else []
    return "\n".join(lines)


def check_annotations(news: Sequence[tuple[str, str]]) -> list[str]:
    """One annotation for each of the first cases that are new."""
    return [annotation("error", f"scheduler case {place}", words) for place, words in news[:MOST]]
