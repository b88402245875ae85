"""SpeechBrain: objects that are called with the optimizer, or with the number of an epoch, after the update.

Its own recipes call them in on_fit_batch_end and on_stage_end, and the docstrings show the LR after the first call.
"""

from __future__ import annotations

import numpy as np

from reference import (
    Clocked,
    CosineDecay,
    CyclicLR,
    ExponentialDecay,
    InverseSqrtDecay,
    LinearDecay,
    LinearWarmup,
    Noam,
    PiecewiseDecay,
    Schedule,
    StableDecay,
    StepDecay,
    chain,
    family,
    per_epoch,
)
from reference.check import Rates, Steps
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import Formula
from suite.libraries.core.library import Library, LibrarySchedule

FROM = "from speechbrain.nnet.schedulers import "
#: Its Checkpointer calls save and load with a path; a file in memory does.
FILES = """import io

def saved_by(scheduler):
    file = io.BytesIO()
    scheduler.save(file)
    return file.getvalue()

"""
STATE = ("saved_by(scheduler)", "scheduler.load(io.BytesIO(saved))")
PER_EPOCH = (
    "if (t + 1) % {epoch} == 0:\n"
    "    old_lr, new_lr = scheduler((t + 1) // {epoch})\n"
    "    update_learning_rate(optimizer, new_lr)"
)
STATELESS = dict.fromkeys(("resume2", "resume7", "optimizerfirst2", "optimizerfirst7"), "it has no state")


def _noam(a: Arguments) -> Schedule:
    if a.model_size:
        return Noam(a.warmup_steps, a.model_size, count="from_zero")
    return family("A", LinearWarmup(a.warmup_steps), InverseSqrtDecay(a.warmup_steps))


def _linear_noam(a: Arguments) -> Schedule:
    """t/W, then W/(t − K), and 1 in between for K steps."""
    steps = a.warmup_steps

    def lr(t: Steps, base: float) -> Rates:
        return np.asarray(base * np.where(t < steps, t / steps, steps / np.maximum(t - a.keep_steps, steps)))

    if not a.warmup_steps:
        raise ValueError("warmup_steps=0 must be >= 1: it is the time scale of the decay")
    return Formula(lr)


def _warm_cool(a: Arguments) -> Schedule:
    """A line up, a slow exponential, and a line from where that one is to 0."""
    gamma, cool = a.decay_factor ** (1 / a.decay_every), a.total_steps - a.cooldown

    def lr(t: Steps, base: float) -> Rates:
        slow = np.power(gamma, np.clip(t, a.warmup_steps, cool) - float(a.warmup_steps))
        left = np.clip((a.total_steps - t) / a.cooldown, 0, 1)
        return np.asarray(base * LinearWarmup(a.warmup_steps)(t) * slow * left)

    return Formula(lr)


