"""The devices a benchmark can run on, and how to skip one that is missing."""

from __future__ import annotations

import torch

from reference.check import one_of

DEVICES = ("cpu", "cuda")


def require(device: str) -> None:
    """Raise NotImplementedError, which asv treats as "skip", where torch does not see the device.

    Never call it at import time: a process that has initialised CUDA cannot be forked.

    >>> require("cpu")
    """
    if one_of("device", device, DEVICES) == "cuda" and not torch.cuda.is_available():
        raise NotImplementedError(f"device={device} is absent: torch sees no GPU here")


def settle(device: str) -> None:
    """Wait until the device has finished its queued work; a CPU has no queue."""
    if device == "cuda":
        torch.cuda.synchronize()
