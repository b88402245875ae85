"""The monitor's alarms: what warns, at which step, and what does not."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import nn

from bench.watch import Monitor
from bench.watch.alarms import ATTENTION_LOGIT_LIMIT


def steps(weight: nn.Parameter, losses: list[float]) -> Iterator[tuple[Monitor, float]]:
    """A monitored loop that is handed the losses of a list."""
    optimizer = torch.optim.SGD([weight], lr=0.1)
    with Monitor(nn.Module(), optimizer) as monitor:
        for loss in losses:
            monitor.loss(loss)
            weight.sum().backward()  # type: ignore[no-untyped-call]
            yield monitor, loss
            optimizer.step()


def test_alarms_say_what_when_and_how_much() -> None:
    """The first logit above the limit and the first number that is not finite are alarms, in order of steps."""
    weight = nn.Parameter(torch.ones(1))
    for monitor, loss in steps(weight, [1.0, 2.0, math.nan, 3.0, math.nan]):
        monitor.attention(torch.tensor([-math.inf, -40.0 if loss > 1.0 else 3.0]))
    first, second = monitor.warnings()
    assert (first.step, first.instrument, first.value, first.limit) == (1, "attention_logits", 40.0, 30.0)
    assert first.sentence() == f"step 1: largest attention logit 40 is above {ATTENTION_LOGIT_LIMIT:g}"
    assert second.sentence() == "step 2: loss nan is not finite"


def test_a_good_run_has_no_alarm() -> None:
    """Logits at the limit, a gradient, an update: nothing warns; nor does what was never measured."""
    for monitor, _ in steps(nn.Parameter(torch.ones(1)), [1.0, 0.5]):
        monitor.attention(torch.tensor([ATTENTION_LOGIT_LIMIT]))
    assert monitor.warnings() == []
    with Monitor(nn.Module(), torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)) as unused:
        pass
    assert unused.warnings() == []
