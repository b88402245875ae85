"""The recorder reads the scheduler before it guesses: what was built, and what is wrong with the plan or its use."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from torch.optim import SGD, AdamW, Optimizer
from torch.optim import lr_scheduler as lrs
from torch.optim.swa_utils import SWALR

from bench.tests.loops import loop, parameters
from bench.tests.watch.test_recorder_script import folder, record  # noqa: F401 - a fixture
from bench.watch import Recorder, report

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own, about the order of the steps
UPDATES, WARMUP = 60, 10


def adam(lr: float = 0.1) -> AdamW:
    """One optimizer of one parameter."""
    return AdamW(parameters(1), lr=lr)


def warm_cosine(optimizer: Optimizer, length: int = UPDATES - WARMUP) -> lrs.SequentialLR:
    """A linear warmup from a tenth, then a cosine of a length."""
    parts = [lrs.LinearLR(optimizer, 0.1, total_iters=WARMUP), lrs.CosineAnnealingLR(optimizer, length)]
    return lrs.SequentialLR(optimizer, parts, [WARMUP])


def plain(make: Callable[[Optimizer], Any], updates: int = UPDATES) -> None:
    """The usual loop with the scheduler that `make` builds."""
    optimizer = adam()
    loop(optimizer, make(optimizer), updates)


def by_epoch(make: Callable[[Optimizer], Any], metrics: Callable[[int], float] | None = None) -> None:
    """Twelve epochs of five updates; the scheduler is given a metric if there is one."""
    optimizer = adam()
    scheduler = make(optimizer)
    for epoch in range(12):
        loop(optimizer, None, 5)
        scheduler.step(*(() if metrics is None else (metrics(epoch),)))


def chained(optimizer: Optimizer) -> lrs.ChainedScheduler:
    """A cosine that counts during the warmup too."""
    return lrs.ChainedScheduler(
        [lrs.LinearLR(optimizer, 0.1, total_iters=WARMUP), lrs.CosineAnnealingLR(optimizer, UPDATES)]
    )


def both_stepped(first: Callable[[Optimizer], Any], second: Callable[[Optimizer], Any], *stepped: int) -> None:
    """Two schedulers on one optimizer, of which the given ones are stepped."""
    optimizer = adam()
    schedulers = [first(optimizer), second(optimizer)]
    for _ in range(UPDATES):
        loop(optimizer, None, 1)
        for i in stepped:
            schedulers[i].step()


def averaged() -> None:
    """A cosine, then the constant LR of weight averaging, as torch's documentation has it."""
    optimizer = adam()
    cosine, swa = lrs.CosineAnnealingLR(optimizer, UPDATES), SWALR(optimizer, swa_lr=0.05, anneal_epochs=3)
    for step in range(UPDATES):
        loop(optimizer, cosine if step < 40 else swa, 1)


