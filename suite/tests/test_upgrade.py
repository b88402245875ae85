"""`upgrade`: a planted change is reported with exactly the compositions that it touches; bad input is one line."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from reference import CosineAnnealingWarmRestarts
from suite.__main__ import main
from suite.cases.catalogue import all_cases
from suite.commands import upgrade
from suite.engine.action import Action
from suite.engine.case import Case
from suite.engine.loader import load
from suite.engine.loop import run_case
from suite.engine.subject import installed
from suite.known.deviations import table
from suite.known.entries.places import places
from suite.releases import cache
from suite.releases.cache import numbers
from suite.releases.load import load_release
from suite.tests import stock

HERE = installed().release
#: Of the cases without the changed class, one in this many is run.
STRIDE = 12


def has_warm_restarts(case: Case) -> bool:
    """Whether a CosineAnnealingWarmRestarts is anywhere in the composition, or in the lines of an action."""
    written = any("CosineAnnealingWarmRestarts(" in text for action in case.setup.actions for text in lines_of(action))
    return written or any(isinstance(part, CosineAnnealingWarmRestarts) for part, _ in places(case.schedule))


def lines_of(action: Action) -> list[str]:
    """The texts of an action."""
    return [getattr(action, place) for place in ("prepare", "built", "before", "update", "advance", "after", "finish")]


@pytest.fixture
def some(monkeypatch: pytest.MonkeyPatch) -> tuple[Case, ...]:
    """All cases with the changed class, and some without it.

    Left out: docstrings, as in `upgrade`; half precision and very long runs, whose rounding hides the planted change.
    """
    precise = (case for case in all_cases() if case.setup.precision in ("float", "float32"))
    fine = (case for case in precise if case.family not in ("docs", "ends"))
    cases = tuple(case for i, case in enumerate(fine) if has_warm_restarts(case) or i % STRIDE == 0)
    monkeypatch.setattr(upgrade, "all_cases", lambda: cases)
    return cases


@pytest.fixture(params=["installed", "newest"])
def release(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The installed release, and the newest of the user's cache."""
    newer = [r for r in cache.cached() if numbers(r) > numbers(HERE)]
    if request.param == "installed":
        monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
        stock.put(HERE)
    elif not newer:
        pytest.skip(f"no release newer than {HERE} is cached: python -m suite fetch")
    return HERE if request.param == "installed" else newer[-1]


