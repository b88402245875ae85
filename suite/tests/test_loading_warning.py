"""torch.load's warning of its own default does not count as a warning of a schedule."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch

from suite.cases.catalogue import find
from suite.engine.loop import run_case
from suite.engine.subject import installed

CASE = "steplr3_g0p7-inspected"


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("You are using `torch.load` with `weights_only=False` (the current default value), which", []),
        ("The learning rate is no longer what it was", ["FutureWarning: The learning rate is no longer what it was"]),
    ],
    ids=["of torch.load", "of the schedule"],
)
def test_only_warnings_of_the_schedule_count(text: str, counted: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A case that saves and loads states, under a torch that warns in torch.load as 2.4 and 2.5 do."""
    load = torch.load

    def warning_load(*args: Any, **options: Any) -> Any:
        warnings.warn(text, FutureWarning, stacklevel=2)
        return load(*args, **options)

    monkeypatch.setattr(torch, "load", warning_load)
    case = find(CASE)
    run = run_case(case.schedule, case.setup, case.steps, installed())
    assert run.error is None
    assert run.warned == counted
