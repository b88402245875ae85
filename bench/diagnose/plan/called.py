"""A function of the user's, such as the `lr_lambda` of LambdaLR, as a schedule: its values come from calling it."""

from __future__ import annotations

import fractions
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from reference import Schedule
from reference.check import Rates, Steps
from reference.schedule import arg, schedule


def plain(value: Any) -> Any:
    """A number as a Python number, where it is one: an array or a tensor of one element, a fraction, a NumPy scalar.

    >>> plain(torch.tensor([0.5])), plain(np.int64(3)), plain(fractions.Fraction(1, 4)), plain("min")
    (0.5, 3, 0.25, 'min')
    """
    if isinstance(value, torch.Tensor):
        value = value.detach()
    if isinstance(value, torch.Tensor | np.ndarray | np.generic):
        elements = value.numel() if isinstance(value, torch.Tensor) else value.size
        return value.item() if elements == 1 else value
    return float(value) if isinstance(value, fractions.Fraction) else value


def numbers_inside(function: Any) -> dict[str, Any]:
    """The named numbers that a function carries: keywords of a partial, variables that it encloses, attributes.

    >>> numbers_inside(functools.partial(max, num_warmup_steps=40))
    {'num_warmup_steps': 40}
    """
    inside: dict[str, Any] = {}
    if isinstance(function, functools.partial):
        inside = numbers_inside(function.func) | function.keywords
    elif hasattr(function, "__code__"):
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        inside = {name: _contents(cell) for name, cell in cells}
    elif not isinstance(function, type) and hasattr(function, "__dict__"):
        inside = vars(function)
    numbers = {name: plain(value) for name, value in inside.items()}
    return {name: n for name, n in numbers.items() if isinstance(n, int | float) and not isinstance(n, bool)}


def _contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a variable that has no value yet
        return None


def name_of(function: Any) -> str:
    """A function as a reader knows it: its name and the numbers that it carries.

    >>> name_of(functools.partial(max, n=3))
    'max(n=3)'
    """
    inner = function
    while isinstance(inner, functools.partial):
        inner = inner.func
    name = str(getattr(inner, "__name__", type(inner).__name__)).replace("<lambda>", "lambda")
    numbers = ", ".join(f"{key}={value:g}" for key, value in numbers_inside(function).items())
    return f"{name}({numbers})" if numbers else name


@schedule
class CalledFunction(Schedule):
    """The base LR times what a function returns for the step; each step is asked for once.

    Steps below `first` have the factor 1 and are not asked for: MultiplicativeLR never calls its function with 0.
    Raises ValueError, with the step, for what the function raises and for a result that is not a number.

    >>> CalledFunction(lambda step: 0.5**step).trace(3, base_lr=0.8).tolist()
    [0.8, 0.4, 0.2]
    """

    function: Callable[[int], Any] = arg()
    first: int = arg(default=0)

    def _check(self) -> None:
        self._set("_known", {})

    def _values(self, t: Steps, base: float) -> Rates:
        known: dict[int, float] = self.__dict__["_known"]
        steps = t.tolist()
        for step in steps:
            if step not in known:
                known[step] = self._call(step)
        return base * np.array([known[step] for step in steps], dtype=np.float64)

    def _call(self, step: int) -> float:
        if step < self.first:
            return 1.0
        try:
            return float(plain(self.function(step)))
        except Exception as error:  # a user's function may raise anything
            text = " ".join(str(error).split())
            shown = f"{type(error).__name__}{': ' if text else ''}{text}"
            raise ValueError(f"step={step} makes {name_of(self.function)} raise {shown}") from error

    def _render(self) -> str:
        return ""  # a function has no slug
