"""Do linear, cosine, exponential and stepwise warmup allow the same peak LR, at equal length and effective period?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.sweep.options import rates
from bench.sweep.spec import MATCHES, Setting, Spec
from bench.toy.config import named
from bench.toy.measures import geometric_mean, mean, paired_difference, paired_factor
from suite.shared.plots import BLUE, GREEN, GREY, ORANGE, PURPLE

from .core.grid import COLUMNS as COLUMNS
from .core.grid import Curves, Numbers, about, caption, from_table, one_edge, trained
from .core.paired import EQUAL, HIGHER, LOWER, RatioVerdict, compared, shown
from .core.publish import EDGE, INTERVALS, SENSITIVITY, STABILITY, Claim, Headline, figure, interval
from .core.runs import seeds_of, source_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

STEPS = 200
WARMUPS = (20, 40, 80)
#: From a quarter to four times the edge without warmup, 0.025.
LRS = rates(0.00625, 0.1, 13)
KINDS = {"linear": BLUE, "cosine": GREEN, "exponential": ORANGE, "stepwise": PURPLE}
OTHERS = tuple(kind for kind in KINDS if kind != "linear")
WORDS = {"steps": "equal length W", "period": "equal effective period"}
#: Peaks within 10 % of each other count as equal: less than doubling the warmup allows.
MARGIN = 1.1


def specs(seeds: Sequence[int]) -> list[Spec]:
    """The grid: 247 runs per seed, among them those without a warmup."""
    return [Spec(named("small16"), "small16", STEPS, (0, *WARMUPS), LRS, tuple(seeds), kinds=tuple(KINDS))]


def train(seeds: Sequence[int], folder: Path) -> DataFrame:
    """The runs of the claim; finished ones are read from the folder."""
    return trained(specs(seeds), folder)


def _rows_of(curves: Curves, match: str) -> dict[int, dict[str, Setting]]:
    """The settings that are compared with each other: W of the linear one → kind → setting."""
    matched = curves.spec.matched("post", "cosine", match)
    return {steps: {setting.kind: setting for setting in matched[steps]} for steps in WARMUPS}


def pooled(curves: Curves, match: str, kind: str) -> Numbers:
    """The edge of a kind over that of linear, geometric mean over the lengths, [seeds]."""
    rows = _rows_of(curves, match).values()
    ratios = [curves.edge(row[kind]) / curves.edge(row["linear"]) for row in rows]
    return np.asarray(np.exp(np.mean(np.log(ratios), axis=0)))


def comparisons(curves: Curves) -> dict[tuple[str, str], RatioVerdict]:
    """(match, kind) → its pooled comparison with linear, corrected for all of them together."""
    keys = [(match, kind) for match in MATCHES for kind in OTHERS]
    return dict(zip(keys, compared([pooled(curves, *key) for key in keys], MARGIN), strict=True))


def verdict(comparison: RatioVerdict) -> str:
    """A comparison in words."""
    words = {
        HIGHER: "a higher peak than linear",
        LOWER: "a lower peak than linear",
        EQUAL: f"equal within {MARGIN - 1:.0%}",
    }
    result = words.get(comparison.verdict, f"undecided: neither different nor equal within {MARGIN - 1:.0%}")
    small = comparison.verdict in (HIGHER, LOWER) and comparison.within
    return f"{result}, but by less than {MARGIN - 1:.0%}" if small else result


def _answer(curves: Curves) -> list[str]:
    judged, lines = comparisons(curves), []
    for match in MATCHES:
        kinds = "; ".join(
            f"{kind} {interval(judged[match, kind].factor)} (p {shown(judged[match, kind].p)}: "
            f"{verdict(judged[match, kind])})"
            for kind in OTHERS
        )
        lines.append(f"* At {WORDS[match]}, the peak LR that a kind allows over that of linear warmup: {kinds}.")
    without = curves.edge(curves.setting(0))
    gains = ", ".join(
        f"{interval(paired_factor(curves.edge(_rows_of(curves, 'period')[40][kind]), without))} with {kind}"
        for kind in KINDS
    )
    help_all = (
        f"* Against no warmup: with the effective period of a linear warmup of 40 steps (20%), the peak is {gains} "
        "times as high."
    )
    same = (
        "* A cosine warmup has the same effective period as a linear one of equal length, because its factors add up "
        "to 1 in pairs; this is not true of the others, which at equal W are longer or shorter warmups."
    )
    return [*lines, help_all, same, _sensitivity(curves), one_edge(curves)]


def _sensitivity(curves: Curves) -> str:
    rows = _rows_of(curves, "period").values()
    parts = []
    for kind in OTHERS:
        differences = [curves.sensitivity(row[kind]) - curves.sensitivity(row["linear"]) for row in rows]
        parts.append(f"{kind} {interval(mean(np.mean(differences, axis=0)))}")
    return (
        f"* LR sensitivity over the LRs {LRS[0]:g} to {LRS[-1]:g}, at equal effective period minus that of linear "
        f"warmup, averaged over the lengths, nats: {'; '.join(parts)}."
    )


def _rows(curves: Curves) -> list[dict[str, object]]:
    groups = [(match, steps, row) for match in MATCHES for steps, row in _rows_of(curves, match).items()]
    ratios = [curves.edge(row[kind]) / curves.edge(row["linear"]) for _, _, row in groups for kind in OTHERS]
    judged = iter(compared(ratios, MARGIN))
    rows = []
    for match, steps, row in groups:
        for kind in KINDS:
            setting, comparison = row[kind], None if kind == "linear" else next(judged)
            change = paired_difference(curves.sensitivity(setting), curves.sensitivity(row["linear"]))
            rows.append(
                {
                    "compared at": WORDS[match],
                    "linear W": steps,
                    "kind": kind,
                    "W": setting.warmup_steps,
                    "effective period": setting.effective_period,
                    "edge": geometric_mean(curves.edge(setting)),
                    "peak over linear": comparison and comparison.factor,
                    "p": comparison and shown(comparison.p),
                    "LR sensitivity": mean(curves.sensitivity(setting)),
                    "against linear": None if kind == "linear" else change,
                    "best loss": mean(curves.best(setting)),
                    "failed share": mean(curves.failed(setting)),
                    "edges outside": int(curves.outside(setting).sum()),
                }
            )
    return rows


def _title(curves: Curves) -> str:
    judged = {kind: comparisons(curves)["period", kind] for kind in OTHERS}
    lower = [kind for kind, comparison in judged.items() if comparison.verdict == LOWER]
    higher = [kind for kind, comparison in judged.items() if comparison.verdict == HIGHER]
    if higher:
        return f"{' and '.join(higher).capitalize()} warmup allows a higher peak LR than linear at equal period"
    if not lower:
        return "No kind of warmup allows a measurably higher or lower peak LR than linear at equal period"
    parts = [f"{kind} −{100 * (1 - judged[kind].factor.value):.0f} %" for kind in lower]
    return f"At equal period no warmup beats linear: {', '.join(parts)} in peak LR"


def _picture(curves: Curves) -> Figure:
    picture = figure(4.4, _title(curves), caption(curves))
    for axes, match in zip(picture.subplots(1, 2, sharey=True), MATCHES, strict=True):
        axes.axhspan(1 / MARGIN, MARGIN, color="#EFEFEF", zorder=0)
        axes.axhline(1, color=GREY, linewidth=0.8)
        for i, kind in enumerate(OTHERS):
            rows = _rows_of(curves, match).values()
            factors = [paired_factor(curves.edge(row[kind]), curves.edge(row["linear"])) for row in rows]
            value, low, high = np.array(factors).T
            x = np.arange(len(WARMUPS)) + 0.12 * (i - 1)
            axes.errorbar(x, value, (value - low, high - value), fmt="o", color=KINDS[kind], capsize=3, label=kind)
        axes.set_xticks(range(len(WARMUPS)), [str(steps) for steps in WARMUPS])
        axes.set_xlim(-0.4, len(WARMUPS) - 0.6)
        axes.set(title=f"at {WORDS[match]}", xlabel="W of the linear warmup, steps")
    picture.axes[0].set_ylabel("peak LR over that of linear")
    picture.axes[1].annotate(
        "equal within 10 %",
        (0.01, MARGIN),
        (2, 3),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        fontsize=9,
        color=GREY,
    )
    picture.axes[1].legend(loc="upper right")
    return picture


def claim(runs: DataFrame) -> Claim:
    """The claim, from its runs."""
    import pandas

    seeds = seeds_of(runs)
    curves = from_table(specs(seeds)[0], runs)
    judged = comparisons(curves)
    return Claim(
        "warmup_kind",
        len(seeds),
        "Do linear, cosine, exponential and stepwise warmup allow the same peak LR at equal effective period?",
        _answer(curves),
        {
            "Runs": f"{len(runs)} in total: {about(curves)}",
            "Effective period": "Σ(1 − w(t)) over the warmup, in steps (Ma & Yarats 2021)",
            "Edge": EDGE,
            "LR sensitivity": SENSITIVITY,
            "Stability": STABILITY,
            "Intervals": f"{INTERVALS}. Equal: within {MARGIN - 1:.0%} by two one-sided tests at 5%, corrected alike. "
            "In the text the factors are geometric means over the lengths, corrected for the six comparisons there",
        },
        pandas.DataFrame(_rows(curves)),
        lambda: _picture(curves),
        "Peak LR allowed by cosine, exponential and stepwise warmup over that allowed by linear warmup, at equal "
        "length and at equal effective period",
        headlines=[
            Headline(f"peak over linear, {kind}, {WORDS[match]}", judged[match, kind].factor)
            for match in MATCHES
            for kind in OTHERS
        ],
        source=source_of(runs),
    )
