"""A diagnosis as one page that needs nothing else: no script, no network, pictures inside."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.diagnose.core.diagnosis import Diagnosis, Explanation
from suite.shared.files import write_whole

from .comparison import compare, rows_around
from .picture import Curve, as_image, draw_curve, draw_trace, draw_zoom, zoomed
from .words import difference, parameters, runner_up_text, runners_up, verdict_line

TEMPLATE = "page.html.j2"


def render_page(
    diagnoses: Sequence[Diagnosis], *, source: str, notes: Sequence[str] = (), curves: Sequence[Curve] = ()
) -> str:
    """The page of the diagnoses of a log.

    `source`: what was diagnosed, as its reader calls it; `notes`: how it was read;
    `curves`: the readings of a run's instruments, ``(title, x, y, threshold or None)`` each.
    """
    import jinja2

    folder = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    drawn = []
    for values in curves:
        curve = Curve(*values)
        drawn.append({"image": as_image(functools.partial(draw_curve, curve=curve)), "alt": curve_text(curve)})
    return environment.get_template(TEMPLATE).render(
        source=source, notes=notes, parts=[_part(found) for found in diagnoses], curves=drawn
    )


def write_page(path: Path, page: str) -> None:
    """Write a page, whole or not at all."""
    write_whole(path, page.encode())


def _part(diagnosis: Diagnosis) -> dict[str, Any]:
    held = compare(diagnosis)
    pictures = [{"image": as_image(functools.partial(draw_trace, diagnosis=diagnosis)), "alt": trace_text(diagnosis)}]
    if zoomed(diagnosis):
        rows = "; ".join(
            f"step {r.step}: {r.expected:.6g}, logged {r.logged:.6g}" for r in rows_around(diagnosis, 1, 3)
        )
        zoom = as_image(functools.partial(draw_zoom, diagnosis=diagnosis))
        pictures.append({"image": zoom, "alt": f"The same, closer up. {rows}."})
    return {
        "name": diagnosis.trace.name,
        "verdict": diagnosis.verdict,
        "headline": verdict_line(diagnosis),
        "sentence": diagnosis.sentence(),
        "fix": diagnosis.best.fix if diagnosis.best is not None and diagnosis.verdict == "fault" else None,
        "others": [runner_up_text(other) for other in runners_up(diagnosis)],
        "pictures": pictures,
        "rows": rows_around(diagnosis),
        "held": held,
        "difference": difference(diagnosis),
        "parameters": _parameters(diagnosis.best),
        "trace": diagnosis.trace,
    }


def _parameters(best: Explanation | None) -> dict[str, str]:
    return {} if best is None else parameters(best)


def trace_text(diagnosis: Diagnosis) -> str:
    """What the picture of a trace shows, in words."""
    trace = diagnosis.trace
    text = (
        f"Learning rate of {trace.name} over steps {trace.steps[0]} to {trace.steps[-1]}: "
        f"from {trace.lrs[0]:.4g} over at most {trace.lrs.max():.4g} to {trace.lrs[-1]:.4g}."
    )
    return f"{text} {difference(diagnosis)}"


def curve_text(curve: Curve) -> str:
    """What the picture of an instrument's readings shows, in words."""
    text = f"{curve.title} over {len(curve.x)} readings"
    return f"{text}, with a threshold of {curve.threshold:g}." if curve.threshold is not None else f"{text}."
