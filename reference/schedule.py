"""What a schedule is, and the one meaning of a step.

**The step convention, stated once.**
Entry ``t`` of a schedule is the learning rate in force when optimizer step ``t`` runs;
``t = 0`` is the first update.
It equals the number of ``scheduler.step()`` calls made before that update.

A schedule is a frozen dataclass: it compares, hashes, prints and pickles by value.
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
else:  # Python 3.10 has none, and only type checkers read it

    def dataclass_transform(**options):
        """Do nothing at run time."""
        return lambda decorator: decorator


def arg(key: str = "", *, default: Any = dataclasses.MISSING, absolute: bool = False, per_group: bool = False) -> Any:
    """A field of a schedule.

    `key` is its mark in a slug (empty: the value follows the name directly).
    `absolute` says that the value is a learning rate, not a factor of the base LR.
    `per_group` says that torch takes a list here, one value for each parameter group.
    """
    meta = {"key": key, "absolute": absolute, "per_group": per_group}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=meta)
    return dataclasses.field(default=default, metadata=meta)


def child(*, many: bool = False, mark: str = "", default: Any = dataclasses.MISSING) -> Any:
    """A field that holds a schedule (or, with `many`, a tuple of them); in a slug it follows after a dot.

    An optional child has the default None and announces itself by its `mark`.
    """
    meta = {"key": ".", "many": many, "mark": mark}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=meta)
    return dataclasses.field(default=default, metadata=meta)


class Schedule:
    """A learning rate as a function of the step.

    Subclasses are frozen dataclasses that define ``_check`` (validate and normalise the fields)
    and ``_values`` (evaluate directly, without validation of the steps).
    """

    #: The name that begins the slug: letters only.
    slug_name: ClassVar[str] = ""

    def __post_init__(self) -> None:
        self._check()

    def __call__(self, step: ArrayLike, base_lr: float = 1.0) -> Rates:
        """The learning rate at `step`: float64 of the shape of `step`, in the unit of `base_lr`.

        Raises TypeError for steps that are not whole numbers and ValueError for negative ones.
        """
        t = integer_steps(step)
        base = real("base_lr", base_lr, low=0.0)
        return self._in_blocks(t.reshape(-1), base).reshape(t.shape)[()]  # a scalar for a scalar step

    @property
    def slug(self) -> str:
        """The schedule as a short text that `reference.parse` turns back into an equal schedule."""
        return render(self)

    def trace(self, total_steps: int, base_lr: float = 1.0) -> Rates:
        """The learning rates of steps 0 … total_steps − 1."""
        return self(np.arange(integer("total_steps", total_steps)), base_lr)

    def _in_blocks(self, t: Steps, base: float) -> Rates:
        """The values of many steps, block by block, so that the intermediate arrays stay in the cache."""
        if t.size <= BLOCK or not self._is_direct(int(t.max())):
            return np.asarray(self._values(t, base), dtype=np.float64)
        values = np.empty(t.shape)
        for i in range(0, t.size, BLOCK):
            values[i : i + BLOCK] = self._values(t[i : i + BLOCK], base)
        return values

    # -- what a subclass provides -------------------------------------------------

    def _check(self) -> None:
        """Raise ValueError or TypeError for bad parameters."""

    def _values(self, t: Steps, base: float) -> Rates:
        raise NotImplementedError

    def _is_direct(self, last: int) -> bool:
        """Whether the steps up to `last` are evaluated each for itself, with no pass over the steps before."""
        return True

    def _maps(self, t: Steps, base: float) -> tuple[Rates, Rates]:
        """The step as an affine map of the current rate: lr(t) = A(t)·lr(t−1) + B(t).

        By default a schedule multiplies: A is the ratio of its consecutive values, B is 0,
        and the map at t = 0 leads from the base LR to the first value.
        """
        now = self._values(t, base)
        before = np.where(t > 0, self._values(np.maximum(t - 1, 0), base), base)
        lost = (before == 0) & (now != 0)
        if lost.any():
            at = int(t[lost][0])
            raise ValueError(f"step={at} leaves a learning rate of 0: no factor leads from 0 to {now[lost][0]:g}")
        # A factor that stays at 0 is unchanged, and so leaves alone what other schedulers added since.
        return np.where(before == 0, 1.0, now / np.where(before == 0, 1.0, before)), np.zeros(t.shape)

    def _multiplies_until(self) -> float:
        """Up to this step the schedule is the base LR times a factor that ignores the LR before it."""
        return np.inf

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)  # frozen: only `_check` may normalise a field


@dataclass_transform(frozen_default=True, field_specifiers=(arg, child))
def schedule(cls: type) -> Any:
    """Class decorator: a frozen dataclass that is a `Schedule`."""
    return dataclasses.dataclass(frozen=True)(cls)
