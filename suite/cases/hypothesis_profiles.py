"""How many random examples Hypothesis draws, and which of them are rejected."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

from hypothesis import HealthCheck, reject, settings

#: What the reference rightly refuses to evaluate: a factor lost to 0, and steps past the end of a OneCycleLR.
UNDEFINED = re.compile(r"must not follow a learning rate of 0: no factor|^step=\d+ must be < total_steps=")


def budget(examples: int) -> settings:
    """Settings with the same examples every run; HYPOTHESIS_PROFILE=thorough draws 20 times as many, at random."""
    thorough = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
    return settings(
        max_examples=examples * (20 if thorough else 1),
        derandomize=not thorough,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],  # measures the machine's load, not the test
    )


@contextlib.contextmanager
def defined() -> Iterator[None]:
    """Reject an example that the reference refuses to evaluate; let any other error through."""
    try:
        yield
    except ValueError as error:
        if not UNDEFINED.search(str(error)):
            raise
        reject()
