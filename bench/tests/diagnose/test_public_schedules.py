"""The schedules of public libraries: the libraries' own numbers, the libraries themselves, and `reference`."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.diagnose.examples.public.public_example import FILLED_BY
from bench.diagnose.examples.public.schedules.hugging_face import restarting
from bench.diagnose.examples.public.schedules.pretraining import titan
from bench.diagnose.examples.public.schedules.schedule import SCHEDULES, PublicPlan
from bench.diagnose.examples.public.schedules.told import SLUGS
from bench.tests.diagnose.public_libraries import LIBRARY_RUNS
from reference import parse

#: Two ways to write a formula differ by some units in the last place; torch's and mmengine's recursions by more, and
#: next to the end of a cosine they are amplified by the length of the run.
SAME = 1e-10
#: transformers' test cuts its numbers after 2 or 3 decimal places and allows this much, at a base LR of 10.
PRINTED = 1e-2
PLANS = [PublicPlan(3e-4, 10, 100, 0.1), PublicPlan(0.1, 7, 53), PublicPlan(1e-3, 30, 301, 0.01)]


def lrs_of(name: str, plan: PublicPlan) -> list[float]:
    """The LR of each update, as a loop gets them from the scheduler."""
    scheduler, lrs = SCHEDULES[name].start(plan), []
    for t in range(plan.total):
        lrs.append(scheduler.lr)
        scheduler.update()
        if t < plan.total - 1:
            scheduler.step()
    return lrs


def planned(name: str, plan: PublicPlan) -> PublicPlan:
    """The plan, without a floor where the schedule has none."""
    return plan if SCHEDULES[name].floors else PublicPlan(plan.base, plan.warmup, plan.total)


@pytest.mark.parametrize(
    ("name", "warmup", "printed"),
    [
        ("transformers-constant", 4, [0.0, 2.5, 5.0, 7.5, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0]),
        ("transformers-linear", 2, [0.0, 5.0, 10.0, 8.75, 7.5, 6.25, 5.0, 3.75, 2.5, 1.25]),
        ("transformers-cosine", 2, [0.0, 5.0, 10.0, 9.61, 8.53, 6.91, 5.0, 3.08, 1.46, 0.38]),
        ("transformers-polynomial", 2, [0.0, 5.0, 10.0, 7.656, 5.625, 3.906, 2.5, 1.406, 0.625, 0.156]),
        ("transformers-inverse-sqrt", 2, [0.0, 5.0, 10.0, 8.165, 7.071, 6.325, 5.774, 5.345, 5.0, 4.714]),
    ],
)
def test_numbers_of_transformers(name: str, warmup: int, printed: list[float]) -> None:
    """The numbers in transformers' tests/optimization/test_optimization.py, test_schedulers."""
    assert np.abs(np.array(lrs_of(name, PublicPlan(10.0, warmup, 10))) - printed).max() <= PRINTED


def test_numbers_of_transformers_restarts() -> None:
    """The same test's get_cosine_with_hard_restarts_schedule_with_warmup, which has two cycles."""
    printed = [0.0, 5.0, 10.0, 8.53, 5.0, 1.46, 10.0, 8.53, 5.0, 1.46]
    lrs = [restarting(t, PublicPlan(10.0, 2, 10), 2) for t in range(10)]
    assert np.abs(np.array(lrs) - printed).max() <= PRINTED


@pytest.mark.parametrize(
    ("falling", "factors"),
    [
        (8, [0.5, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8]),
        (5, [0.5, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2]),
    ],
)
def test_numbers_of_torchtitan(falling: int, factors: list[float]) -> None:
    """The factors in torchtitan's tests/unit_tests/test_lr_scheduler.py; its floor is reached one step later."""
    plan = PublicPlan(0.1, 2, 10)
    lrs = [titan(t, plan, "linear", falling) for t in range(10)]
    assert lrs == pytest.approx([0.1 * factor for factor in factors])
    assert titan(10, PublicPlan(0.1, 2, 10, 0.2), "linear", 8) == pytest.approx(0.02)


def test_numbers_of_detectron2() -> None:
    """The numbers in detectron2's tests/test_scheduler.py, test_warmup_multistep and test_warmup_cosine."""
    steps, wave = (lrs_of(f"detectron2-{kind}", PublicPlan(5.0, 5, 30)) for kind in ("multistep", "cosine"))
    assert steps[:5] == pytest.approx([0.005, 1.004, 2.003, 3.002, 4.001])
    assert steps[5:20] == pytest.approx([5.0] * 15)
    assert wave[0] == pytest.approx(0.005)
    assert wave[5:] == pytest.approx([2.5 * (1.0 + math.cos(math.pi * t / 30)) for t in range(5, 30)])