@pytest.mark.slow
def test_a_planted_change_names_what_it_touches(
    release: str, tmp_path: Path, some: tuple[Case, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """A made-up future release with 3 for π in one class: each case whose rates move is named, and no other."""
    text = (cache.folder(release) / "lr_scheduler.py").read_text(encoding="utf-8")
    future = tmp_path / "lr_scheduler.py"
    future.write_text(stock.changed(text, "CosineAnnealingWarmRestarts", "math.pi * self.T_cur", "3.0 * self.T_cur"))
    old, new = load_release(release), load(future)
    touched = set()
    for case in some:
        before, after = (run_case(case.schedule, case.setup, case.steps, side) for side in (old, new))
        if str(before.lrs) != str(after.lrs) or repr(before.error) != repr(after.error):  # as text, where NaN is NaN
            touched.add(case.id)
    assert all(has_warm_restarts(case) for case in some if case.id in touched)
    assert len(touched) > sum(map(has_warm_restarts, some)) / 2
    assert main(["upgrade", release, str(future), "--offline", "--json"]) == 1
    changes = json.loads(capsys.readouterr().out)
    assert sorted(change["case"] for change in changes) == sorted(touched)
    for change in changes:
        assert change["what"] in ("lrs", "momenta")
        t = change["step"]
        assert change["before"][:t] == pytest.approx(change["after"][:t], rel=1e-9)
    plain = next(change for change in changes if change["case"] == "warmrestarts5")
    # Step 1 is the first with T_cur > 0; base 0.3 and η_min 0.
    assert plain["step"] == 1
    expected = [0.3 * (1 + math.cos(angle / 5)) / 2 for angle in (math.pi, 3.0)]
    assert [plain["before"][1], plain["after"][1]] == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
def test_no_change_is_a_sentence(
    release: str, tmp_path: Path, some: tuple[Case, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """A release and an unchanged copy of its file: exit code 0, and it says that nothing changes."""
    copy = tmp_path / "lr_scheduler.py"
    copy.write_bytes((cache.folder(release) / "lr_scheduler.py").read_bytes())
    assert main(["upgrade", release, str(copy), "--offline"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"no change: torch {release}'s schedulers")
    assert line.endswith("give the same learning rates, errors and warnings")


#: Slug, then class, method and what the method does before or after itself, then the kind of change and its words.
KINDS = {
    "lrs": ("exponentiallr0p89", "get_lr", "", "result = [lr * (1 + 1e-8) for lr in result]", "step 0: LR "),
    "last_lrs": (
        "exponentiallr0p89",
        "get_last_lr",
        "",
        "result = [2 * lr for lr in result]",
        "step 0: get_last_lr() 0.3 ",
    ),
    "error": (
        "exponentiallr0p89",
        "step",
        "assert self.last_epoch != 2",
        "",
        "no error becomes AssertionError at step 3",
    ),
    "warnings": ("exponentiallr0p89", "step", "warnings.warn('Beware.')", "", "now warns: UserWarning: Beware."),
    "momenta": (
        "onecyclelr0p23_n40",
        "step",
        "",
        "self.optimizer.param_groups[0]['momentum'] *= 0.5",
        "step 0: momentum ",
    ),
}


@pytest.mark.parametrize("what", KINDS)
def test_each_kind_of_change_is_named(
    one_release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    """Rates, momenta, reported rates, errors and warnings: each kind of change is detected and named."""
    slug, method, before, after, words = KINDS[what]
    other = stock.planted(tmp_path, "OneCycleLR" if what == "momenta" else "ExponentialLR", method, before, after)
    assert main(["upgrade", HERE, other, "--composition", slug, "--json"]) == 1
    (change,) = json.loads(capsys.readouterr().out)
    assert (change["what"], change["words"].startswith(words)) == (what, True)
    assert main(["upgrade", HERE, other, "--composition", slug]) == 1
    assert words in capsys.readouterr().out
    assert main(["upgrade", HERE, other, "--composition", "linearlr"]) == 0


def test_rates_that_are_not_numbers_can_be_equal(
    one_release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """NaN under both releases is no change; under one of them it is, and the JSON stays JSON."""
    nan = stock.planted(tmp_path, "ExponentialLR", "get_lr", "", "result = [lr * float('nan') for lr in result]")
    assert main(["upgrade", nan, nan, "--composition", "exponentiallr0p89"]) == 0
    capsys.readouterr()
    assert main(["upgrade", HERE, nan, "--composition", "exponentiallr0p89", "--steps", "3", "--json"]) == 1
    (change,) = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert change["after"] == [None, None, None]


def test_a_composition_is_run_as_long_as_asked(one_release: Path, tmp_path: Path) -> None:
    """A difference after the last step does not count."""
    other = stock.planted(tmp_path, "ExponentialLR", "step", "assert self.last_epoch != 9")
    words = ["upgrade", HERE, other, "--composition", "seq2_m4.constantlr4_f0p3.exponentiallr0p9"]
    assert [main([*words, "--steps", steps]) for steps in ("13", "14")] == [0, 1]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("nine", HERE), "release='nine' must be a final torch release"),
        (("1.10.0", HERE), "release=1.10.0 must be 1.11.0 or newer"),
        (("99.0.0", HERE), "release=99.0.0 must be in the cache when offline"),
        (("absent.py", HERE), "module=absent.py must be a readable Python file"),
        ((HERE, HERE, "--composition", "nonsense"), "slug='nonsense' does not start with a schedule name"),
        ((HERE, HERE, "--composition", "linear5+cosine5"), "composition='linear5+cosine5' must be one of torch's"),
        ((HERE, HERE, "--composition", "seq2_m4.linearlr4.cosine5"), "composition='seq2_m4.linearlr4.cosine5' must"),
        ((HERE, HERE, "--composition", "linearlr", "--steps", "0"), "steps=0 must be >= 1"),
        ((HERE, HERE, "--factory", "absent:make", "--steps", "-3"), "steps=-3 must be >= 1"),
        ((HERE, HERE, "--factory", "absent:make", "--lr", "-1"), "lr=-1.0 must be finite and >= 0"),
        ((HERE, HERE, "--factory", "absent:make"), "factory='absent:make' must name a module, but there is no absent"),
        ((HERE, HERE, "--factory", "absent"), "factory='absent' must be module:factory"),
        ((HERE, HERE, "--factory", ":make"), "factory=':make' must be module:factory"),
        (
            (HERE, HERE, "--factory", "json:absent"),
            "factory='json:absent' must name something in json, but it has no absent",
        ),
    ],
)
def test_bad_input_is_one_line(
    one_release: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], line: str
) -> None:
    """Exit code 2, nothing on standard output, and one line that starts with the value and its rule."""
    assert main(["upgrade", *words, "--offline"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert output.err.startswith(line)


def test_the_advice_is_that_of_the_known_table(capsys: pytest.CaptureFixture[str]) -> None:
    """2.12 to 2.13 repaired milestones=[0]: it is called fixed, with both traces and the workaround."""
    missing = {"2.12.0", "2.13.0"} - set(cache.cached())
    if missing:
        pytest.skip(f"releases {' '.join(sorted(missing))} are not cached: python -m suite fetch")
    words = ["upgrade", "2.12.0", "2.13.0", "--offline", "--composition", "seq2_m0.linearlr4_s0p13.exponentiallr0p89"]
    assert main([*words, "--json"]) == 1
    (change,) = json.loads(capsys.readouterr().out)
    assert (change["known_before"], change["known_after"], change["step"]) == ("milestone-zero", None, 0)
    assert change["after"][:3] == pytest.approx([0.3, 0.3 * 0.89, 0.3 * 0.89**2], rel=1e-12)
    assert main(words) == 1
    text = capsys.readouterr().out
    assert "fixed: " in text
    assert table()["milestone-zero"].workaround in text
