"""Properties that every composition of the reference has, tested on random compositions."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from reference import ChainedScheduler, CosineAnnealingLR, Schedule, SequentialLR, chain, parse
from reference.check import Rates
from reference.scan import affine_scan
from suite.cases import strategies as random
from suite.cases.hypothesis_profiles import budget, defined

pytestmark = pytest.mark.slow  # draws many compositions

#: The steps to compare; they extend past every random milestone.
T = np.arange(24)
#: The largest relative error of a correctly rounded operation.
ROUNDING = 2.0**-53

bases = st.floats(1e-3, 1.0)
leaves = random.leaves()
some = random.compositions(leaves)
multipliers = st.one_of(random.factors(), st.builds(CosineAnnealingLR, st.integers(24, 40)))
#: Compositions in which no chain's cumulative pass uses the result of another's, so that `majorant` bounds the error.
shallow = st.one_of(
    leaves,
    random.sequentials(st.one_of(leaves, random.chains(leaves))),
    random.chains(st.one_of(leaves, random.sequentials(leaves), random.chains(leaves))),
)


def at(schedule: Schedule, base: float, steps: Any = T) -> Rates:
    """The values; skips the example if the reference does not define them."""
    with defined():
        return schedule(steps, base)
    raise AssertionError("unreachable")


def assert_same(actual: Rates, expected: Rates) -> None:
    """Assert bitwise equality: both sides do the same arithmetic."""
    np.testing.assert_array_equal(actual, expected)


def within(actual: Rates, expected: Rates, allowed: Any) -> None:
    """Assert equality within an absolute error for each value; callers derive it from the number of roundings."""
    wrong = ~(np.abs(actual - expected) <= allowed)
    assert not wrong.any(), (actual[wrong], expected[wrong], allowed[wrong])


# -- composition ----------------------------------------------------------------------


@budget(60)
@given(some, bases)
def test_sequence_of_one_is_its_part(part: Schedule, base: float) -> None:
    """SequentialLR of a single part equals that part."""
    assert_same(at(SequentialLR((part,)), base), at(part, base))


@budget(80)
@given(st.tuples(some, some, some), st.integers(0, 12), st.integers(0, 12), bases)
def test_regrouping_a_sequence_changes_nothing(
    parts: tuple[Schedule, Schedule, Schedule], first: int, more: int, base: float
) -> None:
    """Grouping the first two parts, or the last two (with milestones from the inner start), changes nothing."""
    a, b, c = parts
    flat = at(SequentialLR((a, b, c), (first, first + more)), base)
    assert_same(at(SequentialLR((SequentialLR((a, b), (first,)), c), (first + more,)), base), flat)
    assert_same(at(SequentialLR((a, SequentialLR((b, c), (more,))), (first,)), base), flat)


@budget(60)
@given(random.sequentials(some), bases)
def test_each_phase_is_its_part_from_its_milestone_on(whole: SequentialLR, base: float) -> None:
    """Between milestones a sequence equals the active part on its own, counted from its own step 0."""
    values = at(whole, base)
    edges = [0, *whole.milestones, T.size]
    for part, start, end in zip(whole.schedulers, edges[:-1], edges[1:], strict=True):
        own = np.arange(min(start, T.size), min(end, T.size))
        assert_same(values[own], at(part, base, own - start))


@budget(60)
@given(st.lists(multipliers, min_size=1, max_size=4), bases, st.data())
def test_chain_of_factors_ignores_the_order(parts: list[Schedule], base: float, data: st.DataObject) -> None:
    """Chained factors give the same product in any order, up to one rounding per factor on each side."""
    shuffled = data.draw(st.permutations(parts))
    in_order, reordered = at(chain(*parts), base), at(chain(*shuffled), base)
    within(in_order, reordered, 2 * len(parts) * ROUNDING * np.abs(in_order))


@budget(60)
@given(st.lists(multipliers, min_size=1, max_size=4), bases)
def test_chain_of_factors_is_their_product(parts: list[Schedule], base: float) -> None:
    """A chain of factors is the base LR times the product of its parts' traces at base LR 1."""
    product: Rates = base * np.prod([part(T) for part in parts], axis=0)
    within(at(chain(*parts), base), product, 2 * len(parts) * ROUNDING * np.abs(product))


@budget(80)
@given(random.compositions(st.one_of(multipliers, random.lambdas())), bases, st.sampled_from([0.25, 2.0, 64.0]))
def test_without_absolute_rates_the_base_lr_only_scales(schedule: Schedule, base: float, power: float) -> None:
    """Without absolute learning rates, scaling the base LR by a power of two scales every value exactly."""
    assert_same(at(schedule, power * base), power * at(schedule, base))


# -- evaluation -----------------------------------------------------------------------


