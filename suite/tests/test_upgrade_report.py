"""What `upgrade` prints: learning rates first and counted apart, warnings in one line, advice that fits."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path

import pytest

from suite.__main__ import main
from suite.across_releases.change_report import KINDS as REPORTED
from suite.across_releases.change_report import loop_in_words
from suite.across_releases.changes import EFFECTS, changed_in
from suite.cases.catalogue import all_cases
from suite.commands import upgrade
from suite.engine.case import Case
from suite.engine.subject import installed
from suite.releases import index
from suite.tests import stock

HERE = installed().release


@pytest.fixture
def some(monkeypatch: pytest.MonkeyPatch) -> tuple[Case, ...]:
    """Every tenth case."""
    cases = tuple(case for case in all_cases()[::10] if case.family != "docs")
    monkeypatch.setattr(upgrade, "all_cases", lambda: cases)
    return cases


@pytest.mark.slow
def test_learning_rates_lead_and_warnings_are_summed(
    one_release: Path, tmp_path: Path, some: tuple[Case, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Rates, an error and a warning change: counted apart, groups in that order, one line for all warnings."""
    other = tmp_path / "lr_scheduler.py"
    text = stock.changed(stock.INSTALLED, "CosineAnnealingWarmRestarts", "math.pi * self.T_cur", "3.0 * self.T_cur")
    faults = (("StepLR", "assert self.last_epoch != 2"), ("ExponentialLR", "warnings.warn('Beware.')"))
    for owner, fault in faults:
        text += stock.WRAPPED.format(owner=owner, method="step", before=fault, after="...")
    other.write_text(text, encoding="utf-8")
    assert main(["upgrade", HERE, str(other), "--json"]) == 1
    changes = json.loads(capsys.readouterr().out)
    counts = Counter(change["what"] for change in changes)
    assert min(counts[what] for what in ("lrs", "error", "warnings")) > 10
    assert {change["effect"] for change in changes} <= set(EFFECTS)
    assert main(["upgrade", HERE, str(other)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{len(changes) - counts['warnings']} of {len(some)} compositions change from ")
    summary = [(name, counts[what]) for what, name in REPORTED.items() if counts[what]]
    for line, (name, count) in zip(lines[1:], summary, strict=False):
        assert line.split("  ")[1].strip() == name
        assert int(line.removeprefix(f"  {name}").split()[0]) == count
    heads = [line for line in lines if " compositions" in line and line.endswith(")")]
    order = [next(i for i, name in enumerate(REPORTED.values()) if f"({name}, " in head) for head in heads]
    assert order == sorted(order)
    assert len(set(order)) > 1
    assert [line for line in lines if "Beware" in line] == [
        f"{counts['warnings']} compositions now warn: UserWarning: Beware."
    ]
    only_warnings = [change["case"] for change in changes if change["what"] == "warnings"]
    assert not any(f"[{case}]" in line for line in lines for case in only_warnings)


def test_a_change_of_warnings_alone_says_so(
    one_release: Path, tmp_path: Path, some: tuple[Case, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Only a warning goes: exit code 1, the first line says that nothing else changes, and no group is listed."""
    other = stock.planted(tmp_path, "ExponentialLR", "step", "warnings.warn('Beware.')")
    assert main(["upgrade", other, HERE]) == 1
    first, _, second, advice = capsys.readouterr().out.splitlines()
    assert first.startswith("learning rates, momenta and errors are the same from module ExponentialLR_step.py ")
    assert first.endswith("; only warnings change")
    assert second.endswith(" compositions no longer warn: UserWarning: Beware.")
    assert advice.startswith("  what to do: Nothing: the learning rates are the same.")


def test_every_effect_has_its_verdicts() -> None:
    """Each pair of kinds of verdict, before and after, has exactly one effect."""
    kinds = ("follows", "deviates", "absent")
    pairs = [pair for effect in EFFECTS.values() for pair in effect]
    assert sorted(pairs) == sorted(itertools.product(kinds, kinds))


def test_the_changing_releases_are_named(one_release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that comes and goes: both releases; where one before it is not cached, a range."""
    for release, fault in (("9.0.0", ""), ("9.1.0", stock.WRONG_EXPONENTIAL), ("9.10.0", "")):
        stock.put(release, fault)
    case = next(case for case in all_cases() if case.id == "exponentiallr0p89")
    assert changed_in(case, "9.0.0", "9.10.0") == ["9.1.0", "9.10.0"]
    assert changed_in(case, "9.1.0", "9.10.0") == ["9.10.0"]
    assert changed_in(case, "9.0.0", "9.0.5") == []
    monkeypatch.setattr(index, "FALLBACK", ("9.2.0",))
    assert changed_in(case, "9.0.0", "9.10.0") == ["9.1.0", "after 9.1.0, up to 9.10.0"]


def test_every_loop_has_its_own_words() -> None:
    """Two loops that differ are described differently, and only the plain one not at all."""
    words = {tuple(case.setup.marks): loop_in_words(case.setup) for case in all_cases()}
    assert [marks for marks, text in words.items() if not text] == [()]
    assert len(set(words.values())) == len(words)
