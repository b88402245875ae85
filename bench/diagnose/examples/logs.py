"""Draw right runs in misleading logs, and runs with one wrong update."""

from __future__ import annotations

import dataclasses

from . import loops
from .setting import DrawnRun, FaultKind, Rng, draw_setting, run
from .torch_forms import draw_torch_setting, fall


def steps_in_batches(rng: Rng) -> DrawnRun:
    """The logged step counts micro-batches."""
    setting = draw_setting(rng, decays=("cosine", "linear", "polynomial", "wsd"))
    return run(setting, loops.numbered_by_batch(setting.lr, setting.total, int(rng.choice([2, 4, 8]))))


def get_lr(rng: Rng) -> DrawnRun:
    """get_lr() of a torch scheduler that multiplies."""
    decays = ("cosine", "step", "multistep", "polynomial")
    setting = dataclasses.replace(draw_torch_setting(rng, decays=decays), w=0, s=0.0, start="zero")
    log = loops.torch_loop(
        lambda o: fall(setting, o, setting.total), setting.base, setting.total, logged=loops.lr_computed
    )
    return run(setting, log)


def first_unscheduled(rng: Rng) -> DrawnRun:
    """The LR is set after each update."""
    setting = draw_setting(rng)
    return run(setting, loops.set_afterwards(setting.lr, setting.total, setting.base))


def one_wrong_update(rng: Rng) -> DrawnRun:
    """Another line of the script writes the LR once."""
    setting, c = draw_setting(rng), float(rng.choice([0.0, 0.1, 0.5, 2.0, 10.0]))
    at = 10 * int(rng.integers(1, setting.total // 10 - 1))  # in a log of every tenth step too
    return run(setting, loops.plain(lambda t: setting.lr(t) * (c if t == at else 1.0), setting.total))


#: Name → how it is drawn.
LOG_KINDS = {
    "steps-in-batches": FaultKind("steps-in-batches", steps_in_batches),
    "get-lr-logged": FaultKind("get-lr-logged", get_lr),
    "first-update-unscheduled": FaultKind("first-update-unscheduled", first_unscheduled),
    "one-wrong-update": FaultKind("one-wrong-update", one_wrong_update),
}
