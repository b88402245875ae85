"""What a script takes from a run of its case: the steps of the schedule, and the check that failed."""

from __future__ import annotations

import dataclasses
from typing import Any

from suite.engine.action import Check
from suite.engine.case import Case
from suite.engine.loop import CaseLoop, run_case
from suite.engine.subject import installed
from suite.engine.verdict import Verdict


def failed_check(case: Case, verdict: Verdict) -> Check | None:
    """The check behind the verdict; None where the deviation is in the table of the loop, or an error."""
    run = run_case(case.schedule, case.setup, case.steps, installed())
    failed = (check for check, actual, due in run.checks if check.channel == verdict.channel and actual != due)
    return next(failed, None)


class _NoScheduler:
    """A scheduler that does nothing, so that only the loop's clock advances."""

    def step(self, *_: Any) -> None:
        """Do nothing."""


def positions_of(case: Case) -> list[int]:
    """The step of the schedule at each update of an uninterrupted run."""
    loop = CaseLoop(case.schedule, dataclasses.replace(case.setup, device="cpu", actions=()), installed())
    loop.scheduler, loop.position = _NoScheduler(), sum(action.offset for action in case.setup.actions)
    positions = []
    for update in range(case.steps):
        positions.append(loop.position)
        loop.advance(update)
    return positions
