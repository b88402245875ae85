"""Do linear, cosine, exponential and stepwise warmup differ, at equal length and at equal effective period?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.sweep.options import rates
from bench.sweep.spec import MATCHES, Setting, Spec
from bench.toy.config import named
from bench.toy.measures import Estimate, mean, paired_difference
from suite.shared.plots import BLUE, GREEN, GREY, ORANGE, PURPLE

from .grid import Curves, about, caption, measured, median
from .publish import INTERVALS, SENSITIVITY, STABILITY, Claim, figure, interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS = 200
WARMUPS = (10, 20, 40, 80)
LRS = rates(1e-3, 0.32, 11)
KINDS = {"linear": BLUE, "cosine": GREEN, "exponential": ORANGE, "stepwise": PURPLE}
WORDS = {"steps": "equal length W", "period": "equal effective period"}


def _pairs(curves: Curves, match: str) -> dict[str, list[tuple[Setting, Setting]]]:
    """For each kind except linear: its settings, each with the matching linear one."""
    rows = curves.spec.matched("post", "cosine", match).values()
    lines = [{setting.kind: setting for setting in row} for row in rows]
    return {kind: [(line[kind], line["linear"]) for line in lines] for kind in KINDS if kind != "linear"}


def _pooled(curves: Curves, pairs: list[tuple[Setting, Setting]]) -> Estimate:
    """The difference in LR sensitivity from linear, averaged over the lengths, with its interval over seeds."""
    differences = [curves.sensitivity(setting) - curves.sensitivity(linear) for setting, linear in pairs]
    return mean(np.mean(differences, axis=0))


def _verdict(difference: Estimate) -> str:
    if difference.low <= 0 <= difference.high:
        return "no measurable difference"
    return "lower than linear" if difference.high < 0 else "higher than linear"


def _answer(curves: Curves) -> list[str]:
    lines = []
    for match in MATCHES:
        pooled = {kind: _pooled(curves, pairs) for kind, pairs in _pairs(curves, match).items()}
        kinds = "; ".join(f"{kind} {interval(value)} ({_verdict(value)})" for kind, value in pooled.items())
        lines.append(
            f"* At {WORDS[match]}, LR sensitivity minus that of linear warmup, averaged over the lengths: {kinds}."
        )
    same = (
        "* A cosine warmup has the same effective period as a linear one of equal length, because its factors add up "
        "to 1 in pairs; this is not true of the others, which at equal W are longer or shorter warmups."
    )
    return [*lines, same]


def _rows(curves: Curves) -> list[dict[str, object]]:
    rows = []
    for match in MATCHES:
        for steps, settings in curves.spec.matched("post", "cosine", match).items():
            linear = next(setting for setting in settings if setting.kind == "linear")
            for setting in settings:
                difference = paired_difference(curves.sensitivity(setting), curves.sensitivity(linear))
                rows.append(
                    {
                        "compared at": WORDS[match],
                        "linear W": steps,
                        "kind": setting.kind,
                        "W": setting.warmup_steps,
                        "effective period": setting.effective_period,
                        "LR sensitivity": mean(curves.sensitivity(setting)),
                        "against linear": None if setting == linear else difference,
                        "best loss": mean(curves.best(setting)),
                        "max stable LR": median(curves.edge(setting)),
                        "failed": mean(curves.failed(setting)),
                    }
                )
    return rows


def _picture(curves: Curves) -> Figure:
    picture = figure(4.4, "LR sensitivity of each kind of warmup minus that of a linear one", caption(curves))
    for axes, match in zip(picture.subplots(1, 2, sharey=True), MATCHES, strict=True):
        axes.axhline(0, color=GREY, linewidth=0.8)
        for i, (kind, pairs) in enumerate(_pairs(curves, match).items()):
            differences = [paired_difference(curves.sensitivity(a), curves.sensitivity(b)) for a, b in pairs]
            value, low, high = np.array(differences).T
            x = np.arange(len(WARMUPS)) + 0.12 * (i - 1)
            axes.errorbar(x, value, (value - low, high - value), fmt="o", color=KINDS[kind], capsize=3, label=kind)
        axes.set_xticks(range(len(WARMUPS)), [str(steps) for steps in WARMUPS])
        axes.set_xlim(-0.4, len(WARMUPS) - 0.6)
        axes.set(title=f"at {WORDS[match]}", xlabel="W of the linear warmup, steps")
    picture.axes[0].set_ylabel("difference, nats per token")
    picture.axes[0].legend()
    return picture


def claim(seeds: int, folder: Path) -> Claim:
    """Measure the claim: 264 runs per seed."""
    import pandas

    spec = Spec(named("small16"), "small16", STEPS, WARMUPS, LRS, tuple(range(seeds)), kinds=tuple(KINDS))
    curves = measured(spec, folder)
    return Claim(
        "warmup_kind",
        seeds,
        "Do linear, cosine, exponential and stepwise warmup differ at equal effective period?",
        _answer(curves),
        {
            "Runs": f"{len(spec.runs())} in total: {about(curves)}",
            "Effective period": "Σ(1 − w(t)) over the warmup, in steps (Ma & Yarats 2021)",
            "LR sensitivity": SENSITIVITY,
            "Stability": STABILITY,
            "Intervals": INTERVALS,
        },
        pandas.DataFrame(_rows(curves)),
        lambda: _picture(curves),
        "Difference in LR sensitivity to a linear warmup for cosine, exponential and stepwise warmup, "
        "at equal length and at equal effective period",
    )
