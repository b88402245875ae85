"""Every warmup × every decay × every convention: values, slugs, and clear messages for invalid combinations."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from reference.clock import Delayed, per_micro_batch
from reference.convention import FAMILIES, Convention
from reference.decay import (
    ConstantDecay,
    Decay,
    ExponentialDecay,
    InverseSqrtDecay,
    MultiStepDecay,
    PiecewiseDecay,
    StepDecay,
)
from reference.hyperparameters import CosineWeightDecay, TeacherTemperature
from reference.noam import COUNTS, Noam
from reference.pair import WarmupDecay, family
from reference.restarts import CosineRestartsDecay, WarmRestartsDecay
from reference.schedule import Schedule
from reference.slug import PLUS, REGISTRY, SlugError, parse
from reference.tests.pairs import CONVENTIONS, DECAYS, WARMUPS
from reference.timed_decay import CosineDecay, LinearDecay, PolynomialDecay, StableDecay, TanhDecay
from reference.torch_cosine import SWALR
from reference.torch_factor import ExponentialLR
from reference.torch_plateau import ReduceLROnPlateau
from reference.untuned import RAdamWarmup, UntunedExponentialWarmup, UntunedLinearWarmup
from reference.warmup import (
    ConstantWarmup,
    ExponentialWarmup,
    LinearWarmup,
    LogWarmup,
    PolynomialWarmup,
    StepWarmup,
    Warmup,
    effective_period,
)


def broken_rule(warmup: Warmup, decay: Decay, convention: Convention) -> str | None:
    """The message of the `WarmupDecay` rule that a combination breaks; None for a valid one."""
    rising = isinstance(warmup, LinearWarmup | PolynomialWarmup) or warmup.slug_name in ("cosinewarmup", "logwarmup")
    if convention.start == "zero" and rising and warmup.start_factor > 0:
        return "must be 0 with start='zero'"
    if convention.past_end == "unbounded" and isinstance(decay, PolynomialDecay) and decay.power % 1:
        return "must be an integer with past_end='unbounded'"
    return None


def starts_above(pair: WarmupDecay, base: float) -> bool:
    """Whether the warmup starts above the LR of the decay alone at the end of the warmup."""
    alone = WarmupDecay(LinearWarmup(0), pair.decay, pair.convention)
    sized = isinstance(pair.warmup, LinearWarmup | PolynomialWarmup | ConstantWarmup | ExponentialWarmup)
    sized = sized or pair.warmup.slug_name in ("cosinewarmup", "logwarmup")
    return sized and pair.warmup.start_factor * base > float(alone(pair.warmup.warmup_steps, base))


@pytest.mark.slow
@pytest.mark.parametrize("decay", DECAYS, ids=lambda d: d.slug)
@pytest.mark.parametrize("warmup", WARMUPS, ids=lambda w: w.slug)
def test_every_pair_in_every_convention(warmup: Warmup, decay: Decay) -> None:
    """Under each of the 128 conventions a pair evaluates, parses back and pickles, or is rejected by its rule."""
    steps = np.arange(40)
    for convention in CONVENTIONS:
        rule = broken_rule(warmup, decay, convention)
        if rule is not None:
            with pytest.raises(ValueError, match=rule):
                WarmupDecay(warmup, decay, convention)
            continue
        pair = WarmupDecay(warmup, decay, convention)
        if convention.clock == "meeting" and starts_above(pair, 0.5):
            with pytest.raises(ValueError, match=r"must be <= .*, where the decay is at step 5"):
                pair(steps, 0.5)
            continue
        values = pair(steps, 0.5)
        assert np.isfinite(values).all()
        assert [pair(int(t), 0.5) for t in steps[::13]] == values[::13].tolist()
        if convention.past_end != "unbounded":
            assert (values >= 0).all()
            assert (values <= 0.5).all()
        assert parse(pair.slug) == pair
        assert hash(parse(pair.slug)) == hash(pair)
        assert pickle.loads(pickle.dumps(pair)) == pair
        assert set(pair.slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789_.+")


def test_pairs_of_different_conventions_differ() -> None:
    """The 128 conventions give 128 different schedules with 128 different slugs."""
    pairs = [WarmupDecay(LinearWarmup(5), CosineDecay(7), c) for c in CONVENTIONS]
    assert len(set(pairs)) == len({p.slug for p in pairs}) == len(CONVENTIONS) == 128


@pytest.mark.parametrize(
    ("slug", "schedule"),
    [
        ("linear500+cosine9500", family("A", LinearWarmup(500), CosineDecay(9500))),
        ("familyb.linear4+cosine8_m1em06", family("B", LinearWarmup(4), CosineDecay(8, 1e-6))),
        ("familyc.linear4+hold", family("C", LinearWarmup(4), ConstantDecay())),
        ("familye.linear4_s0p1+step3", family("E", LinearWarmup(4, 0.1), StepDecay(3))),
        ("familyf.linear4+cosine8", family("F", LinearWarmup(4), CosineDecay(8))),
        (
            "familyg.radam_b0p99+multistep2x6_g0p5",
            family("G", RAdamWarmup(0.99), MultiStepDecay((2, 6), 0.5)),
        ),
        (
            "with_sfirst_eclosed_kmultiplicative_pperiodic.constant5+wsd3_d4_hsqrt",
            WarmupDecay(
                ConstantWarmup(5),
                StableDecay(3, 4, "sqrt"),
                Convention("first", "closed", "multiplicative", "periodic"),
            ),
        ),
        (
            "with_saffine_eopen_kmeeting_pclamp.linear4_s0p001+cosine12",
            WarmupDecay(LinearWarmup(4, 0.001), CosineDecay(12), Convention("affine", clock="meeting")),
        ),
        ("familyd.logwarmup4+hold", family("D", LogWarmup(4), ConstantDecay())),
        ("delayed1.linear4+lineardecay8", Delayed(parse("linear4+lineardecay8"), 1)),
        ("tanh90_am6p0_b4p0", TanhDecay(90, -6.0, 4.0)),
        ("cosinerestarts90_c3", CosineRestartsDecay(90, 3)),
        ("restarts30_g2_r0p5_krange", WarmRestartsDecay(30, 2, 0.5, "range")),
        ("piecewise8x9_f0p316x0p1", PiecewiseDecay((8, 9), (0.316, 0.1))),
        ("wsd3_d4_hgeometric_m0p01", StableDecay(3, 4, "geometric", 0.01)),
        ("invsqrt100_s100", InverseSqrtDecay(100, 100)),
        ("noam4000_d512", Noam(4000, 512)),
        ("noam4000_d512_f2p0_cmaxone", Noam(4000, 512, 2.0, "max_one")),
        ("clock_x4_a3.linear5+hold", per_micro_batch(parse("linear5+hold"), 4)),
        ("weightdecay100_i0p04_f0p4", CosineWeightDecay(0.04, 0.4, 100)),
        ("teachertemp30_i0p04_f0p07", TeacherTemperature(0.04, 0.07, 30)),
        ("exponentialdecay_g0p5", ExponentialDecay(gamma=0.5)),
    ],
)
def test_slug_names_the_schedule(slug: str, schedule: Schedule) -> None:
    """A slug written by hand parses to the expected schedule, and the schedule's own slug parses back to it."""
    assert parse(slug) == schedule
    assert parse(schedule.slug) == schedule


