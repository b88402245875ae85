"""Numbers that live on a device, noted now and read later: reading one would make the loop wait for the device."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

#: A number, or a copy of it that still lies on its device.
Noted = float | Tensor


def noted(value: Any) -> Noted:
    """What a number is at this moment; NaN for what is no number.

    A tensor on the CPU is read, one elsewhere is copied there: torch's schedulers change a tensor LR in place.

    >>> noted(torch.tensor(0.5)), noted(None)
    (0.5, nan)
    """
    if isinstance(value, float):
        return value
    if isinstance(value, Tensor):
        value = value.detach()
        if value.numel() == 1 and value.device.type != "cpu":
            copied: Tensor = value.reshape(()).clone()
            return copied
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):  # None, a list, a tensor of several numbers
        return math.nan


def settled(values: Sequence[Noted]) -> list[float]:
    """The same numbers as floats, with one wait for each device and dtype among them.

    >>> settled([1.0, torch.tensor(2.0)])
    [1.0, 2.0]
    """
    found = list(values)
    waiting = defaultdict(list)
    for i, value in enumerate(values):
        if isinstance(value, Tensor):
            waiting[value.device, value.dtype].append(i)
    for places in waiting.values():
        read = torch.stack([torch.as_tensor(values[i]) for i in places]).tolist()
        for i, number in zip(places, read, strict=True):
            found[i] = number
    return [float(value) for value in found]
