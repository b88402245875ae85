"""One run of the plain trainer, with the LR measured at every optimizer step."""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from rich.console import Console

from bench.toy.config import Config
from bench.toy.plain import PlainRun, train
from bench.toy.task import floor_note
from suite.shared.console import plain_table
from suite.shared.files import write_whole
from suite.shared.plots import BLUE, GREY, ORANGE, house_style, save

from .inputs import Chosen, config_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Longer tables show a subset of the steps, always including the first and the last.
ROWS = 40

#: Below this width operations are too small to split: threads would only wait for each other.
WIDE = 128


@contextlib.contextmanager
def fitting_threads(config: Config) -> Iterator[None]:
    """Limit torch to one thread for a small model; its setting is restored afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(before if config.d_model >= WIDE else 1)
    yield
    torch.set_num_threads(before)


def trained(args: argparse.Namespace, choice: Chosen, config: Config) -> PlainRun:
    """Train as the options of `train` say."""
    with fitting_threads(config):
        return train(
            config,
            choice.schedule,
            steps=args.steps,
            seed=args.seed,
            base_lr=choice.base_lr,
            clock=args.clock,
            validate_every=args.validate_every or max(1, args.steps // 10),
            device=args.device,
        )


def about(args: argparse.Namespace, choice: Chosen) -> str:
    """A description of the run, in one line."""
    return (
        f"{args.config}, {args.norm}-LN, {args.optimizer}, {args.steps} steps, seed {args.seed}; "
        f"base LR {choice.base_lr:g}, schedule advanced every {args.clock} ({choice.schedule.slug})"
    )


def write_csv(run: PlainRun, args: argparse.Namespace) -> None:
    """Write one row per optimizer step: LR used, loss before it, and validation loss after it where measured."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("step", "lr", "loss", "validation_loss_after"))
    for step, row in enumerate(zip(run.lrs, run.losses, strict=True)):
        writer.writerow((step, *row, run.validation.get(step + 1, "")))
    write_whole(args.csv, text.getvalue().encode())


def print_run(console: Console, run: PlainRun, args: argparse.Namespace, choice: Chosen) -> None:
    """Print a table of at most about `ROWS` steps, and a summary."""
    console.print(about(args, choice))
    table = plain_table()
    for head in ("step", "LR used", "loss before it", "validation loss after it"):
        table.add_column(head, justify="right")
    last = len(run.lrs) - 1
    stride = -(-len(run.lrs) // ROWS)
    for step in sorted({*range(0, last + 1, stride), *(at - 1 for at in run.validation if at), last}):
        after = run.validation.get(step + 1)
        cells = (f"{run.lrs[step]:.6g}", f"{run.losses[step]:.4f}", "" if after is None else f"{after:.4f}")
        table.add_row(str(step), *cells)
    console.print(table)
    peak = max(range(len(run.lrs)), key=run.lrs.__getitem__)
    first, final = run.validation[0], run.validation[len(run.lrs)]
    console.print(f"validation loss {first:.4g} before the first step, {final:.4g} after the last")
    if note := floor_note(config_of(args)):
        console.print(note)
    console.print(f"highest LR {run.lrs[peak]:.6g} at step {peak}, first {run.lrs[0]:.6g}, last {run.lrs[-1]:.6g}")


def draw(run: PlainRun, args: argparse.Namespace, choice: Chosen) -> None:
    """Plot the LR used and the losses by step; ValueError or OSError if the file cannot be written."""
    with house_style():
        save(_figure(run, about(args, choice)), args.plot)


def _figure(run: PlainRun, caption: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    above.plot(run.lrs, color=BLUE, drawstyle="steps-post")
    above.set_ylabel("LR used by the step")
    above.set_ylim(bottom=0)
    below.plot(run.losses, color=GREY, linewidth=1, label="training, before the step")
    below.plot(
        [at - 0.5 for at in run.validation],
        [*run.validation.values()],
        color=ORANGE,
        marker="o",
        markersize=4,
        label="validation",
    )
    below.set(xlabel="optimizer step (0 is the first update)", ylabel="loss, nats per token", yscale="log")
    below.legend()
    below.xaxis.get_major_locator().set_params(integer=True)
    final = run.validation[len(run.lrs)]
    title = f"Validation loss {run.validation[0]:.2g} → {final:.2g} in {len(run.lrs)} steps"
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    figure.supxlabel(caption, x=0.01, ha="left", fontsize=8.5, color=GREY)
    return figure
