"""Mistakes in lengths, logs, recursions and resumed runs, each made by hand in a trace of a known schedule."""

from __future__ import annotations

import numpy as np
import pytest

from bench.diagnose import Diagnosis, Trace, diagnose
from bench.diagnose.core.causes import group_of
from bench.diagnose.examples.example import example
from bench.diagnose.examples.lengths import LENGTH_KINDS
from bench.diagnose.examples.logs import LOG_KINDS
from bench.diagnose.examples.resumes import RESUME_KINDS
from bench.diagnose.hypotheses.stretched import possible
from reference import parse
from reference.check import Rates, Steps

W, T, BASE = 20, 200, 1e-3
EXPECTED = f"linear{W}+cosine{T - W}"
STEPS = np.arange(T, dtype=np.int64)


def at(t: Steps, slug: str = EXPECTED) -> Rates:
    """A schedule at any steps; before 0 that of step 0."""
    return parse(slug)(np.maximum(t, 0), BASE)


def against(lrs: Rates, expected: str = EXPECTED, steps: Steps = STEPS) -> Diagnosis:
    """The diagnosis of a trace against an expected schedule of T steps."""
    return diagnose(Trace(steps, lrs), parse(expected), base_lr=BASE, total_steps=T)


def cosine(n: Steps, length: int, low: float = 0.0) -> Rates:
    """Half a wave, which comes back."""
    return np.asarray(low + (BASE - low) * 0.5 * (1 + np.cos(np.pi * n / length)))


