"""The tutorials' advice in numbers: is 5-10 % warmup enough, and how do a longer warmup and a lower peak LR compare?

Advice: warm up for 5-10 % of the steps; if a run diverges early, lengthen the warmup or lower the peak.
Measured at two run lengths, to distinguish a share of the run from a number of steps.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.sweep.options import rates
from bench.sweep.spec import Setting, Spec
from bench.toy.config import named
from bench.toy.measures import STABLE_LOSS, Estimate, mean, paired_difference
from suite.shared.plots import BLUE, ORANGE

from .grid import Curves, about, caption, measured, median
from .publish import INTERVALS, SENSITIVITY, STABILITY, Claim, figure, interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LENGTHS = {200: BLUE, 800: ORANGE}
SHARES = (0.0, 0.025, 0.05, 0.1, 0.2, 0.4)
#: A fine grid around the edge of stability, which is between 0.01 and 0.06.
LRS = rates(4e-3, 0.128, 16)
ADVISED = (0.05, 0.1)
#: A slope below this counts as none: doubling the warmup would raise the peak by less than 1 %.
LEAST_SLOPE = 0.01


def _settings(curves: Curves) -> dict[float, Setting]:
    """The settings of one run length, by the share of the warmup."""
    return {setting.warmup_steps / curves.spec.steps: setting for setting in curves.spec.settings()}


def slopes(curves: Curves) -> NDArray[np.float64]:
    """The slope of log(max stable LR) against log(W) over the warmups with W > 0, [seeds].

    A warmup c times as long allows a peak c^slope times as high.
    """
    settings = [setting for share, setting in _settings(curves).items() if share]
    x = np.log([setting.warmup_steps for setting in settings])
    edges = np.log([curves.edge(setting) for setting in settings])
    return np.asarray(np.polyfit(x, edges, 1)[0])


def rescue(curves: Curves) -> dict[float, float | None]:
    """LR → the shortest warmup, as a share of the run, with which most seeds learn the task; None if there is none."""
    stable = {
        share: (curves.losses(setting) < STABLE_LOSS).mean(0) > 0.5 for share, setting in _settings(curves).items()
    }
    return {lr: next((share for share in SHARES if stable[share][i]), None) for i, lr in enumerate(LRS)}


def _enough(curves: Curves) -> str:
    settings = _settings(curves)
    values = {share: curves.sensitivity(setting) for share, setting in settings.items()}
    longest = paired_difference(values[SHARES[-1]], values[0.0]).value
    comparisons = []
    for share in ADVISED:
        gain, more = paired_difference(values[share], values[0.0]), paired_difference(values[0.4], values[share])
        effect = f" ({gain.value / longest:.0%} of the effect of 40%)" if longest else ""
        better = "is measurably better still" if more.high < 0 else "is not measurably better"
        comparisons.append(
            f"{share:.0%} changes the LR sensitivity by {interval(gain)} nats{effect}, "
            f"and 40% {better} (difference {interval(more)})"
        )
    edges = [median(curves.edge(settings[share])).value for share in (0.0, *ADVISED, 0.4)]
    return (
        f"* {curves.spec.steps} steps: relative to no warmup, "
        + "; ".join(comparisons)
        + ". Max stable LR at 0, 5, 10 and 40%: "
        + ", ".join(f"{edge:.3g}" for edge in edges)
        + "."
    )


def _exchange(curves: Curves) -> str:
    slope = mean(slopes(curves))
    factor = Estimate(*(2**number for number in slope))
    text = f"doubling the warmup allows a peak {interval(factor)} times as high"
    if slope.low > LEAST_SLOPE:
        longer = Estimate(*(2 ** (1 / number) for number in (slope.value, slope.high, slope.low)))
        text += f", so halving the peak is worth a warmup {interval(longer)} times as long"
    else:
        text += ", which is not a measurable gain: only a lower peak helps"
    rescues = {lr: share for lr, share in rescue(curves).items() if share != 0.0}
    cases = ", ".join(f"{lr:.3g}: {'none' if share is None else f'{share:.3g}'}" for lr, share in rescues.items())
    return (
        f"* {curves.spec.steps} steps: {text}. LRs at which most seeds fail without warmup, each with the shortest "
        f"warmup (as a share of the run) that prevents it: {cases or 'no such LR'}."
    )


def _rows(curves: Curves) -> list[dict[str, object]]:
    settings = _settings(curves)
    return [
        {
            "steps": curves.spec.steps,
            "warmup": f"{share:.1%}",
            "W": setting.warmup_steps,
            "LR sensitivity": mean(curves.sensitivity(setting)),
            "against none": None
            if not share
            else paired_difference(curves.sensitivity(setting), curves.sensitivity(settings[0.0])),
            "max stable LR": median(curves.edge(setting)),
            "best loss": mean(curves.best(setting)),
            "failed": mean(curves.failed(setting)),
        }
        for share, setting in settings.items()
    ]


def _picture(all_curves: list[Curves]) -> Figure:
    picture = figure(
        4.4, "The largest stable LR against the warmup, as a share of the run and in steps", caption(*all_curves)
    )
    left, right = picture.subplots(1, 2, sharey=True)
    for curves in all_curves:
        edges = {share: median(curves.edge(setting)) for share, setting in _settings(curves).items()}
        value, low, high = np.array(list(edges.values())).T
        error = np.array((value - low, high - value))
        style = {
            "color": LENGTHS[curves.spec.steps],
            "label": f"{curves.spec.steps} steps",
            "marker": "o",
            "capsize": 3,
        }
        shares = np.array(list(edges))
        left.errorbar(100 * shares, value, error, **style)
        right.errorbar(shares[1:] * curves.spec.steps, value[1:], error[:, 1:], **style)
    left.axvspan(5, 10, color="#E3E3E3", zorder=0)
    left.annotate("advised", (7.5, 0.02), xycoords=("data", "axes fraction"), ha="center", fontsize=9)
    left.set(xlabel="warmup, % of the run", ylabel="max stable LR", yscale="log")
    right.set(xlabel="warmup, steps (without a warmup: see left)", xscale="log", xlim=(4, 400))
    right.legend(loc="lower right")
    return picture


def claim(seeds: int, folder: Path) -> Claim:
    """Measure the claim: 96 runs of 200 steps and 96 of 800 per seed."""
    import pandas

    all_curves = [
        measured(
            Spec(
                named("small16"),
                "small16",
                steps,
                tuple(round(share * steps) for share in SHARES),
                LRS,
                tuple(range(seeds)),
                match=("steps",),
            ),
            folder,
        )
        for steps in LENGTHS
    ]
    return Claim(
        "advice",
        seeds,
        "Is 5-10% warmup enough, and how do a longer warmup and a lower peak LR compare?",
        [
            "Is 5-10% enough?",
            "",
            *map(_enough, all_curves),
            "",
            "What helps if a run fails early?",
            "",
            *map(_exchange, all_curves),
        ],
        {
            "Runs": about(*all_curves),
            "LR sensitivity": SENSITIVITY,
            "Stability": STABILITY,
            "Longer warmup or lower peak": "the slope of log(max stable LR) against log(W), fitted per seed, W > 0",
            "Intervals": INTERVALS,
        },
        pandas.DataFrame([row for curves in all_curves for row in _rows(curves)]),
        lambda: _picture(all_curves),
        "Max stable LR against the warmup as a share of the run (left) and in steps (right), for runs of two lengths",
    )
