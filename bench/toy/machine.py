"""The machine that a measurement runs on: what it is, how many cores it gives us, how its allocator is set."""

from __future__ import annotations

import os
import platform

#: glibc returns large blocks to the kernel at every operation, unless a process is started with these:
#: it costs up to half the time where d_model >= 32. Other allocators ignore them.
MALLOC = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**32), "MALLOC_TOP_PAD_": str(2**26)}


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> str:
    """The machine and the versions, in one line."""
    import numpy as np
    import torch

    versions = f"Python {platform.python_version()}, torch {torch.__version__}, NumPy {np.__version__}"
    return f"{cores()} cores of {platform.machine()} ({platform.system()}), {versions}"
