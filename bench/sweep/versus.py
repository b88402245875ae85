"""A comparison of schedules, paired by seed: the same initial weights and batches for all."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from bench.toy import measures
from bench.toy.batched.batched import Batched
from bench.toy.batched.records import first_at_or_below
from bench.toy.config import Config
from bench.toy.machine import cores, machine
from bench.toy.rates import grid
from bench.toy.task import floor_note
from suite.shared.console import plain_table, progress_bar
from suite.shared.files import write_whole
from suite.shared.plots import GREY, house_style, save

from .inputs import Chosen, config_of
from .pictures import COLORS, DASHES

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True, eq=False)
class PairedRuns:
    """The measurements of all runs; the first axis is the schedule, the second the seed.

    `initial`, `final`: validation losses [n, seeds]; `losses`: training losses [n, seeds, T]; `lrs`: [n, T];
    `reached`: the first step with a training loss at or below 0.1, −1 where there is none, [n, seeds].
    """

    chosen: Sequence[Chosen]
    initial: NDArray[np.float64]
    final: NDArray[np.float64]
    losses: NDArray[np.float64]
    lrs: NDArray[np.float64]
    reached: NDArray[np.int64]

    def rows(self) -> list[dict[str, Any]]:
        """One row per schedule: mean loss and its difference to the first schedule, with 95 % intervals.

        A loss that is not finite or above the initial one counts as the initial one.
        """
        losses = measures.capped(self.final[..., None], self.initial)[..., 0]
        rows = []
        for i, choice in enumerate(self.chosen):
            estimates = {
                "loss": measures.mean(losses[i]),
                "difference": measures.paired_difference(losses[i], losses[0]),
                "stable_share": measures.share(measures.stable(self.final[i])),
            }
            row: dict[str, Any] = {"schedule": choice.schedule.slug, "base_lr": choice.base_lr}
            for name, estimate in estimates.items():
                row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
            reached = self.reached[i][self.reached[i] >= 0]
            row["steps_to_target"] = float(np.median(reached)) if len(reached) == len(self.reached[i]) else None
            rows.append(row)
        return rows


def train_paired(
    args: argparse.Namespace, chosen: Sequence[Chosen], config: Config, seeds: Sequence[int]
) -> PairedRuns:
    """Train every schedule with every seed, all together."""
    replicas = [(choice, seed) for choice in chosen for seed in seeds]
    rates = grid([choice.schedule for choice, _ in replicas], [choice.base_lr for choice, _ in replicas], args.steps)
    runs = Batched(config, rates, [seed for _, seed in replicas], device=args.device, threads=cores())
    initial = runs.evaluate()
    with progress_bar(quiet=args.json) as bar:
        task = bar.add_task("steps", total=args.steps)
        for _ in range(args.steps):
            runs.step()
            bar.advance(task)
    shape = (len(chosen), len(seeds))

    def shaped(values: torch.Tensor) -> NDArray[Any]:
        return values.reshape(*shape, *values.shape[1:]).numpy()

    reached = shaped(first_at_or_below(runs.losses - runs.floor, measures.STABLE_LOSS))
    return PairedRuns(
        chosen, shaped(initial), shaped(runs.evaluate()), shaped(runs.losses), shaped(runs.lrs)[:, 0], reached
    )


def about(args: argparse.Namespace) -> str:
    """A description of the runs, in one line."""
    return f"{args.config}, {args.norm}-LN, Adam, {args.steps} steps, {args.seeds} seeds, paired; {machine()}"


def write_csv(paired: PairedRuns, args: argparse.Namespace) -> None:
    """Write one row per schedule, seed and step."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("schedule", "base_lr", "seed", "step", "lr", "loss"))
    for i, choice in enumerate(paired.chosen):
        for k, losses in enumerate(paired.losses[i].tolist()):
            for step, (lr, loss) in enumerate(zip(paired.lrs[i].tolist(), losses, strict=True)):
                writer.writerow((choice.schedule.slug, choice.base_lr, args.first_seed + k, step, lr, loss))
    write_whole(args.csv, text.getvalue().encode())


def _spread(row: dict[str, Any], name: str, form: str) -> str:
    half = row[f"{name}_high"] - row[name]
    return f"{row[name]:{form}}" + ("" if np.isnan(half) else f" ± {half:.3g}")


def print_comparison(console: Console, paired: PairedRuns, args: argparse.Namespace) -> None:
    """Print the schedules as a table; all are compared with the first."""
    table = plain_table()
    for head in ("schedule", "base LR", "validation loss", "difference to first", "learned", "steps to loss 0.1"):
        table.add_column(head, justify="left" if head == "schedule" else "right", no_wrap=True)
    for i, row in enumerate(paired.rows()):
        learned = f"{round(row['stable_share'] * args.seeds)} of {args.seeds}"
        reached = "–" if row["steps_to_target"] is None else f"{row['steps_to_target']:g}"
        difference = _spread(row, "difference", "+.3g") if i else ""
        table.add_row(row["schedule"], f"{row['base_lr']:g}", _spread(row, "loss", ".3g"), difference, learned, reached)
    console.width = max(console.width, 120)
    console.print(table)
    console.print(
        f"{about(args)}; ±: 95 % interval over seeds\n"
        f"learned: validation loss < {measures.STABLE_LOSS:g}; steps: median over seeds, – if any seed never gets there"
    )
    if note := floor_note(config_of(args)):
        console.print(note + "; the steps to loss 0.1 are to 0.1 above it")


def draw(paired: PairedRuns, args: argparse.Namespace) -> None:
    """Plot LRs and training losses; ValueError or OSError if the file cannot be written."""
    with house_style():
        save(_figure(paired, about(args)), args.plot)


def _figure(paired: PairedRuns, caption: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    for i, choice in enumerate(paired.chosen):
        look = {"color": COLORS[i % len(COLORS)], "linestyle": DASHES[i % len(DASHES)]}
        above.plot(
            paired.lrs[i], drawstyle="steps-post", label=f"{choice.schedule.slug}, base LR {choice.base_lr:g}", **look
        )
        below.plot(np.median(paired.losses[i], axis=0), **look)
        low, high = paired.losses[i].min(0), paired.losses[i].max(0)
        below.fill_between(np.arange(len(low)), low, high, color=look["color"], alpha=0.15, linewidth=0)
    above.set_ylabel("LR used by the step")
    above.set_ylim(bottom=0)
    above.legend(fontsize=9)
    below.set(xlabel="optimizer step (0 is the first update)", ylabel="training loss, nats per token", yscale="log")
    below.set_title("median and range over seeds", fontsize=10)
    rows = paired.rows()
    best = min(rows, key=lambda row: row["loss"])
    below.xaxis.get_major_locator().set_params(integer=True)
    title = f"Lowest validation loss: {best['loss']:.2g}, at base LR {best['base_lr']:g} ({best['schedule']})"
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    figure.supxlabel(caption, x=0.01, ha="left", fontsize=8.5, color=GREY)
    return figure
