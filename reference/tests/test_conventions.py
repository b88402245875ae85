"""Families A–G have the first, peak and last learning rates of their table at many lengths; ends and edge lengths.

The table is in the docstring of reference/convention.py.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from reference.convention import FAMILIES, Convention
from reference.decay import ExponentialDecay
from reference.pair import WarmupDecay, family
from reference.timed_decay import CosineDecay, LinearDecay, PolynomialDecay, StableDecay
from reference.untuned import RAdamWarmup, UntunedExponentialWarmup, UntunedLinearWarmup
from reference.warmup import ConstantWarmup, ExponentialWarmup, LinearWarmup, StepWarmup

#: (W, T), including W = 0, W = 1 and W = T.
LENGTHS = [
    (0, 1), (0, 12), (0, 1000), (1, 1), (1, 2), (1, 12), (2, 2), (2, 3),
    (4, 12), (11, 12), (12, 12), (3, 10), (50, 500), (100, 100), (4000, 10000),
]  # fmt: skip
#: The start factor for family E; any number in (0, 1).
START = 0.3
#: Both sides are sin² of a rounded angle: squaring an error of 1.5 ulp gives up to 4 ulp on each side.
TOLERANCE = 8 * np.finfo(float).eps


def trace(letter: str, warmup_steps: int, total_steps: int) -> np.ndarray:
    """The family's LR at steps 0 … T−1 with a cosine decay."""
    warmup = LinearWarmup(warmup_steps, START if letter == "E" else 0.0)
    length = total_steps if letter == "G" else total_steps - warmup_steps
    return family(letter, warmup, CosineDecay(length)).trace(total_steps)


def cosine(k: int, n: int) -> float:
    """½(1 + cos(πk/n)), accurate near its end."""
    return math.sin(math.pi * (n - k) / (2 * n)) ** 2


def first(letter: str, w: int, t: int) -> float:
    """The first LR by the table; without a warmup it is the decay's first value."""
    if w == 0:
        return cosine(1, t) if letter == "C" else 1.0
    return {"A": 0.0, "D": 0.0, "E": START, "F": 1 / (w + 1)}.get(letter, 1 / w)


def peaks(letter: str, w: int, t: int) -> set[int]:
    """The peak steps by the table, limited to the run; without a decay phase the last step."""
    steps = {
        "A": {w}, "B": {w - 1, w}, "C": {w - 1}, "D": {w - 1, w}, "E": {w}, "F": {w},
    }[letter]  # fmt: skip
    if letter == "D" and w == 1:
        steps = {1}  # linspace(0, 1, 1) is [0], so step 0 is not at the peak
    inside = {step for step in steps if 0 <= step < t}
    return inside or ({0} if w == 0 else {t - 1})


def last(letter: str, w: int, t: int) -> float:
    """The last LR by the table; with W = T it is the last value of the warmup."""
    if letter == "G":
        return cosine(t - 1, t)
    if w < t:
        return 0.0 if letter == "C" else cosine(t - w - 1, t - w)
    if letter == "D" and w == 1:
        return 0.0
    return {"A": (w - 1) / w, "E": START + (1 - START) * (w - 1) / w, "F": w / (w + 1)}.get(letter, 1.0)


@pytest.mark.parametrize(("w", "t"), LENGTHS)
@pytest.mark.parametrize("letter", "ABCDEFG")
def test_first_value_agrees_with_the_table(letter: str, w: int, t: int) -> None:
    """The first LR of each family is that of the table, bit for bit unless a cosine is involved."""
    first_lr = float(trace(letter, w, t)[0])
    if w == 0 and letter == "C":
        assert first_lr == pytest.approx(first(letter, w, t), rel=TOLERANCE, abs=0)
    else:
        assert first_lr == first(letter, w, t)


@pytest.mark.parametrize(("w", "t"), LENGTHS)
@pytest.mark.parametrize("letter", "ABCDEF")
def test_peak_steps_agree_with_the_table(letter: str, w: int, t: int) -> None:
    """The peak is at the steps of the table and nowhere else; it equals the base LR if the run gets that far."""
    values = trace(letter, w, t)
    assert set(np.flatnonzero(values == values.max()).tolist()) == peaks(letter, w, t)
    reaches = w < t if letter in "AEF" else w > 0 if letter == "C" else not (letter == "D" and w == t == 1)
    assert (values.max() == 1.0) == reaches


@pytest.mark.parametrize(("w", "t"), LENGTHS)
def test_multiplicative_peak_is_lower_and_not_later(w: int, t: int) -> None:
    """Family G peaks no later than W and below the base LR, unless W is 0 or 1: then step 0 has the base LR."""
    values = trace("G", w, t)
    assert int(values.argmax()) <= w
    assert (values.max() < 1.0) == (w > 1)
    expected = [min(1.0, (s + 1) / max(w, 1)) * cosine(s, t) for s in range(t)]
    assert expected[int(values.argmax())] == pytest.approx(max(expected), rel=TOLERANCE, abs=0)


