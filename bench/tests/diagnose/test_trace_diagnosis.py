"""The diagnosis of traces with a known cause: names, numbers, words, ties, and traces that nothing explains."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from bench.diagnose import Diagnosis, Trace, diagnose
from bench.diagnose.core.diagnosis import Explanation
from reference import parse
from reference.check import Rates

EXPECTED = parse("linear20+cosine180_m1em05")
BASE = 1e-3
STEPS = np.arange(200, dtype=np.int64)


def at(t: Any) -> Rates:
    """The expected LRs at any steps."""
    return EXPECTED(np.maximum(t, 0), BASE)


def against(lrs: Rates) -> Diagnosis:
    """The diagnosis of a trace against the expected schedule."""
    return diagnose(Trace(STEPS, lrs), EXPECTED, base_lr=BASE)


def best(diagnosis: Diagnosis) -> Explanation:
    """The first explanation, which must exist."""
    assert diagnosis.best is not None
    return diagnosis.best


def test_the_expected_schedule_is_healthy() -> None:
    """A trace of the schedule itself is healthy, and no step of it is wrong."""
    diagnosis = against(at(STEPS))
    assert (diagnosis.verdict, best(diagnosis).cause, best(diagnosis).first_step, diagnosis.tied) == (
        "healthy",
        "follows",
        None,
        1,
    )


@pytest.mark.parametrize(
    ("lrs", "cause", "first", "numbers"),
    [
        (at(STEPS + 5), "ahead", 0, {"k": 5}),
        (at(STEPS - 3), "late", 1, {"k": 3}),
        (at(STEPS - 1), "zero-twice", 1, {}),
        (at(4 * STEPS), "per-process", 1, {"n": 4}),
        (at(4 * STEPS + 3), "micro-batch", 0, {"k": 4}),
        (at(STEPS // 10), "per-epoch", 1, {"n": 10}),
        (at(STEPS // 10 * 10), "staircase", 1, {"n": 10}),
        (np.where(STEPS < 77, at(STEPS), at(STEPS - 77)), "restarted", 77, {"r": 77}),
        (np.where(STEPS < 77, at(STEPS), at(STEPS + 9)), "resume-shifted", 77, {"r": 77, "k": 9}),
        (np.where(STEPS < 77, at(STEPS), 0.1 * at(STEPS)), "resume-scaled", 77, {"r": 77}),
        (0 * at(STEPS), "lr-zero", 1, {}),
        (at(STEPS + 3 * (STEPS > 50) + (STEPS > 120)), "scaler-skips", 51, {"k": 4}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_plain_mistakes_are_named(lrs: Rates, cause: str, first: int, numbers: dict[str, float]) -> None:
    """Cause, first wrong step and numbers are those of the trace."""
    explanation = best(against(lrs))
    assert (explanation.cause, explanation.first_step) == (cause, first)
    assert {name: explanation.parameters[name] for name in numbers} == numbers


def test_size_is_relative_to_the_expected_lr() -> None:
    """A tenth of the LR from step 77 on is 90 % off."""
    explanation = best(against(np.where(STEPS < 77, at(STEPS), 0.1 * at(STEPS))))
    assert explanation.size == pytest.approx(0.9, rel=1e-9)
    assert explanation.parameters["c"] == pytest.approx(0.1, rel=1e-9)


def test_causes_of_the_same_trace_are_tied() -> None:
    """One step ahead and a log taken after the step are the same numbers, and the sentence says so."""
    diagnosis = against(at(STEPS + 1))
    assert {e.cause for e in diagnosis.explanations[: diagnosis.tied]} == {"ahead", "log-after"}
    assert diagnosis.sentence().endswith(
        (
            "A schedule that runs ahead fits equally well.",
            "An LR logged after scheduler.step() fits equally well.",
        )
    )


def test_what_fits_as_well_is_one_clause() -> None:
    """Three conventions give a warmup that never ends: the sentence names their letters, not their numbers again."""
    diagnosis = diagnose(Trace(np.arange(40), np.arange(1.0, 41.0) * np.float64(5e-6)))
    assert diagnosis.tied > 2
    assert diagnosis.sentence().count("steps") == 1
    assert diagnosis.sentence().endswith("Family C and family F fit equally well.")


def test_numbers_are_written_as_people_do() -> None:
    """An LR of many digits has four in the sentence, and the JSON keeps them all."""
    base = 0.000237623923948203
    diagnosis = diagnose(Trace(STEPS, parse("linear20+cosine180")(STEPS, base)))
    assert "from base LR 0.0002376 over" in diagnosis.sentence()
    assert best(diagnosis).parameters["base_lr"] == pytest.approx(base, rel=1e-9)


def test_the_cause_of_noise_is_unknown() -> None:
    """A trace of no schedule and no mistake gets a fact, not the nearest cause."""
    lrs = at(STEPS) * (1 + 0.1 * np.sin(STEPS**2))
    diagnosis = against(lrs)
    assert (diagnosis.verdict, diagnosis.tied, diagnosis.best) == ("fault", 0, None)
    assert diagnosis.facts[0].id == "noise"
    assert diagnosis.sentence().startswith("Changes back and forth")
    assert diagnosis.look.startswith("what writes to param_group")


def test_json_has_everything_and_is_json() -> None:
    """The JSON parses back without NaN and names verdict, cause and schedule."""
    text = json.dumps(against(at(STEPS + 5)).to_json(), allow_nan=False)
    back = json.loads(text)
    assert (back["verdict"], back["explanations"][0]["cause"]) == ("fault", "ahead")
    assert parse(back["explanations"][0]["schedule"])(0, BASE) == pytest.approx(at(np.array([5]))[0])


@pytest.mark.parametrize(
    ("slug", "letter"),
    [
        ("linear20+cosine180", "A"),
        ("familyb.linear20+cosine180", "B"),
        ("familyc.linear20+lineardecay180", "C"),
        ("familyd.linear20+cosine180", "D"),
        ("familye.linear20_s0p01+cosine180", "E"),
        ("familyf.linear20+lineardecay180", "F"),
        ("familyg.linear20+cosine200", "G"),
    ],
)
def test_families_are_named_from_the_trace_alone(slug: str, letter: str) -> None:
    """Without any expectation the family is among those that fit, and the first reproduces the trace."""
    lrs = parse(slug)(STEPS, BASE)
    diagnosis = diagnose(Trace(STEPS, lrs))
    assert diagnosis.verdict == "healthy"
    assert letter in {e.parameters["family"] for e in diagnosis.explanations[: diagnosis.tied]}
    schedule = best(diagnosis).schedule
    assert schedule is not None
    base = best(diagnosis).parameters["base_lr"]
    assert isinstance(base, float)
    assert np.abs(schedule(STEPS, base) - lrs).max() <= 1e-9 * BASE


@pytest.mark.parametrize("slug", ["cosinewarmup20+polynomial180", "exponential40+cosine160_m1em05", "linear20+step50"])
def test_kinds_are_named_from_a_coarse_log(slug: str) -> None:
    """From every 5th step to 5 digits, with the settings known, the kinds of warmup and decay are diagnosis."""
    schedule = parse(slug)
    steps = STEPS[::5]
    lrs = np.array([float(f"{lr:.4e}") for lr in schedule(steps, BASE)])
    w = 40 if slug.startswith("exp") else 20
    diagnosis = diagnose(Trace(steps, lrs), base_lr=BASE, warmup_steps=w, total_steps=200)
    words = best(diagnosis).title
    warmup, decay = {
        "cosinewarmup20+polynomial180": ("cosine warmup", "polynomial decay"),
        "exponential40+cosine160_m1em05": ("exponential warmup", "cosine decay"),
        "linear20+step50": ("linear warmup", "step decay"),
    }[slug]
    assert warmup in words
    assert decay in words


def test_settings_alone_accuse_a_wrong_horizon() -> None:
    """T_max = total is recognised from the settings, without an expected schedule."""
    lrs = parse("linear20+cosine200")(STEPS, BASE)
    diagnosis = diagnose(Trace(STEPS, lrs), base_lr=BASE, warmup_steps=20, total_steps=200)
    assert best(diagnosis).cause == "horizon-long"


def test_a_tiny_first_step_up_is_no_stair() -> None:
    """A rise by less than a tenth of a per cent between two levels rounds to none, and is diagnosed all the same."""
    lrs = np.repeat([1e-3, 1.0004e-3, 1.0008e-3, 9e-4, 5e-4], 40)
    assert diagnose(Trace(STEPS, lrs), base_lr=1.0008e-3, warmup_steps=80, total_steps=200).verdict != "healthy"


def test_no_sentence_shows_nan() -> None:
    """No sentence shows a number that was not diagnosis."""
    for k in (0, 1, 5):
        assert "nan" not in against(at(STEPS + k)).sentence()
    assert math.isfinite(best(against(at(STEPS))).misfit)
