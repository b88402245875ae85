"""OpenNMT-py: functions of the step, from 1, whose value scales the LR; its optimizer calls them before the update."""

from __future__ import annotations

import numpy as np

from reference import Noam, Schedule
from reference.check import Rates, Steps
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import Formula
from suite.libraries.core.library import Library, LibrarySchedule

RATE = "{base_lr} * scheduler(t + 1)"
DECAY = {"rate": 0.5, "every": 3, "start": 6}
STARTS = {"start0": {"start": 0}}


def _imports(name: str) -> str:
    return f"from functools import partial\n\nfrom onmt.utils.optimizers import {name}"


def _drops(a: Arguments, t: Steps) -> Rates:
    """A factor that falls at step `start`, and every few steps from then on."""
    count = np.where(t + 1 >= a.start, (t + 1 - a.start) // a.every + 1, 0)
    return np.asarray(np.power(a.rate, count.astype(float)))


def _noamwd(a: Arguments) -> Schedule:
    noam = Noam(a.warmup_steps, a.model_size)
    return Formula(lambda t, base: noam(t, base) * _drops(a, t))


LIBRARY = Library(
    "opennmt-py",
    project="OpenNMT-py",
    files=("onmt/utils/optimizers.py",),
    releases=("1.0.0", "1.2.0", "2.0.0", "2.3.0", "3.0.0", "3.4", "3.5.1"),
    schedules=(
        LibrarySchedule(
            "noam",
            _imports("noam_decay"),
            "partial(noam_decay, warmup_steps={warmup_steps}, model_size={model_size})",
            lambda a: Noam(a.warmup_steps, a.model_size),
            rate=RATE,
            fields={"model_size": 16},
            docs="docstring: the schedule of Vaswani et al. 2017",
        ),
        LibrarySchedule(
            "noamwd",
            _imports("noamwd_decay"),
            "partial(noamwd_decay, warmup_steps={warmup_steps}, model_size={model_size}, rate={rate}, "
            "decay_steps={every}, start_step={start})",
            _noamwd,
            rate=RATE,
            fields={"model_size": 16, **DECAY},
            variants=STARTS,
            docs="docstring: for huge batches; options: start decaying every decay_steps after start_decay_steps",
        ),
        LibrarySchedule(
            "exponential",
            _imports("exponential_decay"),
            "partial(exponential_decay, rate={rate}, decay_steps={every}, start_step={start})",
            lambda a: Formula(lambda t, base: base * _drops(a, t)),
            rate=RATE,
            fields=DECAY,
            variants=STARTS,
            docs="docstring: by rate every decay_steps steps; options: after start_decay_steps",
        ),
        LibrarySchedule(
            "rsqrt",
            _imports("rsqrt_decay"),
            "partial(rsqrt_decay, warmup_steps={warmup_steps})",
            lambda a: Formula(lambda t, base: base / np.sqrt(np.maximum(t + 1, a.warmup_steps))),
            rate=RATE,
            docs="docstring: the reciprocal of the step's square root; T5 (Raffel et al. 2020), section 3.1.2",
        ),
    ),
)
