"""Logs of real runs on which settings or an expected schedule once made the answer worse, each built here."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bench.__main__ import main
from bench.diagnose import Diagnosis, Trace, diagnose
from bench.diagnose.base_lr import base_candidates
from reference import Schedule, parse
from reference.check import Rates, Steps

W, T, BASE = 30, 240, 6e-4
STEPS = np.arange(T, dtype=np.int64)


def told(lrs: Rates, warmup: int = W, total: int = T) -> Diagnosis:
    """The diagnosis of the LRs of all steps with the settings of the user."""
    return diagnose(Trace(np.arange(lrs.size), lrs), base_lr=BASE, warmup_steps=warmup, total_steps=total)


def cause(diagnosis: Diagnosis) -> str:
    """The first cause, which must fit."""
    assert diagnosis.verdict == "fault"
    assert diagnosis.best is not None
    assert diagnosis.tied > 0
    return diagnosis.best.cause


@pytest.mark.parametrize("k", [2, 3, 8])
def test_a_total_in_micro_batches_is_named_with_both_numbers(k: int) -> None:
    """A decay built for k times the run is no mystery: it has its own length, and the user's is beside it."""
    lrs = parse(f"linear{W}+cosine{k * T - W}")(STEPS, BASE)
    diagnosis = told(lrs)
    assert cause(diagnosis) == "horizon-long"
    assert f"{k * T - W} steps" in diagnosis.sentence()
    assert str(T - W) in diagnosis.sentence()
    assert any(f"{100 * lrs[-1] / BASE:.3g} % of the highest" in fact.sentence for fact in diagnosis.facts)


@pytest.mark.parametrize("k", [2, 3])
def test_a_fast_clock_behind_a_cosine_that_comes_back(k: int) -> None:
    """Two effects of one mistake, the clock and the second rise, do not leave the cause unknown."""
    lrs = parse(f"with_szero_eopen_kprefix_pperiodic.linear{W}+cosine{T - W}")(k * STEPS, BASE)
    diagnosis = told(lrs)
    assert cause(diagnosis) in ("per-process", "micro-batch", "stepped-often")
    assert str(k) in diagnosis.sentence() or "twice" in diagnosis.sentence()


def test_a_shorter_decay_than_expected_is_compared() -> None:
    """A cosine of the first run's length in a longer one: its own length, the expected one, and where it turns."""
    lrs = parse(f"seq2_m{W}.linearlr{W}_s0p1.cosineannealinglr100")(STEPS, BASE)
    diagnosis = diagnose(Trace(STEPS, lrs), parse(f"seq2_m{W}.linearlr{W}_s0p1.cosineannealinglr{T - W}"), base_lr=BASE)
    assert cause(diagnosis) in ("horizon-short", "rises-again", "resumed-other-length")
    assert "100" in diagnosis.sentence()
    assert str(T - W) in diagnosis.sentence()


@pytest.mark.parametrize("stride", [1, 5])
@pytest.mark.parametrize("known", [True, False])
def test_a_run_resumed_with_another_total_has_two_schedules(stride: int, known: bool) -> None:
    """Both lengths and the step of the change are named, whether or not the settings were given."""
    at, first = 100, 160
    steps = STEPS[::stride]
    before, after = parse(f"linear{W}+cosine{first - W}"), parse(f"linear{W}+cosine{T - W}")
    lrs = np.where(steps < at, before(steps, BASE), after(steps, BASE))
    settings = {"base_lr": BASE, "warmup_steps": W, "total_steps": T} if known else {}
    diagnosis = diagnose(Trace(steps, lrs), **settings)  # type: ignore[arg-type]
    cause(diagnosis)
    for number in (first, T, at):
        assert str(number) in diagnosis.sentence()


def test_a_warmup_longer_than_the_run_is_the_finding() -> None:
    """Settings that contradict each other are the mistake, not bad input."""
    lrs = parse(f"linear{4 * T}+hold")(STEPS, BASE)
    diagnosis = told(lrs, warmup=4 * T)
    assert cause(diagnosis) in ("warmup-longer-than-run", "warmup-length")
    assert "never reached" in diagnosis.sentence()
    assert f"{100 * lrs[-1] / BASE:.3g} %" in diagnosis.sentence()


