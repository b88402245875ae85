"""Timing of each call of a function."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

#: Steps that are not timed: the first ones of a process allocate memory.
FIRST_STEPS = 3


class Stopwatch:
    """Wraps a function and records how long each call takes."""

    def __init__(self, action: Callable[..., Any]) -> None:
        self.action = action
        self.seconds: list[float] = []

    def __call__(self, *args: Any) -> Any:
        """Call the function and record the time it took."""
        start = time.perf_counter()
        result = self.action(*args)
        self.seconds.append(time.perf_counter() - start)
        return result
