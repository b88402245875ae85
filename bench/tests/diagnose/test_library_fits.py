"""Told nothing, the diagnosis names the schedules of public libraries, from every row and from few rounded ones."""

from __future__ import annotations

import functools
import time

import numpy as np
import pytest

from bench.diagnose import Diagnosis, Trace, diagnose
from bench.diagnose.fit.fit import LoggedLRs
from bench.diagnose.fit.grid import solved
from bench.diagnose.fit.library import library_fits
from bench.diagnose.fit.places import PLACES, between, digits
from reference import Schedule, parse

TOTAL, BASE = 900, 3e-4
#: A schedule by the log of every tenth step to four digits is that of the run to this share of the peak.
CLOSE = 0.01
#: Rows and digits of a poor log.
STRIDE, DIGITS = 10, 4
#: Seconds that any trace may take told nothing, by the promise of the command; CI machines are slower than ours.
SECONDS = 3.0

#: What to find → the schedule, in the numbers of a user.
FORMS = {
    "DeepSpeed WarmupLR": "delayed1.familyd.logwarmup90+hold",
    "DeepSpeed WarmupDecayLR": "delayed1.familyd.logwarmup90+lineardecay810",
    "DeepSpeed WarmupCosineLR": "delayed1.with_slinspace_eclosed_kprefix_pclamp.logwarmup90+cosine810",
    "logarithm on time": "familyd.logwarmup90+cosine810_m3em05",
    "OpenNMT rsqrt": "with_szero_eclosed_kprefix_pclamp.linear0+invsqrt200_s200",
    "T5": "invsqrt200_s200",
    "Annotated Transformer": "noam100_d512_cmaxone",
    "timm tanh": "with_saffine_eopen_kmeeting_pclamp.linear50_s0p01+tanh900_m3em06",
    "detectron2 cosine": "with_saffine_eopen_kmeeting_pclamp.linear50_s0p001+cosine900",
    "Megatron WSD": "linear50+wsd715_d135_hexponential_m3em05",
    "fairseq tri-stage": "familye.linear90_s0p01+wsd360_d450_hgeometric_m1p5em05",
    "hard restarts": "linear60+cosinerestarts840_c3",
    "warm restarts": "familye.linear60_s0p01+restarts120_g2",
    "fairseq cosine": "linear60+restarts300_r0p1",
    "Keras restarts": "restarts120_g2_r0p9_krange_m1p5em05",
    "timm cycles": "restarts300_r0p5_ktop_m1em05",
    "DeepSeek LLM": "linear70+piecewise650x750_f0p316x0p1",
    "polynomial": "familye.linear55_s0p01+polynomial845_p0p9",
}


def logged(schedule: Schedule, stride: int = 1, digits: int | None = None, total: int = TOTAL) -> Trace:
    """The log of a run."""
    steps = np.arange(0, total, stride)
    lrs = schedule(steps, BASE)
    return Trace(steps, lrs if digits is None else np.array([float(f"{lr:.{digits - 1}e}") for lr in lrs]))


@functools.cache
def of_every_row(name: str) -> Diagnosis:
    """The diagnosis of a complete log, told nothing."""
    return diagnose(logged(parse(FORMS[name])))


def off(diagnosis: Diagnosis, schedule: Schedule) -> float:
    """How far the schedule that the diagnosis names is from the right one at any step, relative to the peak."""
    best = diagnosis.best
    assert best is not None
    assert best.schedule is not None
    right = schedule.trace(TOTAL, BASE)
    named = best.schedule.trace(TOTAL, float(best.parameters["base_lr"]))
    return float(np.abs(named - right).max() / right.max())


@pytest.mark.parametrize("name", FORMS)
def test_every_row_names_the_schedule(name: str) -> None:
    """A complete log is healthy, and the schedule that is named gives every row."""
    assert of_every_row(name).verdict == "healthy"
    assert off(of_every_row(name), parse(FORMS[name])) < 1e-8


@pytest.mark.parametrize("name", FORMS)
def test_few_rounded_rows_name_the_schedule(name: str) -> None:
    """Every tenth row to four digits is healthy, and the schedule that is named is close at the other steps, too."""
    schedule = parse(FORMS[name])
    diagnosis = diagnose(logged(schedule, STRIDE, DIGITS))
    assert diagnosis.verdict == "healthy"
    assert off(diagnosis, schedule) < CLOSE


