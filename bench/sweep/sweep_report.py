"""A sweep's summary as text tables: kinds of warmup at equal length, and at equal effective period."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich.console import Console

from bench.toy.measures import EDGE_LOSS, FAILED_LOSS
from bench.toy.task import floor_note
from suite.shared.console import plain_table

from .spec import Setting, Spec

if TYPE_CHECKING:
    from pandas import DataFrame

TITLES = {
    "steps": "at equal length W",
    "period": "at equal effective period Σ(1−w), that of a linear warmup of W steps",
}
#: Tables keep this width on a narrower terminal: a wrapped line is better than a truncated number.
WIDEST = 120


def student(row: dict[str, Any], name: str, form: str = ".2f") -> str:
    """A mean ± half the width of its interval, if it has one.

    >>> student({"x": 0.5, "x_low": 0.25, "x_high": 0.75}, "x"), student({"x": 1, "x_high": math.nan}, "x")
    ('0.50 ± 0.25', '1.00')
    """
    value, spread = row[name], row[f"{name}_high"] - row[name]
    return "" if math.isnan(value) else f"{value:{form}}" + ("" if math.isnan(spread) else f" ± {spread:.2f}")


def wilson(row: dict[str, Any], name: str) -> str:
    """A share with its interval, in percent.

    >>> wilson({"x": 0.1, "x_low": 0.018, "x_high": 0.404}, "x")
    '10 (2–40)'
    """
    value, low, high = (100 * row[key] for key in (name, f"{name}_low", f"{name}_high"))
    return f"{value:.0f} ({low:.0f}–{high:.0f})"


def edge(row: dict[str, Any]) -> str:
    """An edge of stability; marked where it lies outside the grid for some seed, so that it is only a bound.

    >>> edge({"edge": 0.0253, "edges_outside": 0}), edge({"edge": 0.31, "edges_outside": 2})
    ('0.025', '0.31*')
    """
    return "" if math.isnan(row["edge"]) else f"{row['edge']:.2g}" + ("*" if row["edges_outside"] else "")


def factor(row: dict[str, Any]) -> str:
    """A factor with its interval, if it has one.

    >>> factor({"factor": 1.787, "factor_low": 1.661, "factor_high": 1.922})
    '1.79 (1.7–1.9)'
    """
    value, low, high = (row[key] for key in ("factor", "factor_low", "factor_high"))
    return "" if math.isnan(value) else f"{value:.3g}" + ("" if math.isnan(high) else f" ({low:.2g}–{high:.2g})")


def print_tables(console: Console, summary: DataFrame, spec: Spec) -> None:
    """Print a sweep's comparisons; with one kind of warmup both are the same, so only one is printed."""
    rows = {Setting(*row[:6]): dict(zip(summary.columns, row, strict=True)) for row in summary.itertuples(index=False)}
    kinds = [kind for kind in spec.kinds if kind != "none"]
    console.width = max(console.width, WIDEST)
    for norm in spec.norms:
        for decay in spec.decays:
            for match in spec.match if len(kinds) > 1 else spec.match[:1]:
                title = f", {TITLES[match]}" if len(kinds) > 1 else ""
                console.print(f"\n{norm}-LN, {decay} decay{title}")
                shown = [
                    cells(rows[setting], steps, spec)
                    for steps, settings in spec.matched(norm, decay, match).items()
                    for setting in settings
                ]
                hidden = ("length", "kind") if len(kinds) < 2 else ()
                table = plain_table()
                for name in (heads := [name for name in shown[0] if name not in hidden]):
                    table.add_column(name, justify="left" if name == "kind" else "right", no_wrap=True)
                for row in shown:
                    table.add_row(*[row[name] for name in heads])
                console.print(table)
    note = floor_note(spec.config)
    console.print(
        f"{spec.name}, {spec.steps} steps, {len(spec.lrs)} LRs {spec.lrs[0]:g} … {spec.lrs[-1]:g}, "
        f"{len(spec.seeds)} seeds; ±: 95 % interval over seeds; (): 95 % interval over runs.\n"
        "W: warmup length in steps; Σ(1−w): effective period, the number of full-LR steps that the warmup costs.\n"
        "LR sensitivity: mean over these LRs of min(loss, loss at initialisation) − best loss, nats per token.\n"
        f"edge: the LR at which the validation loss crosses {EDGE_LOSS:g}, interpolated; *: outside these LRs for a "
        "seed.\n"
        "peak ×: how many times as high the edge is as without warmup, paired by seed.\n"
        f"failed: loss not finite, or > {FAILED_LOSS:g} at an LR above the best one." + (f"\n{note}." if note else "")
    )


def cells(row: dict[str, Any], warmup_steps: int, spec: Spec) -> dict[str, str]:
    """One line of a comparison, keyed by column heading."""
    return {
        "W": f"{warmup_steps} ({warmup_steps / spec.steps:.0%})",
        "kind": row["kind"],
        "length": str(row["warmup_steps"]),
        "Σ(1−w)": f"{row['effective_period']:.1f}",
        "LR sensitivity": student(row, "lr_sensitivity"),
        "edge": edge(row),
        "peak ×": factor(row) if row["warmup_steps"] else "",
        "failed %": wilson(row, "failed_share"),
        "best loss": f"{row['best_loss']:.2g}",
    }
