"""With told settings the known forms decide: healthy ones, ones on another clock, ones with another plan."""

from __future__ import annotations

import numpy as np
import pytest

from bench.diagnose import Trace, diagnose
from bench.diagnose.fit.fit import LoggedLRs
from bench.diagnose.forms.closest import closest
from bench.diagnose.forms.found import at_base
from bench.diagnose.forms.parts import FALLS, RISES, DecayForm, Lengths, WarmupForm
from bench.diagnose.forms.search import search
from bench.diagnose.forms.solve import roundest, unknown
from bench.diagnose.forms.trials import Clock, clocks, seen, trials
from bench.diagnose.forms.wholes import Whole, wholes
from reference import Delayed, Schedule, WarmupDecay, parse
from reference.check import Rates

W, T, BASE = 36, 360, 3e-3
STEPS = np.arange(T)
PLAN = Lengths(W, T)


def told(lrs: Rates, steps: np.ndarray = STEPS) -> tuple[str, str]:
    """The verdict and the first cause where W, the total and the base LR are given."""
    diagnosis = diagnose(Trace(steps, lrs), base_lr=BASE, warmup_steps=W, total_steps=T)
    return diagnosis.verdict, "" if diagnosis.best is None else diagnosis.best.cause


def data(lrs: Rates) -> LoggedLRs:
    """What the search is given."""
    trace = Trace(STEPS, lrs)
    return LoggedLRs(trace.steps, trace.lrs, trace.tolerance, BASE, W, T)


PAIRS = [(RISES[0], fall) for fall in FALLS] + [(rise, FALLS[0]) for rise in RISES[1:]]


@pytest.mark.parametrize(("rise", "fall"), PAIRS, ids=[f"{rise.name}, {fall.name}" for rise, fall in PAIRS])
def test_every_warmup_and_every_decay_is_healthy(rise: WarmupForm, fall: DecayForm) -> None:
    """A form that the search knows is found as it is, and its LRs are those of the log."""
    decay = fall.make(PLAN)
    assert decay is not None
    decay = at_base(fall, decay, BASE, 0.0)
    factors = rise.factors(PLAN, 0.0)
    lrs = WarmupDecay(factors.warmup, decay, factors.convention)(STEPS, BASE)
    found = [h for h in search(data(lrs)) if h.cause == "follows"]
    assert found
    np.testing.assert_allclose(found[0].at(STEPS), lrs, rtol=1e-9, atol=1e-9 * BASE)


@pytest.mark.parametrize("whole", [w for w in wholes(PLAN) if w.cause == "follows"], ids=lambda whole: whole.name)
def test_every_whole_form_is_healthy(whole: Whole) -> None:
    """A form whose warmup and decay cannot be told apart is found too."""
    assert told(BASE * whole.shares(PLAN, STEPS))[0] == "healthy"


@pytest.mark.parametrize(
    ("cause", "clock"),
    [
        ("micro-batch", Clock("", times=4, ahead=3)),
        ("micro-batch", Clock("", times=4, updates=12, batches=45)),
        ("per-process", Clock("", times=4)),
        ("per-epoch", Clock("", every=12)),
        ("scaler-skips", Clock("", ahead=3)),
    ],
)
@pytest.mark.parametrize("slug", [f"linear{W}+cosine{T - W}", f"familyb.linear{W}+polynomial{T - W}_p2"])
def test_a_form_on_another_clock_has_its_cause(cause: str, clock: Clock, slug: str) -> None:
    """The schedule is right; where it is read says what the loop did."""
    assert told(parse(slug)(clock.at(STEPS), BASE)) == ("fault", cause)


@pytest.mark.parametrize(
    ("cause", "slug"),
    [
        ("too-slow", f"linear{4 * W}+cosine{4 * (T - W)}"),
        ("horizon-long", f"linear{W}+cosine{2 * T - W}"),
        ("horizon-short", f"linear{W}+cosine{T // 2 - W}"),
        ("rises-again", f"with_szero_eopen_kprefix_pperiodic.linear{W}+cosine{T // 2 - W}"),
        ("warmup-lost", f"cosine{T}"),
        ("warmup-length", f"linear{2 * W}+cosine{T - 2 * W}"),
        ("wrong-base", f"linear{W}+cosine{T - W}"),
    ],
)
def test_a_form_with_another_plan_has_its_cause(cause: str, slug: str) -> None:
    """A length that is a multiple, in another unit, or not there."""
    base = 8 * BASE if cause == "wrong-base" else BASE
    assert told(parse(slug)(STEPS, base)) == ("fault", cause)


