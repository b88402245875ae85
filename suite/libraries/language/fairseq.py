"""fairseq: schedulers that are built of its configuration, as its trainer does, with the number of updates made."""

from __future__ import annotations

import numpy as np

from reference import (
    InverseSqrtDecay,
    LinearWarmup,
    PiecewiseDecay,
    PolynomialDecay,
    Schedule,
    StableDecay,
    WarmRestartsDecay,
    family,
)
from reference.check import Rates, Steps
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import Formula, rising_from
from suite.libraries.core.library import Library, LibrarySchedule

WARMUP = "warmup_updates={warmup_steps}"
INIT_LR = {"init-lr": {"init_lr": 1e-4}}
#: Its trainer calls this after each update; and before the first one, and after a checkpoint was loaded.
STEP = "scheduler.step_update(t + 1)"
EPOCHS = (
    "if (t + 1) % {epoch} == 0:\n"
    "    if hasattr(scheduler, 'step_begin_epoch'):\n"
    "        scheduler.step_begin_epoch((t + 1) // {epoch} + 1)\n"
    "    else:  # until 0.10.0\n"
    "        scheduler.step((t + 1) // {epoch})\n"
    "scheduler.step_update(t + 1)"
)
RESUMED = (
    "if hasattr(scheduler, 'step_begin_epoch'):\n"
    "    scheduler.step_begin_epoch(t // {epoch} + 1)\n"
    "else:\n"
    "    scheduler.step(t // {epoch})\n"
    "scheduler.step_update(t)"
)
FIRST = "if hasattr(scheduler, 'step_begin_epoch'):\n    scheduler.step_begin_epoch(1)\nscheduler.step_update(0)"


def _imports(file: str, name: str, before: str = "") -> str:
    """Several classes had another name before 0.11."""
    module = f"from fairseq.optim.lr_scheduler.{file} import "
    line = module + name
    if before:
        line = f"try:\n    {line}\nexcept ImportError:\n    {module}{before} as {name}"
    return f"from argparse import Namespace\nfrom fairseq.optim.fairseq_optimizer import FairseqOptimizer\n{line}"


def _setup(config: str, lr: str = "[{base_lr}]") -> str:
    return (
        "wrapped = FairseqOptimizer.__new__(FairseqOptimizer)\n"
        "wrapped._optimizer = optimizer\n"
        f"config = Namespace(lr={lr}, {config})"
    )


def _step(a: Arguments) -> Schedule:
    """A line up to the base LR, then a drop every few steps, no lower than min_lr."""

    def lr(t: Steps, base: float) -> Rates:
        drops = np.maximum(t - a.warmup_steps, 0) // a.period
        rise = a.min_lr + (base - a.min_lr) * t / max(a.warmup_steps, 1)
        later = np.maximum(base * np.power(a.decay, drops.astype(float)), a.min_lr)
        return np.asarray(np.where(t < a.warmup_steps, rise, later))

    return Formula(lr)


