"""The base class of every schedule, and the definition of a step.

**The step convention.**
``schedule(t)`` is the learning rate in force when optimizer step ``t`` runs; ``t = 0`` is the first update.
Equivalently, ``t`` is the number of ``scheduler.step()`` calls made before that update.

A schedule is a frozen dataclass: equality, hash, repr and pickling depend on its fields alone.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from .check import Rates, Steps, integer, integer_steps, real
from .shapes import BLOCK
from .slug import render

if sys.version_info >= (3, 11):
    from typing import dataclass_transform
else:  # new in Python 3.11; only type checkers need it

    def dataclass_transform(**options):
        """Do nothing at run time."""
        return lambda decorator: decorator


def arg(key: str = "", *, default: Any = dataclasses.MISSING, absolute: bool = False, per_group: bool = False) -> Any:
    """Declare a field of a schedule.

    `key`: the letters before the value in a slug; if empty, the value follows the schedule's name directly.
    `absolute`: the value is a learning rate, not a factor of the base LR.
    `per_group`: torch accepts a list here, one value per parameter group.
    """
    meta = {"key": key, "absolute": absolute, "per_group": per_group}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=meta)
    return dataclasses.field(default=default, metadata=meta)


def child(*, many: bool = False, mark: str = "", default: Any = dataclasses.MISSING) -> Any:
    """Declare a field whose value is a schedule or, with `many`, a tuple of schedules.

    In a slug a child follows its parent after a dot.
    An optional child has the default None; if present, the parent's token contains ``_`` and its `mark`.
    """
    meta = {"key": ".", "many": many, "mark": mark}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=meta)
    return dataclasses.field(default=default, metadata=meta)


class Schedule:
    """A learning rate as a function of the step.

    Subclasses are frozen dataclasses that define ``_check`` (validate and normalise the fields)
    and ``_values`` (evaluate at steps that are already validated).
    """

    #: The name at the start of the slug; lower-case letters only.
    slug_name: ClassVar[str] = ""

    def __post_init__(self) -> None:
        self._check()

    def __call__(self, step: ArrayLike, base_lr: float = 1.0) -> Rates:
        """The learning rate at `step`: float64, of the same shape as `step`, in the unit of `base_lr`.

        Raises TypeError for steps that are not integers and ValueError for negative ones.
        """
        t = integer_steps(step)
        base = real("base_lr", base_lr, low=0.0)
        return self._in_blocks(t.reshape(-1), base).reshape(t.shape)[()]  # a scalar for a scalar step

    @property
    def slug(self) -> str:
        """A short text id; `reference.parse` turns it back into an equal schedule."""
        return render(self)

    def trace(self, total_steps: int, base_lr: float = 1.0) -> Rates:
        """The learning rates of steps 0 … total_steps − 1."""
        return self(np.arange(integer("total_steps", total_steps)), base_lr)

    def _in_blocks(self, t: Steps, base: float) -> Rates:
        """Evaluate many steps block by block, so that intermediate arrays stay in the CPU cache."""
        if t.size <= BLOCK or not self._is_direct(int(t.max())):
            return np.asarray(self._values(t, base), dtype=np.float64)
        values = np.empty(t.shape)
        for i in range(0, t.size, BLOCK):
            values[i : i + BLOCK] = self._values(t[i : i + BLOCK], base)
        return values

    # -- methods for subclasses to override ---------------------------------------

    def _check(self) -> None:
        """Validate and normalise the fields; raise ValueError or TypeError for bad ones."""

    def _values(self, t: Steps, base: float) -> Rates:
        """The learning rates at validated steps `t`."""
        raise NotImplementedError

    def _is_direct(self, last: int) -> bool:
        """Whether each step up to `last` is evaluated independently, without a pass over earlier steps."""
        return True

    def _maps(self, t: Steps, base: float) -> tuple[Rates, Rates]:
        """The slope A and offset B of each step as an affine map of the current LR: lr(t) = A(t)·lr(t−1) + B(t).

        By default a schedule multiplies: A is the ratio of consecutive values and B is 0.
        The map at t = 0 takes the base LR to the first value.
        Raises ValueError where the LR leaves 0, since no factor does that.
        """
        # A base LR of 0 hides the factors of a schedule that only multiplies: read them from a base LR of 1.
        base = base or float(np.isinf(self._multiplies_until()))
        now = self._values(t, base)
        before = np.where(t > 0, self._values(np.maximum(t - 1, 0), base), base)
        from_zero = (before == 0) & (now != 0)
        if from_zero.any():
            at, value = int(t[from_zero][0]), now[from_zero][0]
            raise ValueError(f"step={at} must not follow a learning rate of 0: no factor takes 0 to {value:g}")
        # From 0 to 0 use a factor of 1, which keeps whatever other schedulers have added since.
        return np.where(before == 0, 1.0, now / np.where(before == 0, 1.0, before)), np.zeros(t.shape)

    def _multiplies_until(self) -> float:
        """The last step up to which the schedule is the base LR times a factor that ignores the previous LR.

        -1 if it never is, infinity if it always is.
        """
        return np.inf

    def _set(self, name: str, value: Any) -> None:
        """Set a field of the frozen dataclass; only `_check` may do this."""
        object.__setattr__(self, name, value)


@dataclass_transform(frozen_default=True, field_specifiers=(arg, child))
def schedule(cls: type) -> Any:
    """Class decorator: make a `Schedule` subclass a frozen dataclass."""
    return dataclasses.dataclass(frozen=True)(cls)