@pytest.mark.parametrize("letter", FAMILIES)
def test_slugs_of_families_parse_back(letter: str) -> None:
    """Every family parses from its letter, and its slug and repr give an equal schedule."""
    warmup = LinearWarmup(4, 0.1) if letter == "E" else LinearWarmup(4)
    pair = family(letter, warmup, CosineDecay(8))
    assert parse(pair.slug) == pair
    assert parse(f"family{letter.lower()}.{warmup.slug}+cosine8") == pair
    assert eval(repr(pair), {c.__name__: c for c in (WarmupDecay, LinearWarmup, CosineDecay, Convention)}) == pair


@pytest.mark.parametrize("count", COUNTS)
def test_noam_counts_parse_back(count: str) -> None:
    """Each of the three step counts of Noam parses back."""
    assert parse(Noam(4, 8, count=count).slug) == Noam(4, 8, count=count)


@pytest.mark.parametrize(
    ("slug", "message"),
    [
        ("linear4+cosine8+hold", "slug='linear4+cosine8+hold' must have exactly one + between a warmup and a decay"),
        ("cosine8+linear4", "slug='cosine8+linear4': 'cosine8' must be a warmup such as cosinewarmup8"),
        ("hold+cosine8", "slug='hold+cosine8': 'hold' must be a warmup such as linear500"),
        ("linear4+radam", "slug='linear4+radam': 'radam' must be a decay such as cosine9500"),
        ("linear4+linear4", "slug='linear4+linear4': 'linear4' must be a decay such as lineardecay4"),
        ("familyb.linear4", "slug='familyb' must be followed by a pair such as linear4+cosine8"),
        (
            "with_q1.linear4+hold",
            "slug='with_q1': 'q1' must start with one of s for start, e for end, k for clock, p for past_end",
        ),
        ("with5.linear4+hold", "slug='with5' must start with with_ or be one of familya … familyg"),
        (
            "with_ssoon.linear4+hold",
            "slug='with_ssoon': start='soon' must be one of zero, first, affine, linspace",
        ),
        (
            "familye.linear4+hold",
            "slug='familye': start_factor=0.0 must be > 0 in family E; for a start at 0 use family A",
        ),
        ("linaer4+hold", "slug='linaer4' does not start with a schedule name; did you mean linear or linearlr?"),
        ("StepLR3", "slug='StepLR3' does not start with a schedule name; did you mean steplr or step or multisteplr?"),
        ("linear4.hold", "slug='linear4.hold' must end after one complete schedule; 'hold' is left over"),
        ("seq2_m4.hold", "slug='seq2_m4.hold' must continue: another schedule is expected after its last token"),
        ("seq_m4.hold", "slug='seq_m4' must give the number of its parts, as in seq2"),
        ("linear4_q1", "slug='linear4_q1': linear has no field 'q1' (fields: s)"),
        ("hold5", "slug='hold5': hold does not take a value ('5')"),
        ("linear", "slug='linear' must give a value for warmup_steps"),
        ("steplr3_g", "slug='steplr3_g' must give a value for gamma"),
        ("linear4_sx", "slug='linear4_sx': 'x' must be a number such as 5, 0p1 or 1em06"),
        (
            "linear4_s1+hold",
            "slug='linear4_s1+hold': start_factor=1.0 must be 0 with start='zero'; use start='affine' for others",
        ),
    ],
)
def test_wrong_slugs_say_why(slug: str, message: str) -> None:
    """A slug that is not valid is rejected with the part that is wrong and the rule."""
    with pytest.raises(SlugError) as caught:
        parse(slug)
    assert str(caught.value) == message


