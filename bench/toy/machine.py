"""The machine a measurement runs on: its description, the cores available to us, the allocator's settings."""

from __future__ import annotations

import os
import platform

#: glibc returns large blocks to the kernel after every operation unless the process starts with these settings;
#: at d_model >= 32 that costs up to half of the time. Other allocators ignore them.
MALLOC = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**32), "MALLOC_TOP_PAD_": str(2**26)}


def cores() -> int:
    """The number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> str:
    """The machine and the versions of Python, torch and NumPy, in one line."""
    import numpy as np
    import torch

    versions = f"Python {platform.python_version()}, torch {torch.__version__}, NumPy {np.__version__}"
    count = cores()
    return f"{count} core{'s' if count > 1 else ''} of {platform.machine()} ({platform.system()}), {versions}"
