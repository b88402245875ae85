"""Does the tutorial's Noam schedule with warmup 4000 and factor 1 train the task, and what would?

The tutorial trains for 10 epochs and plots 10 000 steps. This uses its model and dropout unchanged, on the corrected
task.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from bench.sweep.engine import processes
from bench.sweep.progress import progress
from bench.sweep.train import code_key
from bench.toy import plain
from bench.toy.config import named
from bench.toy.machine import cores
from bench.toy.measures import FAILED_LOSS, STABLE_LOSS, mean, paired_difference, share
from bench.toy.task import Task, steps_per_epoch
from reference import CosineDecay, LinearWarmup, Noam, Schedule, WarmupDecay
from suite.shared.files import write_whole
from suite.shared.plots import BLUE, GREEN, GREY, ORANGE, PURPLE

from .core.publish import Claim, Headline, figure, interval
from .core.runs import seeds_of, source_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

EPOCHS, WARMUP, PEAK = 10, 4000, 1e-3  # from the tutorial; the peak is that of its cosine branch
#: Past the end of the warmup; the rest of the tutorial's chart is decay.
LONG = 5000
EVERY = 20
CONFIG = named("tutorial")
D = CONFIG.d_model
#: Of the table of runs: one row per validation; `highest_lr`: of all steps of the run.
COLUMNS = ["schedule", "seed", "step", "loss", "highest_lr"]


class Candidate(NamedTuple):
    """A schedule to try: its title, the schedule with its base LR, the number of steps, its colour."""

    title: str
    schedule: Schedule
    base_lr: float
    steps: int
    color: str


class CandidateRuns(NamedTuple):
    """The runs of a candidate: the validated steps, the losses [seeds, steps], the highest LR used."""

    candidate: Candidate
    at: list[int]
    losses: NDArray[np.float64]
    peak: float

    def after(self, steps: int) -> NDArray[np.float64]:
        """The validation loss of each seed after this many steps."""
        return self.losses[:, self.at.index(steps)]

    def learned(self) -> NDArray[np.float64]:
        """The first validated step at which each seed has learned the task, without seeds that never do."""
        below = self.losses < STABLE_LOSS
        return np.array([self.at[int(row.argmax())] for row in below if row.any()], dtype=np.float64)

    def when(self) -> str:
        """After how many steps the seeds learned the task, as text."""
        learned = self.learned()
        if learned.size < len(self.losses):
            return f"{learned.size} of {len(self.losses)} seeds"
        return interval(mean(learned))


def budget() -> int:
    """The optimizer steps of the tutorial's 10 epochs on the corrected task."""
    task = Task.make(CONFIG.limit, CONFIG.validation_share, CONFIG.split_seed)
    return EPOCHS * steps_per_epoch(len(task.train), CONFIG.batch_size)


def candidates(steps: int) -> list[Candidate]:
    """The tutorial's two branches, and both adjusted according to its advice (5-10 % warmup, a lower peak)."""
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


def _train(candidate: Candidate, seed: int) -> tuple[dict[int, float], float]:
    torch.set_num_threads(1)
    schedule, steps, base_lr = candidate.schedule, candidate.steps, candidate.base_lr
    run = plain.train(CONFIG, schedule, steps=steps, seed=seed, base_lr=base_lr, validate_every=EVERY)
    return run.validation, max(run.lrs)


def _cache_file(candidate: Candidate, seed: int, folder: Path) -> Path:
    """The file of a finished run: its name is a hash of everything that the run depends on."""
    key = repr((candidate.schedule, candidate.base_lr, candidate.steps, seed, EVERY, CONFIG, code_key()))
    return folder / f"noam-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"


def train(seeds: Sequence[int], folder: Path) -> DataFrame:
    """Every candidate with every seed, one process per core; finished runs are read from the folder.

    One row per validation; about 4 minutes of one core per seed.
    """
    import pandas

    folder.mkdir(parents=True, exist_ok=True)
    chosen = candidates(budget())
    files = {(i, seed): _cache_file(candidate, seed, folder) for seed in seeds for i, candidate in enumerate(chosen)}
    todo = [key for key, path in files.items() if not path.exists()]
    with progress(quiet=False) as report, processes(cores()) as pool:
        futures = {pool.submit(_train, chosen[i], seed): (i, seed) for i, seed in todo}
        for count, future in enumerate(as_completed(futures), len(files) - len(todo) + 1):
            write_whole(files[futures[future]], json.dumps(future.result()).encode())
            report(count, len(files))
    rows = []
    for (i, seed), path in files.items():
        losses, highest = json.loads(path.read_bytes())
        rows += [(chosen[i].title, seed, int(step), loss, highest) for step, loss in losses.items()]
    return pandas.DataFrame(rows, columns=COLUMNS)


def from_table(chosen: Sequence[Candidate], runs: DataFrame) -> list[CandidateRuns]:
    """The runs of the candidates out of a table; ValueError if it lacks any."""
    results = []
    for candidate in chosen:
        here = runs[runs["schedule"] == candidate.title]
        curves = here.pivot(index="seed", columns="step", values="loss")
        expected = sorted({*range(0, candidate.steps + 1, EVERY), candidate.steps})
        if [int(step) for step in curves.columns] != expected or curves.isna().to_numpy().any():
            raise ValueError(f"runs={candidate.title!r} must have a loss at every {EVERY}th of {candidate.steps} steps")
        results.append(CandidateRuns(candidate, expected, curves.to_numpy(), float(here["highest_lr"].max())))
    return results