def test_unknown_names_without_a_close_match_list_all() -> None:
    """If no name is similar, the message lists every name that a slug can start with."""
    with pytest.raises(SlugError, match=r"^slug='zzz5' does not start with a schedule name; known: chain, ") as caught:
        parse("zzz5")
    listed = str(caught.value).partition("known: ")[2].split(", ")
    assert listed == sorted(REGISTRY.keys() - {PLUS})


@pytest.mark.parametrize("schedule", [ExponentialLR(-0.5), SWALR(-0.1), ReduceLROnPlateau((-1.0, 2.0))])
def test_negative_first_values_parse_back(schedule: Schedule) -> None:
    """A minus sign directly after the name is not read as a letter of the name."""
    assert parse(schedule.slug) == schedule


BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: LinearWarmup(-1), "warmup_steps=-1 must be >= 0"),
    (lambda: LinearWarmup(4.5), "warmup_steps=4.5 must be an integer"),  # type: ignore[arg-type]
    (lambda: LinearWarmup(2**53 + 1), "warmup_steps=9007199254740993 must be <= 2**53"),
    (lambda: LinearWarmup(4, 1.5), "start_factor=1.5 must be <= 1"),
    (lambda: ConstantWarmup(4, 0.0), "start_factor=0.0 must be > 0"),
    (lambda: ExponentialWarmup(4, 0.0), "start_factor=0.0 must be > 0"),
    (lambda: StepWarmup(4, 0), "levels=0 must be >= 1"),
    (lambda: StepWarmup(4, 5, 1.0), "gamma=1.0 must be > 1"),
    (lambda: StepWarmup(4, 2000), "levels=2000 must be <= 1022 / log2(gamma=2)"),
    (lambda: StepWarmup(2**50, 2**13), f"levels=8192 must be < 2**63 / warmup_steps={2**50}"),
    (lambda: PolynomialWarmup(4, 0.0), "power=0.0 must be > 0"),
    (lambda: UntunedLinearWarmup(1.0), "beta2=1.0 must be < 1"),
    (lambda: UntunedExponentialWarmup(0.0), "beta2=0.0 must be > 0"),
    (lambda: RAdamWarmup(0.6), "beta2=0.6 must be > 1 - 2/5, otherwise no step is rectified"),
    (lambda: RAdamWarmup(0.9999999), "beta2=0.9999999 must be <= 0.99999"),
    (lambda: RAdamWarmup(0.9, 6), "threshold=6 must be 4 or 5"),
    (lambda: LinearDecay(-2), "decay_steps=-2 must be >= 0"),
    (lambda: LinearDecay(2, -1e-6), "min_lr=-1e-06 must be >= 0"),
    (lambda: LinearDecay(2, 0.5)(1, 0.49), "min_lr=0.5 must be <= base_lr=0.49"),
    (lambda: StableDecay(2, 2, min_lr=0.5)(1, 0.49), "min_lr=0.5 must be <= base_lr=0.49"),
    (lambda: ExponentialDecay(2, 0.5)(1, 0.49), "min_lr=0.5 must be <= base_lr=0.49"),
    (lambda: ExponentialDecay(2), "min_lr=0.0 must be > 0"),
    (lambda: ExponentialDecay(), "gamma=None must be a number unless decay_steps and min_lr are given"),
    (lambda: ExponentialDecay(2, gamma=0.5), "gamma=0.5 must be given without decay_steps and min_lr"),
    (lambda: ExponentialDecay(gamma=1.5), "gamma=1.5 must be <= 1"),
    (lambda: StepDecay(0), "step_size=0 must be >= 1"),
    (lambda: StepDecay(1, 0.0), "gamma=0.0 must be > 0"),
    (lambda: MultiStepDecay(()), "milestones=() must contain at least one step"),
    (lambda: MultiStepDecay((3, 2)), "milestones=(3, 2) must be in ascending order"),
    (lambda: MultiStepDecay((1, 2.5)), "milestones[1]=2.5 must be an integer"),  # type: ignore[arg-type]
    (lambda: MultiStepDecay(3), "milestones=3 must be a tuple of integers"),  # type: ignore[arg-type]
    (lambda: PolynomialDecay(2, -1.0), "power=-1.0 must be > 0"),
    (lambda: InverseSqrtDecay(0), "timescale=0 must be >= 1"),
    (lambda: StableDecay(2, 2, "round"), "shape='round' must be one of linear, cosine, sqrt, exponential, geometric"),
    (lambda: Convention(end="shut"), "end='shut' must be one of open, closed"),
    (lambda: Convention(clock="wall"), "clock='wall' must be one of prefix, multiplicative, absolute, meeting"),
    (lambda: Noam(4, 0), "d_model=0 must be >= 1"),
    (lambda: Noam(4, 8, 0.0), "factor=0.0 must be > 0"),
    (lambda: Noam(4, 8, count="two"), "count='two' must be one of from_one, max_one, from_zero"),
    (lambda: CosineWeightDecay(-0.1, 0.1, 4), "initial_wd=-0.1 must be >= 0"),
    (lambda: CosineWeightDecay(0.1, 0.1, -4), "total_steps=-4 must be >= 0"),
    (lambda: TeacherTemperature(0.0, 0.1, 4), "warmup_teacher_temp=0.0 must be > 0"),
    (lambda: LinearWarmup(2)(-3), "step=-3 must be >= 0"),
    (lambda: LinearWarmup(2)(1.5), "step=1.5 must be an integer (got float64)"),
]


