"""The pictures of a diagnosis: the whole trace, and a zoom on its first difference."""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bench.diagnose.core.diagnosis import Diagnosis
from reference.check import Rates, Steps
from suite.shared.plots import BLUE, GREY, ORANGE, house_style, save

from .comparison import Comparison, compare

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Points in a picture at most; more would only make its file large.
MOST_POINTS = 2000
#: Logged steps before and after the first difference in the zoom.
BEFORE, AFTER = 8, 16
#: Up to this many points, each is marked by a dot.
DOTS = 80
#: Inches; small, so that the text stays legible when a phone shrinks the picture.
SIZE = (4.4, 3.2)


class InstrumentCurve(NamedTuple):
    """The readings of an instrument: title, steps, values, and the threshold of its alarm, if there is one."""

    title: str
    x: Rates | Steps
    y: Rates
    threshold: float | None = None


def thinned(values: Rates, most: int = MOST_POINTS) -> Steps:
    """The indices of about `most` values at most, with the smallest and the largest of each stretch.

    >>> thinned(np.array([0.0, 5.0, 1.0, 1.0, -3.0, 1.0, 1.0, 1.0]), 4).tolist()
    [0, 1, 4, 5, 7]
    """
    if values.size <= most:
        return np.arange(values.size)
    edges = np.linspace(0, values.size, max(most // 2, 1) + 1).astype(np.int64)
    parts = [(a, values[a:b]) for a, b in itertools.pairwise(edges)]
    kept = [int(a + pick(part)) for a, part in parts for pick in (np.argmin, np.argmax)]
    return np.unique([0, *kept, values.size - 1])


def draw_trace(axes: Axes, diagnosis: Diagnosis) -> None:
    """The whole trace beside what it is compared with; the step to look at is marked."""
    comparison, trace = compare(diagnosis), diagnosis.trace
    shown = thinned(trace.lrs)
    if comparison is not None and comparison.mark is not None:
        shown = np.union1d(shown, [comparison.mark])
    _curves(axes, diagnosis, comparison, shown)
    axes.set_title(trace.name if len(trace.name) <= 50 else f"{trace.name[:47]}...", parse_math=False)


def zoomed(diagnosis: Diagnosis) -> bool:
    """Whether there is a step to look at and the trace is longer than the zoom on it."""
    comparison = compare(diagnosis)
    return comparison is not None and comparison.mark is not None and diagnosis.trace.steps.size > BEFORE + AFTER


def draw_zoom(axes: Axes, diagnosis: Diagnosis) -> None:
    """The logged steps around the one to look at; raises ValueError if there is none."""
    comparison, trace = compare(diagnosis), diagnosis.trace
    if comparison is None or comparison.mark is None:
        raise ValueError(f"trace={trace.name!r} must have a step to zoom in on")
    shown = np.arange(max(comparison.mark - BEFORE, 0), min(comparison.mark + AFTER, trace.steps.size))
    _curves(axes, diagnosis, comparison, shown)
    axes.set_title(f"around step {trace.steps[comparison.mark]}")


def draw_curve(axes: Axes, curve: InstrumentCurve) -> None:
    """The readings of an instrument over the steps, with its threshold; non-finite readings are gaps."""
    x, y = np.asarray(curve.x), np.asarray(curve.y, dtype=np.float64)
    finite = np.isfinite(y)
    shown = thinned(np.where(finite, y, 0.0))
    axes.plot(x[shown], np.where(finite, y, np.nan)[shown], color=BLUE)
    if finite.any() and y[finite].min() > 0 and y[finite].max() > 100 * y[finite].min():
        axes.set_yscale("log")
    if curve.threshold is not None:
        axes.axhline(curve.threshold, color=ORANGE, linestyle="--", label=f"threshold {curve.threshold:g}")
        axes.legend(fontsize=9)
    axes.set_title(curve.title, parse_math=False)
    _label_steps(axes, "optimizer step")


def _label_steps(axes: Axes, text: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(text)


def _curves(axes: Axes, diagnosis: Diagnosis, comparison: Comparison | None, shown: Steps) -> None:
    trace = diagnosis.trace
    steps = trace.steps[shown]
    dots = "o" if shown.size <= DOTS else None
    if comparison is not None:
        axes.plot(steps, comparison.lrs[shown], color=GREY, alpha=0.45, linewidth=5, label=comparison.label)
    axes.plot(steps, trace.lrs[shown], color=BLUE, marker=dots, markersize=3.5, linewidth=1.5, label="logged")
    if comparison is not None and comparison.mark is not None:
        at = trace.steps[comparison.mark]
        what = "wrong from" if comparison.first is None else "first difference:"
        axes.axvline(at, color=ORANGE, linestyle="--", label=f"{what} step {at}")
    axes.ticklabel_format(axis="y", scilimits=(-3, 4), useMathText=True)
    _label_steps(axes, "optimizer step (0: first update)")
    axes.set_ylabel("learning rate")
    axes.margins(x=0.02)
    axes.legend(fontsize=9)


def write_picture(diagnoses: Sequence[Diagnosis], path: Path) -> None:
    """Draw all traces and their zooms into one file; raises ValueError for an unsupported format."""
    from matplotlib.figure import Figure

    wide = 1 + any(zoomed(diagnosis) for diagnosis in diagnoses)
    with house_style():
        figure = Figure(figsize=(wide * SIZE[0], SIZE[1] * len(diagnoses)), layout="constrained")
        grid = figure.subplots(len(diagnoses), wide, squeeze=False)
        for row, diagnosis in zip(grid, diagnoses, strict=True):
            draw_trace(row[0], diagnosis)
            if zoomed(diagnosis):
                draw_zoom(row[1], diagnosis)
            elif wide > 1:
                row[1].set_axis_off()
        save(figure, path)


def as_image(draw: Callable[[Axes], None]) -> str:
    """A data: URL of an SVG image of what `draw` draws; the same text on every run."""
    import matplotlib
    from matplotlib.figure import Figure

    target = io.BytesIO()
    with house_style(), matplotlib.rc_context({"svg.hashsalt": "warmup-bench"}):
        figure = Figure(figsize=SIZE, layout="constrained")
        draw(figure.subplots())
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(target.getvalue()).decode('ascii')}"
