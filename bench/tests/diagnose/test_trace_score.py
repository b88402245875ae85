"""The generated examples: the loops are right without a mistake, mistakes show in the log, and scores count them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bench.diagnose.examples import loops
from bench.diagnose.examples.example import DIGITS, EVERY, KINDS, example, shows
from bench.diagnose.examples.score import ScoredExample, score_example, summary
from bench.diagnose.examples.setting import draw_setting
from bench.diagnose.examples.torch_forms import draw_torch_setting, sequential

#: The script's formulas and the reference round differently: some units in the last place, amplified next to
#: the end of a cosine or of a high power by no more than this, relative to the base LR.
ROUNDING = 1e-13
#: torch's recursions over up to 4000 steps, relative to the base LR.
RECURSION = 1e-10


@pytest.mark.parametrize("seed", range(40))
def test_the_scripts_formula_is_the_expected_schedule(seed: int) -> None:
    """A drawn setting gives the same LRs as plain Python and as a schedule of the reference."""
    setting = draw_setting(np.random.default_rng(seed), with_warmup=False)
    lrs = np.array(loops.plain(setting.lr, setting.total)[1])
    expected = setting.expected()(np.arange(setting.total), setting.base)
    assert np.abs(lrs - expected).max() <= ROUNDING * setting.base * setting.total


@pytest.mark.parametrize("seed", range(6))
def test_torch_runs_the_expected_schedule(seed: int) -> None:
    """Torch's own schedulers, written for a drawn setting without a mistake, give that setting."""
    setting = draw_torch_setting(np.random.default_rng(seed))
    lrs = np.array(loops.torch_loop(lambda o: sequential(setting, o), setting.base, setting.total)[1])
    expected = setting.expected()(np.arange(setting.total), setting.base)
    assert np.abs(lrs - expected).max() <= RECURSION * setting.base


@pytest.mark.parametrize("name", [name for name in KINDS if name != "follows"])
def test_a_drawn_mistake_shows(name: str) -> None:
    """Each kind draws a trace that differs from the healthy one by more than the log's rounding."""
    e = example(3, name)
    assert e.cause == KINDS[name].cause
    drawn = next(d for d in (KINDS[name].draw(np.random.default_rng(s)) for s in range(200)) if d is not None)
    healthy = loops.plain(drawn.healthy, len(drawn.log[0]))
    assert not shows(dataclasses.replace(drawn, log=healthy), coarse=False)


def test_a_coarse_log_is_coarse() -> None:
    """Degraded examples hold every 10th step, to 4 digits."""
    e = next(e for e in map(example, range(50)) if e.degraded and e.cause != "log-rows")
    assert e.trace.stride == EVERY
    assert e.trace.digits is not None
    assert e.trace.digits <= DIGITS


def test_an_example_follows_from_its_seed() -> None:
    """The same seed gives the same example."""
    a, b = example(11), example(11)
    assert (a.cause, a.mode, a.degraded) == (b.cause, b.mode, b.degraded)
    assert np.array_equal(a.trace.lrs, b.trace.lrs)


def test_scores_count_what_they_say() -> None:
    """Right, wrong, accused and unknown are counted apart."""
    e = example(0, "ahead")
    healthy = example(1, "follows")
    scored = [ScoredExample(e, "log-after", ()), ScoredExample(e, "late", ()), ScoredExample(healthy, "late", ())]
    counted = summary([*scored, ScoredExample(healthy, "unknown", ())])
    assert (counted["healthy"], counted["accused"], counted["healthy_unknown"]) == (2, 0.5, 0.5)
    assert counted["degraded" if e.degraded else "clean"] == 0.5
    assert counted["kinds"]["ahead"]["taken_for"] == {"late": 1}


@pytest.mark.slow
def test_a_sample_of_the_benchmark_is_named_rightly() -> None:
    """Of 60 examples no healthy one is accused, and at most three causes are missed."""
    scored = [score_example(seed) for seed in range(60)]
    assert not any(s.accused for s in scored)
    assert sum(not s.right for s in scored if s.example.cause != "follows") <= 3
