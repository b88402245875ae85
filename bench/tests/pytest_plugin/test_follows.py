"""`assert_lr_follows` and `assert_total_steps`: what passes, what fails, and what the failure says."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
import torch
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR

from bench.pytest_plugin.follows import check_follows, check_total_steps, recorded
from bench.tests.pytest_plugin.runs import LR, SLUG, TOTAL, HalvingLR, SmallRun, sequential
from reference import CosineDecay, LinearWarmup, family


def trained(run: SmallRun | None = None, **changes: Any) -> Any:
    """A recording of a run."""
    own = run or SmallRun()
    return recorded(lambda: own.train(0, TOTAL, **changes))


def two_runs() -> Any:
    """A recording of two optimizers, of which the second is not scheduled."""
    first, second = SmallRun(), SmallRun(kind=SGD)

    def train() -> None:
        for step in range(TOTAL):
            first.train(step, step + 1)
            second.train(step, step + 1, steps=0)

    return recorded(train)


def test_a_right_loop_passes() -> None:
    """Against the slug and against the function that built the scheduler; the curves are kept."""
    recorder = trained()
    for plan in (SLUG, sequential):
        check = check_follows(recorder, plan, LR, None)
        assert check.failures == []
    (curve,) = check.curves
    assert curve["steps"] == list(range(TOTAL))
    assert curve["used"] == pytest.approx(curve["expected"], rel=1e-12)


def test_a_late_loop_fails_with_the_diagnosis() -> None:
    """The failure says the first wrong update, the cause and the line to change."""
    (text,) = check_follows(trained(late=1), SLUG, LR, None).failures
    assert "optimizer step 1 ran at lr=0.01 instead of" in text
    assert "diagnosis: Every LR comes 1 step late" in text
    assert "fix: call scheduler.step() after every optimizer.step()" in text


def test_a_wrong_plan_fails() -> None:
    """A right loop of another schedule, or of another base LR, does not follow."""
    for plan, base in ((f"linear4+cosine{TOTAL - 4}", LR), (SLUG, 2 * LR)):
        (text,) = check_follows(trained(), plan, base, None).failures
        assert "--" not in text


def test_schedulers_without_a_closed_form_are_diagnosed() -> None:
    """A class of somebody's own, and a function: a right loop follows, a late one is called late."""

    def function(optimizer: Optimizer) -> LambdaLR:
        return LambdaLR(optimizer, lambda t: min(1.0, (t + 1) / 10))

    for scheduler in (HalvingLR, function):
        assert check_follows(trained(SmallRun(scheduler)), scheduler, LR, None).failures == []
        (text,) = check_follows(trained(SmallRun(scheduler), late=1), scheduler, LR, None).failures
        assert "diagnosis: Every LR comes 1 step late" in text


def test_optimizers_have_plans_of_their_own() -> None:
    """Plans by name, one optimizer by name, or one plan that the second does not follow."""
    recorder = two_runs()
    plans = {"AdamW": SLUG, "SGD": "constant"}
    assert check_follows(recorder, SLUG, LR, "AdamW").failures == []
    (text,) = check_follows(recorder, SLUG, LR, None).failures
    assert text.startswith("SGD does not follow")
    check = check_follows(recorder, plans | {"SGD": lambda o: CosineAnnealingLR(o, TOTAL)}, LR, None)
    assert [text.partition(" ")[0] for text in check.failures] == ["SGD"]
    assert {curve["name"] for curve in check.curves} == {"AdamW", "SGD"}


@pytest.mark.parametrize(
    ("plan", "base", "optimizer", "words"),
    [
        (SLUG, [LR, LR], None, "must be one number, or one for each of 1 parameter groups"),
        (SLUG, LR, "Adam", "optimizer='Adam' must be one of AdamW"),
        ({"AdamW": SLUG}, {"SGD": LR}, None, "must come with a base_lr for each"),
        ({"AdamW": SLUG}, LR, "AdamW", "by optimizer must come with"),
        (SLUG, {"AdamW": LR}, None, "must come with a plan"),
        (SLUG, -1.0, None, "base_lr=-1.0 must be"),
    ],
)
def test_bad_arguments(plan: Any, base: Any, optimizer: str | None, words: str) -> None:
    """One line says what is wrong."""
    with pytest.raises(ValueError, match=words):
        check_follows(trained(), plan, base, optimizer)


def test_nothing_recorded_fails() -> None:
    """A function that makes no update is a failure of both checks, and anything but a function is bad input."""
    recorder = recorded(lambda: None)
    assert check_follows(recorder, SLUG, LR, None).failures == ["no optimizer step was recorded"]
    assert check_total_steps(recorder, TOTAL, None).failures == ["no optimizer step was recorded"]
    with pytest.raises(ValueError, match="train=3 must be a function without arguments"):
        recorded(3)  # type: ignore[arg-type]


def test_total_steps() -> None:
    """The right number passes; another number is named with what the loop did."""
    assert check_total_steps(trained(), TOTAL, None).failures == []
    (text,) = check_total_steps(trained(micro_batches=4), 4 * TOTAL, "AdamW").failures
    assert text.startswith(f"AdamW made {TOTAL} updates instead of {4 * TOTAL}\n")
    assert "4 backward passes per step" in text


def test_a_schedule_of_another_length_fails() -> None:
    """As many updates as expected, but a schedule that is built for more, or that ends before."""
    long = SmallRun(lambda o: CosineAnnealingLR(o, 4 * TOTAL), AdamW)
    (text,) = check_total_steps(trained(long), TOTAL, None).failures
    assert text.startswith(f"AdamW makes {TOTAL} updates, but: ")
    assert "fix: " in text


def by_hand(ahead: int, floor: float) -> Any:
    """A recording of a loop without a scheduler, as nanoGPT writes it: (t + 1)/(W + 1), then a cosine to a floor."""
    optimizer = AdamW([torch.nn.Parameter(torch.ones(1))])

    def rate(t: int) -> float:
        if t < 10:
            return LR * (t + 1) / 11
        return floor + 0.5 * (1 + math.cos(math.pi * (t - 10) / (TOTAL - 10))) * (LR - floor)

    def train() -> None:
        for t in range(TOTAL):
            for group in optimizer.param_groups:
                group["lr"] = rate(t + ahead)
            optimizer.step()

    return recorded(train)


def test_a_plan_in_another_convention_is_answered_with_the_right_one() -> None:
    """The failure says the plan that the loop follows; given that, the loop passes. A wrong floor is named."""
    recorder = by_hand(0, 0.1 * LR)
    (text,) = check_follows(recorder, f"linear10+cosine{TOTAL - 10}", LR, None).failures
    assert f"its floor is {0.1 * LR:g}, not 0: linear warmup" in text
    slug = re.search(r"change the plan to (\S+), or", text)
    assert slug is not None
    assert check_follows(recorder, slug[1], LR, None).failures == []
    (text,) = check_follows(recorder, f"linear10+cosine{TOTAL - 10}_m{0.1 * LR:g}".replace(".", "p"), LR, None).failures
    assert "floor" not in text


def test_a_loop_without_a_scheduler_is_not_told_to_step_it() -> None:
    """One update early, by the LR that the loop sets: the line to change is where it computes the LR."""
    plan = family("C", LinearWarmup(11), CosineDecay(TOTAL - 10))
    assert check_follows(by_hand(0, 0.0), plan, LR, None).failures == []
    (text,) = check_follows(by_hand(1, 0.0), plan, LR, None).failures
    assert "Every LR comes 1 step early" in text
    assert "scheduler.step()" not in text
    assert "from the number of updates made so far" in text