@pytest.mark.parametrize(("w", "t"), LENGTHS)
@pytest.mark.parametrize("letter", "ABCDEFG")
def test_last_value_agrees_with_the_table(letter: str, w: int, t: int) -> None:
    """The LR of the last step is that of the table, exactly 0 where the table says 0."""
    expected = last(letter, w, t)
    last_lr = float(trace(letter, w, t)[-1])
    assert last_lr == pytest.approx(expected, rel=TOLERANCE, abs=0)
    assert (last_lr == 0.0) == (expected == 0.0)


def test_periodic_cosine_rises_again_as_in_libraries() -> None:
    """Past its end a periodic cosine gives .038 and .146 for W=4, T=12, as transformers and torchtune do."""
    pair = WarmupDecay(LinearWarmup(4), CosineDecay(8), Convention(past_end="periodic"))
    assert pair([12, 13, 14]).round(3).tolist() == [0.0, 0.038, 0.146]


def test_multiplicative_values_are_those_of_libraries() -> None:
    """For W=4, T=12 family G gives .25 first, .854 at step 3 (pytorch-warmup) and .75 at step 4 (timm)."""
    assert family("G", LinearWarmup(4), CosineDecay(12))([0, 3, 4]).round(3).tolist() == [0.25, 0.854, 0.75]


@pytest.mark.parametrize(
    ("past_end", "end", "expected"),
    [
        ("clamp", "open", [1, 0.75, 0.5, 0.25, 0, 0, 0, 0, 0, 0]),
        ("clamp", "closed", [0.75, 0.5, 0.25, 0, 0, 0, 0, 0, 0, 0]),
        ("periodic", "open", [1, 0.75, 0.5, 0.25, 0, 0.25, 0.5, 0.75, 1, 0.75]),
        ("periodic", "closed", [0.75, 0.5, 0.25, 0, 0.25, 0.5, 0.75, 1, 0.75, 0.5]),
        ("restart", "open", [1, 0.75, 0.5, 0.25, 1, 0.75, 0.5, 0.25, 1, 0.75]),
        ("restart", "closed", [0.75, 0.5, 0.25, 0, 0.75, 0.5, 0.25, 0, 0.75, 0.5]),
        ("unbounded", "open", [1, 0.75, 0.5, 0.25, 0, -0.25, -0.5, -0.75, -1, -1.25]),
        ("unbounded", "closed", [0.75, 0.5, 0.25, 0, -0.25, -0.5, -0.75, -1, -1.25, -1.5]),
    ],
)
@pytest.mark.parametrize("w", [0, 3])
def test_past_the_end(w: int, past_end: str, end: str, expected: list[float]) -> None:
    """A linear decay of 4 steps continues as its convention defines; a closed restart reaches its end value."""
    pair = WarmupDecay(LinearWarmup(w), LinearDecay(4), Convention("zero", end, "prefix", past_end))
    assert pair.trace(w + 10)[w:].tolist() == expected


@pytest.mark.parametrize("past_end", ["clamp", "periodic", "restart", "unbounded"])
@pytest.mark.parametrize("end", ["open", "closed"])
@pytest.mark.parametrize("kind", [LinearDecay, CosineDecay, PolynomialDecay])
def test_decay_of_length_0_waits_for_the_warmup(kind: type, end: str, past_end: str) -> None:
    """A decay of 0 steps is over before it starts, but it does not start before the warmup is over."""
    pair = WarmupDecay(LinearWarmup(4), kind(0, min_lr=0.125), Convention("zero", end, "prefix", past_end))
    assert pair.trace(6).tolist() == [0.0, 0.25, 0.5, 0.75, 0.125, 0.125]
    assert kind(0, min_lr=0.125).trace(2).tolist() == [0.125, 0.125]


def test_stable_phase_without_a_decay() -> None:
    """Warmup–stable–decay with a decay of 0 steps drops to min_lr when the stable phase is over."""
    assert StableDecay(2, 0, min_lr=0.5).trace(4).tolist() == [1.0, 1.0, 0.5, 0.5]
    assert StableDecay(0, 0, min_lr=0.5).trace(2).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("start", ["zero", "first", "affine", "linspace"])
def test_warmup_of_length_0_is_over(start: str) -> None:
    """With W = 0 the schedule is the decay alone, for every `start`."""
    pair = WarmupDecay(LinearWarmup(0), CosineDecay(8), Convention(start))
    assert pair.trace(20).tolist() == CosineDecay(8).trace(20).tolist()


def test_linspace_of_one_point_is_the_start() -> None:
    """With W = 1, linspace gives the start factor, as numpy.linspace(s, 1, 1) does, and first gives 1."""
    pairs = [WarmupDecay(LinearWarmup(1, 0.3), LinearDecay(2), Convention(s)) for s in ("linspace", "first")]
    assert [p(0) for p in pairs] == [np.linspace(0.3, 1, 1)[0], 1.0]


