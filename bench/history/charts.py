"""Graphs as SVG text: releases on the x axis, one line for each variant; drawn twice, for a desktop and a phone."""

from __future__ import annotations

import dataclasses
import html
import math

#: Colours that people with colour-blindness can tell apart (Okabe and Ito), then repeated with dashes.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
#: Width and height in CSS pixels, and the size of text.
DESKTOP, PHONE = (860, 320), (350, 300)


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of a graph: values by release, with the quartiles of their rounds; None where not measured."""

    label: str
    values: tuple[float | None, ...]
    lows: tuple[float | None, ...]
    highs: tuple[float | None, ...]


@dataclasses.dataclass(frozen=True)
class Chart:
    """A question, the unit of its numbers, the releases and the lines."""

    question: str
    unit: str
    releases: tuple[str, ...]
    lines: tuple[Line, ...]


def style(number: int) -> tuple[str, str]:
    """The colour and the dashes of a line."""
    return COLOURS[number % len(COLOURS)], ("", "6 3", "2 2")[number // len(COLOURS) % 3]


def top_of(chart: Chart) -> float:
    """The end of the y axis: 1, 2, 2.5 or 5 times a power of ten, above every value."""
    highest = max((v for line in chart.lines for v in (*line.values, *line.highs) if v is not None), default=1.0)
    power = 10.0 ** math.floor(math.log10(highest)) if highest > 0 else 1.0
    return next(step * power for step in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * power >= highest)


def number(value: float) -> str:
    """A number with at most three digits that say something.

    >>> number(0.25), number(1234.0), number(0.0)
    ('0.25', '1230', '0')
    """
    return f"{float(f'{value:.3g}'):g}"


def svg(chart: Chart, size: tuple[int, int]) -> str:
    """The graph as an SVG element of this size."""
    width, height = size
    left, right, above, below = 52, 12, 14, 46
    top, count = top_of(chart), len(chart.releases)
    across = (width - left - right) / max(1, count - 1)

    def x(index: int) -> float:
        return round(left + across * index if count > 1 else width / 2, 1)

    def y(value: float) -> float:
        return round(above + (height - above - below) * (1 - value / top), 1)

    frame = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"'
    parts = [f'<svg {frame} aria-label="{html.escape(chart.question)}">']
    for k in range(5):
        value = top * k / 4
        parts.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y(value)}" y2="{y(value)}"/>')
        parts.append(f'<text class="tick" x="{left - 6}" y="{y(value) + 4}" text-anchor="end">{number(value)}</text>')
    for k, release in enumerate(chart.releases):
        place = f'transform="translate({x(k)} {height - below + 16}) rotate(-45)"'
        parts.append(f'<text class="tick" {place} text-anchor="end">{html.escape(release.removesuffix(".0"))}</text>')
    for order, line in enumerate(chart.lines):
        colour, dashes = style(order)
        parts.append(f'<g stroke="{colour}" fill="{colour}"><title>{html.escape(line.label)}</title>')
        points = [(x(k), y(v)) for k, v in enumerate(line.values) if v is not None]
        path = " ".join(f"{a},{b}" for a, b in points)
        parts.append(f'<polyline fill="none" stroke-width="1.6" stroke-dasharray="{dashes}" points="{path}"/>')
        for k, (middle, low, high) in enumerate(zip(line.values, line.lows, line.highs, strict=True)):
            if middle is None or low is None or high is None:
                continue
            parts.append(f'<line stroke-width="1" x1="{x(k)}" x2="{x(k)}" y1="{y(low)}" y2="{y(high)}"/>')
            said = f"{line.label}, torch {chart.releases[k]}: {number(middle)} {chart.unit}"
            parts.append(f'<circle cx="{x(k)}" cy="{y(middle)}" r="2.6"><title>{html.escape(said)}</title></circle>')
        parts.append("</g>")
    return "".join([*parts, "</svg>"])
