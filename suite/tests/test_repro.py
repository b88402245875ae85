"""Every script for an upstream report runs on its own and reproduces its case."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import io
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

from suite.cases.catalogue import all_cases, find
from suite.engine.case import Case
from suite.engine.subject import installed
from suite.engine.verdict import Verdict, verdict_of
from suite.known.deviations import recorded_release, records, table
from suite.repro.script import script

#: What a script may import, and the exceptions with which torch correctly refuses a composition.
ALLOWED = {*sys.stdlib_module_names, "numpy", "torch"}
REFUSALS = (KeyError, NotImplementedError, TypeError, ValueError)
WARMUP_COSINE = "seq2_m6.linearlr6_s0p13.cosineannealinglr11"


@functools.cache
def cases() -> dict[str, Case]:
    """Every case by its id."""
    return {case.id: case for case in all_cases()}


def executed(text: str) -> tuple[list[str], Exception | None]:
    """The lines that a script prints, and what it raises."""
    printed = io.StringIO()
    error = None
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's deprecations; a script about warnings catches its own
        try:
            exec(compile(text, "<script>", "exec"), {"__name__": "__main__"})
        except Exception as raised:  # noqa: BLE001 - what a script raises is what the test looks at
            error = raised
    return printed.getvalue().splitlines() or [""], error


def last_line(verdict: Verdict) -> str:
    """The line with which a script of this verdict must end."""
    if verdict.follows:
        return "no deviation"
    special = {
        "accepted": "accepted",
        "warns": "a warning about correct calls",
        "silent": "no warning",
    }
    if verdict.label in special:
        return f"first deviation: {special[verdict.label]}"
    if verdict.step is None:  # a check after the last update; its detail starts with what it looks at
        return f"first deviation: {verdict.detail.split(' is ')[0]}"
    return f"first deviation: step {verdict.step}"


def complaint(text: str, verdict: Verdict) -> str:
    """How a script contradicts its verdict; empty if it does not."""
    lines, error = executed(text)
    if verdict.kind == "absent":
        return "" if isinstance(error, ImportError) else f"imports an absent class: {error!r}"
    if verdict.shape == "error":
        name = verdict.detail.split()[0]
        return "" if type(error).__name__ == name else f"raises {error!r}, not {name}"
    if verdict.follows and verdict.detail.startswith("refused"):
        return "" if isinstance(error, REFUSALS) else f"is not refused: {error!r}"
    failures = [other.detail for other in verdict.others if other.channel == "error"]
    ends_early = any(failure.startswith(type(error).__name__) for failure in failures)
    if error is not None and not ends_early:
        return f"raises {error!r}"
    if lines[-1] != last_line(verdict):
        return f"ends with {lines[-1]!r}, not {last_line(verdict)!r}"
    marked = [int(line.split()[0]) for line in lines if line.endswith("<-- differs")]
    # A deviation of rows marks its first row, any other marks none.
    if marked[:1] != ([verdict.step] if verdict.step is not None else []):
        return f"marks the rows {marked}"
    return ""


def foreign(text: str) -> set[str]:
    """The modules that a script imports beside torch and the standard library."""
    nodes = list(ast.walk(ast.parse(text)))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name for name in names if name.split(".")[0] not in ALLOWED}


def too_wide(text: str) -> list[str]:
    """Lines that a formatter would break: over 88 characters, unless a comment is one long word."""
    return [line for line in text.splitlines() if len(line) > 88 and not re.fullmatch(r"# \S+", line)]


@pytest.mark.slow
@pytest.mark.parametrize("entry", list(dict.fromkeys(record.entry for record in records().values())))
def test_every_known_case_has_a_script_that_shows_it(entry: str) -> None:
    """Each script ends with the verdict's step, or raises what the verdict names, with torch alone."""
    mine = [case_id for case_id, record in records().items() if record.entry == entry]
    assert table()[entry].covers(recorded_release())
    wrong = {}
    for case_id in mine:
        verdict = verdict_of(cases()[case_id], installed())
        text = script(cases()[case_id], verdict)
        fault = complaint(text, verdict) or foreign(text) or too_wide(text)
        if fault:
            wrong[case_id] = fault
    assert wrong == {}


def test_scripts_of_following_cases_show_no_deviation() -> None:
    """Where torch follows, the script shows no deviation either."""
    following = [case for case in all_cases() if case.id not in records()]
    sample = following[::23]
    assert len(sample) > 100
    wrong = {}
    for case in sample:
        verdict = verdict_of(case, installed())
        fault = complaint(script(case, verdict), verdict)
        if fault:
            wrong[case.id] = fault
    assert wrong == {}


