"""What the tests of the toy trainers share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from bench.toy.config import Config

#: A configuration in which no size but the width is a round number.
ODD = Config(d_model=16, feed_forward=11, heads=2, layers=1, limit=117, batch_size=5)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """torch on one thread, and afterwards on as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