def test_words_say_what_the_library_does() -> None:
    """The sentence has the words of the field: late, meets the decay, restarts."""
    sentences = {name: of_every_row(name).sentence() for name in FORMS}
    assert "logarithmic warmup of 90 steps" in sentences["DeepSpeed WarmupLR"]
    assert "1 step late" in sentences["DeepSpeed WarmupLR"]
    assert "counted from step 0" in sentences["detectron2 cosine"]
    assert "3 cosine decays" in sentences["hard restarts"]
    assert "each 2 times as long" in sentences["warm restarts"]
    assert "constant for 200 steps, then inverse square root" in sentences["T5"]


@pytest.mark.parametrize("name", ["hard restarts", "Megatron WSD", "detectron2 cosine", "DeepSpeed WarmupDecayLR"])
@pytest.mark.parametrize("fault", ["restarted", "scaled", "stuck"])
def test_a_mistake_is_not_healthy(name: str, fault: str) -> None:
    """The same schedules with a mistake in the middle of the decay are not named as if they had none."""
    schedule = parse(FORMS[name])
    trace = logged(schedule)
    at, lrs = 820, trace.lrs.copy()
    if fault == "restarted":
        lrs[at:] = trace.lrs[: TOTAL - at]
    elif fault == "scaled":
        lrs[at:] *= 0.3
    else:
        lrs[at:] = lrs[at]
    assert not library_fits(LoggedLRs(trace.steps, lrs, trace.tolerance))


def test_no_trace_takes_long() -> None:
    """Rows far apart leave hundreds of warmups and totals open; none of them costs more than the promise."""
    for schedule in map(parse, list(FORMS.values())[::3]):
        start = time.process_time()
        diagnose(logged(schedule, 60, 3))
        assert time.process_time() - start < SECONDS


def test_numbers_of_few_digits_are_preferred() -> None:
    """Many warmups fit rows 50 steps apart; the one that is named is a round one."""
    diagnosis = diagnose(logged(parse("linear120+cosine2880"), 50, 3, total=3000))
    assert diagnosis.best is not None
    assert diagnosis.best.parameters["warmup_steps"] == 120
    assert diagnosis.best.parameters["base_lr"] == BASE


def test_a_mesh_of_places_is_refined_where_it_fits_best() -> None:
    """Rows 500 steps apart leave 1500 steps for the end of the warmup, 500 for that of the run: one pair is right."""
    diagnosis = diagnose(logged(parse("linear4110+cosine25890"), 500, 5, total=30_000))
    assert diagnosis.best is not None
    assert (diagnosis.best.parameters["warmup_steps"], diagnosis.best.parameters["decay_steps"]) == (4110, 25_890)


def test_two_groups_in_one_column_are_no_restarts() -> None:
    """Rows of two groups in turn rise and fall as often as they are logged, and no cycle has rows enough."""
    lrs = np.tile([3e-4, 1e-4], 60)
    assert library_fits(LoggedLRs(np.arange(120), lrs, np.full(120, 1e-9))) == []


def test_short_traces_and_odd_ones_have_no_fit() -> None:
    """Too few rows, LRs that are never positive or negative somewhere: nothing is fitted, and nothing fails."""
    steps = np.arange(20)
    for lrs in (np.zeros(20), -np.ones(20), np.linspace(1, -1, 20), np.tile([1.0, 0.5], 10)):
        assert library_fits(LoggedLRs(steps, lrs, np.full(20, 1e-9))) == []
    assert library_fits(LoggedLRs(steps[:4], np.ones(4), np.full(4, 1e-9))) == []


def test_least_squares_find_base_and_floor() -> None:
    """Both numbers of y = base·u + floor·v are found for each row of u, and a curve that does not fit is far off."""
    u = np.stack([np.linspace(1, 0, 9), np.linspace(1, 0, 9) ** 2])
    base, floor, away = solved(u, 1 - u, 3 * u[0] + 0.5 * (1 - u[0]), np.full(9, 1e-3))
    assert base[0] == pytest.approx(3)
    assert floor[0] == pytest.approx(0.5)
    assert away[0] < 1e-6
    assert away[1] > 100


def test_many_places_keep_round_ones() -> None:
    """Of more than a hundred places an even spread is tried, and every multiple of the next power of ten."""
    places = between(1, 100_000)
    assert len(places) <= 2 * PLACES + 1
    assert {10_000, 50_000, 100_000} <= set(places)
    assert digits(50_000) == 1