WARM = BASE * np.minimum(STEPS / W, 1.0)
SHORT = 90
PERIOD, PLACE = np.divmod(np.maximum(STEPS - W, 0), SHORT)
#: Cause, the LRs, the expected schedule, and numbers of the answer.
MADE: dict[str, tuple[str, Rates, str, dict[str, float]]] = {
    "slow": ("too-slow", at(STEPS, f"linear{4 * W}+cosine{4 * (T - W)}"), EXPECTED, {"k": 4}),
    "first": ("first-update-unscheduled", np.where(STEPS == 0, BASE, at(STEPS - 1)), EXPECTED, {"value": BASE}),
    "from-zero": ("decay-counts-from-zero", np.where(STEPS < W, WARM, cosine(STEPS, T)), EXPECTED, {"r": W}),
    "other-length": (
        "resumed-other-length",
        np.where(STEPS < 77, at(STEPS, f"linear{W}+cosine{2 * T - W}"), at(STEPS)),
        EXPECTED,
        {"r": 77, "d": 2 * T, "meant": T},
    ),
    "longer-later": (
        "resumed-other-length",
        np.where(STEPS < 77, at(STEPS), at(STEPS, f"linear{W}+cosine{2 * T - W}")),
        EXPECTED,
        {"r": 77, "d": T, "meant": 2 * T},
    ),
    "waits": ("waits-at-skips", at(STEPS - (STEPS > 50) - (STEPS > 90) - (STEPS > 140)), EXPECTED, {"k": 3}),
    "waits-first": ("late", at(STEPS - np.minimum(STEPS, 4)), EXPECTED, {"k": 4}),
    "single": ("one-wrong-update", np.where(STEPS == 60, BASE / 7, at(STEPS)), EXPECTED, {"r": 60}),
    "restarts": (
        "restarts-after-end",
        np.where(STEPS < W, WARM, 0.1**PERIOD * cosine(PLACE, SHORT)),
        EXPECTED,
        {"r": W + SHORT},
    ),
    "comes-back": ("rises-again", np.where(STEPS < W, WARM, cosine(STEPS - W, 80)), EXPECTED, {"r": W + 80}),
    "below-zero": (
        "negative",
        np.where(STEPS < W, WARM, BASE * (1 - (STEPS - W) / 80)),
        f"linear{W}+lineardecay{T - W}",
        {"r": W + 80},
    ),
    "never-up": ("warmup-longer-than-run", BASE * STEPS / 470, EXPECTED, {"w": 470}),
    "high-floor": (
        "floor-missed",
        np.where(STEPS < W, WARM, cosine(STEPS - W, T - W, 0.1)),
        f"linear{W}+cosine{T - W}_m0p0001",
        {"value": 0.1},
    ),
    "other-decay": ("other-schedule", at(STEPS), f"linear{W}+lineardecay{T - W}", {}),
    "fast-and-back": (
        "per-process",
        np.where(2 * STEPS < W, BASE * 2 * STEPS / W, cosine(2 * STEPS - W, T - W)),
        EXPECTED,
        {"n": 2},
    ),
    "get-lr": (
        "get-lr-logged",
        np.where(STEPS % 50 == 0, 0.1, 1.0) ** (STEPS > 0) * BASE * 0.1 ** (STEPS // 50),
        "step50",
        {},
    ),
    "start-of-ten": ("start-kept", 0.01 * at(STEPS, f"cosine{T}"), f"cosine{T}", {"c": 0.01}),
    "plateau": ("plateau-wrong-mode", BASE * 0.5 ** np.maximum((STEPS - 10) // 20, 0), EXPECTED, {"n": 20, "c": 0.5}),
}


@pytest.mark.parametrize("name", MADE)
def test_a_made_mistake_is_named(name: str) -> None:
    """Cause and numbers are those of the trace, at full precision and to five digits."""
    cause, lrs, expected, numbers = MADE[name]
    for logged in (lrs, np.array([float(f"{lr:.4e}") for lr in lrs])):
        best = against(logged, expected).best
        assert best is not None
        assert (best.cause, best.fits) == (cause, True)
        assert {key: best.parameters[key] for key in numbers} == pytest.approx(numbers, rel=1e-3)


def test_get_lr_of_equal_ratios_is_the_lr_of_the_next_step() -> None:
    """An ExponentialLR's get_lr() and a log taken after the step are the same numbers: a tie."""
    diagnosis = against(np.asarray(BASE * 0.99 ** (STEPS + 1), np.float64), "exponentialdecay_g0p99")
    assert {e.cause for e in diagnosis.explanations[: diagnosis.tied]} >= {"get-lr-logged", "log-after"}


def test_a_lost_warmup_before_a_constant_lr_is_no_stuck_scheduler() -> None:
    """The run holds the base LR as it should; only the warmup is missing."""
    best = against(np.full(T, BASE, np.float64), f"linear{W}+hold").best
    assert best is not None
    assert best.cause == "warmup-lost"


@pytest.mark.parametrize("name", ["comes-back", "below-zero", "restarts"])
def test_a_decay_that_ends_too_early_is_told_with_both_lengths(name: str) -> None:
    """What follows the end is the mistake that shows; the sentence also says how long the decay should be."""
    _, lrs, expected, numbers = MADE[name]
    sentence = against(lrs, expected).sentence()
    length = round(numbers["r"]) - W
    assert f"takes {length} steps instead of {T - W}" in sentence
    assert f"step {length + W}" in sentence


def test_batches_are_not_steps() -> None:
    """Every fourth batch is an update: the log has four times as many steps as the run."""
    diagnosis = against(at(STEPS), steps=4 * STEPS)
    assert diagnosis.best is not None
    assert (diagnosis.best.cause, diagnosis.best.parameters["k"]) == ("steps-in-batches", 4)


def test_stairs_of_a_run_as_long_as_expected_are_epochs() -> None:
    """The same values at the same steps, but within the run that was planned: stepped once per epoch."""
    steps = STEPS[::10]
    diagnosis = against(at(steps // 10), steps=steps)
    assert diagnosis.best is not None
    assert diagnosis.best.cause == "per-epoch"


def test_the_last_batches_of_an_epoch_make_an_update_too() -> None:
    """18 batches an epoch, 4 to an update: the fifth update of each epoch has two."""
    clock = STEPS // 5 * 18 + np.minimum((STEPS % 5 + 1) * 4, 18) - 1
    best = against(at(clock)).best
    assert best is not None
    assert (best.cause, best.parameters["k"]) == ("micro-batch", 4)


@pytest.mark.parametrize("kind", [*LENGTH_KINDS, *RESUME_KINDS, *LOG_KINDS])
def test_a_drawn_mistake_is_named(kind: str) -> None:
    """Of four examples of each kind, drawn without the arithmetic of its hypothesis, at most one is missed."""
    drawn = [example(seed, kind) for seed in range(4)]
    diagnoses = [
        diagnose(e.trace, e.expect, base_lr=e.base_lr, warmup_steps=e.warmup_steps, total_steps=e.total_steps)
        for e in drawn
    ]
    named = [group_of(d.explanations[0].cause) if d.tied else "unknown" for d in diagnoses]
    assert named.count(group_of(kind)) >= 3, named


@pytest.mark.parametrize("slug", [EXPECTED, "familyf.linear20+cosine180", "noam40_d512_cmaxone", "step50"])
def test_a_healthy_run_stays_healthy(slug: str) -> None:
    """No new cause is cheaper than the expected schedule itself."""
    diagnosis = against(at(STEPS, slug), slug)
    assert (diagnosis.verdict, diagnosis.tied) == ("healthy", 1)


def test_possible_lengths_are_those_within_the_rounding() -> None:
    """A line to 0 whose length is seen to a hundredth: the lengths on both sides of it, and none where none fits."""
    t = np.array([50, 100, 150])
    y, tol = 1 - t / 400, np.full(3, 1e-3)

    def line(length: int) -> object:
        return lambda steps: 1 - steps / length

    found = possible(line, (t, y, tol), 1, 10_000)  # type: ignore[arg-type]
    assert (found[0], found[-1]) == (399, 401)
    assert not possible(line, (t, y[::-1], tol), 1, 10_000)  # type: ignore[arg-type]
