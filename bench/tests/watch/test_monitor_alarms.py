"""The monitor's alarms: what raises one, at which step, and what does not."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import nn

from bench.watch import Monitor
from bench.watch.thresholds import ATTENTION_LOGIT, ATTENTION_LOGIT_ALONE


def steps(weight: nn.Parameter, losses: list[float]) -> Iterator[tuple[Monitor, float]]:
    """A monitored loop with the given losses."""
    optimizer = torch.optim.SGD([weight], lr=0.1)
    with Monitor(nn.Module(), optimizer) as monitor:
        for loss in losses:
            monitor.loss(loss)
            weight.sum().backward()  # type: ignore[no-untyped-call]
            yield monitor, loss
            optimizer.step()


def test_alarms_say_what_when_and_how_much() -> None:
    """The first logit above the limit and the first number that is not finite are alarms, in order of step."""
    weight = nn.Parameter(torch.ones(1))
    for monitor, loss in steps(weight, [1.0, 2.0, math.nan, 3.0, math.nan]):
        monitor.attention(torch.tensor([-math.inf, -40.0 if loss > 1.0 else 3.0]))
    first, second = monitor.warnings()
    assert (first.step, first.instrument, first.value, first.limit) == (1, "attention_logits", 40.0, ATTENTION_LOGIT)
    assert first.sentence() == f"step 1: largest attention logit 40 is above {ATTENTION_LOGIT:g}"
    assert second.sentence() == "step 2: loss nan is not finite"


def test_a_large_logit_of_a_trained_model_is_not_an_alarm() -> None:
    """Once the loss has fallen the logits may be large; where the loss is unknown the limit is higher."""
    for monitor, loss in steps(nn.Parameter(torch.ones(1)), [1.0, 0.1, 0.1, 0.0]):
        monitor.attention(torch.tensor([1.0 if loss else 5 * ATTENTION_LOGIT_ALONE]))
    assert monitor.warnings() == []
    silent = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)
    with Monitor(nn.Module(), silent) as unknown:
        for logit in (2 * ATTENTION_LOGIT, 2 * ATTENTION_LOGIT_ALONE):
            unknown.attention(torch.tensor([logit]))
            silent.step()
    assert [(alarm.step, alarm.limit) for alarm in unknown.warnings()] == [(1, ATTENTION_LOGIT_ALONE)]


def test_a_good_run_has_no_alarm() -> None:
    """Logits at the limit, a gradient and an update raise no alarm; nor do instruments that never measured anything."""
    for monitor, _ in steps(nn.Parameter(torch.ones(1)), [1.0, 0.5]):
        monitor.attention(torch.tensor([ATTENTION_LOGIT]))
    assert monitor.warnings() == []
    with Monitor(nn.Module(), torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)) as unused:
        pass
    assert unused.warnings() == []
