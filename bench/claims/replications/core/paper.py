"""A paper's statement, its predictions and arms as data; the page that judges it is computed from runs alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.claims.core.grid import Curves, Numbers, from_table, one_edge, trained
from bench.claims.core.paired import simultaneous
from bench.claims.core.publish import EDGE as EDGE_MEANS
from bench.claims.core.publish import SENSITIVITY as SENSITIVITY_MEANS
from bench.claims.core.publish import Claim, Headline, figure, interval
from bench.claims.core.runs import seeds_of, source_of
from bench.sweep.spec import Spec
from bench.toy.measures import Estimate, geometric_mean, mean
from suite.shared.plots import BLUE, GREEN, GREY, ORANGE, PURPLE

from .arms import SPEED, PaperArm, measured, unusable
from .prediction import (
    NOT_REPLICATED,
    NOT_TESTABLE,
    OCTAVES,
    REPLICATED,
    UNDECIDED,
    Prediction,
    counted,
    judge,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

#: A contrast is not testable if more than this share of the seeds of any of its terms has nothing to measure.
UNUSABLE = 0.1
COLORS = {REPLICATED: GREEN, NOT_REPLICATED: ORANGE, UNDECIDED: BLUE, NOT_TESTABLE: PURPLE}
VERDICTS = (
    "replicated if the whole interval is within the predicted bounds, not replicated if it is wholly outside, else "
    f"undecided; not testable here if more than {UNUSABLE:.0%} of the edges of a term lie outside its grid, or as many "
    "seeds learn at no LR"
)


@dataclasses.dataclass(frozen=True)
class Paper:
    """A statement of a paper and how it is tested; all of it is written before the runs that judge it.

    * `name`: its argument of `claim`; `cite`, `link`: authors and year, where to read it; `where`: the section;
    * `question`: the heading; `statement`: what the paper says, in our words;
    * `arms`, `predictions`: the runs, and what must follow from them;
    * `known`: what was known of such runs when the predictions were written; `limits`: how the test differs from
      the paper's setting;
    * `runs_from`: the claim whose published runs are read, if none are trained.
    """

    name: str
    cite: str
    link: str
    where: str
    question: str
    statement: str
    arms: tuple[PaperArm, ...]
    predictions: tuple[Prediction, ...]
    known: str
    limits: str
    runs_from: str = ""

    def __post_init__(self) -> None:
        """ValueError if a prediction is about an arm or a warmup that is not run."""
        warmups = {arm.name: arm.warmups for arm in self.arms}
        for prediction in self.predictions:
            for term in prediction.terms:
                if term.warmup not in warmups.get(term.arm, ()):
                    raise ValueError(f"term={term.arm}, {term.warmup} must be an arm and one of its warmups")

    def specs(self, seeds: Sequence[int]) -> list[Spec]:
        """The grid of each arm."""
        return [arm.spec(seeds) for arm in self.arms]

    def train(self, seeds: Sequence[int], folder: Path) -> DataFrame:
        """The runs of all arms; finished ones are read from the folder."""
        return trained(self.specs(seeds), folder)

    def cost(self, seeds: int = 10) -> float:
        """Seconds of one CPU core, estimated."""
        return sum(arm.cost(seeds) for arm in self.arms)

    def claim(self, runs: DataFrame) -> Claim:
        """The page, from its runs."""
        import pandas

        seeds = seeds_of(runs)
        grids = {arm.name: from_table(arm.spec(seeds), runs) for arm in self.arms}
        findings = [_Finding.of(each, grids, simultaneous(len(self.predictions))) for each in self.predictions]
        verdict = counted([finding.verdict for finding in findings])
        return Claim(
            self.name,
            len(seeds),
            self.question,
            [
                f"{self.cite} ([{self.where}]({self.link})): {self.statement} **{verdict}.**",
                "",
                *(finding.line() for finding in findings),
                *(_edges(name, curves) for name, curves in grids.items()),
                one_edge(*grids.values()),
            ],
            {
                "Verdict": VERDICTS,
                "Known before": self.known,
                "Limits of the test": self.limits,
                "Runs": self._about(len(seeds)),
                "Units": "predictions are in octaves (log2 of a factor: 1 doubles), or in nats per token for the LR "
                "sensitivity; factors on the edge are with warmup over without",
                "Edge": EDGE_MEANS,
                "LR sensitivity": SENSITIVITY_MEANS,
                "Intervals": "Student's t over seeds, which are the same in all arms; those of the predictions cover "
                f"together with 95% (Bonferroni: {simultaneous(len(self.predictions)):.4g} each), those beside fresh "
                "seeds each by itself with 95%. There the word replicated is about our numbers, above about the paper",
            },
            pandas.DataFrame([finding.row() for finding in findings]),
            lambda: self._picture(findings, verdict),
            "Each prediction with its interval and the predicted bounds",
            headlines=[Headline(finding.prediction.words, finding.alone, 0.0) for finding in findings],
            source=source_of(runs),
            runs_from=self.runs_from,
        )

    def _about(self, seeds: int) -> str:
        each = "; ".join(
            f"{arm.name}: {arm.spec((0,)).name}, {arm.norm}-LN, {arm.steps} steps, linear warmup of "
            f"{', '.join(map(str, arm.warmups))} steps before a cosine to 0, {len(arm.lrs)} LRs from {arm.lrs[0]:g} to "
            f"{arm.lrs[-1]:g}"
            for arm in self.arms
        )
        trained_by = (
            f"those of `{self.runs_from}`, nothing is trained"
            if self.runs_from
            else f"about {self.cost(seeds) / 120:.0f} minutes on two cores, at {SPEED} steps of a replica per second "
            "and core"
        )
        return f"{seeds} seeds, {each}. Cost: {trained_by}"

    def _picture(self, findings: Sequence[_Finding], verdict: str) -> Figure:
        made = figure(
            1.6 + 0.6 * len(findings),
            f"{self.cite}: {verdict}",
            "Shaded: predicted. Bars: intervals over seeds that cover together with 95 %.",
        )
        all_axes = made.subplots(len(findings), 1, squeeze=False)[:, 0]
        for axes, finding in zip(all_axes, findings, strict=True):
            value, low, high = finding.estimate
            ends = [0.0, low, high, *(end for end in finding.prediction_ends() if np.isfinite(end))]
            room = 0.15 * (max(ends) - min(ends) or 1.0)
            axes.set_xlim(min(ends) - room, max(ends) + room)
            axes.axvspan(*np.clip(finding.prediction_ends(), *axes.get_xlim()), color=GREY, alpha=0.2, linewidth=0)
            axes.axvline(0, color=GREY, linewidth=0.8)
            bars = [[value - low], [high - value]]
            axes.errorbar([value], [0], xerr=bars, color=COLORS[finding.verdict], marker="o", capsize=3)
            axes.set_yticks([])
            axes.set_title(
                f"{finding.prediction.words}, {finding.prediction.unit}: {finding.verdict}", loc="left", fontsize=9
            )
        return made


@dataclasses.dataclass(frozen=True)
class _Finding:
    """A prediction with its interval and verdict."""

    prediction: Prediction
    estimate: Estimate
    alone: Estimate
    verdict: str

    @classmethod
    def of(cls, prediction: Prediction, grids: dict[str, Curves], confidence: float) -> _Finding:
        values = contrast(prediction, grids)
        estimate = mean(values, confidence)
        lost = max(unusable(grids[term.arm], term.warmup, prediction.measure) for term in prediction.terms)
        verdict = NOT_TESTABLE if lost > UNUSABLE else judge(prediction, estimate)
        return cls(prediction, estimate, mean(values), verdict)

    def prediction_ends(self) -> tuple[float, float]:
        return self.prediction.low, self.prediction.high

    def line(self) -> str:
        unit = self.prediction.unit
        ratio = f" (a factor of {2**self.estimate.value:.3g})" if unit == OCTAVES else ""
        return (
            f"* **{self.prediction.words}**: {interval(self.estimate)} {unit}{ratio}; predicted "
            f"{self.prediction.bounds()}, falsified by {self.prediction.falsified()}: **{self.verdict}**."
        )

    def row(self) -> dict[str, object]:
        low, high = self.prediction.size
        return {
            "prediction": self.prediction.words,
            "unit": self.prediction.unit,
            "measured": self.estimate,
            "predicted": self.prediction.bounds(),
            "expected size": f"{low:.2g}" if low == high else f"{low:.2g} to {high:.2g}",
            "verdict": self.verdict,
        }


def contrast(prediction: Prediction, grids: dict[str, Curves]) -> Numbers:
    """The contrast of each seed, [seeds]: the sum of weight × measure over the terms."""
    values = [term.weight * measured(grids[term.arm], term.warmup, prediction.measure) for term in prediction.terms]
    return np.asarray(np.sum(values, axis=0))


def _edges(name: str, curves: Curves) -> str:
    """The edge at each warmup of an arm, in a sentence."""
    each = [
        f"{interval(geometric_mean(curves.edge(curves.setting(warmup))))} with {warmup} steps"
        for warmup in curves.spec.warmups
    ]
    return f"* **Edge, {name}**, by warmup: {', '.join(each)}."
