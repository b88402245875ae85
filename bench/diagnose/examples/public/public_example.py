"""The examples: a log of a public schedule in a loop, half of them with a mistake, and what its user would tell."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from bench.diagnose.core.trace import Trace
from reference import Schedule, parse

from . import clock_mistakes, log_mistakes, plan_mistakes, resume_mistakes
from .logbook import Logging, draw_logging
from .loop import draw_plan, draw_shape, train
from .mistake import ALL_MODES, EXPECT, MISTAKES, SETTINGS, LoggedLrs, Mistake, WantedRun, from_zero
from .schedules import hugging_face, pretraining, vision
from .schedules.schedule import SCHEDULES, PublicPlan
from .schedules.told import SLUGS, WANTED_INSTEAD

#: Importing these fills the two tables.
FILLED_BY = (hugging_face, pretraining, vision, clock_mistakes, plan_mistakes, resume_mistakes, log_mistakes)
HEALTHY = "healthy"
#: Half of the runs are healthy; the modes are drawn evenly among those in which the mistake can be known.
HEALTHY_SHARE = 0.5
#: Seeds below this are for development; the figures that we report are of seeds from here on.
HELD_OUT = 10_000
#: Draws of one seed before giving up.
ATTEMPTS = 2000
#: Schedules that are a mistake by themselves, and which: they are drawn for that one only.
ALWAYS_FAULTY = {"timm-cosine-default": "decay-counts-from-zero", "torch-chained": "clock-through-warmup"}
#: Schedules with a number that is no setting (a stair's length, a ratio): with the settings alone another clock or a
#: factor is another such number.
OWN_NUMBERS = ("torch-step", "torch-exponential", "torch-linear-multistep", "timm-step", "detectron2-multistep")
#: Healthy schedules that these causes describe rightly, too: DeepSpeed's first two updates do have an LR of 0.
ALSO_RIGHT = {name: ("zero-twice",) for name in SCHEDULES if name.startswith("deepspeed")}


@dataclasses.dataclass(frozen=True)
class TraceFacts:
    """What is true of the LRs of the run, logged or not.

    `zero_share`: the share of updates at LR 0; `negative_from`: the first update with a negative LR, None without one;
    `jumps`: updates at which the LR changes by more than a twentieth of the peak.
    """

    first: float
    last: float
    peak: float
    peak_step: int
    zero_share: float
    negative_from: int | None
    jumps: tuple[int, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class PublicExample:
    """A log with the right answer.

    `made`: the LR of every update, logged or not; `label`: the mistake or `HEALTHY`; `right`, `near`: causes that are
    right or half right; `mode`, `expect`, `base_lr`, `warmup_steps`, `total_steps`: what the diagnosis is given;
    `wanted`: the run that the user wanted.
    """

    seed: int
    label: str
    right: tuple[str, ...]
    near: tuple[str, ...]
    trace: Trace
    made: LoggedLrs
    logging: Logging
    wanted: WantedRun
    facts: TraceFacts
    mode: str
    expect: Schedule | None
    base_lr: float | None
    warmup_steps: int | None
    total_steps: int | None


def facts_of(lrs: list[float]) -> TraceFacts:
    """The facts of a run.

    >>> facts_of([0.0, 0.5, 1.0, 0.5]).peak_step
    2
    """
    values = np.array(lrs)
    peak = float(values.max())
    negative, jumps = np.flatnonzero(values < 0), np.flatnonzero(np.abs(np.diff(values)) > np.abs(values).max() / 20)
    return TraceFacts(
        first=lrs[0],
        last=lrs[-1],
        peak=peak,
        peak_step=int(values.argmax()),
        zero_share=float((values == 0).mean()),
        negative_from=int(negative[0]) if negative.size else None,
        jumps=tuple((jumps + 1).tolist()),
    )


def healthy_run(run: WantedRun) -> LoggedLrs:
    """The run without a mistake."""
    return from_zero(train(run.schedule.start(run.plan), run.shape))


def by_label() -> dict[str, list[Mistake]]:
    """The mistakes under each label."""
    labels: dict[str, list[Mistake]] = {}
    for each in MISTAKES:
        labels.setdefault(each.label, []).append(each)
    return labels


def wanted_name(name: str) -> str:
    """The schedule that the user of another one wanted."""
    return WANTED_INSTEAD.get(name, name)


def possible_modes(run: WantedRun, among: tuple[str, ...]) -> list[str]:
    """What a user can tell of this schedule."""
    modes = [mode for mode in among if mode != EXPECT or wanted_name(run.schedule.name) in SLUGS]
    return [mode for mode in modes if mode != SETTINGS or run.schedule.tells_base]


def shows(run: WantedRun, faulty: LoggedLrs, logging: Logging) -> bool:
    """Whether the log differs from that of the wanted run by more than its last digit."""
    rows = logging.rows(len(faulty.lrs))
    lrs = logging.written(np.array(faulty.lrs)[rows])
    wanted = np.array(healthy_run(dataclasses.replace(run, schedule=SCHEDULES[wanted_name(run.schedule.name)])).lrs)
    steps = np.array(faulty.steps)[rows]
    inside = steps < wanted.size
    right: NDArray[np.float64] = logging.written(wanted[steps[inside]])
    difference = np.abs(lrs[inside] - right)
    return bool(inside.sum() < steps.size or (difference > logging.unit * wanted.max()).any())


def public_example(seed: int, label: str | None = None) -> PublicExample:
    """The example of a seed; RuntimeError if the label cannot be drawn."""
    rng = np.random.default_rng([11, seed])
    labels = by_label()
    drawn = HEALTHY if rng.random() < HEALTHY_SHARE else sorted(labels)[int(rng.integers(len(labels)))]
    chosen, degraded = drawn if label is None else label, bool(rng.random() < 0.5)
    names = sorted(SCHEDULES)
    for _ in range(ATTEMPTS):
        schedule = SCHEDULES[names[int(rng.integers(len(names)))]]
        if ALWAYS_FAULTY.get(schedule.name, chosen) != chosen:
            continue
        shape = draw_shape(rng)
        run = WantedRun(schedule, draw_plan(rng, shape, schedule.floors), shape)
        right: tuple[str, ...]
        near: tuple[str, ...] = ()
        faulty: LoggedLrs | None
        if chosen == HEALTHY:
            faulty, right = healthy_run(run), ALSO_RIGHT.get(schedule.name, ())
            modes = possible_modes(run, ALL_MODES)
        else:
            mistake = labels[chosen][int(rng.integers(len(labels[chosen])))]
            faulty = mistake.make(rng, run)
            modes, right, near = possible_modes(run, mistake.modes), mistake.right, mistake.near
            modes = [mode for mode in modes if mode != SETTINGS or schedule.name not in OWN_NUMBERS]
        if faulty is None or not modes:
            continue
        logging = draw_logging(rng, len(faulty.lrs), degraded)
        if chosen != HEALTHY and not shows(run, faulty, logging):
            continue
        return built(seed, chosen, right, near, faulty, logging, run, str(rng.choice(modes)))
    raise RuntimeError(f"label={chosen!r} cannot be drawn in {ATTEMPTS} attempts of seed {seed}")


def built(
    seed: int,
    label: str,
    right: tuple[str, ...],
    near: tuple[str, ...],
    faulty: LoggedLrs,
    logging: Logging,
    run: WantedRun,
    mode: str,
) -> PublicExample:
    """The example with what its user tells: the values of the run that was wanted, in updates."""
    plan: PublicPlan = run.plan
    expect = parse(SLUGS[wanted_name(run.schedule.name)](plan)) if mode == EXPECT else None
    base = plan.base if run.schedule.tells_base else 1.0  # a Noam has its LR in itself
    return PublicExample(
        seed,
        label,
        right,
        near,
        logging.trace(faulty.steps, faulty.lrs),
        faulty,
        logging,
        run,
        facts_of(faulty.lrs),
        mode,
        expect,
        base if mode in (EXPECT, SETTINGS) else None,
        (plan.warmup if run.schedule.warms else 0) if mode == SETTINGS else None,
        plan.total if mode in (EXPECT, SETTINGS) else None,
    )
