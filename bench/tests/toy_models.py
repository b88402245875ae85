"""Shared by the tests of the toy trainers: a small configuration and a fixture for torch's threads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from bench.toy.config import Config

#: A configuration in which every size except the width is an odd one.
ODD = Config(d_model=16, feed_forward=11, heads=2, layers=1, limit=117, batch_size=5)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Limit torch to one thread, and restore its setting afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
