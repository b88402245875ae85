"""Schedules of hyperparameters other than the learning rate: weight decay and teacher temperature.

The base LR of a call does not affect their values, and in a chain they overwrite the LR.
"""

from __future__ import annotations

import numpy as np

from .check import Rates, Steps, real
from .schedule import Schedule, arg, schedule
from .shapes import half_cosine
from .slug import register
from .warmup import step_count


class HyperparameterSchedule(Schedule):
    """Base class for schedules of a hyperparameter other than the learning rate."""

    def _maps(self, t: Steps, base: float) -> tuple[Rates, Rates]:
        return np.zeros(t.shape), self._values(t, base)

    def _multiplies_until(self) -> float:
        return -1


@schedule
class CosineWeightDecay(HyperparameterSchedule):
    """Weight decay along half a cosine: wd(t) = f + (i−f)·½(1 + cos πt/T), and f for t >= T.

    i: `initial_wd`, f: `final_wd`, both >= 0; T: `total_steps`, in steps or epochs like t.
    Raises TypeError or ValueError outside these ranges.
    Source: ViT warmup tutorial, section 6; Caron et al. 2021 (DINO), section 3.2.

    >>> CosineWeightDecay(0.0, 0.5, 2)([0, 1, 2, 3]).round(12).tolist()
    [0.0, 0.25, 0.5, 0.5]
    """

    slug_name = "weightdecay"
    initial_wd: float = arg("i")
    final_wd: float = arg("f")
    total_steps: int = arg()

    def _check(self) -> None:
        self._set("initial_wd", real("initial_wd", self.initial_wd, low=0.0))
        self._set("final_wd", real("final_wd", self.final_wd, low=0.0))
        self._set("total_steps", step_count("total_steps", self.total_steps))

    def _values(self, t: Steps, base: float) -> Rates:
        total = self.total_steps
        if total == 0:
            return np.full(t.shape, self.final_wd)
        t = np.minimum(t, total)
        # Compute both shares directly: 1 − share would lose the digits that a small initial value needs.
        return self.initial_wd * half_cosine(t, total) + self.final_wd * half_cosine(total - t, total)


@schedule
class TeacherTemperature(HyperparameterSchedule):
    """DINO's teacher temperature: numpy.linspace(τ0, τ1, W)[t] for t < W, then τ1.

    τ0: `warmup_teacher_temp` > 0, τ1: `teacher_temp` > 0, W: `warmup_steps` (epochs in DINO).
    W = 1 gives τ0 for one step, as numpy.linspace does; W = 0 gives τ1 from the start.
    Raises TypeError or ValueError outside these ranges. Source: Caron et al. 2021 (DINO), DINOLoss.

    >>> TeacherTemperature(0.25, 0.75, 3)([0, 1, 2, 3]).tolist()
    [0.25, 0.5, 0.75, 0.75]
    """

    slug_name = "teachertemp"
    warmup_teacher_temp: float = arg("i")
    teacher_temp: float = arg("f")
    warmup_steps: int = arg()

    def _check(self) -> None:
        self._set("warmup_teacher_temp", real("warmup_teacher_temp", self.warmup_teacher_temp, above=0.0))
        self._set("teacher_temp", real("teacher_temp", self.teacher_temp, above=0.0))
        self._set("warmup_steps", step_count("warmup_steps", self.warmup_steps))

    def _values(self, t: Steps, base: float) -> Rates:
        last = max(self.warmup_steps - 1, 1)
        done = np.minimum(t, last)
        rising = self.warmup_teacher_temp * ((last - done) / last) + self.teacher_temp * (done / last)
        return np.where(t < self.warmup_steps, rising, self.teacher_temp)


register(CosineWeightDecay, TeacherTemperature)
