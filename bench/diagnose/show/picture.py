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

#: As many points as a picture shows; more would only make its file large.
MOST_POINTS = 2000
#: Logged steps before and after the first difference in the zoom.
BEFORE, AFTER = 8, 16
#: Up to so many points each is marked by a dot.
DOTS = 80
#: Inches; small, so that the text stays legible when a phone shrinks the picture.
SIZE = (4.4, 3.2)


class Curve(NamedTuple):
    """An instrument's readings: its title, where and what it read, and the threshold of its alarm, if it has one."""

    title: str
    x: Rates | Steps
    y: Rates
    threshold: float | None = None


def thinned(values: Rates, most: int = MOST_POINTS) -> Steps:
    """The indices of at most about `most` values, with the smallest and the largest of each stretch.

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
    """The whole trace against what it is held against, the step to look at marked."""
    held, trace = compare(diagnosis), diagnosis.trace
    shown = thinned(trace.lrs)
    if held is not None and held.mark is not None:
        shown = np.union1d(shown, [held.mark])
    _curves(axes, diagnosis, held, shown)
    axes.set_title(trace.name if len(trace.name) <= 50 else f"{trace.name[:47]}...", parse_math=False)


def zoomed(diagnosis: Diagnosis) -> bool:
    """Whether there is a step to look at, in a trace that is longer than the zoom on it."""
    held = compare(diagnosis)
    return held is not None and held.mark is not None and diagnosis.trace.steps.size > BEFORE + AFTER


def draw_zoom(axes: Axes, diagnosis: Diagnosis) -> None:
    """The logged steps around the one to look at; raises ValueError where there is none."""
    held, trace = compare(diagnosis), diagnosis.trace
    if held is None or held.mark is None:
        raise ValueError(f"trace={trace.name!r} must have a step to look at, to be zoomed in on")
    shown = np.arange(max(held.mark - BEFORE, 0), min(held.mark + AFTER, trace.steps.size))
    _curves(axes, diagnosis, held, shown)
    axes.set_title(f"around step {trace.steps[held.mark]}")


def draw_curve(axes: Axes, curve: Curve) -> None:
    """One instrument's readings over the steps, with its threshold; readings that are not finite are gaps."""
    x, y = np.asarray(curve.x), np.asarray(curve.y, dtype=np.float64)
    real = np.isfinite(y)
    shown = thinned(np.where(real, y, 0.0))
    axes.plot(x[shown], np.where(real, y, np.nan)[shown], color=BLUE)
    if real.any() and y[real].min() > 0 and y[real].max() > 100 * y[real].min():
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


def _curves(axes: Axes, diagnosis: Diagnosis, held: Comparison | None, shown: Steps) -> None:
    trace = diagnosis.trace
    steps = trace.steps[shown]
    dots = "o" if shown.size <= DOTS else None
    if held is not None:
        axes.plot(steps, held.lrs[shown], color=GREY, alpha=0.45, linewidth=5, label=held.label)
    axes.plot(steps, trace.lrs[shown], color=BLUE, marker=dots, markersize=3.5, linewidth=1.5, label="logged")
    if held is not None and held.mark is not None:
        at = trace.steps[held.mark]
        what = "wrong from" if held.first is None else "first difference:"
        axes.axvline(at, color=ORANGE, linestyle="--", label=f"{what} step {at}")
    axes.ticklabel_format(axis="y", scilimits=(-3, 4), useMathText=True)
    _label_steps(axes, "optimizer step (0: first update)")
    axes.set_ylabel("learning rate")
    axes.margins(x=0.02)
    axes.legend(fontsize=9)


def write_picture(diagnoses: Sequence[Diagnosis], path: Path) -> None:
    """Draw all traces and the zooms into one file; raises ValueError for a format that cannot be written."""
    from matplotlib.figure import Figure

    wide = 1 + any(zoomed(found) for found in diagnoses)
    with house_style():
        figure = Figure(figsize=(wide * SIZE[0], SIZE[1] * len(diagnoses)), layout="constrained")
        grid = figure.subplots(len(diagnoses), wide, squeeze=False)
        for row, found in zip(grid, diagnoses, strict=True):
            draw_trace(row[0], found)
            if zoomed(found):
                draw_zoom(row[1], found)
            elif wide > 1:
                row[1].set_axis_off()
        save(figure, path)


def as_image(draw: Callable[[Axes], None]) -> str:
    """The address of an SVG image that holds itself, with what `draw` draws; the same text on every run."""
    import matplotlib
    from matplotlib.figure import Figure

    target = io.BytesIO()
    with house_style(), matplotlib.rc_context({"svg.hashsalt": "warmup-bench"}):
        figure = Figure(figsize=SIZE, layout="constrained")
        draw(figure.subplots())
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(target.getvalue()).decode('ascii')}"