def _fixed(a: Arguments) -> Schedule:
    """(t + 1)/W, times a power of lr_shrink from the epoch force_anneal on."""

    def lr(t: Steps, base: float) -> Rates:
        late = np.maximum(t // a.epoch + 2 - (a.anneal or np.inf), 0)
        return np.asarray(base * np.minimum((t + 1) / max(a.warmup_steps, 1), 1) * np.power(a.shrink, late))

    return Formula(lr)


def _polynomial(a: Arguments) -> Schedule:
    """The LR of the first epoch, or `later` times as much in all others, on its way to end_lr."""
    falling = family("A", LinearWarmup(a.warmup_steps), PolynomialDecay(a.decay_steps, a.power, a.end_lr))
    if a.later == 1:
        return falling
    return Formula(lambda t, base: np.where(t < a.epoch, falling(t, base), falling(t, base * a.later)))


def _triangular(a: Arguments) -> Schedule:
    """Triangles whose top, or both ends, shrink with each cycle."""

    def lr(t: Steps, base: float) -> Rates:
        half = a.period // 2
        shrunk = np.power(a.shrink, (t // (2 * half)).astype(float))
        height = 1 - np.abs(t % (2 * half) / half - 1)
        low = a.low_lr * (shrunk if a.shrink_min else 1.0)
        return np.asarray(low + (base * shrunk - low) * height)

    return Formula(lr)


def _tri_stage(a: Arguments) -> Schedule:
    hold = min(a.hold_steps, a.decay_steps)
    decay = StableDecay(hold, max(0, a.decay_steps - hold), "geometric", a.final_scale * a.base_lr)
    return family("E", LinearWarmup(a.warmup_steps, a.init_scale), decay)


TRI_STAGE = {"hold_steps": 4, "init_scale": 0.01, "final_scale": 0.01}

LIBRARY = Library(
    "fairseq",
    project="fairseq",
    files=("fairseq/optim/fairseq_optimizer.py", "fairseq/optim/lr_scheduler/*.py"),
    releases=("0.8.0", "0.9.0", "0.10.2", "0.11.1", "0.12.2"),
    sdist=True,
    stand_ins={
        "fairseq.optim": "fairseq.optim.fairseq_optimizer",
        "fairseq.optim.lr_scheduler": "fairseq.optim.lr_scheduler.fairseq_lr_scheduler",
    },
    schedules=(
        LibrarySchedule(
            "inverse-sqrt",
            _imports("inverse_square_root_schedule", "InverseSquareRootSchedule"),
            "InverseSquareRootSchedule(config, wrapped)",
            lambda a: rising_from(max(a.init_lr, 0.0), a.base_lr, a.warmup_steps, InverseSqrtDecay(a.warmup_steps)),
            setup=_setup(WARMUP + ", warmup_init_lr={init_lr}"),
            first="scheduler.step_update(0)",
            step=STEP,
            resumed="scheduler.step_update(t)",
            fields={"init_lr": -1},
            variants=INIT_LR,
            docs="docstring: up linearly from warmup_init_lr, then lr * sqrt(warmup_updates) / sqrt(update_num)",
            reading="fairseq-linspace",
        ),
        LibrarySchedule(
            "cosine",
            _imports("cosine_lr_scheduler", "CosineLRSchedule"),
            "CosineLRSchedule(config, wrapped)",
            lambda a: rising_from(
                a.init_lr if a.init_lr >= 0 else a.min_lr,
                a.base_lr,
                a.warmup_steps,
                WarmRestartsDecay(
                    a.period if a.period > 0 else a.decay_steps, int(a.t_mult), a.lr_shrink, min_lr=a.min_lr
                ),
            ),
            setup=_setup(
                WARMUP + ", warmup_init_lr={init_lr}, min_lr={min_lr}, t_mult={t_mult}, "
                "lr_period_updates={period}, lr_shrink={lr_shrink}, max_update={total_steps}"
            ),
            first="scheduler.step_update(0)",
            step=STEP,
            resumed="scheduler.step_update(t)",
            fields={"init_lr": -1, "min_lr": 0.0, "t_mult": 1.0, "period": -1, "lr_shrink": 0.1},
            variants=INIT_LR
            | {
                "min-lr": {"min_lr": 1e-4},
                "period": {"period": 4, "min_lr": 1e-4, "lr_shrink": 0.5},
                "t-mult": {"period": 2, "t_mult": 2.0, "lr_shrink": 1.0},
            },
            docs="docstring: SGDR with a warmup; the period grows by t_mult, lr and min_lr shrink by lr_shrink",
            reading="fairseq-linspace",
        ),
        LibrarySchedule(
            "fixed",
            _imports("fixed_schedule", "FixedLRSchedule", "FixedSchedule"),
            "FixedLRSchedule(config, wrapped)",
            _fixed,
            setup=_setup(WARMUP + ", force_anneal={anneal}, lr_shrink={shrink}"),
            first=FIRST,
            step=EPOCHS,
            resumed=RESUMED,
            fields={"anneal": None, "shrink": 0.1, "epoch": 3},
            variants={"anneal": {"anneal": 3, "shrink": 0.5}},
            docs="help: linearly for the first N updates; annealed by lr_shrink in each epoch from force_anneal on",
        ),
        LibrarySchedule(
            "polynomial-decay",
            _imports("polynomial_decay_schedule", "PolynomialDecayLRSchedule", "PolynomialDecaySchedule"),
            "PolynomialDecayLRSchedule(config, wrapped)",
            _polynomial,
            setup=_setup(
                WARMUP + ", force_anneal={anneal}, end_learning_rate={end_lr}, power={power}, "
                "total_num_update={total_steps}",
                "{[base_lr] if later == 1 else [base_lr, base_lr * later]}",
            ),
            first=FIRST,
            step=EPOCHS,
            resumed=RESUMED,
            fields={"end_lr": 0.0, "power": 1.0, "epoch": 3, "anneal": None, "later": 1.0},
            variants={
                "end-lr": {"end_lr": 1e-4},
                "power2": {"power": 2.0},
                "anneal": {"anneal": 3},
                "two": {"later": 0.5},
            },
            left_out={"zero-later": "an LR of 0"},
            docs="help: warmup for the first N updates; total number of updates over which to decay; LR to decay to",
        ),
        LibrarySchedule(
            "step",
            _imports("step_lr_scheduler", "StepLRSchedule"),
            "StepLRSchedule(config, wrapped)",
            _step,
            setup=_setup(WARMUP + ", warmup_init_lr=-1, min_lr={min_lr}, lr_deacy_period={period}, lr_decay={decay}"),
            first="scheduler.step_update(0)",
            step=STEP,
            resumed="scheduler.step_update(t)",
            fields={"min_lr": 0.0, "period": 3, "decay": 0.5},
            variants={"min-lr": {"min_lr": 2e-4}},
            docs="docstring: every k updates by a fixed factor; help: min learning rate",
        ),
        LibrarySchedule(
            "tri-stage",
            _imports("tri_stage_lr_scheduler", "TriStageLRSchedule"),
            "TriStageLRSchedule(config, wrapped)",
            _tri_stage,
            setup=_setup(
                "warmup_steps={warmup_steps}, hold_steps={max(0, min(hold_steps, decay_steps))}, "
                "decay_steps={max(0, decay_steps - hold_steps)}, phase_ratio=None, init_lr_scale={init_scale}, "
                "final_lr_scale={final_scale}, max_update={total_steps}"
            ),
            first="scheduler.step_update(0)",
            step=STEP,
            resumed="scheduler.step_update(t)",
            fields=TRI_STAGE,
            variants={"scales": {"init_scale": 0.5, "final_scale": 0.1}},
            docs="docstring: the formula of each stage; after the decay final_lr_scale * lr",
            reading="fairseq-linspace",
        ),
        LibrarySchedule(
            "tri-stage-ratio",
            _imports("tri_stage_lr_scheduler", "TriStageLRSchedule, TriStageLRScheduleConfig"),
            "TriStageLRSchedule(config, wrapped)",
            _tri_stage,
            setup=_setup(
                "phase_ratio=({warmup_steps / total_steps}, {hold_steps / total_steps}, "
                "{(decay_steps - hold_steps) / total_steps}), init_lr_scale={init_scale}, "
                "final_lr_scale={final_scale}, max_update={total_steps}"
            ).replace("Namespace", "TriStageLRScheduleConfig"),
            first="scheduler.step_update(0)",
            step=STEP,
            resumed="scheduler.step_update(t)",
            fields=TRI_STAGE,
            variants={
                "t100": {"total_steps": 100, "warmup_steps": 29, "hold_steps": 29},
                "t10": {"total_steps": 10, "warmup_steps": 7, "hold_steps": 2},
            },
            left_out=dict.fromkeys(("w11", "w12", "w14"), "the ratios could not add up to 1")
            | {"w4.5": "every stage is rounded down to whole steps"},
            docs="help: sets the steps to the ratios of max_update, which must add up to 1.0",
            reading="fairseq-linspace",
        ),
        LibrarySchedule(
            "triangular",
            _imports("triangular_lr_scheduler", "TriangularLRSchedule", "TriangularSchedule"),
            "TriangularLRSchedule(config, wrapped)",
            _triangular,
            setup=_setup(
                "max_lr={base_lr}, lr_period_updates={period}, lr_shrink={shrink}, shrink_min={shrink_min}",
                "[{low_lr}]",
            ),
            first="scheduler.step_update(0)",
            step=STEP,
            resumed="scheduler.step_update(t)",
            fields={"low_lr": 1e-4, "period": 6, "shrink": 0.5, "shrink_min": False},
            variants={"shrink-min": {"shrink_min": True}},
            docs="Smith 2017; help: lr_shrink and shrink_min",
        ),
        LibrarySchedule(
            "manual",
            _imports("manual_lr_scheduler", "ManualSchedule"),
            "ManualSchedule(config, wrapped)",
            lambda a: PiecewiseDecay((4, 8), (2e-4 / a.base_lr, 1e-4 / a.base_lr)),
            setup=_setup("epoch2lr=repr(dict()), update2lr=repr(dict([('4', 2e-4), ('8', 1e-4)]))"),
            first="scheduler.step_update(0)",
            step=STEP,
            resumed="scheduler.step_update(t)",
            docs="help: a dictionary used to set lr for each update manually",
        ),
    ),
)