@pytest.mark.parametrize(("w", "s"), [(2, 0.0), (3, 0.5), (7, 0.1), (100, 0.0)])
def test_linspace_is_numpys(w: int, s: float) -> None:
    """The warmup of family D is numpy.linspace(s, 1, W), up to the three roundings of numpy.linspace."""
    pair = family("D", LinearWarmup(w, s), CosineDecay(10))
    assert pair.trace(w) == pytest.approx(np.linspace(s, 1.0, w), rel=TOLERANCE, abs=0)


def test_levels_of_a_stepwise_warmup_are_equally_long() -> None:
    """With W = L·k steps every level lasts exactly k steps; computed from a rounded t/W, some would not."""
    for levels in range(1, 60):
        for width in (1, 3, 7):
            values = StepWarmup(levels * width, levels).trace(levels * width)
            assert values.tolist() == [0.5 ** (levels - t // width) for t in range(levels * width)]


def test_untuned_warmup_is_never_cut_off() -> None:
    """Past its nominal length an untuned warmup still applies its factor instead of jumping to 1."""
    warmup = UntunedExponentialWarmup(0.9)
    pair = WarmupDecay(warmup, LinearDecay(10**9))
    assert warmup.warmup_steps == 10
    assert pair(12) == pytest.approx((1 - math.exp(-1.3)) * (1 - 2e-9), rel=1e-12, abs=0)


@pytest.mark.parametrize(("beta2", "steps"), [(0.75, 8), (0.9, 20), (0.99, 200), (0.999, 2000), (0.9999, 20000)])
def test_untuned_linear_length_is_the_papers(beta2: float, steps: int) -> None:
    """The nominal length is 2/(1−β2) for the decimal β2: 20 for 0.9, whose nearest binary fraction gives 20 + ε."""
    assert UntunedLinearWarmup(beta2).warmup_steps == steps


@pytest.mark.parametrize(("threshold", "first_rectified"), [(4, 4), (5, 5)])
def test_radam_is_0_up_to_its_threshold(threshold: int, first_rectified: int) -> None:
    """With β2 = 0.999, ρ is 3.997, 4.996 and 5.994 at the 4th, 5th and 6th step; w is 0 up to the threshold."""
    values = RAdamWarmup(0.999, threshold).trace(10)
    assert np.flatnonzero(values).tolist() == list(range(first_rectified, 10))


@pytest.mark.parametrize("low", [1e-7, 3e-6, 0.1, 0.7])
def test_exponential_decay_ends_at_min_lr(low: float) -> None:
    """The last value is min_lr itself, not a product that rounds to a neighbouring number."""
    for base in np.linspace(1.0, 2.0, 50).tolist():
        assert ExponentialDecay(7, low)([0, 7, 8], base).tolist() == [base, low, low]


def test_families_e_and_f_differ_by_the_start_factor() -> None:
    """F is E with start_factor 1/(W+1): the same value at every step as (t+1)/(W+1)."""
    pair = family("f", LinearWarmup(9), CosineDecay(10))
    assert pair == family("E", LinearWarmup(9, 1 / 10), CosineDecay(10))
    assert pair.trace(9) == pytest.approx(np.arange(1, 10) / 10, rel=TOLERANCE, abs=0)
    assert FAMILIES["E"] == FAMILIES["F"]


@pytest.mark.parametrize(
    ("letter", "warmup", "message"),
    [
        ("A", LinearWarmup(4, 0.1), "start_factor=0.1 must be 0 with start='zero'; use start='affine' for others"),
        ("E", LinearWarmup(4), "start_factor=0.0 must be > 0 in family E; for a start at 0 use family A"),
        ("F", LinearWarmup(4, 0.1), "start_factor=0.1 must be left at its default: family F sets it to 0.2"),
        (
            "F",
            StepWarmup(4),
            f"warmup={StepWarmup(4)!r} must have a start_factor, which family F sets to 1/(W+1)",
        ),
        ("H", LinearWarmup(4), "family='H' must be one of A, B, C, D, E, F, G"),
    ],
)
def test_impossible_families_say_why(letter: str, warmup: LinearWarmup, message: str) -> None:
    """A warmup whose start factor the family excludes is rejected with name, value and rule."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the whole message is compared
        family(letter, warmup, CosineDecay(8))
    assert str(caught.value) == message


@pytest.mark.parametrize("warmup", [ConstantWarmup(4), ExponentialWarmup(4), StepWarmup(4)])
def test_warmups_that_cannot_start_at_0_use_their_start_factor(warmup: LinearWarmup) -> None:
    """Geometric and constant warmups cannot start at 0: in family A they start at their own start factor."""
    assert family("A", warmup, CosineDecay(8))(0) == warmup.start_factor > 0
