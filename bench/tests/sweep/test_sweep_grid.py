"""The grid of a sweep: every combination once, with schedules that fill the steps."""

from __future__ import annotations

import dataclasses
import math

import pytest

import reference as ref
from bench.sweep.schedules import KINDS, matching_length, pair
from bench.tests.sweeps import GRID


def test_grid_has_every_combination_once() -> None:
    """Runs are distinct; at warmup length 0 all kinds are one setting."""
    runs = GRID.runs()
    assert len(set(runs)) == len(runs) == 24
    assert {(r.norm, r.kind, r.warmup_steps, r.lr, r.seed) for r in runs} == {
        (norm, kind, steps, lr, seed)
        for norm in ("post", "pre")
        for kind, steps in (("none", 0), ("linear", 3), ("cosine", 3))
        for lr in (0.01, 0.1)
        for seed in (0, 1)
    }


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "none"])
@pytest.mark.parametrize("decay", ["cosine", "linear", "hold", "invsqrt"])
@pytest.mark.parametrize("steps", [0, 1, 7, 20])
def test_warmup_and_decay_fill_the_steps(kind: str, decay: str, steps: int) -> None:
    """The LR is below the base LR during the warmup, equal to it at its end, and the decay ends with the run."""
    schedule = pair(kind, steps, decay, 20)
    assert ref.parse(schedule.slug) == schedule
    trace = schedule.trace(21, 0.5)
    assert (trace[:steps] < 0.5).all()
    if steps < 20:
        assert trace[steps] == 0.5
    assert (trace[20] == 0.0) == (decay in ("cosine", "linear"))
    assert (trace[:20] > 0).sum() >= 19  # a warmup may start at 0


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "none"])
def test_matched_length_is_the_nearest(kind: str) -> None:
    """No other integer length has an effective period closer to the target (exhaustive search)."""
    periods = [ref.effective_period(KINDS[kind](steps)) if steps else 0.0 for steps in range(101)]
    for target in (0.0, 0.4, 3.0, 25.5, 50.0):
        nearest = min(abs(period - target) for period in periods)
        assert abs(periods[matching_length(kind, target, 100)] - target) == nearest


def test_grid_at_equal_period_adds_the_matched_lengths() -> None:
    """With both comparisons each kind runs at W and at the length with the period of a linear warmup of W."""
    spec = dataclasses.replace(
        GRID, steps=100, warmups=(0, 50), kinds=("linear", "exponential"), norms=("post",), match=("steps", "period")
    )
    lengths = [(s.kind, s.warmup_steps) for s in spec.settings()]
    assert lengths == [("none", 0), ("linear", 50), ("exponential", 50), ("exponential", 32)]
    linear, exponential = spec.matched("post", "cosine", "period")[50]
    assert exponential.effective_period == pytest.approx(linear.effective_period, abs=0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps=0 must be >= 1"),
        ({"warmups": (0, 7)}, "warmups=7 must be <= steps=6"),
        ({"warmups": (-1,)}, "warmups=-1 must be >= 0"),
        ({"warmups": ()}, "warmups=() must contain at least one value"),
        ({"lrs": (0.1, 0.1)}, "lrs=0.1 must be given only once"),
        ({"lrs": (0.1, 0.01)}, "lrs=0.1 … 0.01 must be in ascending order"),
        ({"lrs": (0.0,)}, "lrs=0.0 must be > 0"),
        ({"lrs": (math.inf,)}, "lrs=inf must be finite"),
        ({"seeds": (-1,)}, "seeds=-1 must be >= 0"),
        ({"kinds": ("quick",)}, f"kinds='quick' must be one of {', '.join(KINDS)}"),
        ({"decays": ("none",)}, "decays='none' must be one of cosine, linear, hold, invsqrt"),
        ({"norms": ("mid",)}, "norms='mid' must be one of post, pre"),
        ({"dtype": "bfloat16"}, "dtype='bfloat16' must be one of float32, float64"),
        ({"native": True, "dtype": "float64"}, "dtype=float64 must be float32 with native=True"),
        ({"native": True, "device": "cuda"}, "device=cuda must be cpu with native=True"),
        ({"native": True, "compiled": True}, "compiled=True must be False with native=True"),
        ({"target": -0.1}, "target=-0.1 must be >= 0"),
    ],
)
def test_a_bad_grid_is_named(change: dict[str, object], message: str) -> None:
    """A value out of range is refused with its name and the rule."""
    with pytest.raises(ValueError, match="must") as raised:
        dataclasses.replace(GRID, **change)  # type: ignore[arg-type]
    assert str(raised.value) == message
