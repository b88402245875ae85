"""The part of keras.ops that Keras's schedules use, as its torch backend computes it: numbers are float32 or int32."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch

cos, log, floor, ceil = torch.cos, torch.log, torch.floor, torch.ceil


def convert_to_tensor(x: Any, dtype: torch.dtype | None = None) -> torch.Tensor:
    """A tensor of the default type of a Python number."""
    if dtype is None and not isinstance(x, torch.Tensor):
        dtype = torch.int32 if isinstance(x, int) else torch.float32
    return torch.as_tensor(x, dtype=dtype)


array = cast = convert_to_tensor


def cond(test: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
    """One of the two results."""
    return then() if test else otherwise()


def where(test: torch.Tensor, then: Any, otherwise: Any) -> torch.Tensor:
    """One of the two values."""
    return torch.where(test, torch.as_tensor(then), otherwise)


def name_scope(name: str) -> contextlib.AbstractContextManager[None]:
    """Nothing: names are for graphs."""
    return contextlib.nullcontext()


def _of_two(function: Callable[..., torch.Tensor]) -> Callable[[Any, Any], torch.Tensor]:
    """Python numbers are taken as well."""
    return lambda a, b: function(convert_to_tensor(a), convert_to_tensor(b))


add, multiply, divide = _of_two(torch.add), _of_two(torch.mul), _of_two(torch.div)
subtract, power = _of_two(torch.sub), _of_two(torch.pow)
equal, minimum = _of_two(torch.eq), _of_two(torch.minimum)
