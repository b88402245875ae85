"""What does each schedule, and each way to apply one, cost in throughput?

All rules take turns step by step in one process, so that other load on the machine affects them equally.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from bench.toy.config import named
from bench.toy.measures import Estimate, geometric_mean, mean
from bench.toy.plain import PlainLoop
from bench.toy.rules import WARMUPS, WAYS, Rule, by_warmup, by_way
from bench.toy.stopwatch import FIRST_STEPS, Stopwatch
from suite.shared.console import progress_bar
from suite.shared.plots import BLUE, GREY, ORANGE

from .core.paired import HIGHER, RatioVerdict, compared
from .core.publish import Claim, Headline, figure, interval
from .core.runs import seeds_of, source_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

#: The smallest model, where a schedule costs the largest share of a step, and the tutorial's model.
CONFIGS = {"small16": BLUE, "tutorial": ORANGE}
WARMUP_STEPS, TOTAL_STEPS = 20, 40
#: The rule that all others are compared with: the reference's values, set in the loop.
BASELINE = "linear, values set in the loop"
#: Steps whose lengths differ by less than 5 % count as equal.
MARGIN = 1.05
#: Of the table of runs: the medians of one rule with one seed.
COLUMNS = ["config", "schedule", "seed", "step_seconds", "lr_seconds"]
TITLES = {"sequential": "linear, SequentialLR", "chained": "linear, ChainedScheduler", "lambda": "linear, LambdaLR"}


class Cost(NamedTuple):
    """A rule on one model, per seed: seconds per step, seconds spent on the LR, and step time over the baseline's."""

    config: str
    rule: str
    step: NDArray[np.float64]
    schedule: NDArray[np.float64]
    ratio: NDArray[np.float64]


def rules(config: str) -> dict[str, Rule]:
    """Every way to apply a linear warmup with a cosine, then every other warmup as users of torch write it."""
    ways = {TITLES.get(way, BASELINE): by_way(way, named(config), WARMUP_STEPS, TOTAL_STEPS) for way in WAYS}
    others = [warmup for warmup in WARMUPS if warmup != "linear"]
    return ways | {warmup: by_warmup(warmup, named(config), WARMUP_STEPS, TOTAL_STEPS) for warmup in others}


class TimedTrainer:
    """Measures how long each step of a loop takes, and how long setting the LR takes in it."""

    def __init__(self, loop: PlainLoop) -> None:
        self.before, self.after = Stopwatch(loop.driver.before), Stopwatch(loop.driver.after)
        vars(loop.driver).update(before=self.before, after=self.after)
        self.step = Stopwatch(loop.step)

    def medians(self) -> tuple[float, float]:
        """Median seconds of a step and of setting the LR in it, without the first steps, which allocate memory."""
        rates = [a + b for a, b in zip(self.before.seconds, self.after.seconds, strict=True)]
        return statistics.median(self.step.seconds[FIRST_STEPS:]), statistics.median(rates[FIRST_STEPS:])


def one_seed(config: str, seed: int) -> dict[str, tuple[float, float]]:
    """Rule → median seconds of a step and of setting the LR in it."""
    timed = {
        name: TimedTrainer(
            PlainLoop(named(config), rule.apply, TOTAL_STEPS, seed, rule.base_lr, optimizer=rule.optimizer)
        )
        for name, rule in rules(config).items()
    }
    for _ in range(TOTAL_STEPS):
        for trainer in timed.values():
            trainer.step()
    return {name: trainer.medians() for name, trainer in timed.items()}


def train(seeds: Sequence[int], folder: Path) -> DataFrame:
    """Time all rules on all models, on one thread: one row per seed, about half a minute each; nothing is cached."""
    import pandas

    rows = []
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with progress_bar() as bar:
        task = bar.add_task("seeds", total=len(seeds) * len(CONFIGS))
        for config in CONFIGS:
            for seed in seeds:
                rows += [(config, rule, seed, *seconds) for rule, seconds in one_seed(config, seed).items()]
                bar.advance(task)
    torch.set_num_threads(before)
    return pandas.DataFrame(rows, columns=COLUMNS)


def from_table(runs: DataFrame) -> list[Cost]:
    """The measurements out of a table; ValueError if it lacks any."""
    costs = []
    for config in CONFIGS:
        here = runs[runs["config"] == config]
        step = here.pivot(index="seed", columns="schedule", values="step_seconds")
        schedule = here.pivot(index="seed", columns="schedule", values="lr_seconds")
        for rule in rules(config):
            if rule not in step or step[rule].isna().any():
                raise ValueError(f"runs={rule!r} must be timed with every seed on {config}")
            costs.append(
                Cost(
                    config,
                    rule,
                    step[rule].to_numpy(),
                    schedule[rule].to_numpy(),
                    (step[rule] / step[BASELINE]).to_numpy(),
                )
            )
    return costs


