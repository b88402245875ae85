"""The curves of the tutorials' charts: the reference, and what torch did."""

from __future__ import annotations

import dataclasses

import numpy as np

from reference import CosineAnnealingLR, LinearLR, SequentialLR
from reference.check import Rates
from reference.clock import per_epoch
from reference.noam import Noam
from suite.engine.axes import BASE_LRS, Setup
from suite.engine.loop import run_case
from suite.engine.subject import Subject

from . import outcomes
from .code import drawn_inside_epoch, schedule_by_name
from .outcomes import BASE_LR, EPOCHS, PER_EPOCH, START_LR, WARMUP

#: The length of the Noam tutorial's chart and its warmup.
NOAM_STEPS, NOAM_WARMUP, D_MODEL = 10_000, 4000, 128
#: The length, the warmup and the minimum LR of the four combinations.
NAMED_STEPS, NAMED_WARMUP, NAMED_MIN = 500, 50, 1e-7
#: The run of the two restores: its checkpoint is 10 steps after the warmup, away from any milestone.
RESTORE_STEPS, RESTORE_WARMUP, RESTORE_AT, RESTORE_START = 100, 20, 30, 0.01


@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
    """One line of a chart: `expected` from the reference's closed form, `actual` as measured."""

    expected: Rates
    actual: Rates


def noam(subject: Subject) -> dict[str, Curve]:
    """Noam and linear warmup + cosine over 10 000 steps, as the Noam tutorial runs them.

    ``noam``: its class, stepped after the optimizer;
    ``rest`` and ``total``: SequentialLR with T_max set to the steps after the warmup, and to all steps;
    ``zero``: the latter on an optimizer created with lr=0.0, as in the tutorial.
    """
    steps, warmup = NOAM_STEPS, NOAM_WARMUP
    late = outcomes.decay_too_long(steps, warmup, subject)
    zero = outcomes.optimizer_at_zero(steps, warmup, steps, subject).actual
    rest, total = (outcomes.warmup_then_cosine(warmup, t_max, 0.01) for t_max in (steps - warmup, steps))
    return {
        "noam": Curve(
            Noam(warmup, D_MODEL, count="from_zero").trace(steps),
            outcomes.noam_after_step(steps, D_MODEL, warmup).actual,
        ),
        "rest": Curve(late.expected, outcomes.torch_trace(rest, steps, BASE_LR, subject)),
        "total": Curve(total.trace(steps, BASE_LR), late.actual),
        "zero": Curve(total.trace(steps, 0.0), zero),
    }


def combinations(subject: Subject) -> dict[str, Curve]:
    """The four warmup × decay combinations over 500 steps at base LR 1, as torch schedulers."""
    return {
        name: Curve(schedule.trace(NAMED_STEPS), outcomes.torch_trace(schedule, NAMED_STEPS, 1.0, subject))
        for name, schedule in outcomes.named_compositions(NAMED_WARMUP, NAMED_STEPS).items()
    }


def returned() -> dict[str, Curve]:
    """The output of the tutorial's hand-written function for the same names: a linear decay for 'step' too."""
    intended = outcomes.named_compositions(NAMED_WARMUP, NAMED_STEPS)
    returned_instead = {**intended, "linear_warmup_step": intended["linear_warmup_linear"]}
    return {
        name: Curve(
            schedule.trace(NAMED_STEPS),
            np.array(schedule_by_name(name, NAMED_STEPS, NAMED_WARMUP, 1.0, NAMED_MIN, 1e-6)),
        )
        for name, schedule in returned_instead.items()
    }


def vit(subject: Subject) -> dict[str, Curve]:
    """The ViT tutorial's run in optimizer steps: stepped per epoch, per step, and as drawn."""
    steps = EPOCHS * PER_EPOCH
    epochs = outcomes.warmup_times_cosine(WARMUP, EPOCHS)
    fine = outcomes.warmup_times_cosine(WARMUP * PER_EPOCH, steps)
    by_reference = epochs.trace(EPOCHS, BASE_LR).tolist()
    recorded = outcomes.recorded_list(subject).expected.tolist()

    def drawn(rates: list[float]) -> Rates:
        epochs = (drawn_inside_epoch(rates, e, WARMUP, PER_EPOCH, START_LR) for e in range(EPOCHS))
        return np.array(list(epochs)).ravel()

    return {
        "per_epoch": Curve(
            per_epoch(epochs, PER_EPOCH).trace(steps, BASE_LR),
            outcomes.torch_trace(epochs, steps, BASE_LR, subject, every=PER_EPOCH),
        ),
        "per_step": Curve(fine.trace(steps, BASE_LR), outcomes.torch_trace(fine, steps, BASE_LR, subject)),
        "drawn": Curve(drawn(by_reference), drawn(recorded)),
    }


def chained(subject: Subject) -> dict[str, Curve]:
    """SequentialLR and ChainedScheduler with the ViT tutorial's numbers, per epoch."""
    sequential = outcomes.warmup_then_cosine(WARMUP, EPOCHS - WARMUP)
    outcome = outcomes.chained_for_sequential(subject)
    return {
        "sequential": Curve(outcome.expected, outcomes.torch_trace(sequential, EPOCHS, BASE_LR, subject)),
        "chained": Curve(outcomes.warmup_times_cosine(WARMUP, EPOCHS).trace(EPOCHS, BASE_LR), outcome.actual),
    }


def restored(subject: Subject) -> dict[str, Curve]:
    """One run, stopped at a checkpoint after its warmup and restored in two orders.

    ``right``: build, load optimizer, load scheduler. ``wrong``: load optimizer, build, load scheduler.
    The late construction leaves the LR at start·base, and the cosine's recursion continues from there,
    so every later LR is start·base/lr(checkpoint) times the correct value.
    """
    warmup = LinearLR(RESTORE_START, 1.0, RESTORE_WARMUP)
    cosine = CosineAnnealingLR(RESTORE_STEPS - RESTORE_WARMUP)
    schedule = SequentialLR((warmup, cosine), (RESTORE_WARMUP,))
    right = schedule.trace(RESTORE_STEPS, BASE_LRS[0])
    scaled = right.copy()
    scaled[RESTORE_AT:] *= RESTORE_START * BASE_LRS[0] / right[RESTORE_AT]
    restores = {}
    for name, order, expected in (("right", "builtfirst", right), ("wrong", "optimizerfirst", scaled)):
        run = run_case(schedule, Setup(resume=order, cuts=(RESTORE_AT,)), RESTORE_STEPS, subject)
        if run.error is not None:
            raise run.error
        restores[name] = Curve(expected, np.array(run.lrs)[:, 0])
    return restores


def floor_missed() -> float:
    """The last LR of the function's linear decay, in units of the promised min_lr."""
    return float(returned()["linear_warmup_linear"].actual[-1] / NAMED_MIN)
