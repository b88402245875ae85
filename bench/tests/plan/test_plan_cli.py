"""`python -m bench diagnose module:factory` as people use it: what it prints, and its exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.__main__ import main

#: A user's own module.
MODULE = """
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, LinearLR, ReduceLROnPlateau, SequentialLR

def right(optimizer):
    warmup = LinearLR(optimizer, 0.1, total_iters=20)
    return SequentialLR(optimizer, [warmup, CosineAnnealingLR(optimizer, 180)], [20])

def too_long(optimizer):
    return CosineAnnealingLR(optimizer, 760)

def needs_loss(optimizer):
    return ReduceLROnPlateau(optimizer)

def two_halves():
    first, second = (torch.optim.SGD([torch.zeros(1)], lr=lr) for lr in (0.5, 0.25))
    return [first, second], [ExponentialLR(first, 0.99)]
"""


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder to work in, with a module of the user's, which does not stay loaded."""
    (tmp_path / "module_with_plans.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("module_with_plans", None)


@pytest.mark.usefixtures("user")
def test_a_scheduler_is_read_without_an_expectation(capsys: pytest.CaptureFixture[str]) -> None:
    """The first line is the verdict; what was built and whether torch does it follow; nothing is guessed."""
    assert main(["diagnose", "module_with_plans:right", "--steps", "200", "--base-lr", "0.5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Nothing to change in the plan of SequentialLR."
    assert lines[2].startswith("Built: LinearLR from 0.05 to 0.5 over 20 steps; from step 20 on CosineAnnealingLR")
    assert lines[3:] == ["torch gives the documented LR in each of the 200 updates."]


@pytest.mark.usefixtures("user")
def test_a_wrong_plan_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    """The mistake is the first line, the line to change the second; JSON has both."""
    arguments = ["diagnose", "module_with_plans:too_long", "--steps", "200"]
    assert main(arguments) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("The decay is longer than the run: it ends at step 760, but the run has 200 updates.")
    assert lines[1] == "Change: let the decay end at the last of the 200 updates"
    assert main([*arguments, "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["diagnoses"] == []
    assert [fact["kind"] for fact in document["plans"][0]["facts"]] == ["decay-too-long"]
    assert document["plans"][0]["groups"] == [{"slug": "cosineannealinglr760", "base_lr": 1.0}]


@pytest.mark.usefixtures("user")
def test_requested_warmup_steps_are_compared_with_the_plan(capsys: pytest.CaptureFixture[str]) -> None:
    """A number of warmup steps other than the scheduler's is a finding."""
    arguments = ["diagnose", "module_with_plans:right", "--steps", "200", "--warmup-steps"]
    assert main([*arguments, "19"]) == 0
    assert main([*arguments, "50"]) == 1
    assert "The LR reaches its peak at step 20, not at the end of the 50 warmup steps" in capsys.readouterr().out


@pytest.mark.usefixtures("user")
def test_a_factory_may_return_optimizers_too(capsys: pytest.CaptureFixture[str]) -> None:
    """As Lightning's configure_optimizers does: an optimizer without a scheduler is named, and no fault by itself."""
    assert main(["diagnose", "module_with_plans:two_halves", "--steps", "50"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Nothing to change in the plan of ExponentialLR."
    assert lines[-1] == "No scheduler moves the optimizer SGD (number 2): its LR stays at 0.25."


@pytest.mark.usefixtures("user")
def test_a_scheduler_that_needs_a_metric_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    """Its LRs are not known, but what it will do is."""
    assert main(["diagnose", "module_with_plans:needs_loss", "--steps", "9"]) == 0
    assert "ReduceLROnPlateau from 1, times 0.1 when the metric has not beaten" in capsys.readouterr().out


@pytest.mark.usefixtures("user")
def test_metrics_drive_a_plateau(capsys: pytest.CaptureFixture[str]) -> None:
    """With its numbers the LRs of ReduceLROnPlateau are read; their count is the run, unless it is shorter."""
    Path("losses.txt").write_text("\n".join(["1.0"] * 30))
    assert main(["diagnose", "module_with_plans:needs_loss", "--metrics", "losses.txt"]) == 0
    out = capsys.readouterr().out
    assert "Built: ReduceLROnPlateau from 1, times 0.1" in out
    assert "torch gives the documented LR in each of the 30 updates." in out
    assert main(["diagnose", "module_with_plans:needs_loss", "--metrics", "losses.txt", "--steps", "31"]) == 2
    assert capsys.readouterr().err == "steps=31 must be <= 30, the numbers in metrics='losses.txt'\n"