def test_the_peak_of_the_paper() -> None:
    """Vaswani et al. 2017, section 5.3: d^(−½)·W^(−½) at step W, counted from 1; the LambdaLR form is there at W."""
    plan = PublicPlan((512 * 4000) ** -0.5, 4000, 4002)
    paper, annotated = lrs_of("opennmt-noam", plan), lrs_of("annotated-transformer", plan)
    assert (int(np.argmax(paper)), int(np.argmax(annotated))) == (3999, 4000)
    assert max(paper) == pytest.approx(6.9877e-4, rel=1e-4)
    assert annotated[0] == annotated[1] == paper[0]


def test_dino_is_its_array() -> None:
    """DINO's utils.py: W evenly spaced points, then half a wave of the rest; reading past the end fails."""
    plan = PublicPlan(1e-3, 10, 100, 0.1)
    rise, rest = np.linspace(0, 1e-3, 10), np.arange(90)
    wave = 1e-4 + 0.5 * (1e-3 - 1e-4) * (1 + np.cos(np.pi * rest / 90))
    assert lrs_of("dino-array", plan) == pytest.approx([*rise, *wave], abs=1e-18)
    with pytest.raises(IndexError, match="out of bounds"):
        SCHEDULES["dino-array"].formula(100, plan)  # type: ignore[misc]


def test_fairseq_docstrings() -> None:
    """The formulas in the docstrings of fairseq 0.12.2's inverse_sqrt and tri_stage."""
    plan = PublicPlan(5e-4, 40, 400)
    root, stages = lrs_of("fairseq-inverse-sqrt", plan), lrs_of("fairseq-tri-stage", plan)
    assert root[40:] == pytest.approx([5e-4 * math.sqrt(40) / math.sqrt(t) for t in range(40, 400)])
    assert stages[0] == pytest.approx(0.01 * 5e-4)
    assert stages[40:200] == [5e-4] * 160
    assert stages[300] / stages[299] == pytest.approx(math.exp(math.log(0.05) / 200))


def test_mmengine_stops_a_step_early() -> None:
    """Its cosine is updated for begin <= step < end only, so that the last LR of the run lasts, above the end value."""
    formula, plan = SCHEDULES["mmengine-linear-cosine"].formula, PublicPlan(1.0, 4, 12)
    assert formula is not None
    assert (
        formula(11, plan)
        == formula(12, plan)
        == formula(40, plan)
        == pytest.approx(0.5 * (1 + math.cos(math.pi * 7 / 8)))
    )


@pytest.mark.parametrize("plan", PLANS, ids=str)
@pytest.mark.parametrize("name", LIBRARY_RUNS)
def test_the_library_gives_the_same(name: str, plan: PublicPlan) -> None:
    """The installed library gives these LRs; skipped without it."""
    mine = planned(name, plan)
    try:
        lrs = LIBRARY_RUNS[name](mine)
    except ImportError as error:
        pytest.skip(str(error).strip().splitlines()[0])
    assert np.abs(np.array(lrs) - lrs_of(name, mine)).max() <= SAME * mine.base


@pytest.mark.parametrize("plan", PLANS, ids=str)
@pytest.mark.parametrize("name", SLUGS)
def test_what_the_user_tells_is_the_schedule(name: str, plan: PublicPlan) -> None:
    """The slug gives the schedule's LRs, computed by code that shares nothing with it."""
    mine = planned(name, plan)
    base = mine.base if SCHEDULES[name].tells_base else 1.0
    expected = parse(SLUGS[name](mine))(np.arange(mine.total), base)
    assert np.abs(expected - lrs_of(name, mine)).max() <= SAME * mine.base


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_does_what_it_says_after_its_end(name: str) -> None:
    """`after_end` and `warms` are true of the LRs."""
    assert FILLED_BY
    schedule, plan = SCHEDULES[name], PublicPlan(1e-3, 20, 200)
    scheduler, lrs = schedule.start(plan), []
    for _ in range(290):
        lrs.append(scheduler.lr)
        try:
            scheduler.update()
            scheduler.step()
            scheduler.lr  # noqa: B018  # DINO's array fails here
        except (IndexError, RuntimeError, ValueError):
            break
    ends = {
        "fails": len(lrs) in (200, 201),
        "negative": lrs[-1] < 0,
        "rises": max(lrs[205:], default=0) > min(lrs) >= 0 and lrs[-1] > lrs[201:][0],
        "stays": len(set(lrs[203:])) == 1,
        "restarts": max(lrs[205:], default=0) > 2 * min(lrs[150:]),
        "unended": len(lrs) == 290,
    }
    assert ends[schedule.after_end]
    assert (lrs[10] > lrs[0]) == schedule.warms
