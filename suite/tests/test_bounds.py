"""The sign of an LR is judged by itself, whatever the schedule asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch.optim.lr_scheduler as lrs

from reference import ExponentialLR
from suite.engine.case import Case
from suite.engine.subject import Subject, installed
from suite.engine.verdict import verdict_of
from suite.tests import broken

NEGATIVE, PLAIN = Case("planted", ExponentialLR(-0.7)), Case("planted", ExponentialLR(0.89))


def shown(case: Case, subject: Subject) -> set[tuple[str, str]]:
    """The channels and shapes of the deviations."""
    return {(deviation.channel, deviation.shape) for deviation in verdict_of(case, subject).deviations}


def test_a_negative_rate_is_reported_although_it_was_asked_for() -> None:
    """The trace follows the formula, and the sign alone deviates; the same class with a usual gamma follows."""
    verdict = verdict_of(NEGATIVE, installed())
    assert shown(NEGATIVE, installed()) == {("bounds", "negative")}
    assert verdict.step == 1
    assert verdict_of(PLAIN, installed()).follows


def test_a_refusal_of_a_negative_rate_is_right() -> None:
    """A class that refuses a negative gamma follows; one that refuses every gamma does not."""

    class Refuses(lrs.ExponentialLR):
        """Takes no gamma below `lowest`."""

        lowest = 0.0

        def __init__(self, optimizer: Any, gamma: float, **kwargs: Any) -> None:
            if gamma < self.lowest:
                raise ValueError(f"gamma={gamma} must be >= {self.lowest}")
            super().__init__(optimizer, gamma, **kwargs)

    Refuses.__name__ = "ExponentialLR"
    subject = broken.subject("ExponentialLR", Refuses)
    assert verdict_of(NEGATIVE, subject).follows
    Refuses.lowest = 1.0
    assert shown(PLAIN, subject) == {("error", "error")}


def test_a_planted_negative_rate_is_found() -> None:
    """One LR that turns negative in mid-run is out of bounds as well as off its schedule."""

    def turns(scheduler: Any, call: int, step: Callable[[], None]) -> None:
        """The sign changes at the fifth step."""
        step()
        if call == 5:
            scheduler.optimizer.param_groups[0]["lr"] *= -1

    subject = broken.subject("ExponentialLR", broken.hooked(lrs.ExponentialLR, turns))
    assert ("bounds", "negative") in shown(PLAIN, subject)
