"""Does the tutorial's Noam at warmup 4000 and factor 1 train the task, and what would?

The tutorial trains for 10 epochs and draws 10 000 steps. Its model and its dropout are used as they are,
on the task made right.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import as_completed
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from bench.sweep.engine import processes
from bench.sweep.progress import progress
from bench.sweep.train import code_key
from bench.toy.config import named
from bench.toy.machine import cores
from bench.toy.measures import FAILED_LOSS, STABLE_LOSS, mean, share
from bench.toy.plain import train
from bench.toy.task import Task, steps_per_epoch
from reference import CosineDecay, LinearWarmup, Noam, Schedule, WarmupDecay
from suite.shared.files import write_whole
from suite.shared.plots import BLUE, GREEN, GREY, ORANGE, PURPLE

from .publish import Claim, figure, interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPOCHS, WARMUP, PEAK = 10, 4000, 1e-3  # as the tutorial has them; the peak is that of its cosine branch
#: Past the end of the warmup. What the tutorial's chart has after it is decay.
LONG = 5000
EVERY = 20
CONFIG = named("tutorial")
D = CONFIG.d_model


class Candidate(NamedTuple):
    """A schedule to try: what it is called, the schedule with its base LR, its steps, its colour."""

    title: str
    schedule: Schedule
    base_lr: float
    steps: int
    color: str


class CandidateRuns(NamedTuple):
    """What the seeds of a plan gave: the steps of validation, the losses [seeds, steps], the highest LR in use."""

    plan: Candidate
    at: list[int]
    losses: NDArray[np.float64]
    peak: float

    def after(self, steps: int) -> NDArray[np.float64]:
        """The validation loss of each seed after this many steps."""
        return self.losses[:, self.at.index(steps)]

    def learned(self) -> NDArray[np.float64]:
        """The first validated step at which each seed has learned the task; seeds that never do are left out."""
        below = self.losses < STABLE_LOSS
        return np.array([self.at[int(row.argmax())] for row in below if row.any()], dtype=np.float64)

    def when(self) -> str:
        """After how many steps the seeds learned the task, in words."""
        learned = self.learned()
        if learned.size < len(self.losses):
            return f"{learned.size} of {len(self.losses)} seeds"
        return interval(mean(learned))


def budget() -> int:
    """Optimizer steps of the tutorial's 10 epochs on the task made right."""
    task = Task.make(CONFIG.limit, CONFIG.validation_share, CONFIG.split_seed)
    return EPOCHS * steps_per_epoch(len(task.train), CONFIG.batch_size)


def plans(steps: int) -> list[Candidate]:
    """The tutorial's two branches, and what its advice (5-10 % warmup, a lower peak) would make of them."""
    tenth = steps // 10
    noam = Noam(tenth, D)
    fitted = WarmupDecay(LinearWarmup(tenth), CosineDecay(steps - tenth))
    return [
        Candidate(f"Noam, warmup {WARMUP}", Noam(WARMUP, D), 1.0, LONG, BLUE),
        Candidate(f"Noam, warmup {tenth}", noam, 1.0, steps, ORANGE),
        Candidate(f"Noam, warmup {tenth}, factor for a peak of {PEAK:g}", noam, PEAK / noam.peak_lr, steps, PURPLE),
        Candidate(
            f"linear {WARMUP} + cosine",
            WarmupDecay(LinearWarmup(WARMUP), CosineDecay(10_000 - WARMUP)),
            PEAK,
            steps,
            GREY,
        ),
        Candidate(f"linear {tenth} + cosine", fitted, PEAK, steps, GREEN),
    ]


def _one(plan: Candidate, seed: int) -> tuple[dict[int, float], float]:
    torch.set_num_threads(1)
    run = train(CONFIG, plan.schedule, steps=plan.steps, seed=seed, base_lr=plan.base_lr, validate_every=EVERY)
    return run.validation, max(run.lrs)


def _kept(plan: Candidate, seed: int, folder: Path) -> Path:
    """The file of a finished run: its name holds all that the run depends on."""
    about = repr((plan.schedule, plan.base_lr, plan.steps, seed, EVERY, CONFIG, code_key()))
    return folder / f"noam-{hashlib.sha256(about.encode()).hexdigest()[:16]}.json"


