"""How much higher may the peak LR be with a warmup, in post-LN and in pre-LN, and what does each doubling add?"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.sweep.options import rates
from bench.sweep.spec import Spec
from bench.toy.config import named
from bench.toy.measures import (
    EDGE_LOSS,
    FAILED_LOSS,
    STABLE_LOSS,
    Estimate,
    geometric_mean,
    mean,
    paired_difference,
    paired_factor,
)
from suite.shared.plots import BLUE, GREY, ORANGE

from .core.grid import COLUMNS as COLUMNS
from .core.grid import Curves, Numbers, about, caption, from_table, one_edge, trained
from .core.paired import EQUAL, HIGHER, LOWER, compared, shown, simultaneous
from .core.publish import EDGE, INTERVALS, SENSITIVITY, STABILITY, Claim, Headline, figure, interval
from .core.runs import seeds_of, source_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

STEPS = 200
#: Each is twice as long as the one before, from 2.5 % to 80 % of the run.
WARMUPS = (0, 5, 10, 20, 40, 80, 160)
#: From a quarter to four times the edge without warmup (0.025 and 0.05 on seeds that are not used here).
LRS = {"post": rates(0.00625, 0.1, 13), "pre": rates(0.0125, 0.2, 13)}
NORMS = {"post": ("post-LN", BLUE), "pre": ("pre-LN", ORANGE)}
#: The warmup that the claim is about: a fifth of the run.
FIFTH = STEPS // 5
#: Factors whose ratio is between 1/1.25 and 1.25 count as equal: a third of an octave, the distance of two LRs.
MARGIN = 1.25
#: The narrower range over which the LR sensitivity is quoted as well: a factor of 2 to either side of the middle.
NARROW = 2.0
#: Other losses at which the edge might be put: those of a stable and of a failed run.
LIMITS = (STABLE_LOSS, FAILED_LOSS)


def specs(seeds: Sequence[int]) -> list[Spec]:
    """The two grids, post-LN and pre-LN: 182 runs per seed."""
    return [
        Spec(named("small16"), "small16", STEPS, WARMUPS, lrs, tuple(seeds), norms=(norm,), match=("steps",))
        for norm, lrs in LRS.items()
    ]


def train(seeds: Sequence[int], folder: Path) -> DataFrame:
    """The runs of the claim; finished ones are read from the folder."""
    return trained(specs(seeds), folder)


def _share(warmup: int) -> str:
    return f"{100 * warmup / STEPS:g}%"


def edges(curves: Curves) -> dict[int, Numbers]:
    """Warmup in steps → the edge of stability of each seed, [seeds]."""
    return {warmup: curves.edge(curves.setting(warmup)) for warmup in WARMUPS}


def _factor(curves: Curves, warmup: int) -> Estimate:
    by_warmup = edges(curves)
    return paired_factor(by_warmup[warmup], by_warmup[0])


def doublings(curves: Curves) -> list[Estimate]:
    """The factor on the edge that each doubling of the warmup adds; the intervals hold together."""
    by_warmup, lengths = edges(curves), WARMUPS[1:]
    confidence = simultaneous(len(lengths) - 1)
    return [
        paired_factor(by_warmup[longer], by_warmup[shorter], confidence)
        for shorter, longer in itertools.pairwise(lengths)
    ]


def per_doubling(curves: Curves) -> Estimate:
    """The mean factor of a doubling, from the shortest warmup to the longest."""
    by_warmup, lengths = edges(curves), WARMUPS[1:]
    number = np.log2(lengths[-1] / lengths[0])
    return geometric_mean((by_warmup[lengths[-1]] / by_warmup[lengths[0]]) ** (1 / number))


def difference_of_norms(post: Curves, pre: Curves) -> Numbers:
    """For each seed the factor of a 20 % warmup in post-LN over that in pre-LN, [seeds]."""
    return (edges(post)[FIFTH] / edges(post)[0]) / (edges(pre)[FIFTH] / edges(pre)[0])


def _first(post: Curves, pre: Curves) -> str:
    ratio = compared([difference_of_norms(post, pre)], MARGIN)[0]
    words = {
        EQUAL: f"the same within a factor of {MARGIN:g}",
        HIGHER: "more in post-LN than in pre-LN",
        LOWER: "less in post-LN than in pre-LN",
    }
    same = words.get(ratio.verdict, "which leaves open whether they are the same")
    return (
        f"A warmup of 20% of the run allows a peak LR {interval(_factor(post, FIFTH))} times as high in post-LN and "
        f"{interval(_factor(pre, FIFTH))} times as high in pre-LN. The factor in post-LN over that in pre-LN is "
        f"{interval(ratio.factor)}, p {shown(ratio.p)}: {same}."
    )


def _gains(curves: Curves) -> str:
    steps, lengths = doublings(curves), WARMUPS[1:]
    each = ", ".join(
        f"{_share(shorter)} to {_share(longer)}: {interval(gain)}"
        for (shorter, longer), gain in zip(itertools.pairwise(lengths), steps, strict=True)
    )
    return (
        f"* **{NORMS[curves.spec.norms[0]][0]}**: a doubling of the warmup multiplies the peak by "
        f"{interval(per_doubling(curves))} on average, from 2.5% to 80% of the run. One by one, with 95% intervals "
        f"that hold together: {each}."
    )


def _sensitivity(curves: Curves) -> str:
    without, with_warmup = curves.setting(0), curves.setting(FIFTH)
    parts = []
    lrs, middle = curves.spec.lrs, float(np.sqrt(curves.spec.lrs[0] * curves.spec.lrs[-1]))
    inside = [lr for lr in lrs if middle / NARROW * 0.999 <= lr <= middle * NARROW * 1.001]
    for low, high in ((lrs[0], lrs[-1]), (inside[0], inside[-1])):
        before, after = (curves.sensitivity_within(setting, low, high) for setting in (without, with_warmup))
        change = paired_difference(after, before)
        parts.append(
            f"over the LRs {low:g} to {high:g} it is {before.mean():.3g} nats without warmup and a warmup of 20% "
            f"changes it by {interval(change)} ({change.value / before.mean():+.0%})"
        )
    return f"* **LR sensitivity, {NORMS[curves.spec.norms[0]][0]}**: {'; '.join(parts)}."


def _best(post: Curves, pre: Curves) -> str:
    parts = []
    for curves in (post, pre):
        before, after = (curves.best(curves.setting(warmup)) for warmup in (0, FIFTH))
        change = paired_difference(after, before)
        parts.append(
            f"from {before.mean():.2g} by {interval(change)} ({change.value / before.mean():+.0%}) "
            f"in {NORMS[curves.spec.norms[0]][0]}"
        )
    return (
        "* **Loss at the best LR**, nats per token: a warmup of 20% changes the lowest loss over the LRs "
        f"{' and '.join(parts)}. All of these count as learned: the lowest loss that is possible here is 0."
    )


def _limits(post: Curves, pre: Curves) -> str:
    parts = []
    for limit in LIMITS:
        factors = [
            interval(paired_factor(curves.edge(curves.setting(FIFTH), limit), curves.edge(curves.setting(0), limit)))
            for curves in (post, pre)
        ]
        parts.append(f"at {limit:g} it is {factors[0]} in post-LN and {factors[1]} in pre-LN")
    return f"* **Another limit** than {EDGE_LOSS:g} nats for the edge changes the factor of 20% to: {'; '.join(parts)}."


def _rows(post: Curves, pre: Curves) -> list[dict[str, object]]:
    keys = [(curves, warmup) for curves in (post, pre) for warmup in WARMUPS if warmup]
    ratios = [edges(curves)[warmup] / edges(curves)[0] for curves, warmup in keys]
    by_key = dict(zip([(c.spec.norms, w) for c, w in keys], compared(ratios, MARGIN), strict=True))
    rows = []
    for curves in (post, pre):
        gains = dict(zip(WARMUPS[2:], doublings(curves), strict=True))
        without = curves.sensitivity(curves.setting(0))
        for warmup in WARMUPS:
            setting, row = curves.setting(warmup), by_key.get((curves.spec.norms, warmup))
            rows.append(
                {
                    "norm": NORMS[curves.spec.norms[0]][0],
                    "warmup": _share(warmup),
                    "steps": warmup,
                    "edge": geometric_mean(curves.edge(setting)),
                    "factor on the peak": row and row.factor,
                    "p": row and shown(row.p),
                    "gain of the last doubling": gains.get(warmup),
                    "LR sensitivity": mean(curves.sensitivity(setting)),
                    "its change": paired_difference(curves.sensitivity(setting), without) if warmup else None,
                    "best loss": mean(curves.best(setting)),
                    "failed share": mean(curves.failed(setting)),
                    "edges outside": int(curves.outside(setting).sum()),
                }
            )
    return rows


def _picture(post: Curves, pre: Curves) -> Figure:
    factors = [_factor(curves, FIFTH).value for curves in (post, pre)]
    made = figure(
        4.4,
        f"A warmup of 20 % allows a peak LR {factors[0]:.3g} times (post-LN) and {factors[1]:.3g} times (pre-LN) "
        "as high",
        caption(post, pre),
    )
    left, right = made.subplots(1, 2)
    left.axhline(1, color=GREY, linewidth=0.8)
    for curves in (post, pre):
        name, color = NORMS[curves.spec.norms[0]]
        x = np.arange(len(WARMUPS)) + (0.06 if name == "pre-LN" else -0.06)
        for axes, estimates in (
            (left, [_factor(curves, warmup) for warmup in WARMUPS]),
            (right, [mean(curves.sensitivity(curves.setting(warmup))) for warmup in WARMUPS]),
        ):
            value, low, high = np.array(estimates).T
            axes.errorbar(x, value, (value - low, high - value), color=color, marker="o", capsize=3, label=name)
    for axes in (left, right):
        axes.set_xticks(range(len(WARMUPS)), [_share(warmup).removesuffix("%") for warmup in WARMUPS])
        axes.set_xlabel("warmup, % of the run")
    left.set(title="highest peak LR over that without warmup", yscale="log")
    ticks = (1, 1.25, 1.5, 2, 2.5, 3)
    left.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    left.minorticks_off()
    left.legend()
    right.set(title="LR sensitivity over the LRs named below, nats")
    right.set_ylim(bottom=0)
    return made


def claim(runs: DataFrame) -> Claim:
    """The claim, from its runs."""
    import pandas

    seeds = seeds_of(runs)
    post, pre = (from_table(spec, runs) for spec in specs(seeds))
    grids = (post, pre)
    return Claim(
        "warmup_length",
        len(seeds),
        "How much higher may the peak LR be with a warmup, in post-LN and in pre-LN?",
        [
            _first(post, pre),
            "",
            *map(_gains, grids),
            *map(_sensitivity, grids),
            _best(post, pre),
            _limits(post, pre),
            one_edge(post, pre),
        ],
        {
            "Runs": f"{len(runs)} in total: {about(post, pre)}",
            "Edge": EDGE,
            "LR sensitivity": SENSITIVITY,
            "Stability": STABILITY,
            "Intervals": f"{INTERVALS}. Gains of a doubling: {simultaneous(len(WARMUPS) - 2):.0%} each, so that they "
            "hold together with 95% (Bonferroni). Same: within the margin by two one-sided tests at 5%",
        },
        pandas.DataFrame(_rows(post, pre)),
        lambda: _picture(post, pre),
        "Left: how many times as high the peak LR may be as without warmup, against the length of the warmup, for "
        "post-LN and pre-LN; right: LR sensitivity",
        headlines=[
            *(
                Headline(f"factor on the peak, warmup of {_share(w)}, {NORMS[norm][0]}", _factor(curves, w))
                for norm, curves in zip(NORMS, grids, strict=True)
                for w in (10, FIFTH, WARMUPS[-1])
            ),
            Headline("factor at 20%, post-LN over pre-LN", geometric_mean(difference_of_norms(post, pre))),
            *(
                Headline(f"factor of a doubling, {NORMS[norm][0]}", per_doubling(curves))
                for norm, curves in zip(NORMS, grids, strict=True)
            ),
            *(
                Headline(
                    f"LR sensitivity with 20% minus without, {NORMS[norm][0]}",
                    paired_difference(curves.sensitivity(curves.setting(FIFTH)), curves.sensitivity(curves.setting(0))),
                    0.0,
                )
                for norm, curves in zip(NORMS, grids, strict=True)
            ),
        ],
        source=source_of(runs),
    )
