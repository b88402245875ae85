"""The tables of families in the docstring of reference/convention.py agree with the code."""

from __future__ import annotations

import math
import re

import pytest

import reference.convention
from reference.convention import FAMILIES
from reference.pair import family
from reference.timed_decay import CosineDecay
from reference.warmup import LinearWarmup

W, T, S = 4, 12, 0.1


def table_rows(columns: int) -> dict[str, list[str]]:
    """Family → cells of its row, from the table of the docstring that has this number of columns."""
    lines = (reference.convention.__doc__ or "").splitlines()
    rows = [re.split(r"\s{2,}", line.strip()) for line in lines if re.match(r"[A-G]\s{2,}", line)]
    return {cells[0]: cells[1:] for cells in rows if len(cells) == columns}


FORMULAS, NUMBERS = table_rows(6), table_rows(5)


def evaluate(formula: str, t: int = 0) -> float:
    """The number that a formula of the table gives at step t."""
    names = {"t": t, "W": W, "T": T, "s": S, "c": lambda x: (1 + math.cos(math.pi * x)) / 2}
    return float(eval(formula.replace("−", "-").replace("·", "*"), names))


def code_trace(letter: str) -> list[float]:
    """The family's learning rates at steps 0 … T−1 with a linear warmup and a cosine decay."""
    warmup = LinearWarmup(W, S if letter == "E" else 0.0)
    trace = family(letter, warmup, CosineDecay(T if letter == "G" else T - W)).trace(T)
    return [float(value) for value in trace]


def peak_steps(values: list[float]) -> list[int]:
    """The steps at which the LR is highest."""
    return [t for t, value in enumerate(values) if value == max(values)]


def test_both_tables_have_every_family() -> None:
    """Each table of the docstring has exactly one row per family."""
    assert list(FORMULAS) == list(NUMBERS) == list(FAMILIES)


@pytest.mark.parametrize("letter", FAMILIES)
def test_formulas_are_what_the_code_computes(letter: str) -> None:
    """The formulas for warmup and decay give the family's LR at every step."""
    warmup, decay, *_ = FORMULAS[letter]
    expected = [evaluate(warmup if t < W else decay, t) for t in range(T)]
    assert code_trace(letter) == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("letter", FAMILIES)
def test_first_peak_and_last_are_what_the_code_computes(letter: str) -> None:
    """The columns for the first LR, the peak steps and the last LR describe the family's trace."""
    _, _, first, peak, last = FORMULAS[letter]
    values = code_trace(letter)
    assert values[0] == pytest.approx(evaluate(first), rel=1e-12, abs=0)
    assert values[-1] == pytest.approx(evaluate(last), rel=1e-12, abs=0)
    if peak.startswith("<="):
        assert max(peak_steps(values)) <= evaluate(peak.removeprefix("<="))
    else:
        assert peak_steps(values) == [evaluate(step) for step in peak.split(",")]


@pytest.mark.parametrize("letter", FAMILIES)
def test_example_numbers_are_what_the_code_computes(letter: str) -> None:
    """For W = 4, T = 12 and s = 0.1 the second table shows the trace's numbers, rounded to three digits."""
    values = code_trace(letter)
    peaks = ", ".join(map(str, peak_steps(values)))
    assert NUMBERS[letter] == [f"{values[0]:.3f}", peaks, f"{max(values):.3f}", f"{values[-1]:.3f}"]
