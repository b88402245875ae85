"""The page with every learning-rate check of a test run: no script, no network, pictures inline."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.diagnose.show.picture import as_image
from suite.shared.clone import version
from suite.shared.files import write_whole
from suite.shared.plots import BLUE, GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TEMPLATE = "checks.html.j2"
#: Curves of one check that are drawn; a model with many parameter groups has as many.
MOST = 6


def draw_check(axes: Axes, curve: dict[str, Any]) -> None:
    """The LRs that the updates used, over the expected ones."""
    if curve["expected"] is not None:
        axes.plot(curve["steps"], curve["expected"], color=GREY, alpha=0.45, linewidth=5, label="expected")
    axes.plot(curve["steps"], np.array(curve["used"]), color=BLUE, linewidth=1.5, label="used")
    axes.set_title(curve["name"], parse_math=False)
    axes.set_xlabel("optimizer step")
    axes.set_ylabel("learning rate")
    axes.legend(fontsize=9)


def render_checks(tests: Sequence[dict[str, Any]]) -> str:
    """The page of these tests, the failures first."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    rows = [_row(test, check) for test in tests for check in test["checks"]]
    rows.sort(key=lambda row: not row["failures"])
    failed = sum(bool(row["failures"]) for row in rows)
    return environment.get_template(TEMPLATE).render(rows=rows, failed=failed, version=version())


def _row(test: dict[str, Any], check: dict[str, Any]) -> dict[str, Any]:
    pictures = [
        {"image": as_image(functools.partial(draw_check, curve=curve)), "alt": f"Learning rates of {curve['name']}"}
        for curve in check["curves"][:MOST]
    ]
    more = max(len(check["curves"]) - MOST, 0)
    return {"id": test["id"], "name": check["name"], "failures": check["failures"], "pictures": pictures, "more": more}


def write_checks(path: Path, tests: Sequence[dict[str, Any]]) -> None:
    """Write the page atomically."""
    write_whole(path, render_checks(tests).encode())
