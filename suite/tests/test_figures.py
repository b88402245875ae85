"""The charts: every curve equals the reference, and every chart is written to a file."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest

from reference import CosineAnnealingLR, LinearLR, SequentialLR
from reference.check import Rates
from suite.__main__ import main
from suite.commands import figures as command
from suite.engine import tolerances
from suite.engine.axes import Setup
from suite.engine.loop import run_case
from suite.engine.subject import installed
from suite.tutorials import curves, figures
from suite.tutorials.curves import Curve
from suite.tutorials.outcomes import EPOCHS, PER_EPOCH

pytestmark = pytest.mark.slow  # draws charts

PNG = b"\x89PNG\r\n\x1a\n"
NAMES = {
    "noam": {"noam", "rest", "total", "zero"},
    "combinations": {
        "linear_warmup_cosine",
        "linear_warmup_linear",
        "linear_warmup_step",
        "exp_warmup_cosine",
    },
    "vit": {"per_epoch", "per_step", "drawn"},
    "chained": {"sequential", "chained"},
    "restored": {"right", "wrong"},
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Every chart, drawn once."""
    return figures.draw_all(tmp_path_factory.mktemp("figures") / "new")


@pytest.fixture(scope="module")
def data() -> dict[str, dict[str, Curve]]:
    """The curves of every chart."""
    return {name: getattr(curves, name)(installed()) for name in NAMES} | {"returned": curves.returned()}


def off(curve: Curve) -> float:
    """The largest difference between the two halves of a curve, in units of the allowed rounding error."""
    peak = max(float(np.abs(curve.expected).max()), np.finfo(float).tiny)
    return float(np.abs(curve.actual - curve.expected).max() / (tolerances.of_peak(curve.expected.size) * peak))


@pytest.mark.parametrize("chart", [*NAMES, "returned"])
def test_measured_curves_equal_the_reference(chart: str, data: dict[str, dict[str, Curve]]) -> None:
    """Each curve measured with torch or the tutorial's code lies on the closed form drawn under it."""
    by_name = data[chart]
    assert set(by_name) == NAMES.get(chart, NAMES["combinations"])
    assert {name: off(curve) for name, curve in by_name.items() if not off(curve) <= 1} == {}


@pytest.mark.parametrize("change", ["shift", "scale", "lost"])
def test_a_curve_off_the_reference_is_detected(change: str, data: dict[str, dict[str, Curve]]) -> None:
    """One step of shift, a factor of one in a million or one lost value fails the comparison."""
    curve = data["chained"]["sequential"]
    broken: dict[str, Rates] = {
        "shift": np.roll(curve.actual, 1),
        "scale": np.asarray(curve.actual * (1 + 1e-6), dtype=np.float64),
        "lost": np.where(np.arange(curve.actual.size) == 7, 0.0, curve.actual),
    }
    assert off(Curve(curve.expected, broken[change])) > 1


def test_the_titles_are_true(data: dict[str, dict[str, Curve]]) -> None:
    """What each chart's title says is true of the curves in it."""
    assert not data["noam"]["zero"].actual[: curves.NOAM_WARMUP + 1].any()
    requested = data["combinations"]["linear_warmup_step"].expected
    returned = data["returned"]["linear_warmup_step"].actual
    assert off(Curve(requested, returned)) > 1
    assert off(Curve(data["combinations"]["linear_warmup_linear"].expected, returned)) <= 1
    stairs = data["vit"]["per_epoch"].actual.reshape(EPOCHS, PER_EPOCH)
    assert (np.ptp(stairs, axis=1) == 0).all()
    assert data["chained"]["chained"].actual.max() < data["chained"]["sequential"].actual.max()
    at = curves.RESTORE_AT
    ratio = data["restored"]["right"].actual[at:] / data["restored"]["wrong"].actual[at:]
    assert ratio == pytest.approx(np.full(ratio.size, ratio[-1]), rel=tolerances.relative(ratio.size))


@pytest.mark.parametrize("order", ["builtfirst", "optimizerfirst"])
def test_neither_restore_warns(order: str) -> None:
    """As the caption says, a run restored in either order raises no error and no warning."""
    schedule = SequentialLR((LinearLR(0.01, 1.0, 20), CosineAnnealingLR(80)), (20,))
    run = run_case(schedule, Setup(resume=order, cuts=(curves.RESTORE_AT,)), 40, installed())
    assert (run.error, run.warned, len(run.lrs)) == (None, [], 40)


@pytest.mark.parametrize("name", list(figures.FIGURES))
def test_every_chart_is_a_picture(name: str, drawn: list[Path]) -> None:
    """Each chart is a PNG of at least 1000 by 600 pixels that is not blank."""
    path = {p.stem: p for p in drawn}[name]
    content = path.read_bytes()
    width, height = (int.from_bytes(content[i : i + 4], "big") for i in (16, 20))
    assert content.startswith(PNG)
    assert (width >= 1000, height >= 600) == (True, True)
    assert len(content) > 10_000


def test_charts_do_not_change_from_run_to_run(drawn: list[Path], tmp_path: Path) -> None:
    """Redrawn, every file has the same bytes: no dates, no randomness."""
    again = figures.draw_all(tmp_path)
    assert {p.name: p.read_bytes() for p in again} == {p.name: p.read_bytes() for p in drawn}


def test_charts_go_into_the_requested_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command draws into --out and prints each file's name."""
    monkeypatch.setattr(figures, "FIGURES", {"restored_in_the_wrong_order": figures._restored})
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    assert command.run(parser.parse_args(["--out", str(tmp_path / "x")])) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "x" / "restored_in_the_wrong_order.png")]


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where --out is a file, one line says so and the exit code is 2."""
    taken = tmp_path / "taken"
    taken.write_text("")
    assert main(["figures", "--out", str(taken)]) == 2
    assert capsys.readouterr().err.startswith(f"out={str(taken)!r} must be a writable folder")
