"""Comparisons of one table: p values, Holm's correction, equivalence, against SciPy, hand calculation and chance."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.claims.core.paired import EQUAL, HIGHER, LOWER, UNDECIDED, compared, holm, p_equal, p_value, simultaneous

stats = pytest.importorskip("scipy.stats")

#: Rounding of a few operations.
ROUNDING = 1e-9


def test_p_is_that_of_scipy() -> None:
    """Student's two-sided test of a mean, here by another path through SciPy."""
    random = np.random.default_rng(0)
    for _ in range(20):
        x = random.normal(random.normal(), 1.0, 10)
        assert p_value(x, 0.3) == pytest.approx(float(stats.ttest_1samp(x, 0.3).pvalue), rel=ROUNDING)


def test_p_without_spread() -> None:
    """Equal values are certain: 0 unless they are the centre."""
    assert p_value([2.0, 2.0, 2.0]) == 0.0
    assert p_value([2.0, 2.0], 2.0) == 1.0
    assert p_equal([0.0, 0.0, 0.0], 0.1) == 0.0
    assert p_equal([0.2, 0.2, 0.2], 0.1) == 1.0


def test_equivalence_is_an_interval_of_ninety_percent() -> None:
    """p < 5 % exactly where the 90 % interval lies within the margin (Schuirmann 1987)."""
    random = np.random.default_rng(1)
    for _ in range(200):
        x = random.normal(random.normal(0, 0.1), 0.2, 10)
        low, high = stats.t.interval(0.9, 9, x.mean(), x.std(ddof=1) / math.sqrt(10))
        assert (p_equal(x, 0.15) < 0.05) == (low > -0.15 and high < 0.15)


def test_holm_by_hand() -> None:
    """The smallest of four is multiplied by 4, the next by 3; a later one is never smaller; at most 1; order kept."""
    assert holm([0.03, 0.005, 0.02, 0.9]) == pytest.approx([0.06, 0.02, 0.06, 0.9])
    assert holm([0.4, 0.6]) == [0.8, 0.8]
    assert holm([0.01, 0.011]) == [0.02, 0.02]
    assert holm([]) == []


def test_a_table_without_effects_is_rarely_wrong() -> None:
    """Of tables with 12 comparisons and no effect at most about 5 % claim one; uncorrected, almost half do."""
    random, tables = np.random.default_rng(2), 400
    wrong = uncorrected = 0
    for _ in range(tables):
        values = [p_value(random.normal(0, 1, 10)) for _ in range(12)]
        wrong += min(holm(values)) < 0.05
        uncorrected += min(values) < 0.05
    assert wrong <= 0.05 * tables + 3 * math.sqrt(0.05 * 0.95 * tables)
    assert uncorrected > 0.3 * tables


def test_verdicts_of_a_table() -> None:
    """Higher, lower, equal and undecided, and a difference that is certain but small."""
    random = np.random.default_rng(3)
    cases = {1.5: 0.1, 0.7: 0.1, 1.0: 0.02, 1.02: 0.5, 1.05: 0.01}
    rows = compared([value * np.exp(random.normal(0, spread, 10)) for value, spread in cases.items()], 1.1)
    assert [row.verdict for row in rows] == [HIGHER, LOWER, EQUAL, UNDECIDED, HIGHER]
    assert [row.within for row in rows] == [False, False, True, False, True]
    assert rows[0].factor.value == pytest.approx(1.5, rel=0.2)


def test_more_comparisons_need_more_evidence() -> None:
    """The same ratios are called higher by themselves, and undecided among twenty others without an effect."""
    random = np.random.default_rng(4)
    ratios = np.exp([0.1, 0.3, 0.0, 0.2, 0.1, 0.2, -0.1, 0.2, 0.1, 0.1])
    assert compared([ratios], 1.01)[0].verdict == HIGHER
    others = [np.exp(random.normal(0, 0.2, 10)) for _ in range(20)]
    assert compared([ratios, *others], 1.01)[0].verdict == UNDECIDED


@pytest.mark.parametrize("values", [[1.0], [math.nan, 1.0], [[1.0, 2.0]]])
def test_what_cannot_be_tested(values: list[float]) -> None:
    """One value has no spread, NaN no place, and a table is no row."""
    with pytest.raises(ValueError, match="must be finite numbers, two or more"):
        p_value(values)


def test_intervals_for_several() -> None:
    """Five intervals of 99 % each hold together with 95 %; none is an error."""
    assert simultaneous(5) == pytest.approx(0.99)
    with pytest.raises(ValueError, match="count=0 must be >= 1"):
        simultaneous(0)