def test_every_axis_is_in_the_sample() -> None:
    """The sample above varies every field of the setup that a CPU can vary."""
    following = [case for case in all_cases() if case.id not in records()][::23]
    plain = cases()[WARMUP_COSINE].setup
    for field in dataclasses.fields(plain):
        values = {getattr(case.setup, field.name) for case in following}
        assert field.name == "device" or len(values) > 1, f"{field.name}={values} in all of the sample"


@pytest.mark.slow
@pytest.mark.parametrize("entry", ["composite-later-phase", "last-epoch-drop-twice"])
def test_script_runs_as_a_file(entry: str, tmp_path: Path) -> None:
    """`python file.py` away from the repository prints the table, and fails only where torch raises."""
    case_id = next(case_id for case_id, record in records().items() if record.entry == entry)
    verdict = verdict_of(cases()[case_id], installed())
    file = tmp_path / "report.py"
    file.write_text(script(cases()[case_id], verdict), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(file)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    lines, error = executed(file.read_text(encoding="utf-8"))
    assert done.stdout.splitlines() == lines
    assert done.returncode == (0 if error is None else 1)
    if error is None:
        assert lines[-1] == last_line(verdict)
    else:
        assert type(error).__name__ in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("step", [0, 5, 15])
@pytest.mark.parametrize("mark", ["", "-3groups"])
def test_a_wrong_expectation_is_detected(step: int, mark: str) -> None:
    """Changing one literal by a thousandth makes the script report its step."""
    text = script(cases()[WARMUP_COSINE + mark])
    assert executed(text)[0][-1] == "no deviation"
    head, numbers = text.split("EXPECTED = [\n")
    rows = numbers.split("\n")
    rows[step] = re.sub(r"\d\.\d+(?=\D*$)", lambda m: repr(float(m[0]) * 1.001), rows[step], count=1)
    lines, error = executed("EXPECTED = [\n".join([head, "\n".join(rows)]))
    assert error is None
    assert lines[-1] == f"first deviation: step {step}"


def test_complaint_detects_a_wrong_script() -> None:
    """A script that shows nothing, shows another step, or imports our own code is not accepted."""
    verdict = Verdict("deviates", "differs", 3, expected=(0.1,) * 16)
    assert "ends with" in complaint("print('no deviation')", verdict)
    assert "ends with" in complaint("print('first deviation: step 4')", verdict)
    assert "marks" in complaint("print('first deviation: step 3')", verdict)
    assert "raises" in complaint("1 / 0", verdict)
    assert "not ValueError" in complaint("1 / 0", Verdict("deviates", "error", 3, detail="ValueError before"))
    assert foreign("import torch\nfrom suite.engine.case import Case\nimport reference") == {
        "suite.engine.case",
        "reference",
    }


def test_wrong_report_of_the_lr_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a get_last_lr() that is off, the table compares what it returns."""
    base = torch.optim.lr_scheduler.StepLR
    monkeypatch.setattr(base, "get_last_lr", lambda self: [2 * lr for lr in self._last_lr])
    for case_id in ("steplr3_g0p7", "steplr3_g0p7-3groups", "steplr3_g0p7-tensor"):
        verdict = verdict_of(cases()[case_id], installed())
        text = script(cases()[case_id], verdict)
        assert verdict.label == "reported"
        assert "get_last_lr()" in text
        assert complaint(text, verdict) == ""


def test_wrong_momentum_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a momentum that leaves its cycle, the table compares momenta, of SGD and of Adam."""
    right = torch.optim.lr_scheduler.CyclicLR.get_lr

    def wrong(self: Any) -> Any:
        rates = right(self)
        for group in self.optimizer.param_groups if self.last_epoch == 4 else []:
            key, value = ("betas", (0.5, 0.999)) if "betas" in group else ("momentum", 0.5)
            group[key] = value
        return rates

    monkeypatch.setattr(torch.optim.lr_scheduler.CyclicLR, "get_lr", wrong)
    for mark in ("", "-3groups", "-adam"):
        case = cases()["cycliclr0p017_h0p19_u3" + mark]
        verdict = verdict_of(case, installed())
        assert (verdict.label, verdict.step) == ("momentum", 4)
        assert complaint(script(case, verdict), verdict) == ""


def test_find_names_the_nearest_ids() -> None:
    """An id is found on each device; a wrong one is answered in one line with those like it."""
    assert find(WARMUP_COSINE).id == WARMUP_COSINE
    assert find(f"{WARMUP_COSINE}-cuda").setup.device == "cuda"
    assert 'torch.zeros(1, device="cuda")' in script(find(f"{WARMUP_COSINE}-cuda"), Verdict("follows"))
    with pytest.raises(
        ValueError, match=rf"^unknown case '{WARMUP_COSINE}x' \(\d+ known\); did you mean {WARMUP_COSINE}\b.*\?$"
    ):
        find(WARMUP_COSINE + "x")
    with pytest.raises(ValueError, match=r"^unknown case '' \(\d+ known\)$"):
        find("")
