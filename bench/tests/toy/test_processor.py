"""The processor's model and the share of it that is free."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from bench.asv_benchmarks.machine_load import MachineLoad
from bench.toy import processor
from bench.toy.processor import cpu_model, free_share

#: Seconds between two readings of the made-up clock.
TICK = 0.01


def test_model_names_the_instructions() -> None:
    """The instructions that torch uses are part of the model, as they decide how results round; none is empty."""
    assert cpu_model().endswith(torch.backends.cpu.get_cpu_capability())
    assert cpu_model("").startswith("unknown, ")
    assert cpu_model("model name: X\nmodel name: Y\n").startswith("X, ")


def test_share_is_a_share() -> None:
    """Between 0 and 1, and torch's number of threads is restored."""
    before = torch.get_num_threads()
    assert 0 < free_share(0.05) <= 1
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_share_is_cpu_time_over_wall_time(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock of CPU time that runs at a quarter of the other, a quarter is free."""
    now = [0.0]

    def tick() -> float:
        now[0] += TICK
        return now[0]

    monkeypatch.setattr(processor, "cores", lambda: 1)
    monkeypatch.setattr(processor, "time", SimpleNamespace(perf_counter=tick, thread_time=lambda: share * now[0]))
    # The two clocks are read one tick apart, of a hundred.
    assert free_share(100 * TICK) == pytest.approx(share, rel=0.02)


def test_load_is_the_inverse_of_the_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter free means four seconds for one second of CPU time."""
    monkeypatch.setattr("bench.asv_benchmarks.machine_load.free_share", lambda seconds: 0.25)
    assert MachineLoad().track_seconds_per_cpu_second() == 4
