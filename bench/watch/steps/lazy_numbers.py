"""Numbers on a device, copied now and read later: reading one at once would stall the training loop."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

#: A number, or a copy of it that is still on its device.
LazyNumber = float | Tensor


def capture(value: Any) -> LazyNumber:
    """The current value of a number; NaN if it is not a number.

    Reads a tensor on the CPU and copies one on another device, because torch's schedulers change a tensor LR in place.

    >>> capture(torch.tensor(0.5)), capture(None)
    (0.5, nan)
    """
    if isinstance(value, float):
        return value
    if isinstance(value, Tensor):
        value = value.detach()
        if value.numel() == 1 and value.device.type != "cpu":
            copy: Tensor = value.reshape(()).clone()
            return copy
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):  # None, a list, a tensor of several numbers
        return math.nan


def read_all(values: Sequence[LazyNumber]) -> list[float]:
    """The numbers as floats, with one synchronisation per device and dtype.

    >>> read_all([1.0, torch.tensor(2.0)])
    [1.0, 2.0]
    """
    numbers = list(values)
    waiting = defaultdict(list)
    for i, value in enumerate(values):
        if isinstance(value, Tensor):
            waiting[value.device, value.dtype].append(i)
    for places in waiting.values():
        read = torch.stack([torch.as_tensor(values[i]) for i in places]).tolist()
        for i, number in zip(places, read, strict=True):
            numbers[i] = number
    return [float(number) for number in numbers]