def test_the_floor_and_the_first_factor_are_read_off_the_rows() -> None:
    """The user gives neither, and both are found to full precision."""
    lrs = parse(f"familye.linear{W}_s0p04+cosine{T - W}_m0p00021")(STEPS, BASE)
    best = search(data(lrs))[0]
    assert best.cause == "follows"
    assert best.schedule is not None
    assert best.schedule.decay.min_lr == pytest.approx(0.00021, rel=1e-9)  # type: ignore[attr-defined]
    assert best.schedule.warmup.start_factor == pytest.approx(0.04, rel=1e-9)  # type: ignore[attr-defined]


def test_a_floor_above_the_base_lr_is_a_factor_for_an_lr() -> None:
    """eta_min=0.1 where 10 % of the base LR was meant: the decay rises."""
    share = parse(f"cosine{T - W}")(np.maximum(STEPS - W, 0))
    lrs = np.where(STEPS < W, BASE * STEPS / W, BASE * share + 0.1 * (1 - share))
    assert told(lrs) == ("fault", "floor-missed")


@pytest.mark.parametrize("at", [60, 200])
def test_what_happened_on_the_way_is_found_by_the_form_before_it(at: int) -> None:
    """The rows before a resume tell the form, and its mistakes explain the rest."""
    schedule: Schedule = parse(f"familyb.linear{W}+polynomial{T - W}_p2")
    lrs = schedule(STEPS, BASE)
    before = np.less(STEPS, at)
    assert told(np.where(before, lrs, schedule(np.maximum(STEPS - at, 0), BASE)))[1] == "restarted"
    assert told(np.where(before, lrs, 0.5 * lrs))[1] == "resume-scaled"


def test_the_closest_form_is_the_one_that_explains_most() -> None:
    """Also one that counts a step late, as DeepSpeed does."""
    late = Delayed(parse(f"linear{W}+lineardecay{T - W}"), 1)
    lrs = np.where(np.less(STEPS, 150), 1.0, 0.3) * late(STEPS, BASE)
    best = closest(data(lrs))[0]
    np.testing.assert_allclose(best(STEPS[:150], BASE), lrs[:150], rtol=1e-9, atol=1e-12)


def test_no_interval_where_a_row_contradicts() -> None:
    """One unknown, three rows: consistent rows leave an interval, a contradiction none."""
    rows, tol = np.ones((2, 3), bool), np.full(3, 1e-6)
    slope = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 0.0]])
    low, high = unknown(rows, np.array([0.5, 1.0, 1.5]), tol, np.zeros((2, 3)), slope, 1.0)
    assert low[0] <= 0.5 <= high[0]
    assert low[1] > high[1]


def test_round_numbers_first() -> None:
    """A favourite, then few digits, then the middle."""
    assert roundest(0.0, 0.2, (0.1,))[0] == 0.1
    assert roundest(0.2999, 0.3001, (0.1,))[0] == 0.3
    assert roundest(0.123456, 0.123457, (0.1,))[0] == pytest.approx(0.1234565)


def test_plans_that_the_peak_excludes_are_not_tried() -> None:
    """A warmup that ended at step 36 was not one of 72 steps."""
    trace = Trace(STEPS, parse(f"linear{W}+cosine{T - W}")(STEPS, BASE))
    what = seen(trace.steps, trace.lrs, trace.tolerance, BASE)
    tried = {trial.plan.warmup_steps for trial in trials(PLAN, what) if trial.cause == "warmup-length"}
    assert tried
    assert max(abs(w - W) for w in tried) <= 3
    assert any(clock.cause == "per-epoch" for clock in clocks(PLAN, what))
