"""The tutorials' charts, redrawn: lines are the reference, markers are torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.engine.subject import Subject, installed
from suite.shared.plots import BLUE, GREEN, GREY, ORANGE, PURPLE, house_style

from . import curves
from .outcomes import BASE_LR, EPOCHS, MIN_LR, PER_EPOCH, WARMUP

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _figure(height: float, title: str, caption: str, subject: Subject) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, height), dpi=130)
    low, high = 0.5 / height, 1 - 0.5 / height  # room for the caption and the title
    figure.set_layout_engine("constrained", rect=(0.01, low, 0.98, high - low), hspace=0.06, wspace=0.06)
    figure.text(0.015, 1 - 0.16 / height, title, fontsize=14, fontweight="bold", va="top")
    note = f"{caption}\nLines: closed form of the reference. Markers: {subject.name}."
    figure.text(0.015, 0.08 / height, note, fontsize=9, color=GREY, va="bottom")
    return figure


def _draw(axes: Axes, curve: curves.Curve, color: str, every: int, offset: int = 0, **line: Any) -> None:
    """Draw the reference as a line and the measured values as open markers over it."""
    x = np.arange(curve.expected.size)
    axes.plot(x, curve.expected, color=color, linewidth=1.8, **line)
    shown = slice(offset, None, every)
    axes.plot(x[shown], curve.actual[shown], "o", color=color, markersize=4.5, markerfacecolor="white", zorder=3)


def _noam(subject: Subject) -> Figure:
    noam = curves.noam(subject)
    figure = _figure(
        5.6,
        "With lr=0.0, the tutorial's cosine branch trains at LR 0 for the whole warmup",
        f"d_model {curves.D_MODEL}, warmup {curves.NOAM_WARMUP} steps, base LR {BASE_LR:g}, "
        f"eta_min {MIN_LR:g}. The code sets T_max to 10 000 steps, although the cosine starts at step 4000.",
        subject,
    )
    axes = figure.subplots()
    total, rest, zero = (noam[name].actual for name in ("total", "rest", "zero"))
    _draw(axes, noam["noam"], BLUE, 500)
    _draw(axes, noam["rest"], GREEN, 500)
    _draw(axes, noam["total"], ORANGE, 500, 250, linestyle="--")
    _draw(axes, noam["zero"], "black", 500)
    axes.annotate("Noam: the tutorial's class", (6200, noam["noam"].actual[6200]), (6300, 1.27e-3), color=BLUE)
    axes.annotate(f"T_max as written: 10 000\nends at {total[-1]:.2g}", (7680, 7.4e-4), color=ORANGE)
    axes.annotate(f"T_max = 6000\nends at {rest[-1]:.2g}", (5750, 3.2e-4), color=GREEN)
    silent = f"optimizer created with lr=0.0, as written:\nLR 0 for 4000 steps, {zero[-1]:.1g} at the end"
    axes.annotate(silent, (2350, 0.4e-4), color="black")
    axes.set(xlabel="optimizer step", ylabel="learning rate")
    axes.set(xlim=(0, curves.NOAM_STEPS), ylim=(-3e-5, 1.5e-3))
    axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    return figure


def _combinations(subject: Subject) -> Figure:
    intended, code = curves.combinations(subject), curves.returned()
    figure = _figure(
        7.0,
        "Asked for a step decay, the hand-written function returns a linear decay",
        f"Base LR 1, warmup {curves.NAMED_WARMUP} of {curves.NAMED_STEPS} steps from 1e-6, "
        f"min_lr {curves.NAMED_MIN:g} (dotted). "
        f"No decay reaches min_lr: the linear decay ends at {curves.floor_missed():,.0f} times min_lr.",
        subject,
    )
    colors = (BLUE, GREEN, ORANGE, PURPLE)
    all_axes = figure.subplots(2, 2, sharex=True, sharey=True).ravel()
    for axes, color, (name, curve) in zip(all_axes, colors, intended.items(), strict=True):
        _draw(axes, curve, color, 25)
        axes.plot(code[name].actual, "--", color="black", linewidth=1.2, zorder=4)
        axes.axhline(curves.NAMED_MIN, color=GREY, linestyle=":", linewidth=1.2)
        axes.set_title(f"'{name}'", color=color, fontweight="bold")
        axes.set(yscale="log", ylim=(4e-8, 4), xlim=(0, curves.NAMED_STEPS))
        last = code[name].actual[-1]
        axes.annotate(f"last returned value: {last:.2g}", (490, 1.4e-6), ha="right", fontsize=10)
    all_axes[0].annotate("dashed: returned by the function", (490, 1e-5), ha="right", fontsize=10)
    all_axes[0].annotate("min_lr", (8, 1.6e-7), fontsize=10, color=GREY)
    for axes in all_axes[2:]:
        axes.set_xlabel("optimizer step")
    for axes in all_axes[::2]:
        axes.set_ylabel("learning rate (log)")
    return figure


def _vit(subject: Subject) -> Figure:
    vit = curves.vit(subject)
    figure = _figure(
        7.6,
        "Stepped once per epoch, the LR is a staircase, not a slope",
        f"ViT tutorial: ChainedScheduler, {EPOCHS} epochs of {PER_EPOCH} steps, "
        f"warmup {WARMUP} epochs from 1e-6 to {BASE_LR:g}. Black: the slope drawn in the tutorial.",
        subject,
    )
    grid = figure.add_gridspec(2, 2, height_ratios=(1, 1.1))
    top = figure.add_subplot(grid[0, :])
    left, right = figure.add_subplot(grid[1, 0]), figure.add_subplot(grid[1, 1])
    x = np.arange(EPOCHS * PER_EPOCH)
    by_epoch = vit["per_epoch"]
    top.plot(x, by_epoch.expected, color=BLUE, linewidth=1.8)
    top.plot(x[::100], by_epoch.actual[::100], "o", color=BLUE, markersize=4.5, markerfacecolor="white")
    top.axvline(WARMUP * PER_EPOCH, color=GREY, linestyle=":", linewidth=1.2)
    top.annotate("end of warmup", (WARMUP * PER_EPOCH + 40, 3e-6), color=GREY)
    top.set(yscale="log", ylim=(7e-7, 2e-3), xlim=(0, x.size), ylabel="learning rate (log)")
    top.set_title("All epochs, stepped once per epoch")
    for axes, first, last, name in ((left, 3, 7, "During warmup"), (right, 18, 22, "Around the peak")):
        window = slice(first * PER_EPOCH, last * PER_EPOCH)
        for key, color, every in (("per_step", GREEN, 10), ("per_epoch", BLUE, 10)):
            curve = vit[key]
            axes.step(x[window], 1e4 * curve.expected[window], color=color, linewidth=1.8, where="post")
            marks, rates = x[window][::every], 1e4 * curve.actual[window][::every]
            axes.plot(marks, rates, "o", color=color, markersize=4, markerfacecolor="white")
        axes.plot(x[window], 1e4 * vit["drawn"].actual[window], "--", color="black", linewidth=1.4)
        axes.set_title(f"{name}: epochs {first} to {last - 1}")
    for axes, ticks in ((top, range(0, EPOCHS + 1, 10)), (left, range(3, 8)), (right, range(18, 23))):
        axes.set_xticks([e * PER_EPOCH for e in ticks], [str(e) for e in ticks])
        axes.set_xlabel("epoch")
    left.set_ylabel("learning rate, 1e-4")
    left.annotate("stepped per optimizer step", (3.05 * PER_EPOCH, 2.75), color=GREEN)
    left.annotate("stepped per epoch", (5.5 * PER_EPOCH, 2.05), color=BLUE)
    left.annotate("drawn in the tutorial", (4.75 * PER_EPOCH, 1.45), color="black")
    return figure


def _chained(subject: Subject) -> Figure:
    chained = curves.chained(subject)
    sequential_lrs, chained_lrs = chained["sequential"].actual, chained["chained"].actual
    lost = 1 - chained_lrs.max() / sequential_lrs.max()
    figure = _figure(
        6.6,
        f"ChainedScheduler is not SequentialLR: it loses {lost:.1%} of the peak",
        f"LinearLR from 1e-6 to {BASE_LR:g} over {WARMUP} epochs, and CosineAnnealingLR with "
        f"eta_min {MIN_LR:g}; T_max is {EPOCHS - WARMUP} in sequence, {EPOCHS} when chained.",
        subject,
    )
    top, below = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (2.6, 1)})
    _draw(top, chained["sequential"], BLUE, 4)
    _draw(top, chained["chained"], ORANGE, 4)
    peak = int(np.argmax(chained_lrs))
    top.annotate(
        f"SequentialLR: peak {sequential_lrs.max():.3g} at epoch {np.argmax(sequential_lrs)}", (24, 1.02e-3), color=BLUE
    )
    top.annotate(
        f"ChainedScheduler:\npeak {chained_lrs.max():.3g} at epoch {peak}",
        (peak, chained_lrs[peak]),
        (21.5, 3.2e-4),
        color=ORANGE,
        arrowprops={"arrowstyle": "-", "color": ORANGE, "shrinkB": 6},
    )
    top.set(ylabel="learning rate", xlim=(0, EPOCHS), ylim=(0, 1.12e-3))
    top.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    difference = 100 * (chained["chained"].expected / chained["sequential"].expected - 1)
    _draw(below, curves.Curve(difference, 100 * (chained_lrs / sequential_lrs - 1)), "black", 4)
    below.set(xlabel="epoch", ylabel="chained vs.\nsequential, %", ylim=(-40, 5))
    return figure


def _restored(subject: Subject) -> Figure:
    restores = curves.restored(subject)
    right, wrong, at = restores["right"], restores["wrong"], curves.RESTORE_AT
    times = right.actual[-1] / wrong.actual[-1]
    figure = _figure(
        5.8,
        f"Restored in the wrong order, every later LR is {times:.0f} times too low",
        f"SequentialLR: LinearLR(start_factor={curves.RESTORE_START:g}, {curves.RESTORE_WARMUP} steps), then "
        f"CosineAnnealingLR. Building late sets the LR to start_factor × base LR: no error, no warning.",
        subject,
    )
    axes = figure.subplots()
    before = np.arange(at)
    _draw(axes, right, BLUE, 4)
    x = np.arange(at, wrong.expected.size)
    axes.plot(x, wrong.expected[at:], color=ORANGE, linewidth=1.8)
    axes.plot(x[::4], wrong.actual[at::4], "s", color=ORANGE, markersize=4.5, markerfacecolor="white", zorder=3)
    axes.plot(before[::4], wrong.actual[:at:4], "s", color=ORANGE, markersize=8, markerfacecolor="none", zorder=2)
    axes.axvline(at, color=GREY, linestyle=":", linewidth=1.2)
    axes.annotate(f"checkpoint, step {at}", (at - 1, 1.0e-4), ha="right", color=GREY)
    axes.annotate("right: build schedulers → load optimizer → load scheduler", (at + 3, 0.42), color=BLUE)
    axes.annotate("wrong: load optimizer → build schedulers → load scheduler", (at + 3, 4.6e-3), color=ORANGE)
    axes.set(yscale="log", ylim=(7e-7, 0.8), xlim=(0, curves.RESTORE_STEPS))
    axes.set(xlabel="optimizer step", ylabel="learning rate (log)")
    return figure


#: File name without its extension → the chart.
FIGURES: dict[str, Callable[[Subject], Figure]] = {
    "noam_and_cosine": _noam,
    "four_combinations": _combinations,
    "vit_inside_epochs": _vit,
    "chained_is_not_sequential": _chained,
    "restored_in_the_wrong_order": _restored,
}


def draw_all(folder: Path, subject: Subject | None = None) -> list[Path]:
    """Draw every chart as a PNG into `folder`, created if necessary; the bytes are the same every time."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, draw in FIGURES.items():
        path = folder / f"{name}.png"
        with house_style():
            draw(subject or installed()).savefig(path, metadata={"Software": None})
        written.append(path)
    return written
