"""Facts: what can be read off a trace without a guess at its schedule."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench.diagnose import Trace, diagnose
from bench.diagnose.core.fact import FACT_IDS, LOOK, Fact
from bench.diagnose.core.words import number
from bench.diagnose.facts.gather import Told, gather_facts
from bench.diagnose.fit import fall
from bench.diagnose.fit.effort import HEALTHY
from bench.diagnose.fit.fit import LoggedLRs, fits
from bench.diagnose.hypotheses.evidence import mixture
from reference.check import Rates

W, T, BASE = 70, 910, 4e-4
STEPS = np.arange(T)


def plan(t: int, total: int = T) -> float:
    """A linear warmup of W steps and a cosine to 0."""
    return BASE * t / W if t < W else BASE * (1 + math.cos(math.pi * (t - W) / (total - W))) / 2


def line(t: int, total: int = T) -> float:
    """A linear warmup of W steps and a line to 0, without a floor."""
    return BASE * t / W if t < W else BASE * (total - t) / (total - W)


def lrs_of(at: Callable[[int], float], steps: int = T) -> Rates:
    """The LRs of a run."""
    return np.array([at(t) for t in range(steps)])


def facts_of(lrs: Rates, steps: np.ndarray | None = None, told: Told | None = None) -> dict[str, Fact]:
    """The facts about a trace by id."""
    return {f.id: f for f in gather_facts(Trace(np.arange(lrs.size) if steps is None else steps, lrs), told)}


def sick(facts: dict[str, Fact]) -> set[str]:
    """The ids of the sick ones."""
    return {fact.id for fact in facts.values() if fact.sick}


def changed(*rows: tuple[int, float]) -> Rates:
    """The planned LRs with some of them replaced."""
    lrs = lrs_of(plan)
    for row, value in rows:
        lrs[row] = value
    return lrs


#: A trace with each sick fact, the only one it has: the fact, and numbers of it.
SICK: dict[str, tuple[Rates, str, dict[str, Any]]] = {
    "nan": (changed(*((t, math.nan) for t in range(300, T))), "not-finite", {"first": 300}),
    "one_infinite": (changed((300, math.inf)), "not-finite", {"first": 300, "rows": 1}),
    "all_nan": (np.full(40, math.nan), "not-finite", {"rows": 40}),
    "negative": (lrs_of(lambda t: line(t, 600)), "negative", {"first": 601}),
    "constant_negative": (np.full(50, -BASE), "negative", {"first": 0}),
    "idle": (lrs_of(lambda t: max(line(t, 200), 0.0)), "zero", {"from": 200, "where": "end"}),
    "all_zero": (np.zeros(30), "zero", {"share": 1.0}),
    "late_start": (np.concatenate([np.zeros(200), lrs_of(plan)]), "zero", {"where": "start", "until": 201}),
    "two_traces": (np.stack([lrs_of(plan), 0.1 * lrs_of(plan)], 1).ravel(), "interleaved", {"traces": 2}),
    "one_wrong": (changed((500, BASE)), "wrong-updates", {"steps": [500]}),
    "few_wrong": (changed((400, 0.0), (401, 0.0), (700, 0.0)), "wrong-updates", {"steps": [400, 401, 700]}),
    "first_full": (changed((0, BASE)), "wrong-updates", {"steps": [0]}),
    "noise": (lrs_of(plan) * np.random.default_rng(0).uniform(0.5, 1.0, T), "noise", {}),
    "restarted": (lrs_of(lambda t: plan(t if t < 450 else t - 450)), "restart", {"steps": [450]}),
    "scaled": (lrs_of(lambda t: plan(t) * (1.0 if t < 450 else 0.3)), "jump", {"step": 450}),
    "longer": (lrs_of(lambda t: line(t, 500 if t < 400 else T)), "jump", {"step": 400}),
    "rebound": (lrs_of(lambda t: plan(t, 500)), "rises-again", {"from": 500}),
    "stuck": (lrs_of(lambda t: plan(min(t, 400))), "stuck", {"step": 400}),
}


@pytest.mark.parametrize("name", SICK)
def test_each_sick_fact_is_seen_alone(name: str) -> None:
    """The fact has its numbers, nothing else is sick, and the verdict is a fault with a place to look at."""
    lrs, fact, numbers = SICK[name]
    facts = facts_of(lrs)
    assert sick(facts) == {fact}
    assert facts[fact].numbers.items() >= numbers.items()
    diagnosis = diagnose(Trace(np.arange(lrs.size), lrs))
    assert diagnosis.verdict == "fault"
    assert diagnosis.facts[0].id == fact
    assert diagnosis.look or diagnosis.best is not None


SOUND: dict[str, tuple[Rates, list[tuple[str, str, int, int]]]] = {
    "cosine": (lrs_of(plan), [("rises", "linear", 0, W), ("falls", "cosine", W, T - 1)]),
    "linear": (lrs_of(line), [("rises", "linear", 0, W), ("falls", "linear", W, T - 1)]),
    "constant_then_rsqrt": (
        lrs_of(lambda t: 1 / math.sqrt(max(t, 200))),
        [("holds", "hold", 0, 200), ("falls", "rsqrt", 200, T - 1)],
    ),
    "logarithmic": (
        lrs_of(lambda t: BASE * min(1.0, math.log(t + 1) / math.log(300))),
        [("rises", "log", 0, 299), ("holds", "hold", 299, T - 1)],
    ),
    "stable_decay": (
        lrs_of(lambda t: BASE * min(t / W, 1.0, (T - t) / 200)),
        [("rises", "linear", 0, W), ("holds", "hold", W, T - 200), ("falls", "linear", T - 200, T - 1)],
    ),
    "exponential": (lrs_of(lambda t: BASE * 0.995**t), [("falls", "exponential", 0, T - 1)]),
    "square": (lrs_of(lambda t: BASE * (1 - t / T) ** 2), [("falls", "square", 0, T - 1)]),
    "warm_restarts": (
        lrs_of(lambda t: BASE * (1 + math.cos(math.pi * (t % 300) / 300)) / 2, 900),
        [("falls", "cosine", s, s + 299) for s in (0, 300, 600)],
    ),
    "drops": (
        lrs_of(lambda t: BASE * 0.2 ** (t // 400)),
        [("holds", "hold", s, min(s + 399, T - 1)) for s in (0, 400, 800)],
    ),
}


@pytest.mark.parametrize("digits", [None, 3])
@pytest.mark.parametrize("name", SOUND)
def test_sound_schedules_have_phases_and_no_sick_fact(name: str, digits: int | None) -> None:
    """The phases have their curves and ends, also where the log keeps three digits."""
    lrs, expected = SOUND[name]
    if digits is not None:
        lrs = np.array([float(f"{lr:.{digits}g}") for lr in lrs])
    facts = facts_of(lrs)
    assert not sick(facts)
    phases = facts["phases"].numbers["phases"]
    assert [(p["way"], p["curve"]) for p in phases] == [(way, curve) for way, curve, _, _ in expected]
    slack = 2 if digits is None else 20  # three digits hide a corner of a slow curve
    for phase, (_, _, start, end) in zip(phases, expected, strict=True):
        assert abs(phase["start"] - start) <= slack
        assert abs(phase["end"] - end) <= slack


@pytest.mark.parametrize("digits", [None, 4])
def test_gaps_and_strides_change_no_phase(digits: int | None) -> None:
    """Rows that are missing, and rows of every tenth step, leave the phases as they are."""
    lrs = lrs_of(plan)
    if digits is not None:
        lrs = np.array([float(f"{lr:.{digits}g}") for lr in lrs])
    for kept in (np.r_[0:300, 600:T], np.arange(0, T, 10), np.arange(7, T, 9)):
        phases = facts_of(lrs[kept], kept)["phases"].numbers["phases"]
        assert [(p["way"], p["curve"]) for p in phases] == [("rises", "linear"), ("falls", "cosine")]


def test_stairs_are_told_by_their_width() -> None:
    """A schedule that moves once in 13 steps keeps its curve and has its width."""
    facts = facts_of(lrs_of(lambda t: plan(t - t % 13)))
    assert facts["levels"].numbers["width"] == 13
    assert facts["levels"].numbers["regular"]
    assert facts["phases"].sentence.endswith("in stairs of 13 steps.")
    assert not sick(facts)


def test_a_cyclic_schedule_is_sound() -> None:
    """Triangles in turn are cycles, with their period."""
    facts = facts_of(lrs_of(lambda t: BASE * (0.1 + 0.9 * (1 - abs((t % 200) / 100 - 1)))))
    assert facts["cycles"].numbers["period"] == 200
    assert not sick(facts)


def test_settings_decide_what_the_trace_alone_cannot() -> None:
    """A constant LR and a low peak are findings only where a base LR or a warmup was asked for."""
    constant, low = np.full(50, 0.1 * BASE), 0.9 * lrs_of(plan)
    assert not sick(facts_of(constant))
    assert sick(facts_of(constant, told=Told(base_lr=BASE))) == {"constant"}
    assert sick(facts_of(constant, told=Told(warmup_steps=5))) == {"constant"}
    assert not sick(facts_of(low))
    assert sick(facts_of(low, told=Told(base_lr=BASE))) == {"peak"}
    assert not sick(facts_of(lrs_of(plan), told=Told(base_lr=BASE)))


def test_a_run_that_ends_in_its_warmup() -> None:
    """The trace still rises; with the total known that is a finding."""
    lrs = lrs_of(plan, 40)
    assert not facts_of(lrs)["rising"].sick
    assert facts_of(lrs, told=Told(total_steps=40))["rising"].sick
    assert not facts_of(lrs, told=Told(total_steps=T))["rising"].sick


def test_few_rows_have_facts() -> None:
    """Two rows are enough for the ends, and no curve is claimed."""
    facts = facts_of(np.array([0.1, 0.05]))
    assert facts["phases"].sentence == "Falls from 0.1 to 0.05 over steps 0-1."
    assert facts["ends"].numbers["last"] == 0.05


def test_healthy_is_what_has_no_sick_fact() -> None:
    """A sound schedule without a name is healthy while nothing is asked for, and not where something is."""
    lrs = lrs_of(lambda t: BASE * (0.1 + 0.9 * math.exp(-((t / 300) ** 2))))
    trace = Trace(STEPS, lrs)
    assert diagnose(trace).verdict == "healthy"
    assert diagnose(trace).sentence().startswith("No fault found: ")
    asked = diagnose(trace, base_lr=BASE, warmup_steps=W, total_steps=T)
    assert asked.verdict != "healthy"


def test_facts_are_json() -> None:
    """Facts are plain data, without NaN, under their stable ids."""
    for lrs, _, _ in SICK.values():
        document = diagnose(Trace(np.arange(lrs.size), lrs)).to_json()
        back = json.loads(json.dumps(document, allow_nan=False))
        assert {fact["id"] for fact in back["facts"]} <= set(FACT_IDS)
        assert all(fact["sentence"].endswith(".") for fact in back["facts"])
    assert set(LOOK) <= set(FACT_IDS)


def test_numbers_have_four_digits() -> None:
    """No sentence shows the float noise of a closed form."""
    assert number(0.1 + 0.2) == "0.3"


def test_few_rows_far_apart_cost_a_limited_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows 1000 steps apart leave thousands of lengths possible; the fits stop at their limit."""
    calls = []

    def counted(y: Rates, a: Rates, b: Rates, tol: Rates) -> float | None:
        calls.append(y.size)
        return mixture(y, a, b, tol)

    monkeypatch.setattr(fall, "mixture", counted)
    t = np.arange(0, 15_000, 1000)
    lrs = np.array([float(f"{plan(int(step), 15_000) * math.exp(-step / 9000):.4g}") for step in t])
    assert not fits(LoggedLRs(t, lrs, Trace(t, lrs).tolerance))
    assert 0 < len(calls) <= HEALTHY
