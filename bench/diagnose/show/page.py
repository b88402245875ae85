"""A diagnosis as a self-contained page: no script, no network, pictures inline."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.diagnose.core.diagnosis import Diagnosis
from bench.diagnose.core.words import number
from suite.shared.files import write_whole

from .comparison import compare, rows_around
from .picture import InstrumentCurve, as_image, draw_curve, draw_trace, draw_zoom, zoomed
from .words import compared_with, difference, facts_lines, other_explanations, parameters, table_rows, verdict_line

TEMPLATE = "page.html.j2"


def render_page(
    diagnoses: Sequence[Diagnosis], *, source: str, notes: Sequence[str] = (), curves: Sequence[InstrumentCurve] = ()
) -> str:
    """The page of the diagnoses of a log.

    `source`: the name of the log; `notes`: how it was read;
    `curves`: the readings of a run's instruments, each ``(title, steps, values, threshold or None)``.
    """
    import jinja2

    folder = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    drawn = []
    for values in curves:
        curve = InstrumentCurve(*values)
        drawn.append({"image": as_image(functools.partial(draw_curve, curve=curve)), "alt": curve_text(curve)})
    return environment.get_template(TEMPLATE).render(
        source=source, notes=notes, parts=[_part(diagnosis) for diagnosis in diagnoses], curves=drawn
    )


def write_page(path: Path, page: str) -> None:
    """Write a page atomically."""
    write_whole(path, page.encode())


def _part(diagnosis: Diagnosis) -> dict[str, Any]:
    comparison = compare(diagnosis)
    pictures = [{"image": as_image(functools.partial(draw_trace, diagnosis=diagnosis)), "alt": trace_text(diagnosis)}]
    if zoomed(diagnosis):
        rows = "; ".join(
            f"step {row.step}: {number(row.expected)}, logged {number(row.logged)}"
            for row in rows_around(diagnosis, 1, 3)
        )
        zoom = as_image(functools.partial(draw_zoom, diagnosis=diagnosis))
        pictures.append({"image": zoom, "alt": f"The same, enlarged. {rows}."})
    return {
        "name": diagnosis.trace.name,
        "verdict": diagnosis.verdict,
        "headline": verdict_line(diagnosis),
        "sentence": diagnosis.sentence(),
        "fix": diagnosis.best.fix if diagnosis.best is not None and diagnosis.verdict == "fault" else None,
        "facts": facts_lines(diagnosis),
        "look": diagnosis.look,
        "others": other_explanations(diagnosis),
        "pictures": pictures,
        "rows": table_rows(diagnosis),
        "label": "" if comparison is None else comparison.label,
        "difference": difference(diagnosis),
        "compared_with": compared_with(diagnosis),
        "parameters": {} if diagnosis.best is None else parameters(diagnosis.best),
        "trace": diagnosis.trace,
    }


def trace_text(diagnosis: Diagnosis) -> str:
    """The picture of a trace in words."""
    trace = diagnosis.trace
    text = (
        f"Learning rate of {trace.name} over steps {trace.steps[0]} to {trace.steps[-1]}: "
        f"starts at {number(trace.lrs[0])}, peaks at {number(trace.lrs.max())}, ends at {number(trace.lrs[-1])}."
    )
    return f"{text} {difference(diagnosis)}".strip()


def curve_text(curve: InstrumentCurve) -> str:
    """The picture of an instrument's readings in words."""
    text = f"{curve.title} over {len(curve.x)} readings"
    return f"{text}, with a threshold of {curve.threshold:g}." if curve.threshold is not None else f"{text}."