def test_the_command_accepts_a_warmup_longer_than_the_run(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--warmup-steps` beyond `--total-steps` ends with a finding, not with bad input."""
    path = tmp_path_factory.mktemp("log") / "log.csv"
    path.write_text("step,lr\n" + "".join(f"{t},{t * 1e-6!r}\n" for t in range(50)), encoding="utf-8")
    assert main(["diagnose", str(path), "--warmup-steps", "200", "--total-steps", "50", "--base-lr", "2e-4"]) == 1
    assert "never reached" in capsys.readouterr().out


@pytest.mark.parametrize("known", [True, False])
def test_a_first_update_before_the_schedule_acts(known: bool) -> None:
    """A loop that sets the LR after the update: the first update is at the base LR, the rest one step late."""
    schedule = parse(f"linear{W}+lineardecay{T - W}")
    lrs = np.concatenate([[BASE], schedule(STEPS[:-1], BASE)])
    diagnosis = told(lrs) if known else diagnose(Trace(STEPS, lrs))
    assert cause(diagnosis) in ("first-update-unscheduled", "late")
    assert "first update runs at" in diagnosis.sentence()
    assert "LR 0.0006" in diagnosis.sentence()


@pytest.mark.parametrize(
    "schedule",
    [
        parse(f"linear{W}+cosine{T - W}"),
        parse(f"linear{W}+cosine{T - W}_m1em05"),
        parse(f"seq2_m{W}.linearlr{W}_s0p1.cosineannealinglr{T - W}_m1em05"),
        parse(f"familyg.linear{W}+cosine{T}"),
    ],
    ids=lambda schedule: schedule.slug,
)
@pytest.mark.parametrize("stride", [1, 7])
def test_an_expected_schedule_without_a_base_lr_takes_that_of_the_log(schedule: Schedule, stride: int) -> None:
    """A healthy log is healthy; its base LR is the one that was used, whatever the floor adds."""
    steps = STEPS[::stride]
    lrs = np.array([float(f"{lr:.6g}") for lr in schedule(steps, BASE)])
    diagnosis = diagnose(Trace(steps, lrs), schedule)
    assert diagnosis.verdict == "healthy"
    assert diagnosis.base_lr == pytest.approx(BASE, rel=1e-5)


@pytest.mark.parametrize(
    ("change", "causes"),
    [
        (lambda t: 3 * t, ("per-process",)),
        (lambda t: t + 4, ("ahead",)),
        (lambda t: np.where(t < 90, t, t - 90), ("restarted",)),
    ],
    ids=["fast", "ahead", "restarted"],
)
def test_a_mistake_is_found_without_a_base_lr(change: Callable[[Steps], Steps], causes: tuple[str, ...]) -> None:
    """The peak gives the base LR of a wrong run too."""
    schedule = parse(f"linear{W}+cosine{T - W}")
    diagnosis = diagnose(Trace(STEPS, schedule(change(STEPS), BASE)), schedule)
    assert cause(diagnosis) in causes
    assert diagnosis.base_lr == pytest.approx(BASE, rel=1e-6)


def test_a_schedule_with_its_own_peak_needs_no_base_lr() -> None:
    """OneCycleLR ignores the base LR: there is none to read."""
    schedule = parse("onecyclelr0p01_n40")
    assert base_candidates(Trace(np.arange(40), schedule.trace(40)), schedule) == [1.0]


@pytest.mark.parametrize(
    "expect", ["linear10+cosine90", "familyg.linear10+cosine100", "seq2_m10.linearlr10_s0p1.steplr30"]
)
@pytest.mark.parametrize("value", [BASE, BASE / 7])
def test_a_constant_lr_is_its_own_finding(expect: str, value: float) -> None:
    """It is neither healthy in another convention, nor a missing warmup, whatever it is compared with."""
    diagnosis = diagnose(Trace(np.arange(100), np.full(100, value)), parse(expect))
    assert cause(diagnosis) in ("stuck", "start-kept")
    assert f"{value:.4g}" in diagnosis.sentence()
    assert "convention" not in diagnosis.sentence()
    with_warmup = diagnose(Trace(np.arange(100), np.full(100, value)), warmup_steps=10, total_steps=100)
    assert with_warmup.sentence().startswith("The LR never moves")


def test_a_constant_lr_is_fine_where_nothing_moves() -> None:
    """A constant schedule, and the rows of a stable phase, are as expected."""
    steps = np.arange(40, 60)
    trace = Trace(steps, np.full(20, BASE))
    assert diagnose(trace, parse("linear10+wsd200_d50"), base_lr=BASE).verdict == "healthy"
    assert diagnose(trace).verdict == "healthy"


def test_a_length_that_is_no_multiple_is_no_unit() -> None:
    """A decay of another length is one, not a count of micro-batches."""
    lrs = parse(f"linear{W}+cosine{2 * T - W + 90}")(STEPS, BASE)
    diagnosis = told(lrs)
    assert cause(diagnosis) == "horizon-long"
    assert "micro-batch" not in diagnosis.sentence()


def test_several_numbers_that_differ_are_a_fact() -> None:
    """Another warmup, base LR and length have no single cause; all three are said, beside what was asked for."""
    lrs = parse(f"linear{2 * W}+cosine{T - 100}")(STEPS, 2 * BASE)
    diagnosis = told(lrs)
    assert (diagnosis.verdict, diagnosis.tied, diagnosis.facts[0].id) == ("fault", 0, "unlike-told")
    for number in (2 * W, W, T - 100, T - W, 2 * BASE, BASE):
        assert f"{number:.4g}" in diagnosis.sentence()
    assert diagnosis.look


@pytest.mark.parametrize("known", [True, False])
def test_a_decay_that_counts_from_step_0_is_named(known: bool) -> None:
    """timm's default: the cosine has run during the warmup, and the LR falls where the warmup ends."""
    w = 2 * W
    warm = 1e-6 + (BASE - 1e-6) * STEPS / w
    decay = 1e-5 + (BASE - 1e-5) * 0.5 * (1 + np.cos(np.pi * STEPS / T))
    lrs = np.where(w > STEPS, warm, decay)
    diagnosis = told(lrs, warmup=w) if known else diagnose(Trace(STEPS, lrs))
    assert cause(diagnosis) == "decay-counts-from-zero"
    drop = (lrs[w - 1] - lrs[w]) / lrs.max()
    for text in (f"step {w} ", f"{lrs[w - 1]:.4g}", f"{lrs[w]:.4g}", f"{100 * drop:.3g} %"):
        assert text in diagnosis.sentence()
    assert diagnosis.best is not None
    assert "warmup_prefix" in diagnosis.best.fix


@pytest.mark.parametrize("drop", [0.3, 0.5])
def test_a_drop_after_the_warmup_is_no_count_from_zero(drop: float) -> None:
    """Stairs and a plain fall behind the warmup start from another LR than the warmup reaches."""
    lrs = np.where(STEPS < W, BASE * STEPS / W, BASE * (1 - drop) * (1 - (STEPS - W) / (2 * T)))
    for diagnosis in (told(lrs), diagnose(Trace(STEPS, lrs))):
        assert diagnosis.best is None or diagnosis.best.cause != "decay-counts-from-zero"


@pytest.mark.parametrize(
    ("runs", "text"),
    [("cosine", "A cosine decay runs where a linear one was expected"), ("lineardecay", "")],
)
def test_another_kind_of_decay_is_said_first(runs: str, text: str) -> None:
    """The kind that runs and the kind that was expected come before the rest of the answer."""
    lrs = parse(f"linear{W}+{runs}{T - W}")(STEPS, BASE)
    diagnosis = diagnose(Trace(STEPS, lrs), parse(f"linear{W}+lineardecay{T - W}"), base_lr=BASE)
    assert diagnosis.sentence().startswith(text)
    assert (diagnosis.verdict == "healthy") == (not text)
    assert diagnosis.best is not None
    assert ("linear decay" in diagnosis.best.fix) == bool(text)


def test_an_error_is_a_share_of_the_peak() -> None:
    """An LR that should be almost 0 is no thousand times too high for a reader."""
    schedule = parse(f"linear{W}+cosine{T - W}")
    diagnosis = diagnose(Trace(STEPS, schedule(STEPS // 2, BASE)), schedule, base_lr=BASE)
    assert "of the peak" in diagnosis.sentence()
    assert "times the expected" not in diagnosis.sentence()


def test_told_settings_accuse_no_sound_schedule_of_a_rarer_form() -> None:
    """detectron2's warmup rises to where a cosine from step 0 has arrived: the settings are met, nothing is wrong."""
    cosine = BASE * 0.5 * (1 + np.cos(np.pi * STEPS / T))
    warm = cosine * 0 + 1e-3 * BASE + (cosine[W] - 1e-3 * BASE) * STEPS / W
    diagnosis = told(np.where(STEPS <= W, warm, cosine))
    assert diagnosis.verdict == "healthy"
    assert f"over {T} steps" in diagnosis.sentence()


@pytest.mark.parametrize("k", [2, 4])
def test_a_schedule_that_is_too_slow_is_named_from_its_first_part(k: int) -> None:
    """Both lengths are k times too long, and the log ends long before the decay does."""
    lrs = parse(f"linear{k * W}+cosine{k * (T - W)}")(STEPS, BASE)
    diagnosis = told(lrs)
    assert cause(diagnosis) == "too-slow"
    assert f"{k} times too slow" in diagnosis.sentence()


def test_another_base_lr_is_said_beside_another_unit() -> None:
    """A total in micro-batches does not hide a base LR that is wrong too."""
    diagnosis = told(parse(f"linear{W}+cosine{2 * T - W}")(STEPS, BASE / 2))
    assert diagnosis.facts[0].id == "unlike-told"
    for number in (BASE / 2, BASE, 2 * T - W, T - W):
        assert f"{number:.4g}" in diagnosis.sentence()