def resumed(load: str, make: Callable[[Optimizer], Any] = warm_cosine, then: Any = None) -> None:
    """The second half of a run; `load`: o for the state of the optimizer, s for that of the scheduler, + for steps."""
    before = adam()
    scheduler = make(before)
    loop(before, scheduler, UPDATES // 2)
    del scheduler.optimizer  # the first half was another process
    states = {"o": before.state_dict(), "s": {k: v for k, v in scheduler.state_dict().items() if k != "optimizer"}}
    with Recorder() as RECORDERS[0]:
        optimizer = adam()
        again = (then or make)(optimizer)
        for what in load:
            if what == "+":
                loop_of_steps(again, UPDATES // 2)
            else:
                (optimizer if what == "o" else again).load_state_dict(states[what])
        loop(optimizer, again, UPDATES // 2)


def loop_of_steps(scheduler: Any, count: int) -> None:
    """Bring a new scheduler to its place by stepping it."""
    for _ in range(count):
        scheduler.step()


def by_micro_batch() -> None:
    """A schedule that counts micro-batches, four for each update."""
    optimizer = adam()
    scheduler = lrs.LinearLR(optimizer, 1.0, 0.0, total_iters=4 * UPDATES)
    for _ in range(UPDATES):
        loop(optimizer, None, 1)
        loop_of_steps(scheduler, 4)


def inverse(optimizer: Optimizer) -> lrs.LambdaLR:
    """A function of the step alone."""
    return lrs.LambdaLR(optimizer, lambda t: 1 / (1 + t))


#: The recorder of a resumed run, which must not hear the first half.
RECORDERS: list[Recorder] = [Recorder()]


def cosine(length: int) -> Callable[[Optimizer], lrs.CosineAnnealingLR]:
    """A cosine of a length."""
    return lambda optimizer: lrs.CosineAnnealingLR(optimizer, length)


def linear(optimizer: Optimizer) -> lrs.LinearLR:
    """A warmup from a tenth."""
    return lrs.LinearLR(optimizer, 0.1, total_iters=WARMUP)


def exponential(optimizer: Optimizer) -> lrs.ExponentialLR:
    """A decay that is a factor."""
    return lrs.ExponentialLR(optimizer, 0.95)


def plateau(mode: Literal["min", "max"]) -> Callable[[Optimizer], lrs.ReduceLROnPlateau]:
    """A scheduler that waits for one bad epoch."""
    return lambda optimizer: lrs.ReduceLROnPlateau(optimizer, mode=mode, factor=0.5, patience=1)


#: The loops, the cause that each is found to have ("" for a healthy one), and words of the report.
LOOPS: dict[str, tuple[Callable[[], None], str, str]] = {
    "as planned": (lambda: plain(warm_cosine), "", "LinearLR from 0.01 to 0.1 over 10 steps; from step 10 on Cosine"),
    "longer": (lambda: plain(lambda o: warm_cosine(o, UPDATES)), "plan-decay-too-long", "it ends at step 70, but the"),
    "shorter": (lambda: plain(lambda o: warm_cosine(o, 20)), "plan-rises-again", "rises again: from 0 at step 30"),
    "peak": (lambda: plain(chained), "plan-peak-below-base", "6.7 % below the base LR 0.1"),
    "no end of warmup": (lambda: plain(linear, 5), "plan-warmup-too-long", "LR is 0.046, 46 % of the 0.1"),
    "restarts": (lambda: plain(lambda o: lrs.CosineAnnealingWarmRestarts(o, 30)), "", "in cycles of 30 steps"),
    "onecycle": (
        lambda: plain(lambda o: lrs.OneCycleLR(o, 0.2, total_steps=UPDATES + 1)),
        "",
        "OneCycleLR of 61",
    ),
    "own function": (lambda: plain(lambda o: lrs.LambdaLR(o, lambda t: 0.5**t)), "plan-vanishing", "below a millionth"),
    "stairs": (lambda: plain(lambda o: lrs.LambdaLR(o, lambda t: 0.9 ** (t // 4))), "", "LambdaLR of base LR 0.1"),
    "epochs": (lambda: by_epoch(lambda o: lrs.StepLR(o, 4, 0.5)), "", "Steps are those of the scheduler, 11 in 60"),
    "first epoch": (lambda: by_epoch(lambda o: lrs.LambdaLR(o, lambda t: t / 12)), "plan-zero", "The first 5 updates"),
    "metric": (lambda: by_epoch(plateau("min"), lambda e: 1 / min(e + 1, 4)), "", "ReduceLROnPlateau from 0.1, times"),
    "mode": (lambda: by_epoch(plateau("max"), lambda e: 0.8**e), "plan-wrong-mode", "pass mode='min'"),
    "chaining": (lambda: both_stepped(exponential, lambda o: lrs.MultiStepLR(o, [20, 40]), 0, 1), "", "MultiStepLR"),
    "warmup forgotten": (lambda: both_stepped(cosine(UPDATES), linear, 0), "plan-never-stepped", "LinearLR was built"),
    "averaging": (averaged, "", "SWALR from 0.1 to 0.05 over 3 steps"),
    "micro-batches": (by_micro_batch, "", "Steps are those of the scheduler, 4 in each update"),
    "resumed, stepped there": (lambda: resumed("o+", inverse), "", "LambdaLR of base LR 0.1"),
    "resumed": (lambda: resumed("os"), "", "from step 10 on CosineAnnealingLR"),
    "resumed, scheduler new": (
        lambda: resumed("o"),
        "plan-scheduler-not-loaded",
        "after 30 updates, but its",
    ),
    "resumed, optimizer new": (
        lambda: resumed("s"),
        "plan-not-in-force",
        "LR is 0.01, but step 30 of the",
    ),
    "resumed, other length": (
        lambda: resumed("os", cosine(30), cosine(60)),
        "plan-argument-loaded",
        "T_max is 30, but it was built with 60",
    ),
    "resumed, unfinished": (lambda: resumed("os", cosine(200)), "", "The decay is longer than the run"),
}


def recording(kind: str) -> Recorder:
    """The recording of a loop."""
    with Recorder() as recorder:
        if not kind.startswith("resumed"):
            LOOPS[kind][0]()
    if kind.startswith("resumed"):
        LOOPS[kind][0]()
        return RECORDERS[0]
    return recorder


@pytest.mark.parametrize("kind", LOOPS)
def test_the_scheduler_is_read(kind: str) -> None:
    """Each loop has its cause, told nothing, and its report says what was built or what is wrong."""
    _, cause, words = LOOPS[kind]
    recorder = recording(kind)
    (series,) = recorder.planned()
    (diagnosis,) = recorder.diagnose()
    named = diagnosis.best.cause if diagnosis.verdict == "fault" and diagnosis.best is not None else ""
    assert (diagnosis.verdict, named) == ("fault" if cause else "healthy", cause)
    assert words in report.finding([series], diagnosis)


def test_groups_that_follow_their_plan_get_one_verdict() -> None:
    """Layer-wise LRs are one schedule times a constant; a group that stays at 0 is named."""
    layers = [{"params": parameters(1), "lr": 0.1 * 0.5**i} for i in range(5)]
    with Recorder() as recorder:
        optimizer = SGD(layers)
        loop(optimizer, warm_cosine(optimizer), UPDATES)
    ((series, *others),) = report.together(recorder.planned())
    text = report.finding([series, *others], recorder.diagnose()[0])
    assert text.startswith("SGD group 0 … SGD group 4")
    assert "in 4 other groups 0.0625 to 0.5 times as high" in text
    with Recorder() as recorder:
        optimizer = SGD([{"params": parameters(1), "lr": 0.1} for _ in range(2)])
        loop(optimizer, lrs.LambdaLR(optimizer, [lambda t: 0.0, lambda t: min(1.0, (t + 1) / 10)]), UPDATES)
    assert "Group 0: the LR is 0 in every update" in recorder.diagnose()[0].sentence()


def test_a_defect_of_torch_is_named() -> None:
    """Where torch leaves its documentation and the loop does nothing else, the known deviation is the cause."""
    with Recorder() as recorder:
        optimizer = SGD(parameters(1), lr=0.3)
        cycle = lrs.OneCycleLR(optimizer, 0.2, 400)
        loop(optimizer, lrs.SequentialLR(optimizer, [cycle, lrs.StepLR(optimizer, 300)], [20]), UPDATES)
    (diagnosis,) = recorder.diagnose()
    assert diagnosis.best is not None
    assert (diagnosis.best.cause, diagnosis.best.first_step) == ("torch-cycle-base", 20)
    assert "torch does not give what its documentation promises" in diagnosis.sentence()


def test_an_lr_that_the_loop_sets_is_not_taken_for_the_plan() -> None:
    """A warmup by hand over a scheduler does not follow it, so the LRs are fitted as before."""
    with Recorder() as recorder:
        optimizer = adam()
        scheduler = lrs.LambdaLR(optimizer, lambda t: 1 - t / UPDATES)
        for step in range(UPDATES):
            if step < WARMUP:
                optimizer.param_groups[0]["lr"] = 0.1 * (step + 1) / WARMUP
            loop(optimizer, scheduler, 1)
    (series,), (diagnosis,) = recorder.planned(), recorder.diagnose()
    assert [series.plan.explains if series.plan else None] == [False]
    said = "  Something beside LambdaLR sets the LR: update 0 ran at 0.01 instead of its 0.1."
    assert said in report.finding([series], diagnosis)


def test_a_scheduler_of_anybody_is_left_to_the_fit() -> None:
    """A class of the user's own, also one whose attributes raise, has no plan and stops no script."""

    class Own(lrs.CosineAnnealingLR):
        @property
        def T_max(self) -> int:
            if len(self.__dict__.get("seen", ())) > 3:
                raise RuntimeError("not now")
            return UPDATES

        @T_max.setter
        def T_max(self, value: int) -> None:
            self.seen = [value]

    with Recorder() as recorder:
        optimizer = adam()
        scheduler = Own(optimizer, UPDATES)
        scheduler.seen = [0] * 9
        for _ in range(UPDATES):
            loop(optimizer, None, 1)
    assert [series.plan for series in recorder.planned()] == [None]


SCRIPT = """
import torch
weight = torch.nn.Parameter(torch.ones(2))
optimizer = torch.optim.SGD([weight], lr=1.0)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50)
for step in range(20):
    (weight**2).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    scheduler.step()
"""


def test_the_report_says_what_was_built(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    """The verdict, the line to change and the schedule that was built; exit code 1."""
    assert record(folder, SCRIPT) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[2].startswith("SGD: The decay is longer than the run: it ends at step 50, but the run has 20 updates.")
    assert lines[3:] == [
        "  fix: let the decay end at the last of the 20 updates",
        "  built: CosineAnnealingLR from 1 to 0 over 50 steps.",
    ]


def test_a_run_that_was_stopped_is_not_too_short(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    """After an exception the rest of the plan is a fact and no fault."""
    with pytest.raises(ZeroDivisionError):
        record(folder, SCRIPT + "1 / 0\n")
    err = capsys.readouterr().err
    assert re.search(r"^SGD: Every update ran at the LR of its scheduler: Cosine", err, re.MULTILINE)
    assert "  The decay is longer than the run: it ends at step 50" in err
    assert "fix:" not in err
