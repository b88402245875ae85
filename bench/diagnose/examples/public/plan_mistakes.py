"""Mistakes in the numbers of a configuration, and in the choice of a schedule; the loop is right."""

from __future__ import annotations

import dataclasses

import numpy as np

from .loop import train
from .mistake import EXPECT, NOTHING, TOLD, LoggedLrs, WantedRun, from_zero, mistake
from .schedules.hugging_face import waves
from .schedules.schedule import SCHEDULES, CountingScheduler, PublicPlan

#: Numbers of devices that a script forgets or counts twice.
DEVICES = (2, 4, 8)


def with_plan(run: WantedRun, **changes: float) -> LoggedLrs | None:
    """The run with other numbers in its configuration; None where they exclude each other."""
    plan: PublicPlan = dataclasses.replace(run.plan, **changes)  # type: ignore[arg-type]
    if plan.total - plan.warmup < 3:
        return None
    return from_zero(train(run.schedule.start(plan), run.shape))


def has_end(run: WantedRun) -> bool:
    """Whether the schedule has a total to be wrong about."""
    return run.schedule.after_end != "unended"


def too_many(rng: np.random.Generator, run: WantedRun) -> int:
    """The factor by which a count of batches exceeds the count of updates."""
    return run.shape.accumulate if run.shape.accumulate > 1 else int(rng.choice(DEVICES))


