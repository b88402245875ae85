"""An expected schedule in another convention, with and without a mistake: its settings are compared."""

from __future__ import annotations

import numpy as np
import pytest

from bench.diagnose import Diagnosis, Trace, diagnose
from reference import CosineAnnealingLR, LinearLR, Schedule, SequentialLR, parse

W, T, BASE = 40, 400, 3e-4


def against_linear_cosine(schedule: Schedule, digits: int = 17) -> Diagnosis:
    """A trace of a schedule, rounded for the log, against linear warmup from 0 and cosine."""
    lrs = [float(f"{lr:.{digits}g}") for lr in schedule.trace(T, BASE)]
    return diagnose(Trace(np.arange(T), np.array(lrs)), parse(f"linear{W}+cosine{T - W}"), base_lr=BASE)


@pytest.mark.parametrize("digits", [6, 17])
@pytest.mark.parametrize("family", ["B", "E"])
def test_another_family_is_named(family: str, digits: int) -> None:
    """A healthy schedule of another family is not unknown: the family is named, and the first wrong step."""
    diagnosis = against_linear_cosine(
        parse(f"family{family.lower()}.linear{W}{'_s0p1' if family == 'E' else ''}+cosine{T - W}"), digits
    )
    assert diagnosis.best is not None
    assert (diagnosis.verdict, diagnosis.best.cause) == ("fault", "other-convention")
    assert f"family {family}" in diagnosis.sentence()
    assert diagnosis.best.first_step == 0


@pytest.mark.parametrize("digits", [6, 17])
def test_a_mistake_under_another_convention_is_named(digits: int) -> None:
    """torch's LinearLR from 0.01 and a cosine over all steps: the convention is named, and the length of the decay."""
    parts = LinearLR(0.01, total_iters=W), CosineAnnealingLR(T)
    diagnosis = against_linear_cosine(SequentialLR(parts, (W,)), digits)
    assert diagnosis.best is not None
    assert (diagnosis.verdict, diagnosis.best.cause) == ("fault", "horizon-long")
    assert "Only the settings of the expected schedule match" in diagnosis.sentence()


def test_settings_do_not_explain_noise() -> None:
    """A trace of no schedule is not explained by settings either."""
    lrs = BASE * np.random.default_rng(0).uniform(0.5, 1.0, T)
    diagnosis = diagnose(Trace(np.arange(T), lrs), parse(f"linear{W}+cosine{T - W}"), base_lr=BASE)
    assert (diagnosis.verdict, diagnosis.best) == ("fault", None)


def test_a_diagnosis_prints_as_its_verdict() -> None:
    """People print diagnoses: the verdict in words, and no array."""
    text = repr(against_linear_cosine(parse(f"familyb.linear{W}+cosine{T - W}")))
    assert text.startswith("<Diagnosis: ")
    assert "another convention" in text
    assert "array" not in text