@pytest.mark.parametrize(("make", "message"), BAD, ids=[f"{i}-{b[1]}" for i, b in enumerate(BAD)])
def test_bad_values_say_name_value_and_rule(make: Callable[[], Any], message: str) -> None:
    """A bad parameter or step raises, with its name, its value and the rule that it breaks."""
    with pytest.raises((TypeError, ValueError)) as caught:
        make()
    assert str(caught.value) == message


def test_parts_of_another_type_say_what_is_expected() -> None:
    """A value that is not a warmup, decay or convention is rejected by name, with a valid example."""
    wrong: Any = LinearWarmup(2)
    with pytest.raises(TypeError, match=r"^decay=LinearWarmup\(.*\) must be a decay such as CosineDecay"):
        WarmupDecay(wrong, wrong)
    wrong = CosineDecay(2)
    with pytest.raises(TypeError, match=r"^warmup=CosineDecay\(.*\) must be a warmup such as LinearWarmup"):
        WarmupDecay(wrong, wrong)
    with pytest.raises(TypeError, match=r"^warmup=CosineDecay\(.*\) must be a warmup"):
        effective_period(wrong)
    with pytest.raises(TypeError, match=r"^convention='B' must be a Convention"):
        WarmupDecay(LinearWarmup(2), wrong, "B")  # type: ignore[arg-type]  # the error is the point
