"""The published page: one graph per question, the sentences, every clear change; all data inline, no script."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np

from .charts import DESKTOP, PHONE, Chart, Line, style, svg
from .plan import MEASURED, Tracked
from .table import CONFIDENCE, MARGIN, HistoryTable, Key, ReleaseChange, changes, control, label, words

#: Torch has no fused Adam for a CPU before this release; the plain trainer then uses the default one.
FUSED = "Before 2.4 torch has no fused Adam on a CPU; its default Adam is used there."


def chart_keys(table: HistoryTable, measured: Tracked) -> dict[str, list[Key]]:
    """The lines of each graph of a benchmark, by what distinguishes the graphs: its other parameters."""
    graphs: dict[str, list[Key]] = {}
    for key in table.values:
        if key[0] == measured.name:
            rest = [str(value) for k, value in enumerate(key[1]) if k != measured.split and value != "cpu"]
            graphs.setdefault(", ".join(rest), []).append(key)
    return graphs


def question_of(measured: Tracked, rest: str) -> str:
    """The title of a graph: the question, and what of its parameters the graph shows."""
    words_of = {"1, float": "1 parameter group, float LR", "100, float": "100 groups, float LR"}
    words_of |= {"1, tensor": "1 parameter group, tensor LR", "100, tensor": "100 groups, tensor LR"}
    shown = words_of.get(rest, "" if rest == "small16" else rest)
    return f"{measured.title} ({shown})" if shown else measured.title


def charts(table: HistoryTable, releases: Sequence[str]) -> list[Chart]:
    """One graph per question."""
    rows = [table.arms.index(release) for release in releases]
    drawn = []
    for measured in MEASURED:
        for rest, keys in chart_keys(table, measured).items():
            lines = []
            for key in keys:
                values = table.values[key][rows] * measured.scale
                lines.append(Line(_line_label(measured, key), *(_column(values, how) for how in _WAYS)))
            drawn.append(Chart(question_of(measured, rest), measured.unit, tuple(releases), tuple(lines)))
    return drawn


_WAYS = (np.nanmedian, *(functools.partial(np.nanpercentile, q=share) for share in (25, 75)))


def _column(values: np.ndarray, how: Any) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(row).all() else float(how(row)) for row in values)


def _line_label(measured: Tracked, key: Key) -> str:
    return str(key[1][measured.split]) if len(measured.axes) > 1 or measured.axes[0] is None else "small16"


def finding(chart: Chart) -> str:
    """The graph in one sentence: how far the lines moved from the first release to the last."""
    known = {line.label: [value for value in line.values if value] for line in chart.lines}
    ratios = {name: values[-1] / values[0] for name, values in known.items() if len(values) > 1}
    if not ratios:
        return "Tracked in one release only."
    low, high = min(ratios.values()), max(ratios.values())
    ends = f"In {chart.releases[-1]} the number is"
    if len(ratios) == 1:
        return f"{ends} {low:.2f} × that of {chart.releases[0]}."
    names = [next(name for name, ratio in ratios.items() if ratio == end) for end in (low, high)]
    return f"{ends} {low:.2f} × ({names[0]}) to {high:.2f} × ({names[1]}) that of {chart.releases[0]}."


def _interval(one: ReleaseChange) -> Mapping[str, str]:
    value, low, high = (100 * (x - 1) for x in one.ratio)
    return {
        "what": label(one.key),
        "release": f"{one.before} → {one.after}",
        "change": f"{value:+.0f} %",
        "interval": f"{low:+.0f} to {high:+.0f} %",
    }


def control_words(table: HistoryTable, release: str) -> str:
    """What the second copy of the last release shows."""
    found = control(table, release)
    if not found:
        return "The control was not measured."
    clear = [one for one in found if one.is_clear]
    largest = max(found, key=lambda one: abs(math.log(one.ratio.value)))
    said = f"Control: torch {release}, measured twice, gives {len(clear)} clear changes in {len(found)}; "
    return f"{said}the largest difference is {label(largest.key)}, {words(largest)}."


def context(
    table: HistoryTable, releases: Sequence[str], about: str, busy: str, sentences: Sequence[str]
) -> dict[str, Any]:
    """All that the page shows."""
    from markupsafe import Markup

    shown = []
    for chart in charts(table, releases):
        styles = [style(order) for order in range(len(chart.lines))]
        key = [
            {"label": line.label, "colour": colour, "dashes": dashes}
            for line, (colour, dashes) in zip(chart.lines, styles, strict=True)
        ]
        note = FUSED if "a step cost" in chart.question and "2.3.1" in releases else ""
        shown.append(
            {
                **{k: v for k, v in dataclasses.asdict(chart).items() if k in ("question", "unit")},
                "finding": finding(chart),
                "desktop": Markup(svg(chart, DESKTOP)),
                "phone": Markup(svg(chart, PHONE)),
                "key": key if len(key) > 1 else [],
                "note": note,
            }
        )
    clear = [one for one in changes(table, releases) if one.is_clear]
    clear.sort(key=lambda one: -abs(math.log(one.ratio.value)))
    return {
        "about": about,
        "busy": busy,
        "sentences": list(sentences),
        "charts": shown,
        "changes": [_interval(one) for one in clear],
        "rule": f"A change is listed where its whole {100 * CONFIDENCE:.0f} % interval, over paired rounds, is beyond "
        f"{100 * (MARGIN - 1):.0f} % either way.",
        "control": control_words(table, releases[-1]),
        "method": "Points are medians over the rounds, bars hold the middle half of them. In each round "
        "every release is measured once, in turn, in its own environment: one machine, one Python, one NumPy.",
    }


def render(content: Mapping[str, Any]) -> str:
    """The page as HTML."""
    from jinja2 import Environment, StrictUndefined

    template = (files(__package__) / "page.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(content) + "\n"
