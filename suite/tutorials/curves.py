"""The curves of the tutorials' charts: what the reference says beside what the real torch did."""

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
#: The length of the four combinations, their warmup and their floor.
NAMED_STEPS, NAMED_WARMUP, NAMED_MIN = 500, 50, 1e-7
#: The checkpoint of the picture of the two restores, in the middle of nothing: 10 steps after the warmup.
RESTORE_STEPS, RESTORE_WARMUP, RESTORE_AT, RESTORE_START = 100, 20, 30, 0.01


@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
    """One line of a chart: `wanted` by the reference's closed form, `seen` from what really ran."""

    wanted: Rates
    seen: Rates


def noam(subject: Subject) -> dict[str, Curve]:
    """Noam and linear warmup + cosine over 10 000 steps, as the Noam tutorial runs them.

    ``noam``: its class, stepped after the optimizer;
    ``rest`` and ``total``: SequentialLR with T_max the steps after the warmup, and all steps;
    ``zero``: the latter on an optimizer made with lr=0.0, as in the tutorial.
    """
    steps, warmup = NOAM_STEPS, NOAM_WARMUP
    late = outcomes.decay_too_long(steps, warmup, subject)
    zero = outcomes.optimizer_at_zero(steps, warmup, steps, subject).done
    rest, total = (outcomes.warmup_then_cosine(warmup, t_max, 0.01) for t_max in (steps - warmup, steps))
    return {
        "noam": Curve(
            Noam(warmup, D_MODEL, count="from_zero").trace(steps),
            outcomes.noam_after_step(steps, D_MODEL, warmup).done,
        ),
        "rest": Curve(late.meant, outcomes.torch_trace(rest, steps, BASE_LR, subject)),
        "total": Curve(total.trace(steps, BASE_LR), late.done),
        "zero": Curve(total.trace(steps, 0.0), zero),
    }


def combinations(subject: Subject) -> dict[str, Curve]:
    """The four warmup × decay combinations over 500 steps at base LR 1, as torch schedulers."""
    return {
        name: Curve(schedule.trace(NAMED_STEPS), outcomes.torch_trace(schedule, NAMED_STEPS, 1.0, subject))
        for name, schedule in outcomes.named_compositions(NAMED_WARMUP, NAMED_STEPS).items()
    }


def returned() -> dict[str, Curve]:
    """What the tutorial's hand-written function returns for the same names: a linear decay for 'step' too."""
    meant = outcomes.named_compositions(NAMED_WARMUP, NAMED_STEPS)
    really = {**meant, "linear_warmup_step": meant["linear_warmup_linear"]}
    return {
        name: Curve(
            schedule.trace(NAMED_STEPS),
            np.array(schedule_by_name(name, NAMED_STEPS, NAMED_WARMUP, 1.0, NAMED_MIN, 1e-6)),
        )
        for name, schedule in really.items()
    }


def vit(subject: Subject) -> dict[str, Curve]:
    """The ViT tutorial's run in optimizer steps: stepped per epoch, per step, and as it is drawn."""
    steps = EPOCHS * PER_EPOCH
    epochs = outcomes.warmup_times_cosine(WARMUP, EPOCHS)
    fine = outcomes.warmup_times_cosine(WARMUP * PER_EPOCH, steps)
    by_reference = epochs.trace(EPOCHS, BASE_LR).tolist()
    seen = outcomes.recorded_list(subject).meant.tolist()

    def drawn(rates: list[float]) -> Rates:
        epochs = (drawn_inside_epoch(rates, e, WARMUP, PER_EPOCH, START_LR) for e in range(EPOCHS))
        return np.array(list(epochs)).ravel()

    return {
        "per_epoch": Curve(
            per_epoch(epochs, PER_EPOCH).trace(steps, BASE_LR),
            outcomes.torch_trace(epochs, steps, BASE_LR, subject, every=PER_EPOCH),
        ),
        "per_step": Curve(fine.trace(steps, BASE_LR), outcomes.torch_trace(fine, steps, BASE_LR, subject)),
        "drawn": Curve(drawn(by_reference), drawn(seen)),
    }


def chained(subject: Subject) -> dict[str, Curve]:
    """SequentialLR and ChainedScheduler with the ViT tutorial's numbers, by epoch."""
    sequential = outcomes.warmup_then_cosine(WARMUP, EPOCHS - WARMUP)
    outcome = outcomes.chained_for_sequential(subject)
    return {
        "sequential": Curve(outcome.meant, outcomes.torch_trace(sequential, EPOCHS, BASE_LR, subject)),
        "chained": Curve(outcomes.warmup_times_cosine(WARMUP, EPOCHS).trace(EPOCHS, BASE_LR), outcome.done),
    }


def restored(subject: Subject) -> dict[str, Curve]:
    """One run, stopped at a checkpoint after its warmup and restored in two orders.

    ``right``: build, load optimizer, load scheduler. ``wrong``: load optimizer, build, load scheduler.
    The late construction leaves the LR at start·base, and the cosine's recursion goes on from there,
    so every later LR is start·base/lr(checkpoint) times what it should be.
    """
    warmup = LinearLR(RESTORE_START, 1.0, RESTORE_WARMUP)
    cosine = CosineAnnealingLR(RESTORE_STEPS - RESTORE_WARMUP)
    schedule = SequentialLR((warmup, cosine), (RESTORE_WARMUP,))
    meant = schedule.trace(RESTORE_STEPS, BASE_LRS[0])
    scaled = meant.copy()
    scaled[RESTORE_AT:] *= RESTORE_START * BASE_LRS[0] / meant[RESTORE_AT]
    found = {}
    for name, order, wanted in (("right", "builtfirst", meant), ("wrong", "optimizerfirst", scaled)):
        run = run_case(schedule, Setup(resume=order, cuts=(RESTORE_AT,)), RESTORE_STEPS, subject)
        if run.error is not None:
            raise run.error
        found[name] = Curve(wanted, np.array(run.lrs)[:, 0])
    return found


def floor_missed() -> float:
    """The last LR of the function's linear decay in units of the min_lr that it promises."""
    return float(returned()["linear_warmup_linear"].seen[-1] / NAMED_MIN)