def _row(result: CandidateRuns, steps: int) -> dict[str, object]:
    final, candidate = result.after(steps), result.candidate
    return {
        "schedule": candidate.title,
        f"LR at step {steps - 1}": float(candidate.schedule(steps - 1, base_lr=candidate.base_lr)),
        "highest LR in use": result.peak,
        f"loss after {steps} steps": mean(final),
        "learned by then": share(final < STABLE_LOSS),
        "failed by then": share(final > FAILED_LOSS),
        "steps to learn": result.when(),
    }


def _answer(results: list[CandidateRuns], steps: int) -> list[str]:
    noam, cosine = results[0], results[-1]
    final, best = mean(noam.after(steps)), mean(cosine.after(steps))
    reached = float(noam.candidate.schedule(steps - 1)) / noam.peak
    peak_loss = mean(noam.losses[:, [t >= WARMUP for t in noam.at]].max(1))
    first = (
        f"In the tutorial's {EPOCHS} epochs ({steps} steps) its Noam schedule reaches only {reached:.0%} of its peak "
        f"LR {noam.peak:.3g}: the run ends during the warmup. The validation loss is then {interval(final)} nats per "
        f"token, compared with {interval(best)} for {cosine.candidate.title} with peak {PEAK:g} after as many steps."
    )
    later = (
        f"With more steps it learns the task (loss below {STABLE_LOSS}) after {noam.when()} steps, long before its "
        f"warmup ends at step {WARMUP}; the highest loss after the warmup is {interval(peak_loss)}."
        if noam.learned().size == len(noam.losses)
        else f"With more steps, {noam.when()} learned the task within {LONG} steps."
    )
    others = [
        f"* {result.candidate.title}: loss {interval(mean(result.after(steps)))} after {steps} steps; "
        f"{int((result.after(steps) < STABLE_LOSS).sum())} of {len(result.losses)} seeds learned the task."
        for result in results[1:]
    ]
    return [f"{first} {later}", "", *others]


def _picture(results: list[CandidateRuns], steps: int, seeds: int) -> Figure:
    caption = f"Tutorial's model (d 128, ff 2048, dropout 0.1), {seeds} seeds: mean, and all seeds as a band."
    picture = figure(4.6, "The tutorial's Noam is still warming up when its 10 epochs are over", caption)
    short, long = picture.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for result in results:
        candidate = result.candidate
        for axes, last in ((short, steps), (long, LONG)):
            if axes is long and candidate.steps < LONG:
                continue
            columns = [i for i, t in enumerate(result.at) if t <= last]
            x, y = np.array(result.at)[columns], result.losses[:, columns]
            axes.fill_between(x, y.min(0), y.max(0), color=candidate.color, alpha=0.15, linewidth=0)
            axes.plot(x, y.mean(0), color=candidate.color, label=candidate.title)
    for axes in (short, long):
        axes.axhline(STABLE_LOSS, color="black", linewidth=0.8, linestyle=":")
        axes.set(yscale="log", xlabel="optimizer step")
    short.set(ylabel="validation loss, nats per token", title=f"10 epochs: {steps} steps", xlim=(0, steps))
    short.legend(fontsize=8.5, loc="lower left")
    long.set(title=f"{LONG} steps", xlim=(0, LONG))
    long.axvline(WARMUP, color=GREY, linewidth=0.8)
    long.annotate("end of warmup", (WARMUP, 2.0), (-4, 0), textcoords="offset points", ha="right", color=GREY)
    return picture


def claim(runs: DataFrame) -> Claim:
    """The claim, from its runs."""
    import pandas

    steps, count = budget(), len(seeds_of(runs))
    results = from_table(candidates(steps), runs)
    final = {result.candidate.title: result.after(steps) for result in results}
    return Claim(
        "noam",
        count,
        "Does the tutorial's Noam schedule with warmup 4000 and factor 1 train the task, and what would?",
        _answer(results, steps),
        {
            "Runs": f"{count} seeds (weights, batches, dropout) per schedule; numbers 0-999, 100 of them held out, "
            f"batch size 32; Adam; {LONG} steps for the first row, {steps} for the others",
            "Intervals": "95%, Student's t over seeds; Wilson for shares",
            "Learned": f"validation loss below {STABLE_LOSS} nats per token, evaluated every {EVERY} steps; "
            f"failed: above {FAILED_LOSS}",
        },
        pandas.DataFrame([_row(result, steps) for result in results]),
        lambda: _picture(results, steps, count),
        "Validation loss against optimizer step for five schedules: left over 10 epochs, right over 5000 steps",
        headlines=[
            Headline(
                f"loss after {steps} steps, {result.candidate.title}, minus that of {results[-1].candidate.title}",
                paired_difference(final[result.candidate.title], final[results[-1].candidate.title]),
                0.0,
            )
            for result in results[:-1]
        ],
        source=source_of(runs),
    )
