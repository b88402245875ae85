"""Does a longer warmup lower the sensitivity to the LR at this size, by how much, and where does it saturate?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.sweep.options import rates
from bench.sweep.spec import Setting, Spec
from bench.toy.config import named
from bench.toy.measures import mean, paired_difference
from suite.shared.plots import BLUE, ORANGE

from .grid import Curves, about, caption, measured, median
from .publish import INTERVALS, SENSITIVITY, STABILITY, Claim, figure, interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS = 200
WARMUPS = (0, 1, 2, 5, 10, 20, 40, 60, 100, 150)
LRS = rates(1e-3, 0.32, 11)
NORMS = {"post": ("post-LN", BLUE), "pre": ("pre-LN", ORANGE)}
#: The warmup that the claim is about: a fifth of the run.
FIFTH = STEPS // 5


def _lines(curves: Curves, norm: str) -> dict[int, Setting]:
    """The settings of one LayerNorm position, by warmup length."""
    return {setting.warmup_steps: setting for setting in curves.spec.settings() if setting.norm == norm}


def saturation(curves: Curves, norm: str) -> int:
    """The shortest warmup that no longer warmup improves on: no paired interval is entirely below 0."""
    lines = _lines(curves, norm)
    values = {warmup: curves.sensitivity(setting) for warmup, setting in lines.items()}
    return next(
        warmup
        for warmup in WARMUPS
        if all(paired_difference(values[longer], values[warmup]).high >= 0 for longer in WARMUPS if longer > warmup)
    )


def _row(curves: Curves, setting: Setting, without: Setting) -> dict[str, object]:
    difference = paired_difference(curves.sensitivity(setting), curves.sensitivity(without))
    return {
        "norm": NORMS[setting.norm][0],
        "warmup steps": setting.warmup_steps,
        "% of the run": f"{100 * setting.warmup_steps / STEPS:g}",
        "LR sensitivity": mean(curves.sensitivity(setting)),
        "against no warmup": difference if setting != without else None,
        "best loss": mean(curves.best(setting)),
        "max stable LR": median(curves.edge(setting)),
        "failed": mean(curves.failed(setting)),
    }


def _sentence(curves: Curves, norm: str) -> str:
    lines, name = _lines(curves, norm), NORMS[norm][0]
    values = {warmup: curves.sensitivity(setting) for warmup, setting in lines.items()}
    change = paired_difference(values[FIFTH], values[0])
    verb = "lowers" if change.high < 0 else "raises" if change.low > 0 else "does not measurably change"
    falls = int((values[FIFTH] < values[0]).sum())
    stop = saturation(curves, norm)
    most = paired_difference(values[stop], values[0])
    end = (
        f"It keeps falling up to the longest warmup tried, {stop / STEPS:.0%}, where the change is {interval(most)}."
        if stop == WARMUPS[-1]
        else f"No warmup longer than {stop} steps ({stop / STEPS:.0%}) is measurably better; there the change is "
        f"{interval(most)}."
    )
    return (
        f"**{name}**: a warmup of 20% {verb} the LR sensitivity, which is {values[0].mean():.3g} nats without warmup: "
        f"it changes by {interval(change)} ({change.value / values[0].mean():+.0%}) and falls in {falls} of "
        f"{len(values[0])} seeds. {end}"
    )


def _answer(curves: Curves) -> list[str]:
    between = {
        warmup: paired_difference(
            curves.sensitivity(_lines(curves, "pre")[warmup]), curves.sensitivity(_lines(curves, "post")[warmup])
        )
        for warmup in (0, FIFTH)
    }
    compared = (
        f"* **pre-LN minus post-LN**: the LR sensitivities differ by {interval(between[0])} without warmup and by "
        f"{interval(between[FIFTH])} with 20%."
    )
    return [*(f"* {_sentence(curves, norm)}" for norm in NORMS), compared]


def _picture(curves: Curves) -> Figure:
    made = figure(4.4, "LR sensitivity and the largest stable LR against the length of the warmup", caption(curves))
    left, right = made.subplots(1, 2)
    for norm, (name, color) in NORMS.items():
        lines = _lines(curves, norm)
        x = np.arange(len(WARMUPS)) + (0.06 if norm == "pre" else -0.06)
        for axes, estimates in (
            (left, [mean(curves.sensitivity(lines[warmup])) for warmup in WARMUPS]),
            (right, [median(curves.edge(lines[warmup])) for warmup in WARMUPS]),
        ):
            value, low, high = np.array(estimates).T
            axes.errorbar(x, value, (value - low, high - value), color=color, marker="o", capsize=3, label=name)
    for axes in (left, right):
        axes.set_xticks(range(len(WARMUPS)), [f"{100 * warmup / STEPS:g}" for warmup in WARMUPS])
        axes.set_xlabel("warmup, % of the run")
    left.set_ylabel("LR sensitivity, nats per token")
    left.set_ylim(bottom=0)
    left.legend()
    right.set_ylabel("max stable LR")
    right.set_yscale("log")
    return made


def claim(seeds: int, folder: Path) -> Claim:
    """Measure the claim: 220 runs per seed."""
    import pandas

    spec = Spec(
        named("small16"), "small16", STEPS, WARMUPS, LRS, tuple(range(seeds)), norms=tuple(NORMS), match=("steps",)
    )
    curves = measured(spec, folder)
    rows = [_row(curves, setting, _lines(curves, setting.norm)[0]) for setting in spec.settings()]
    return Claim(
        "warmup_length",
        seeds,
        "Does a longer warmup lower the sensitivity to the LR, and where does it saturate?",
        _answer(curves),
        {
            "Runs": f"{len(spec.runs())} in total: {about(curves)}",
            "LR sensitivity": SENSITIVITY,
            "Stability": STABILITY,
            "Intervals": INTERVALS,
        },
        pandas.DataFrame(rows),
        lambda: _picture(curves),
        "LR sensitivity (left) and max stable LR (right) against the length of the warmup, for post-LN and pre-LN",
    )