def measured(chosen: list[Candidate], seeds: int, folder: Path) -> list[CandidateRuns]:
    """Every plan with seeds 0 … seeds − 1, one process on each core; runs that lie finished in the folder are read."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {(i, seed): _kept(plan, seed, folder) for seed in range(seeds) for i, plan in enumerate(chosen)}
    todo = [key for key, path in files.items() if not path.exists()]
    with progress(quiet=False) as report, processes(cores()) as pool:
        futures = {pool.submit(_one, chosen[i], seed): (i, seed) for i, seed in todo}
        for count, future in enumerate(as_completed(futures), len(files) - len(todo) + 1):
            write_whole(files[futures[future]], json.dumps(future.result()).encode())
            report(count, len(files))
    outcomes = []
    for i, plan in enumerate(chosen):
        runs = [json.loads(files[i, seed].read_bytes()) for seed in range(seeds)]
        losses = np.array([list(validation.values()) for validation, _ in runs])
        outcomes.append(CandidateRuns(plan, [int(step) for step in runs[0][0]], losses, runs[0][1]))
    return outcomes


def _row(outcome: CandidateRuns, steps: int) -> dict[str, object]:
    final = outcome.after(steps)
    return {
        "schedule": outcome.plan.title,
        f"LR at step {steps - 1}": float(outcome.plan.schedule(steps - 1, base_lr=outcome.plan.base_lr)),
        "highest LR in use": outcome.peak,
        f"loss after {steps} steps": mean(final),
        "learned by then": share(final < STABLE_LOSS),
        "failed by then": share(final > FAILED_LOSS),
        "steps to learn": outcome.when(),
    }


def _answer(outcomes: list[CandidateRuns], steps: int) -> list[str]:
    noam, cosine = outcomes[0], outcomes[-1]
    final, best = mean(noam.after(steps)), mean(cosine.after(steps))
    reached = float(noam.plan.schedule(steps - 1)) / noam.peak
    peak_loss = mean(noam.losses[:, [t >= WARMUP for t in noam.at]].max(1))
    first = (
        f"In the tutorial's {EPOCHS} epochs ({steps} steps) its Noam gets no further than {reached:.0%} of its peak LR "
        f"{noam.peak:.3g}: the run ends inside the warmup. The validation loss is then {interval(final)} nats per "
        f"token, against {interval(best)} for {cosine.plan.title} with peak {PEAK:g} in the same steps."
    )
    later = (
        f"With more steps it trains the task (loss below {STABLE_LOSS}) after {noam.when()} steps, "
        f"long before its warmup ends at {WARMUP}; from there on the loss rises again up to {interval(peak_loss)}."
        if noam.learned().size == len(noam.losses)
        else f"Of its seeds, {noam.when()} learned the task in {LONG} steps."
    )
    others = [
        f"* {outcome.plan.title}: loss {interval(mean(outcome.after(steps)))} after {steps} steps; "
        f"{int((outcome.after(steps) < STABLE_LOSS).sum())} of {len(outcome.losses)} seeds learned the task."
        for outcome in outcomes[1:]
    ]
    return [f"{first} {later}", "", *others]


def _picture(outcomes: list[CandidateRuns], steps: int, seeds: int) -> Figure:
    caption = f"Tutorial's model (d 128, ff 2048, dropout 0.1), {seeds} seeds: mean, and all seeds as a band."
    made = figure(4.6, "The tutorial's Noam is still warming up when its 10 epochs are over", caption)
    short, long = made.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for outcome in outcomes:
        for axes, last in ((short, steps), (long, LONG)):
            if axes is long and outcome.plan.steps < LONG:
                continue
            keep = [i for i, t in enumerate(outcome.at) if t <= last]
            x, y = np.array(outcome.at)[keep], outcome.losses[:, keep]
            axes.fill_between(x, y.min(0), y.max(0), color=outcome.plan.color, alpha=0.15, linewidth=0)
            axes.plot(x, y.mean(0), color=outcome.plan.color, label=outcome.plan.title)
    for axes in (short, long):
        axes.axhline(STABLE_LOSS, color="black", linewidth=0.8, linestyle=":")
        axes.set(yscale="log", xlabel="optimizer step")
    short.set(ylabel="validation loss, nats per token", title=f"10 epochs: {steps} steps", xlim=(0, steps))
    short.legend(fontsize=8.5, loc="lower left")
    long.set(title=f"{LONG} steps", xlim=(0, LONG))
    long.axvline(WARMUP, color=GREY, linewidth=0.8)
    long.annotate("end of warmup", (WARMUP, 2.0), (-4, 0), textcoords="offset points", ha="right", color=GREY)
    return made


def claim(seeds: int, folder: Path) -> Claim:
    """Train all of it: about 4 minutes of one core for each seed."""
    import pandas

    steps = budget()
    outcomes = measured(plans(steps), seeds, folder)
    return Claim(
        "noam",
        seeds,
        "Does the tutorial's Noam at warmup 4000 and factor 1 train the task, and what would?",
        _answer(outcomes, steps),
        {
            "Runs": f"{seeds} seeds (weights, batches, dropout) of each schedule; numbers 0-999, 100 of them held out, "
            f"batch 32; Adam; {LONG} steps for the first row, {steps} for the others",
            "Intervals": "95 %, Student's t over seeds; Wilson's for shares",
            "Learned": f"validation loss below {STABLE_LOSS} nats per token, looked at every {EVERY} steps; "
            f"failed: above {FAILED_LOSS}",
        },
        pandas.DataFrame([_row(outcome, steps) for outcome in outcomes]),
        lambda: _picture(outcomes, steps, seeds),
        "Validation loss against optimizer step for five schedules: left over 10 epochs, right over 5000 steps",
    )
