"""How long each call of a function takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

#: The first steps of a process allocate; they are not timed.
FIRST_STEPS = 3


class Stopwatch:
    """A function that notes how long each call takes."""

    def __init__(self, action: Callable[..., Any]) -> None:
        self.action = action
        self.seconds: list[float] = []

    def __call__(self, *args: Any) -> Any:
        """Call the function."""
        start = time.perf_counter()
        result = self.action(*args)
        self.seconds.append(time.perf_counter() - start)
        return result
