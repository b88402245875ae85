"""The devices that a benchmark is asked to run on, and what is said of one that is absent."""

from __future__ import annotations

import torch

from reference.check import one_of

DEVICES = ("cpu", "cuda")


def require(device: str) -> None:
    """Raise NotImplementedError, which asv takes for "skip", where torch does not see the device.

    Never call it when a module is imported: a process that has asked for CUDA cannot be forked.

    >>> require("cpu")
    """
    if one_of("device", device, DEVICES) == "cuda" and not torch.cuda.is_available():
        raise NotImplementedError(f"device={device} is absent: torch sees no GPU here")


def settle(device: str) -> None:
    """Wait until the device has done all that it was given; a CPU has."""
    if device == "cuda":
        torch.cuda.synchronize()
