"""The tutorials' advice in numbers: is 5-10 % warmup enough, and what else buys the stability of a longer one?

Advice: 5-10 % of the steps; when a run diverges early, lengthen the warmup or lower the peak.
Run at two lengths, to tell a share of the run from a number of steps.
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
#: Fine about the edge of stability, which lies between 0.01 and 0.06.
LRS = rates(4e-3, 0.128, 16)
ADVISED = (0.05, 0.1)
#: A slope that doubling the warmup turns into less than 1 % of the peak is none.
LEAST_SLOPE = 0.01


def _settings(curves: Curves) -> dict[float, Setting]:
    """The settings of one length by the share of the warmup."""
    return {setting.warmup_steps / curves.spec.steps: setting for setting in curves.spec.settings()}


def slopes(curves: Curves) -> NDArray[np.float64]:
    """By seed, how log(max stable LR) rises with log(W) over the warmups that have any length: [seeds].

    A warmup c times as long allows a peak c^slope times as high.
    """
    found = {share: setting for share, setting in _settings(curves).items() if share}
    x = np.log([setting.warmup_steps for setting in found.values()])
    edges = np.log([curves.edge(setting) for setting in found.values()])
    return np.asarray(np.polyfit(x, edges, 1)[0])


def rescue(curves: Curves) -> dict[float, float | None]:
    """For each LR the shortest share of warmup at which most seeds learn the task; None where no length does."""
    stable = {
        share: (curves.losses(setting) < STABLE_LOSS).mean(0) > 0.5 for share, setting in _settings(curves).items()
    }
    return {lr: next((share for share in SHARES if stable[share][i]), None) for i, lr in enumerate(LRS)}


def _enough(curves: Curves) -> str:
    found = _settings(curves)
    values = {share: curves.sensitivity(setting) for share, setting in found.items()}
    longest = paired_difference(values[SHARES[-1]], values[0.0]).value
    words = []
    for share in ADVISED:
        gain, most = paired_difference(values[share], values[0.0]), paired_difference(values[0.4], values[share])
        more = "is measurably better still" if most.high < 0 else "is not measurably better"
        words.append(
            f"{share:.0%} changes the LR sensitivity by {interval(gain)} nats against none, "
            f"{f'{gain.value / longest:.0%} of what ' if longest else ''}40 % does, which {more} ({interval(most)})"
        )
    edges = [median(curves.edge(found[share])).value for share in (0.0, *ADVISED, 0.4)]
    return (
        f"* {curves.spec.steps} steps: "
        + "; ".join(words)
        + ". Max stable LR at 0, 5, 10 and 40 %: "
        + ", ".join(f"{edge:.3g}" for edge in edges)
        + "."
    )


def _exchange(curves: Curves) -> str:
    slope = mean(slopes(curves))
    factor = Estimate(*(2**number for number in slope))
    words = f"doubling the warmup allows a peak {interval(factor)} times as high"
    if slope.low > LEAST_SLOPE:
        longer = Estimate(*(2 ** (1 / number) for number in (slope.value, slope.high, slope.low)))
        words += f", so halving the peak is worth a warmup {interval(longer)} times as long"
    else:
        words += ": no measurable gain, so that only a lower peak helps"
    held = {lr: share for lr, share in rescue(curves).items() if share != 0.0}
    cases = ", ".join(f"{lr:.3g}: {'no length' if share is None else f'{share:.3g}'}" for lr, share in held.items())
    return (
        f"* {curves.spec.steps} steps: {words}. LRs at which most seeds fail without warmup, and the shortest share of "
        f"warmup that holds: {cases or 'none'}."
    )


def _rows(curves: Curves) -> list[dict[str, object]]:
    found = _settings(curves)
    return [
        {
            "steps": curves.spec.steps,
            "warmup": f"{share:.1%}",
            "W": setting.warmup_steps,
            "LR sensitivity": mean(curves.sensitivity(setting)),
            "against none": None
            if not share
            else paired_difference(curves.sensitivity(setting), curves.sensitivity(found[0.0])),
            "max stable LR": median(curves.edge(setting)),
            "best loss": mean(curves.best(setting)),
            "failed": mean(curves.failed(setting)),
        }
        for share, setting in found.items()
    ]


def _picture(all_curves: list[Curves]) -> Figure:
    made = figure(
        4.4, "The largest stable LR against the warmup, as a share of the run and in steps", caption(*all_curves)
    )
    left, right = made.subplots(1, 2, sharey=True)
    for curves in all_curves:
        found = {share: median(curves.edge(setting)) for share, setting in _settings(curves).items()}
        value, low, high = np.array(list(found.values())).T
        error = np.array((value - low, high - value))
        style = {
            "color": LENGTHS[curves.spec.steps],
            "label": f"{curves.spec.steps} steps",
            "marker": "o",
            "capsize": 3,
        }
        shares = np.array(list(found))
        left.errorbar(100 * shares, value, error, **style)
        right.errorbar(shares[1:] * curves.spec.steps, value[1:], error[:, 1:], **style)
    left.axvspan(5, 10, color="#E3E3E3", zorder=0)
    left.annotate("advised", (7.5, 0.02), xycoords=("data", "axes fraction"), ha="center", fontsize=9)
    left.set(xlabel="warmup, % of the run", ylabel="max stable LR", yscale="log")
    right.set(xlabel="warmup, steps (without a warmup: see left)", xscale="log", xlim=(4, 400))
    right.legend(loc="lower right")
    return made


def claim(seeds: int, folder: Path) -> Claim:
    """Measure it: 96 runs of 200 steps and 96 of 800 for each seed."""
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
        "Is 5-10 % warmup enough, and how much longer a warmup buys the same as how much lower a peak?",
        [
            "Is 5-10 % enough?",
            "",
            *map(_enough, all_curves),
            "",
            "When a run fails early:",
            "",
            *map(_exchange, all_curves),
        ],
        {
            "Runs": about(*all_curves),
            "LR sensitivity": SENSITIVITY,
            "Stability": STABILITY,
            "Exchange": "the slope of log(max stable LR) over log(W), fitted to each seed, W > 0",
            "Intervals": INTERVALS,
        },
        pandas.DataFrame([row for curves in all_curves for row in _rows(curves)]),
        lambda: _picture(all_curves),
        "Max stable LR against the warmup as a share of the run (left) and in steps (right), for runs of two lengths",
    )