def majorant(schedule: Schedule, base: float, n: int) -> Rates:
    """The values with all terms made positive; n·ROUNDING times this bounds the effect of the summation order."""
    if isinstance(schedule, SequentialLR):
        edges = [0, *(min(m, n) for m in schedule.milestones), n]
        pieces = [
            majorant(part, base, end - start)
            for part, start, end in zip(schedule.schedulers, edges[:-1], edges[1:], strict=True)
        ]
        return np.concatenate(pieces)
    if isinstance(schedule, ChainedScheduler) and n:
        slope, jump = schedule._maps(np.arange(n), base)
        return affine_scan(np.abs(slope), np.abs(jump), base)
    return np.abs(schedule._values(np.arange(n), base))


@budget(80)
@given(random.chains(st.one_of(multipliers, random.chains(multipliers))), bases)
def test_product_equals_cumulative_pass(schedule: Schedule, base: float) -> None:
    """The direct product and the cumulative pass of a chain of factors agree.

    Per step and leaf the pass has 4 roundings: two values, their quotient and a product.
    The direct product has one rounding per leaf; the pass has one more per step.
    """
    direct = at(schedule, base)
    with defined():
        slope, jump = schedule._maps(T, base)
    count = 4 * len(random.leaf_list(schedule)) + 1
    within(affine_scan(slope, jump, base), direct, (T + 1) * count * ROUNDING * np.abs(direct))


@budget(60)
@given(shallow, bases, st.permutations(T.tolist()))
def test_vector_call_equals_scalar_calls(schedule: Schedule, base: float, order: list[int]) -> None:
    """The steps of one call do not influence each other, in any order.

    How a pass over n steps groups its sums depends on n; each term has at most 2n roundings on either side.
    """
    together = at(schedule, base, np.array(order))
    separately = np.array([schedule(t, base) for t in order])
    allowed = 4 * T.size * ROUNDING * majorant(schedule, base, T.size)
    within(together, separately, allowed[order])


@budget(40)
@given(
    some,
    st.sampled_from([(), (0,), (1,), (2, 3), (2, 0, 4)]),
    st.sampled_from([np.int8, np.uint16, np.int32, np.int64, np.uint64]),
)
def test_shape_is_kept_and_type_is_float64(schedule: Schedule, shape: tuple[int, ...], kind: Any) -> None:
    """The result has the shape of the steps and the type float64, for every integer type."""
    steps = (np.arange(int(np.prod(shape))).reshape(shape) % 8).astype(kind)
    values = at(schedule, 0.3, steps)
    assert np.shape(values) == shape
    assert np.asarray(values).dtype == np.float64
    assert_same(np.asarray(values).ravel(), np.asarray(at(schedule, 0.3, steps.ravel().astype(np.int64))))


# -- a schedule is a value ------------------------------------------------------------

#: What a repr may name: every schedule, and the metrics of ReduceLROnPlateau that have no literal.
NAMES = {name: getattr(reference, name) for name in dir(reference)} | {"nan": math.nan, "inf": math.inf}


@budget(80)
@given(st.one_of(some, random.plateaus()))
def test_schedule_survives_every_text_and_copy(schedule: Schedule) -> None:
    """Slug, repr, pickle and copy all give back an equal schedule with an equal hash."""
    for again in (
        parse(schedule.slug),
        eval(repr(schedule), dict(NAMES)),
        pickle.loads(pickle.dumps(schedule)),
        copy.deepcopy(schedule),
        dataclasses.replace(schedule),  # type: ignore[type-var]  # every Schedule is a dataclass
    ):
        assert again == schedule
        assert hash(again) == hash(schedule)
        assert again.slug == schedule.slug


@pytest.mark.parametrize("wrong", [True, 1.0, 1.5, "1", None, [0, 0.5], np.array([True]), np.float64(2)])
def test_steps_of_another_type_are_rejected(wrong: Any) -> None:
    """Steps that are not integers raise TypeError."""
    with pytest.raises(TypeError, match=r"^step=.* must be an integer"):
        CosineAnnealingLR(7)(wrong)


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        (-1, r"^step=-1 must be >= 0"),
        ([3, -2], r"^step=-2 must be >= 0"),
        (2**63, r"^step=9223372036854775808 must be < 2\*\*63"),
        (np.array([2**64 - 1], dtype=np.uint64), r"^step=18446744073709551615 must be < 2\*\*63"),
    ],
)
def test_steps_out_of_range_are_rejected(wrong: Any, rule: str) -> None:
    """Negative steps, and steps too large for int64, raise ValueError."""
    with pytest.raises(ValueError, match=rule):
        CosineAnnealingLR(7)(wrong)


@pytest.mark.parametrize("wrong", [-0.1, float("nan"), float("inf")])
def test_base_lr_out_of_range_is_rejected(wrong: float) -> None:
    """A base LR must be finite and >= 0."""
    with pytest.raises(ValueError, match=rf"^base_lr={wrong} must be (finite|>= 0)"):
        CosineAnnealingLR(7)(0, wrong)
