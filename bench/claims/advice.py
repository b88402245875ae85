"""The tutorials' advice in numbers: is 5-10 % warmup enough, and how do a longer warmup and a lower peak LR compare?

Advice: warm up for 5-10 % of the steps; if a run diverges early, lengthen the warmup or lower the peak.
Measured at two run lengths, to distinguish a share of the run from a number of steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.sweep.options import rates
from bench.sweep.spec import Spec
from bench.toy.config import named
from bench.toy.measures import (
    STABLE_LOSS,
    Estimate,
    geometric_mean,
    mean,
    paired_difference,
    paired_factor,
)
from suite.shared.plots import BLUE, ORANGE

from .core.grid import COLUMNS as COLUMNS
from .core.grid import Curves, Numbers, about, caption, from_table, one_edge, trained
from .core.paired import compared, shown
from .core.publish import EDGE, INTERVALS, SENSITIVITY, STABILITY, Claim, Headline, figure, interval
from .core.runs import seeds_of, source_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

LENGTHS = {200: BLUE, 800: ORANGE}
#: 40 % of 200 steps are as many as 10 % of 800.
SHARES = (0.0, 0.05, 0.1, 0.4)
#: From a quarter to four times 0.025, near the edge without warmup at both lengths.
LRS = rates(0.00625, 0.1, 9)
ADVISED = (0.05, 0.1)
LONGEST = SHARES[-1]
#: Peaks within 10 % of each other count as equal.
MARGIN = 1.1
#: A slope below this counts as none: doubling the warmup would raise the peak by less than 1 %.
LEAST_SLOPE = 0.01
#: A number of doublings above this is given as a bound: nobody lengthens a warmup a thousandfold.
MOST = 10.0


def specs(seeds: Sequence[int]) -> list[Spec]:
    """The two grids, 200 and 800 steps: 36 runs of each length per seed."""
    return [
        Spec(
            named("small16"),
            "small16",
            steps,
            tuple(round(share * steps) for share in SHARES),
            LRS,
            tuple(seeds),
            match=("steps",),
        )
        for steps in LENGTHS
    ]


def train(seeds: Sequence[int], folder: Path) -> DataFrame:
    """The runs of the claim; finished ones are read from the folder."""
    return trained(specs(seeds), folder)


def edges(curves: Curves) -> dict[float, Numbers]:
    """Warmup as a share of the run → the edge of stability of each seed, [seeds]."""
    return {share: curves.edge(curves.setting(round(share * curves.spec.steps))) for share in SHARES}


def slopes(curves: Curves) -> Numbers:
    """The slope of log(edge) against log(W) over the warmups with W > 0, [seeds].

    A warmup c times as long allows a peak c^slope times as high.
    """
    x = np.log([share * curves.spec.steps for share in SHARES if share])
    y = np.log([values for share, values in edges(curves).items() if share])
    return np.asarray(np.polyfit(x, y, 1)[0])


def rescue(curves: Curves) -> dict[float, float | None]:
    """LR → the shortest warmup, as a share of the run, with which most seeds learn the task; None if there is none."""
    stable = {
        share: (curves.losses(curves.setting(round(share * curves.spec.steps))) < STABLE_LOSS).mean(0) > 0.5
        for share in SHARES
    }
    return {lr: next((share for share in SHARES if stable[share][i]), None) for i, lr in enumerate(LRS)}


def _enough(curves: Curves) -> str:
    by_share = edges(curves)
    longest = float(np.log(by_share[LONGEST] / by_share[0.0]).mean())
    parts = []
    for share in ADVISED:
        gain = float(np.log(by_share[share] / by_share[0.0]).mean())
        part = f" ({gain / longest:.0%} of the gain of 40%, in logarithms)" if longest > 0 else ""
        more = paired_factor(by_share[LONGEST], by_share[share])
        parts.append(
            f"{share:.0%} allows a peak {interval(paired_factor(by_share[share], by_share[0.0]))} times as high"
            f"{part}, and 40% another {interval(more)} times"
        )
    return f"* {curves.spec.steps} steps: relative to no warmup, {'; '.join(parts)}."


def doubling(curves: Curves) -> Estimate:
    """How many times as high the peak may be with a warmup twice as long."""
    return Estimate(*(2**number for number in mean(slopes(curves))))


def _length_worth_half(slope: Estimate) -> str:
    """The warmup that is worth half the peak, over the present one; bounds where it is out of all proportion."""
    least = 2 ** (1 / slope.high)
    if slope.low <= 1 / MOST:
        return f"more than {least:.3g} times as long"
    return f"{interval(Estimate(2 ** (1 / slope.value), least, 2 ** (1 / slope.low)))} times as long"


def _exchange(curves: Curves) -> str:
    slope = mean(slopes(curves))
    text = f"a warmup twice as long allows a peak {interval(doubling(curves))} times as high"
    if slope.low > LEAST_SLOPE:
        text += f", so halving the peak is worth a warmup {_length_worth_half(slope)}"
    else:
        text += ", which is not a measurable gain: only a lower peak helps"
    rescues = {lr: share for lr, share in rescue(curves).items() if share != 0.0}
    saved = [f"{lr:.3g} with {share:.3g}" for lr, share in rescues.items() if share is not None]
    return (
        f"* {curves.spec.steps} steps: {text}. Of the {len(rescues)} LRs at which most seeds do not learn the task "
        f"without warmup, {len(saved)} can be rescued by one, with this share of the run: {', '.join(saved) or 'none'}."
    )


def same_share(short: Curves, long: Curves) -> Estimate:
    """The factor of a warmup of 10 % in the longer run over that in the shorter one."""
    return paired_factor(edges(long)[0.1] / edges(long)[0.0], edges(short)[0.1] / edges(short)[0.0])


def same_steps(short: Curves, long: Curves) -> Estimate:
    """The factor of a warmup of as many steps, 10 % of the longer run and 40 % of the shorter one, over one another."""
    return paired_factor(edges(long)[0.1] / edges(long)[0.0], edges(short)[LONGEST] / edges(short)[0.0])


def _lengths(short: Curves, long: Curves) -> str:
    """Whether the gain of a warmup goes with its share of the run or with its steps."""
    ratio = long.spec.steps // short.spec.steps
    verdict = ": its number of steps says more than its share" if _steps_count(short, long) else ""
    return (
        f"* Share or steps? In a run {ratio} times as long a warmup of the same share (10%) raises the peak "
        f"{interval(same_share(short, long))} times as much, one of as many steps ({round(0.1 * long.spec.steps)}) "
        f"{interval(same_steps(short, long))} times as much{verdict}."
    )


def _steps_count(short: Curves, long: Curves) -> bool:
    """Whether the same share gains measurably more in a longer run, and further from the same than as many steps."""
    share, steps = same_share(short, long), same_steps(short, long)
    return share.low > 1 and abs(np.log(steps.value)) < np.log(share.value)


def _rows(grids: Sequence[Curves]) -> list[dict[str, object]]:
    keys = [(curves, share) for curves in grids for share in SHARES if share]
    judged = iter(compared([edges(curves)[share] / edges(curves)[0.0] for curves, share in keys], MARGIN))
    rows = []
    for curves in grids:
        without = curves.sensitivity(curves.setting(0))
        for share in SHARES:
            setting, row = curves.setting(round(share * curves.spec.steps)), next(judged) if share else None
            change = paired_difference(curves.sensitivity(setting), without)
            rows.append(
                {
                    "steps": curves.spec.steps,
                    "warmup": f"{share:.1%}",
                    "W": setting.warmup_steps,
                    "edge": geometric_mean(curves.edge(setting)),
                    "factor on the peak": row and row.factor,
                    "p": row and shown(row.p),
                    "LR sensitivity": mean(curves.sensitivity(setting)),
                    "its change": change if share else None,
                    "best loss": mean(curves.best(setting)),
                    "failed share": mean(curves.failed(setting)),
                    "edges outside": int(curves.outside(setting).sum()),
                }
            )
    return rows


def _title(grids: Sequence[Curves]) -> str:
    short, long = grids
    if _steps_count(short, long):
        factor = same_share(short, long).value
        return (
            f"A warmup of 10 % of {long.spec.steps} steps raises the peak {factor:.3g} times as much as one of 10 % of "
            f"{short.spec.steps}"
        )
    gains = [doubling(curves).value - 1 for curves in grids]
    low, high = (f"{gain:.0%}".replace("%", " %") for gain in (min(gains), max(gains)))
    return f"A warmup twice as long allows a peak LR {low} to {high} higher"


def _picture(grids: Sequence[Curves]) -> Figure:
    picture = figure(4.4, _title(grids), caption(*grids))
    left, right = picture.subplots(1, 2, sharey=True)
    for curves in grids:
        value, low, high = np.array([geometric_mean(values) for values in edges(curves).values()]).T
        error = np.array((value - low, high - value))
        style = {
            "color": LENGTHS[curves.spec.steps],
            "label": f"{curves.spec.steps} steps",
            "marker": "o",
            "capsize": 3,
        }
        shares = np.array(SHARES)
        left.errorbar(100 * shares, value, error, **style)
        right.errorbar(shares[1:] * curves.spec.steps, value[1:], error[:, 1:], **style)
    left.axvspan(5, 10, color="#E3E3E3", zorder=0)
    left.annotate("advised", (7.5, 0.02), xycoords=("data", "axes fraction"), ha="center", fontsize=9)
    left.set(xlabel="warmup, % of the run", ylabel="highest peak LR (edge of stability)", yscale="log")
    ticks = (0.02, 0.03, 0.04, 0.06)
    left.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    left.minorticks_off()
    right.set(xlabel="warmup, steps (without a warmup: see left)", xscale="log", xlim=(4, 400))
    lengths = sorted({round(share * steps) for steps in LENGTHS for share in SHARES if share})
    right.set_xticks(lengths, [str(length) for length in lengths])
    right.minorticks_off()
    right.legend(loc="lower right")
    return picture


def claim(runs: DataFrame) -> Claim:
    """The claim, from its runs."""
    import pandas

    seeds = seeds_of(runs)
    grids = [from_table(spec, runs) for spec in specs(seeds)]
    headlines = []
    for curves in grids:
        by_share, steps = edges(curves), curves.spec.steps
        headlines += [
            Headline(f"factor on the peak, warmup of {share:.0%}, {steps} steps", paired_factor(values, by_share[0.0]))
            for share, values in by_share.items()
            if share in (*ADVISED, LONGEST)
        ]
        headlines.append(Headline(f"factor of a doubling, {steps} steps", doubling(curves)))
    headlines += [
        Headline("factor of 10%, 800 steps over 200", same_share(*grids)),
        Headline("factor of 80 steps, 800 steps over 200", same_steps(*grids)),
    ]
    return Claim(
        "advice",
        len(seeds),
        "Is 5-10% warmup enough, and how do a longer warmup and a lower peak LR compare?",
        [
            "Is 5-10% enough?",
            "",
            *map(_enough, grids),
            _lengths(*grids),
            "",
            "What helps if a run fails early?",
            "",
            *map(_exchange, grids),
            one_edge(*grids),
        ],
        {
            "Runs": f"{len(runs)} in total: {about(*grids)}",
            "Edge": EDGE,
            "Gain of a doubling": "2 to the slope of log(edge) against log(W), fitted per seed over the warmups, W > 0",
            "LR sensitivity": SENSITIVITY,
            "Stability": STABILITY,
            "Intervals": INTERVALS,
        },
        pandas.DataFrame(_rows(grids)),
        lambda: _picture(grids),
        "Highest peak LR against the warmup as a share of the run (left) and in steps (right), for runs of two lengths",
        headlines=headlines,
        source=source_of(runs),
    )