def _title(costs: list[Cost]) -> str:
    worst = max(costs, key=lambda cost: float(np.mean(cost.schedule / cost.step)))
    share = 100 * float(np.mean(worst.schedule / worst.step))
    return f"Setting the LR takes at most {share:.2g} % of a training step"


def _longer(row: RatioVerdict) -> bool:
    return row.verdict == HIGHER and not row.within


def _answer(costs: list[Cost]) -> list[str]:
    lines = []
    for config in CONFIGS:
        here = [cost for cost in costs if cost.config == config]
        shares = {cost.rule: 100 * float(np.mean(cost.schedule / cost.step)) for cost in here}
        ways = ", ".join(
            f"{shares[rule]:.2g}% with {rule.removeprefix('linear, ')}" for rule in (*TITLES.values(), BASELINE)
        )
        most = max(shares, key=lambda rule: shares[rule])
        others = [cost for cost in here if cost.rule != BASELINE]
        judged = list(zip(others, compared([cost.ratio for cost in others], MARGIN), strict=True))
        slower = [f"{cost.rule} ({interval(row.factor)} times as long)" for cost, row in judged if _longer(row)]
        equal = sum(row.within for _, row in judged)
        lines.append(
            f"* {config}: the share of a step spent on setting the LR is {ways}; the maximum is {shares[most]:.2g}% "
            f"({most}). Of {len(judged)} schedules, {equal} have steps as long as those with values set in the loop, "
            f"within 5%. Measurably longer by more: {', '.join(slower) or 'none'}."
        )
    return [
        *lines,
        "* `radam` is torch's RAdam optimizer, compared with fused Adam: its cost is that of the optimizer.",
    ]


def _row(cost: Cost) -> dict[str, object]:
    def scaled(values: NDArray[np.float64], unit: float) -> Estimate:
        return Estimate(*(number * unit for number in mean(values)))

    return {
        "model": cost.config,
        "schedule": cost.rule,
        "step, ms": scaled(cost.step, 1e3),
        "LR in it, µs": scaled(cost.schedule, 1e6),
        "LR in it, %": scaled(cost.schedule / cost.step, 100),
        "step over baseline": None if cost.rule == BASELINE else mean(cost.ratio),
    }


def _picture(costs: list[Cost], seeds: int) -> Figure:
    caption = f"CPU, one thread, {TOTAL_STEPS} steps in turn, {seeds} seeds; bars: 95 % intervals over seeds."
    picture = figure(5.2, _title(costs), caption)
    share, ratio = picture.subplots(1, 2, sharey=True)
    names = list(dict.fromkeys(cost.rule for cost in costs))
    for i, (config, color) in enumerate(CONFIGS.items()):
        here = [cost for cost in costs if cost.config == config]
        y = np.arange(len(names)) + 0.15 * (2 * i - 1)
        for axes, values in (
            (share, [100 * cost.schedule / cost.step for cost in here]),
            (ratio, [cost.ratio for cost in here]),
        ):
            value, low, high = np.array([mean(seeds_values) for seeds_values in values]).T
            axes.errorbar(value, y, xerr=(value - low, high - value), fmt="o", color=color, capsize=3, label=config)
    share.set_yticks(range(len(names)), names)
    share.invert_yaxis()
    share.set(xlabel="% of a step")
    share.set_xlim(left=0)
    ratio.axvline(1, color=GREY, linewidth=0.8)
    ratio.set(xlabel="step over that with values set in the loop")
    ratio.legend()
    return picture


def claim(runs: DataFrame) -> Claim:
    """The claim, from its runs."""
    import pandas

    costs, seeds = from_table(runs), len(seeds_of(runs))
    radam = next(cost for cost in costs if cost.rule == "radam")
    return Claim(
        "cost",
        seeds,
        "What does each schedule cost in throughput?",
        _answer(costs),
        {
            "Runs": f"the plain trainer (nn.Transformer, fused Adam) on one CPU thread, {TOTAL_STEPS} steps, half of "
            f"them warmup; all schedules take turns step by step in one process; {seeds} seeds, median step of each",
            "Share": "time spent on setting the LR over the time of the whole step, both measured in the same step",
            "Intervals": "95%, Student's t over seeds, each by itself; as long within 5%: two one-sided paired tests, "
            "longer: a paired t test, both at 5% and corrected for all schedules of a model (Holm). The machine is "
            "shared, so compare ratios, not times",
        },
        pandas.DataFrame([_row(cost) for cost in costs]),
        lambda: _picture(costs, seeds),
        "Share of a training step that goes into the LR, and time of a step over the baseline, for each schedule",
        headlines=[Headline(f"step of torch's RAdam over fused Adam, {radam.config}", geometric_mean(radam.ratio))],
        source=source_of(runs),
    )
