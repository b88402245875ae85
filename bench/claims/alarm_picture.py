"""The picture of the alarm rules: how good each is, and when the one in use was raised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.diverge.quality import Endings
from suite.shared.plots import BLUE, GREEN, GREY, ORANGE, PURPLE

from .core.publish import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .alarm_quality import MeasuredRule

#: Rules that are named in the picture.
NAMED = {"LR": "LR", "update ratio": "update ratio", "attention logit": "attention logit alone"}


def draw(rules: Sequence[MeasuredRule], ends: Endings, targets: tuple[float, float]) -> Figure:
    """Left: detected failures against false alarms for every rule. Right: when the alarm in use was raised."""
    used = rules[0]
    detected, false = (100 * share.value for share in (used.fresh.detected, used.fresh.false))
    drawing = figure(
        4.6,
        f"An attention logit above {used.text.rpartition(' > ')[2]} while the loss is high: {detected:.0f} % of "
        f"failures, {false:.0f} % false alarms",
        f"{len(ends.kinds)} fresh runs. Dashed: the target. Bars: 95 % intervals, clustered.",
    )
    left, right = drawing.subplots(1, 2, width_ratios=(3, 2))
    _all_rules(left, rules, targets)
    length = 100 * used.alarms / ends.lengths
    groups = {
        "never learned": (ends.undated, BLUE),
        "collapsed": (ends.observed, ORANGE),
        "learned (false alarm)": (ends.good, PURPLE),
    }
    right.hist(
        [length[rows & (used.alarms >= 0)] for rows, _ in groups.values()],
        bins=np.arange(0, 105, 5),
        stacked=True,
        color=[color for _, color in groups.values()],
        label=list(groups),
    )
    right.set(xlabel="step of the alarm, % of the run", ylabel="runs", title="when the alarm in use was raised")
    right.legend(fontsize=9)
    return drawing


def _all_rules(axes: Axes, rules: Sequence[MeasuredRule], targets: tuple[float, float]) -> None:
    for rule in rules[1:]:
        point = (100 * rule.fresh.false.value, 100 * rule.fresh.detected.value)
        axes.plot(*point, "o", color=GREEN if " or " in rule.name else BLUE)
        if rule.name in NAMED:
            axes.annotate(NAMED[rule.name], point, (6, -4), textcoords="offset points", fontsize=9, color=GREY)
    for color, label in ((BLUE, "one signal"), (GREEN, "two signals")):
        axes.plot([], [], "o", color=color, label=label)
    x, y = (np.array(share) * 100 for share in (rules[0].fresh.false, rules[0].fresh.detected))
    xerr, yerr = ([[number[0] - number[1]], [number[2] - number[0]]] for number in (x, y))
    axes.errorbar([x[0]], [y[0]], yerr, xerr, fmt="*", markersize=14, color=ORANGE, label="as used")
    detected, false = targets
    axes.axvline(100 * false, color=GREY, linewidth=0.8, linestyle="--")
    axes.axhline(100 * detected, color=GREY, linewidth=0.8, linestyle="--")
    axes.set(xlabel="false alarms, % of runs that learned", ylabel="detected in time, % of failures", ylim=(-4, 104))
    axes.set_xlim(-0.5, 100 * max(rule.fresh.false.value for rule in rules) + 2)
    axes.legend(fontsize=9, loc="lower right")
