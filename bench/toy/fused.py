"""Whether this torch has a fused Adam: on a CPU since 2.4, on a GPU since 1.13."""

from __future__ import annotations

import functools

import torch
from torch import nn


@functools.cache
def has_fused_adam(device: str) -> bool:
    """Whether Adam can be built with ``fused=True`` for parameters on this kind of device.

    >>> has_fused_adam("cpu")  # from 2.4 on
    True
    """
    try:
        torch.optim.Adam([nn.Parameter(torch.zeros(1, device=device))], fused=True)
    except RuntimeError:  # "fused=True requires all the params to be floating point Tensors of supported devices"
        return False
    return True