@mistake(
    "warmup-length",
    "the warmup is written in epochs",
    "YehLi/xmodaler#15 (WARMUP counts epochs for some schedulers and iterations for others)",
    near=("warmup-lost",),
    modes=TOLD,
)
def warmup_in_epochs(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """warmup_steps=3, for three epochs."""
    epochs = run.plan.warmup // run.shape.updates_per_epoch
    if epochs < 2 or not run.schedule.warms:
        return None
    return with_plan(run, warmup=epochs)


@mistake(
    "warmup-length",
    "the warmup is written in micro-batches",
    "huggingface/diffusers#4387 (lr_warmup_steps * gradient_accumulation_steps)",
    near=("horizon-short",),
    modes=TOLD,
)
def warmup_in_batches(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """warmup_steps counts forward passes."""
    warmup = run.plan.warmup * too_many(rng, run)
    if warmup > 0.8 * run.plan.total or not run.schedule.warms:
        return None
    return with_plan(run, warmup=warmup)


@mistake(
    "horizon-long",
    "the total is len(loader) · epochs, without accumulation or devices",
    "huggingface/accelerate#225, axolotl-ai-cloud/axolotl#1170",
    near=("too-slow", "stuck", "other-schedule"),
    modes=(EXPECT,),
)
def total_in_batches(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """The run ends where the decay has hardly begun; the warmup was given in updates."""
    if not has_end(run):
        return None
    return with_plan(run, total=run.plan.total * too_many(rng, run))


@mistake(
    "horizon-long",
    "the total is len(loader) · epochs, under a cosine, whose shape shows it also where no floor is known",
    "huggingface/accelerate#225, axolotl-ai-cloud/axolotl#1170",
    near=("too-slow", "stuck", "other-schedule"),
    modes=TOLD,
)
def cosine_in_batches(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """A line that is cut is a line to a floor; a cosine that is cut is no cosine of that length."""
    if "cosine" not in run.schedule.name or "wsd" in run.schedule.name:
        return None
    return total_in_batches(rng, run)


@mistake(
    "too-slow",
    "both lengths count batches, so that the whole schedule is slower, without stairs",
    "huggingface/diffusers#4387, #2632 (both lengths times gradient_accumulation_steps)",
    near=("horizon-long", "warmup-length", "per-epoch", "log-rows"),
    modes=TOLD,
)
def all_in_batches(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """A warmup ratio applied to a total that is too large has the same effect."""
    factor = too_many(rng, run)
    if not has_end(run) or not run.schedule.warms:
        return None
    return with_plan(run, warmup=run.plan.warmup * factor, total=run.plan.total * factor)


def longer_run(rng: np.random.Generator, run: WantedRun, *kinds: str) -> LoggedLrs | None:
    """The total is divided by a number of devices that len(loader) already had in it."""
    if run.schedule.after_end not in kinds:
        return None
    total = int(run.plan.total / rng.choice([1.25, 1.5, 2, 2, 4]))
    return with_plan(run, total=total) if total > 1.5 * run.plan.warmup else None


@mistake(
    "rises-again",
    "the run is longer than the cosine, which comes back up",
    "huggingface/transformers: get_cosine_schedule_with_warmup after num_training_steps; composer#1384",
    near=("horizon-short", "per-step"),
)
def cosine_comes_back(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """More epochs than the schedule was built for."""
    return longer_run(rng, run, "rises")


@mistake(
    "negative",
    "the run is longer than a decay that is not clamped",
    "torchtitan 0.3.0: lr_scheduler.total_steps below training.steps",
    near=("horizon-short",),
)
def below_zero(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """The line continues below 0."""
    return longer_run(rng, run, "negative")


@mistake(
    "horizon-short",
    "the decay ends before the run",
    "accelerate#628: num_training_steps // num_processes where the loader was divided already",
    near=("stuck", "floor-missed", "lr-zero"),
    modes=TOLD,
)
def ends_early(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """The last LR lasts for the rest of the run."""
    return longer_run(rng, run, "stays")


@mistake(
    "restarts-after-end",
    "the run is longer than the period of a schedule that starts over",
    "fairseq 0.12.2 cosine: lr_period_updates = max_update − warmup_updates, and a longer run",
    near=("restarted", "rises-again", "horizon-short"),
)
def starts_over(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """A new period, a tenth as high."""
    return longer_run(rng, run, "restarts") if run.schedule.name == "fairseq-cosine" else None


@mistake(
    "warmup-lost",
    "no warmup: the option kept its default of 0",
    "transformers' TrainingArguments.warmup_steps=0, set under another name in the user's file",
    near=("warmup-length",),
    modes=TOLD,
)
def no_warmup(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """The first update has the base LR."""
    if not run.schedule.name.startswith(("transformers", "torchtune", "megatron")) or "sqrt" in run.schedule.name:
        return None
    return with_plan(run, warmup=0)


@mistake(
    "warmup-longer-than-run",
    "the warmup is longer than the run, so the base LR is never reached",
    "detectron2's default WARMUP_ITERS=1000 in a run of 300 iterations (its balloon tutorial)",
    near=("warmup-length", "horizon-long"),
    modes=(NOTHING,),
)
def warmup_never_ends(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """A configuration made for a longer run."""
    if not run.schedule.warms or not has_end(run):
        return None
    warmup = int(run.plan.total * rng.uniform(1.2, 6.0))
    return with_plan(run, warmup=warmup, total=10 * warmup)


@mistake(
    "floor-missed",
    "the floor is a factor where the schedule takes a learning rate",
    "eta_min=0.1 in CosineAnnealingLR, for 10 % of the base LR",
    near=("blow-up", "overshoot", "rises-again", "horizon-long"),
    modes=TOLD,
)
def factor_as_floor(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """The LR approaches 0.1, also from below."""
    takes_lr = ("nanogpt", "megatron-cosine", "megatron-linear", "timm-cosine-prefix", "torch-linear-cosine")
    if not run.schedule.name.startswith(takes_lr) or run.plan.base >= 0.1 or not run.plan.floor:
        return None
    return with_plan(run, floor=run.plan.floor / run.plan.base)


@mistake(
    "floor-violated",
    "the floor was left out",
    "nanoGPT's own comment: min_lr should be ~= learning_rate/10; its default stays when learning_rate is changed",
    modes=(EXPECT,),
)
def no_floor(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """The decay ends at 0."""
    return with_plan(run, floor=0.0) if run.plan.floor else None


@mistake(
    "wrong-base",
    "the base LR is scaled by the number of devices, or twice",
    "linear scaling rule in the launcher and in the script (timm's --lr-base, MAE's blr)",
    near=("blow-up", "resume-scaled", "floor-violated"),
    modes=TOLD,
)
def scaled_base(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """Every LR is a constant times the wanted one."""
    factor = float(rng.choice([*DEVICES, 1 / 8, 0.25, 0.5]))
    return with_plan(run, base=run.plan.base * factor) if run.schedule.tells_base else None


@mistake(
    "other-schedule",
    "lr_scheduler_type kept its default",
    "transformers' TrainingArguments.lr_scheduler_type='linear' where the user wanted a cosine",
    near=("other-convention",),
    modes=(EXPECT,),
)
def default_type(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """A line instead of the wave."""
    if run.schedule.name not in ("transformers-cosine", "torchtune-cosine", "transformers-inverse-sqrt"):
        return None
    return from_zero(train(SCHEDULES["transformers-linear"].start(run.plan), run.shape))


@mistake(
    "rises-again",
    "num_cycles=1, which is a whole wave in transformers' cosine",
    "huggingface/transformers: num_cycles of get_cosine_schedule_with_warmup defaults to 0.5",
    near=("horizon-short", "per-step"),
)
def whole_wave(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """Down and up again within the run."""
    if run.schedule.name not in ("transformers-cosine", "torchtune-cosine"):
        return None
    return from_zero(train(CountingScheduler(lambda t, plan: waves(t, plan, 1.0), run.plan), run.shape))


@mistake(
    "warmup-twice",
    "a warmup over a schedule that has one already",
    "pytorch-warmup 0.2.0: with warmup_scheduler.dampening() around any scheduler",
    near=("warmup-length",),
    modes=(EXPECT,),
)
def two_warmups(rng: np.random.Generator, run: WantedRun) -> LoggedLrs | None:
    """The product of both warmups."""
    formula, warmup = run.schedule.formula, run.plan.warmup
    if formula is None or not run.schedule.warms:
        return None

    def dampened(t: int, plan: PublicPlan) -> float:
        return min(1.0, (t + 1) / warmup) * formula(t, plan)

    return from_zero(train(CountingScheduler(dampened, run.plan), run.shape))
