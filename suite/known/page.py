"""The page of the known deviations for people, results/deviations.md: who is hit, how badly, what to write instead."""

from __future__ import annotations

import re
from collections.abc import Sequence

from suite.shared.markdown import markdown_table

from .deviations import Known, headings, readings
from .report import releases
from .severity import CLASSES, Ranked, worst

#: Entries in the short list at the top.
TOP = 10
INTRODUCTION = """\
What a scheduler does instead of what its documentation says: who is hit, how badly, what to write instead.
`python -m suite check` finds them on your torch, `python -m suite show ENTRY` explains one, and
`python -m suite repro CASE` prints a script with torch alone. `python -m suite readme` writes this page.
"""
UNITS = """\
*Damage* is the largest factor between a learning rate and the documented one in the plainest cases, and in how many
updates of that case the LR is wrong. *Since* is the first release with the deviation.
"""
_DUNDER = re.compile(r"(?<![`\w])(__\w+__)(?![`\w])")


def links(entry: Known) -> str:
    """The upstream threads as links, or that none is known."""
    return ", ".join(f"[#{n}]({link})" for n, link in zip(entry.upstream, entry.links, strict=True)) or "none found"


def _plain(text: str) -> str:
    """The text without what Markdown reads as bold or as a tag.

    >>> _plain("no attribute '__func__', <module>")
    "no attribute '`__func__`', &lt;module>"
    """
    return re.sub(r"<(?=[\w/])", "&lt;", _DUNDER.sub(r"`\1`", text))


def _table(entries: Sequence[Ranked]) -> str:
    """A row for each: who is hit, how badly, since when, what to write."""
    header = ("you are hit if", "damage", "since", "what to write instead")
    return markdown_table(
        header,
        [
            (f"[{_plain(e.who)}](#{e.id})", one.damage.words, e.since, _plain(e.workaround))
            for one in entries
            for e in [one.entry]
        ],
    )


def _details(one: Ranked) -> str:
    """Everything about one entry."""
    entry = one.entry
    example, deviation = one.damage.example
    largest = f" (`{one.damage.largest}`)" if one.damage.largest else ""
    lines = [
        f"#### {entry.id}\n",
        f"**{_plain(entry.title)}.** {_plain(entry.symptom)}\n",
        f"* You are hit if {_plain(entry.who)}.",
        f"* Damage: {one.damage.words}{largest}; {entry.kind} {releases(entry)}, in {len(one.findings)} cases.",
        f"* Instead: {_plain(entry.workaround)}",
        f"* Example: `{example.case.id}`: {_plain(deviation.detail.rstrip(': '))}",
        f"* Upstream: {links(entry)}",
    ]
    if entry.reading:
        lines.append(f"* It rests on a reading of the documentation: {_plain(readings()[entry.reading]['reading'])}")
    return "\n".join(lines) + "\n"


def _anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading.

    >>> _anchor("You resume a run, or use a tensor LR")
    'you-resume-a-run-or-use-a-tensor-lr'
    """
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def page(release: str, entries: Sequence[Ranked]) -> str:
    """The page; `entries` by damage, the worst first."""
    sections = {
        heading: group
        for subject, heading in headings().items()
        if (group := [one for one in entries if one.entry.subject == subject])
    }
    counts = [(words, sum(one.damage.kind == kind for one in entries)) for kind, words in CLASSES.items()]
    top = sorted(worst(entries, TOP), key=lambda one: one.damage.order)
    parts = [
        f"# Known deviations in torch {release}\n",
        INTRODUCTION,
        f"{len(entries)} deviations, sorted by damage in each table:\n",
        "\n".join(f"* {words}: {count}" for words, count in counts if count) + "\n",
        UNITS,
        f"## The {len(top)} that do the most damage\n",
        f"Silent, by the factor on the LR; chosen by that and by how many plain uses are hit.\n\n{_table(top)}\n",
        "## By who is hit\n",
        "\n".join(f"* [{heading}](#{_anchor(heading)}) ({len(group)})" for heading, group in sections.items()) + "\n",
    ]
    parts += [f"### {heading}\n\n{_table(group)}\n" for heading, group in sections.items()]
    parts.append("## Details\n")
    parts += [_details(one) for group in sections.values() for one in group]
    return "\n".join(parts)
