"""What does each schedule, and each way to apply one, cost in throughput?

All rules take turns step by step in one process, so that other load on the machine affects them equally.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from bench.toy.config import named
from bench.toy.measures import Estimate, mean
from bench.toy.plain import PlainLoop
from bench.toy.rules import WARMUPS, WAYS, Rule, by_warmup, by_way
from bench.toy.stopwatch import FIRST_STEPS, Stopwatch
from suite.shared.console import progress_bar
from suite.shared.plots import BLUE, GREY, ORANGE

from .publish import Claim, figure, interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The smallest model, where a schedule costs the largest share of a step, and the tutorial's model.
CONFIGS = {"small16": BLUE, "tutorial": ORANGE}
WARMUP_STEPS, TOTAL_STEPS = 20, 40
#: The rule that all others are compared with: the reference's values, set in the loop.
BASELINE = "linear, values set in the loop"
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


def measured(seeds: int) -> list[Cost]:
    """All rules on all models, on one thread."""
    costs = []
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with progress_bar() as bar:
        task = bar.add_task("seeds", total=seeds * len(CONFIGS))
        for config in CONFIGS:
            rounds = []
            for seed in range(seeds):
                rounds.append(one_seed(config, seed))
                bar.advance(task)
            for rule in rounds[0]:
                step, schedule = np.array([seconds[rule] for seconds in rounds]).T
                ratio = step / np.array([seconds[BASELINE][0] for seconds in rounds])
                costs.append(Cost(config, rule, step, schedule, ratio))
    torch.set_num_threads(before)
    return costs


def _answer(costs: list[Cost]) -> list[str]:
    lines = []
    for config in CONFIGS:
        here = [cost for cost in costs if cost.config == config]
        shares = {cost.rule: 100 * float(np.mean(cost.schedule / cost.step)) for cost in here}
        ways = ", ".join(
            f"{shares[rule]:.2g}% with {rule.removeprefix('linear, ')}" for rule in (*TITLES.values(), BASELINE)
        )
        most = max(shares, key=lambda rule: shares[rule])
        slower = [
            f"{cost.rule} ({interval(mean(cost.ratio))} times as long)" for cost in here if mean(cost.ratio).low > 1.05
        ]
        lines.append(
            f"* {config}: the share of a step spent on setting the LR is {ways}; the maximum is {shares[most]:.2g}% "
            f"({most}). Schedules with steps measurably more than 5% longer than with values set in the loop: "
            f"{', '.join(slower) or 'none'}."
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
    picture = figure(5.2, "The share of a training step that goes into the learning rate", caption)
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


def claim(seeds: int, folder: Path) -> Claim:
    """Measure the claim: about half a minute per seed."""
    import pandas

    costs = measured(seeds)
    return Claim(
        "cost",
        seeds,
        "What does each schedule cost in throughput?",
        _answer(costs),
        {
            "Runs": f"the plain trainer (nn.Transformer, fused Adam) on one CPU thread, {TOTAL_STEPS} steps, half of "
            f"them warmup; all schedules take turns step by step in one process; {seeds} seeds, median step of each",
            "Share": "time spent on setting the LR over the time of the whole step, both measured in the same step",
            "Intervals": "95%, Student's t over seeds; the machine is shared, so compare ratios, not times",
        },
        pandas.DataFrame([_row(cost) for cost in costs]),
        lambda: _picture(costs, seeds),
        "Share of a training step that goes into the LR, and time of a step over the baseline, for each schedule",
    )
