"""Marks for tests that need a GPU: `pytest -m gpu` runs them; without a GPU they are skipped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

MARKS = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="device=cuda must be available: torch sees no GPU"),
]


def needs_gpu(test: Callable[..., Any]) -> Callable[..., Any]:
    """The test with both marks."""
    for mark in MARKS:
        test = mark(test)
    return test
