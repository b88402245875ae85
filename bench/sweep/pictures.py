"""Pictures of a sweep: a heat map of the loss over LR and warmup, and curves of LR sensitivity."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median_low
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.toy import measures
from suite.shared.plots import BLUE, GREEN, GREY, ORANGE, PURPLE

from .spec import Setting, Spec
from .tables import Results, curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

#: The logarithmic colour scale ends here; losses outside are clipped to it.
LOSSES = (0.003, 3.0)
#: One style for each kind of warmup, distinguishable without colour too.
COLORS, MARKERS, DASHES = (BLUE, ORANGE, GREEN, PURPLE, GREY, "black"), "os^DvX", ("-", "--", "-.", ":", "-", "--")


def caption(spec: Spec, machine: str) -> str:
    """A description of the sweep, in two lines."""
    return (
        f"toy digits-to-words task, {spec.name} (d_model {spec.config.d_model}), Adam, {spec.steps} steps, "
        f"{len(spec.lrs)} LRs × {len(spec.seeds)} seeds, {spec.dtype} on {spec.device}\n{machine}"
    )


def _panels(rows: int, columns: int, height: float, width: float, about: str) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(7.5, width * columns + 1.6), height * rows + 1.6), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
    figure.supxlabel(about, x=0.01, ha="left", fontsize=8.5, color=GREY)
    return figure, axes


def heatmap(results: Results, spec: Spec, machine: str) -> Figure:
    """Validation loss over LR × warmup length: a panel per kind of warmup, a row per norm and decay.

    Kinds are compared at equal length, or at equal effective period if the sweep has only that comparison.
    """
    match = spec.match[0]
    kinds = [kind for kind in spec.kinds if kind != "none"] or ["none"]
    places = [(norm, decay) for norm in spec.norms for decay in spec.decays]
    width = max(0.55 * len(spec.lrs) + 0.8, 4.2)  # room for the title of a panel
    height = 0.42 * len(spec.warmups) + 1.3
    figure, axes = _panels(
        len(places),
        len(kinds),
        height,
        width,
        f"numbers: geometric mean over seeds; ×: most seeds failed\n{caption(spec, machine)}",
    )
    for (norm, decay), row in zip(places, axes, strict=True):
        for kind, axis in zip(kinds, row, strict=True):
            settings = [spec.setting(norm, decay, kind, spec.length(kind, steps, match)) for steps in spec.warmups]
            mesh = _heat(axis, results, settings, spec)
            axis.set_title(f"{kind} warmup, {decay} decay, {norm}-LN")
        row[0].set_ylabel("warmup, steps" if match == "steps" else "linear warmup of the same\neffective period, steps")
    for axis in axes[-1]:
        axis.set_xlabel("base learning rate")
    bar = figure.colorbar(mesh, ax=axes, extend="both", fraction=0.04, pad=0.01)
    bar.set_label("validation loss, nats per token")
    bar.ax.axhline(measures.STABLE_LOSS, color="white")
    bar.set_ticks([0.01, 0.1, 1.0], labels=["0.01", "0.1 stable", "1 failed"])
    first = [spec.setting(*places[0], kinds[0], spec.length(kinds[0], steps, match)) for steps in spec.warmups]
    _title(figure, _headline(results, spec, first) + (f" ({kinds[0]})" if len(kinds) > 1 else ""))
    return figure


def _title(figure: Figure, text: str) -> None:
    figure.suptitle(text, x=0.01, ha="left", fontsize=12, fontweight="bold")


def _headline(results: Results, spec: Spec, settings: Sequence[Setting]) -> str:
    """The largest stable LRs with the shortest and the longest warmup, as a title."""
    outcomes = {}
    for setting in sorted(settings, key=lambda setting: setting.warmup_steps)[:: max(len(settings) - 1, 1)]:
        lr = median_low(measures.max_stable_lr(curves(results, setting, spec), spec.lrs).tolist())
        about = f"with {setting.warmup_steps / spec.steps:.0%} warmup" if setting.warmup_steps else "without warmup"
        outcomes[about] = f"up to LR {lr:.2g}" if lr else "at no LR"
    if len(set(outcomes.values())) == 1:
        return f"{settings[0].norm}-LN learned {next(iter(outcomes.values()))} {' and '.join(outcomes)}"
    return f"{settings[0].norm}-LN learned " + ", ".join(f"{lr} {about}" for about, lr in outcomes.items())


def _heat(axis: Axes, results: Results, settings: Sequence[Setting], spec: Spec) -> Any:
    """One panel: geometric mean over seeds of the loss as colour and number, a cross where most seeds failed."""
    from matplotlib.colors import LogNorm

    losses = np.stack([curves(results, setting, spec) for setting in settings])  # [W, seeds, LRs]
    initial = np.stack([curves(results, setting, spec, "initial_loss")[:, 0] for setting in settings])
    middle = np.exp(np.log(np.maximum(measures.capped(losses, initial), 1e-12)).mean(1))
    failed = measures.failed(losses, spec.lrs).mean(1) > 0.5
    mesh = axis.pcolormesh(middle, cmap="cividis", norm=LogNorm(*LOSSES), edgecolors="white", linewidth=0.5)
    for (i, j), value in np.ndenumerate(middle):
        color = "white" if value < np.sqrt(LOSSES[0] * LOSSES[1]) else "black"
        text = _short(value) + ("×" if failed[i, j] else "")
        axis.text(j + 0.5, i + 0.5, text, ha="center", va="center", color=color, fontsize=8)
    axis.set_xticks(np.arange(len(spec.lrs)) + 0.5, [f"{lr:.2g}" for lr in spec.lrs], rotation=45)
    axis.set_yticks(np.arange(len(settings)) + 0.5, [f"{steps} ({steps / spec.steps:.0%})" for steps in spec.warmups])
    axis.grid(visible=False)
    return mesh


def _short(loss: float) -> str:
    """A loss in a few characters.

    >>> [_short(loss) for loss in (2.28, 0.997, 0.45, 0.034, 0.0071, 0.0002)]
    ['2.3', '1.0', '.45', '.03', '.007', '<.001']
    """
    if loss < 0.001:
        return "<.001"
    digits = 1 if loss >= 0.995 else 2 if loss >= 0.0095 else 3
    return f"{loss:.{digits}f}".removeprefix("0" if digits > 1 else "")


def sensitivity(summary: DataFrame, spec: Spec, machine: str) -> Figure:
    """LR sensitivity against warmup length and, with several kinds, against effective period."""
    kinds = [kind for kind in spec.kinds if kind != "none"]
    sides = [("warmup_steps", "warmup length, steps")]
    if len(kinds) > 1:
        sides.append(("effective_period", "effective period Σ(1−w), steps"))
    places = [(norm, decay) for norm in spec.norms for decay in spec.decays]
    figure, axes = _panels(len(places), len(sides), 3.6, 6.0, caption(spec, machine))
    for (norm, decay), row in zip(places, axes, strict=True):
        chosen = summary[(summary["norm"] == norm) & (summary["decay"] == decay)]
        for (column, label), axis in zip(sides, row, strict=True):
            offset = 0.006 * chosen[column].max()  # so that intervals do not hide each other
            looks = zip(kinds or ["none"], COLORS, MARKERS, DASHES, strict=False)
            for i, (kind, color, marker, style) in enumerate(looks):
                line = chosen[chosen["kind"].isin((kind, "none"))].sort_values(column)
                y = line["lr_sensitivity"]
                bars = [y - line["lr_sensitivity_low"], line["lr_sensitivity_high"] - y]
                look = {"color": color, "marker": marker, "linestyle": style, "capsize": 3, "label": kind}
                axis.errorbar(line[column] + offset * (i - (len(kinds) - 1) / 2), y, bars, **look)
            axis.set_xlabel(label)
            axis.set_title(f"{decay} decay, {norm}-LN")
            axis.set_ylim(bottom=0)
        row[0].set_ylabel("LR sensitivity, nats per token")
    if len(kinds) > 1:
        axes[0, 0].legend(title="warmup")
    span, seeds = f"{spec.lrs[0]:.2g} … {spec.lrs[-1]:.2g}", len(spec.seeds)
    _title(figure, f"LR sensitivity over {span}: mean and 95 % interval over {seeds} seeds")
    return figure