LIBRARY = Library(
    "speechbrain",
    project="speechbrain",
    files=("speechbrain/nnet/schedulers.py",),
    releases=("0.5.4", "0.5.9", "0.5.16", "1.0.0", "1.0.3", "1.1.2"),
    schedules=(
        LibrarySchedule(
            "linear-warmup",
            FILES + FROM + "LinearWarmupScheduler, update_learning_rate",
            "LinearWarmupScheduler({base_lr}, {warmup_steps}, {total_steps})",
            lambda a: family("A", LinearWarmup(a.warmup_steps), LinearDecay(a.decay_steps)),
            step="if hasattr(scheduler, 'get_next_value'):  # until 1.0.3\n"
            "    update_learning_rate(optimizer, scheduler.get_next_value())\nelse:\n    scheduler(optimizer)",
            state=STATE,
            docs="docstring: from 0 to the initial LR, then linearly to 0; the step is the number of updates made",
        ),
        LibrarySchedule(
            "noam",
            FILES + FROM + "NoamScheduler",
            "NoamScheduler({base_lr}, {warmup_steps}, model_size={model_size})",
            _noam,
            step="scheduler(optimizer)",
            state=STATE,
            fields={"model_size": None},
            variants={"model-size": {"model_size": 16}},
            docs="Vaswani et al. 2017; docstring: without model_size the highest LR is the initial one",
            reading="speechbrain-step",
        ),
        LibrarySchedule(
            "noam-interval",
            FILES + FROM + "NoamIntervalScheduler",
            "NoamIntervalScheduler({base_lr}, {warmup_steps}, anneal_steps=[6, 9], anneal_rates=[0.5, 0.1], "
            "model_size={model_size})",
            lambda a: chain(_noam(a), PiecewiseDecay((7, 10), (0.5, 0.05))),
            step="scheduler(optimizer)",
            state=STATE,
            fields={"model_size": None},
            variants={"model-size": {"model_size": 16}},
            docs="as Noam; docstring's example: the LR after step 6 is the first that is annealed",
            reading="speechbrain-step",
        ),
        LibrarySchedule(
            "linear-noam",
            FILES + FROM + "LinearNoamScheduler",
            "LinearNoamScheduler({base_lr}, {warmup_steps}, n_keep_steps={keep_steps})",
            _linear_noam,
            step="scheduler(optimizer)",
            state=STATE,
            fields={"keep_steps": 2},
            variants={"keep0": {"keep_steps": 0}},
            docs="Squeezeformer (Kim et al. 2022), section 3.2: a hold, then a decay of power 1",
            reading="speechbrain-step",
        ),
        LibrarySchedule(
            "cyclic-cosine",
            FILES + FROM + "CyclicCosineScheduler",
            "CyclicCosineScheduler({warmup_steps}, {base_lr if given else None}, total_steps={total_steps})",
            lambda a: family("A", LinearWarmup(a.warmup_steps), CosineDecay(a.decay_steps)),
            step="scheduler(optimizer)",
            state=STATE,
            fields={"given": True},
            variants={"initial-none": {"given": False}},
            docs="docstring: cosine learning rate scheduler with warmup; n_warmup_steps: number of warm up steps",
            reading="speechbrain-step",
        ),
        LibrarySchedule(
            "warm-and-exp-decay",
            FILES + FROM + "WarmAndExpDecayLRSchedule",
            "WarmAndExpDecayLRSchedule({base_lr}, {warmup_steps}, {total_steps}, decay_factor={decay_factor})",
            lambda a: family(
                "A",
                LinearWarmup(a.warmup_steps),
                ExponentialDecay(a.decay_steps, a.decay_factor * a.base_lr),
            ),
            step="scheduler(optimizer)",
            state=STATE,
            fields={"decay_factor": 0.1},
            variants={"decay-factor": {"decay_factor": 0.01}},
            docs="docstring: up linearly, then down exponentially by decay_factor in total_steps steps",
            reading="speechbrain-step",
        ),
        LibrarySchedule(
            "warm-cool-decay",
            FROM + "WarmCoolDecayLRSchedule",
            "WarmCoolDecayLRSchedule({base_lr}, {warmup_steps}, {cooldown}, {total_steps}, "
            "decay_factor={decay_factor}, decay_every={decay_every})",
            _warm_cool,
            step="scheduler(optimizer, t + 1)",
            state=(),
            fields={"cooldown": 4, "decay_factor": 0.75, "decay_every": 2},
            variants={"slow": {"decay_factor": 0.9, "decay_every": 100}},
            edges={"overlap": {"warmup_steps": 8, "cooldown": 8}},
            left_out={"w11": "the warmup would reach into the cooldown", "w12": "as w11", "w14": "as w11"},
            docs="Scaling Vision Transformers (Zhai et al. 2022), section 3.5: the cooldown goes linearly to 0",
            reading="speechbrain-step",
        ),
        LibrarySchedule(
            "tri-stage",
            FROM + "TriStageLRSchedule",
            "TriStageLRSchedule({base_lr}, {warmup_steps}, {min(hold_steps, decay_steps)}, "
            "{max(1, decay_steps - hold_steps)}, {total_steps}, "
            "init_lr_scale={start_scale}, final_lr_scale={final_scale})",
            lambda a: family(
                "E",
                LinearWarmup(a.warmup_steps, a.start_scale),
                StableDecay(
                    min(a.hold_steps, a.decay_steps),
                    max(1, a.decay_steps - a.hold_steps),
                    "geometric",
                    a.final_scale * a.base_lr,
                ),
            ),
            step="scheduler(optimizer, t + 1)",
            state=(),
            fields={"hold_steps": 4, "start_scale": 0.01, "final_scale": 0.05},
            variants={"scales": {"start_scale": 0.5, "final_scale": 0.1}},
            docs="SpecAugment (Park et al. 2019); docstring: init_lr_scale and final_lr_scale are shares of the LR",
            reading="speechbrain-step",
        ),
        LibrarySchedule(
            "inverse-sqrt",
            FILES + FROM + "InverseSquareRootScheduler",
            "InverseSquareRootScheduler({warmup_steps})",
            lambda a: Formula(lambda t, base: 1 / np.sqrt(np.maximum(np.maximum(t, a.warmup_steps), 1.0))),
            step="scheduler(optimizer)",
            state=STATE,
            left_out={"w14": "it holds the LR all the time"},
            docs="T5 (Raffel et al. 2020), section 3.1.2: 1/sqrt(max(n, k)), whatever the LR of the optimizer",
            reading="speechbrain-step",
        ),
        LibrarySchedule(
            "cyclic",
            FILES + FROM + "CyclicLRScheduler",
            "CyclicLRScheduler(base_lr={low_lr}, max_lr={base_lr}, step_size={half}, mode={mode}, gamma={gamma})",
            lambda a: CyclicLR(a.low_lr, a.base_lr, step_size_up=a.half, mode=a.mode, gamma=a.gamma),
            step="scheduler.on_batch_end(optimizer)",
            state=STATE,
            fields={"low_lr": 1e-4, "half": 4, "mode": "triangular", "gamma": 1.0},
            variants={
                "triangular2": {"mode": "triangular2"},
                "exp-range": {"mode": "exp_range", "gamma": 0.9},
            },
            docs="Smith 2017; docstring: between base_lr and max_lr, step_size steps for each half cycle",
        ),
        LibrarySchedule(
            "interval",
            FILES + FROM + "IntervalScheduler",
            "IntervalScheduler([dict(steps=4, lr=2e-4), dict(steps=8, lr=1e-4)])",
            lambda a: PiecewiseDecay((4, 8), (2e-4 / a.base_lr, 1e-4 / a.base_lr)),
            step="scheduler(optimizer)",
            state=STATE,
            docs="docstring: steps is the step count at which an LR starts to apply",
        ),
        LibrarySchedule(
            "linear",
            FROM + "LinearScheduler, update_learning_rate",
            "LinearScheduler({base_lr}, {final_lr}, {total_steps // epoch})",
            lambda a: per_epoch(LinearDecay(a.total_steps // a.epoch - 1, a.final_lr), a.epoch),
            step=PER_EPOCH,
            state=(),
            precision="float32",
            fields={"final_lr": 0.0, "epoch": 2},
            variants={"final-lr": {"final_lr": 1e-4}, "epoch1": {"epoch": 1}},
            left_out=STATELESS,
            docs="docstring: linearly over the epochs, final_value in the last of them",
        ),
        LibrarySchedule(
            "step",
            FROM + "StepScheduler, update_learning_rate",
            "StepScheduler({base_lr}, decay_factor={decay_factor}, decay_drop={decay_drop})",
            lambda a: Clocked(StepDecay(a.decay_drop, a.decay_factor), every=a.epoch, ahead=1),
            step=PER_EPOCH,
            state=(),
            fields={"decay_factor": 0.5, "decay_drop": 2, "epoch": 2},
            variants={"drop3": {"decay_drop": 3}, "epoch1": {"epoch": 1}},
            left_out=STATELESS,
            docs="docstring: init_value * decay_factor ^ floor((1 + epoch) / decay_drop), the first epoch being 0",
        ),
        LibrarySchedule(
            "step-half-life",
            FROM + "StepScheduler, update_learning_rate",
            "StepScheduler({base_lr}, half_life={half_life})",
            lambda a: Clocked(ExponentialDecay(gamma=0.5 ** (1 / a.half_life)), every=a.epoch, ahead=1),
            step=PER_EPOCH,
            state=(),
            fields={"half_life": 3, "epoch": 2},
            variants={"epoch1": {"epoch": 1}},
            left_out=STATELESS,
            docs="as step with decay_drop 1; docstring: half the value at the epoch half_life, the first being 1",
        ),
    ),
)
