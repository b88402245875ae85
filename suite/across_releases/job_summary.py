"""The result of `upgrade` for a pull request or a CI job: Markdown, and annotations of what changes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from suite.shared.github import MOST, annotation, cell

from .change_report import HEADS, KINDS, advice
from .changes import Change


def upgrade_markdown(changes: Sequence[Change], total: int, names: str) -> str:
    """How many compositions change, by what changes, with an example and what to do; `names`: "from A to B"."""
    numeric = [change for change in changes if change.what != "warnings"]
    lines = [f"### {len(numeric)} of {total} scheduler compositions change {names}", ""]
    if not changes:
        return lines[0] + "\n\nLearning rates, momenta, errors and warnings are the same."
    groups: dict[tuple[str, str, str], list[Change]] = defaultdict(list)
    for change in numeric:
        groups[change.what, change.effect, change.entry.title if change.entry else ""].append(change)
    if groups:
        lines += ["| what | effect | compositions | example | what to do |", "|---|---|---:|---|---|"]
    order = list(KINDS)
    for (what, effect, title), group in sorted(groups.items(), key=lambda item: (order.index(item[0][0]), item[0])):
        first = min(group, key=lambda change: (len(change.case.id), change.case.id))
        example = f"`{first.case.id}`: {cell(first.words)}" + (f" ({cell(title)})" if title else "")
        words = f"{KINDS[what]} | {HEADS[effect][1]} | {len(group)} | {example} | {cell(advice(first))}"
        lines.append(f"| {words} |")
    warnings = Counter(change.words for change in changes if change.what == "warnings")
    lines += [""] * bool(warnings) + [f"* {count} × {words}" for words, count in warnings.most_common()]
    return "\n".join(lines)


def factory_markdown(factory: str, words: Sequence[str], names: str) -> str:
    """What changes for a user's own scheduler."""
    if not words:
        return f"### No change for `{factory}` {names}"
    return "\n".join([f"### `{factory}` changes {names}", "", *(f"* {line}" for line in words)])


def upgrade_annotations(changes: Sequence[Change], names: str) -> list[str]:
    """One annotation for each kind of change."""
    counts = Counter((change.what, change.effect) for change in changes if change.what != "warnings")
    return [
        annotation("warning", f"torch's schedulers {names}", f"{KINDS[what]}: {count} × {HEADS[effect][1]}")
        for (what, effect), count in counts.most_common(MOST)
    ]


def factory_annotations(factory: str, words: Sequence[str], names: str) -> list[str]:
    """One annotation with all changes of a user's own scheduler."""
    return [annotation("error", f"{factory} {names}", "\n".join(words))] if words else []
