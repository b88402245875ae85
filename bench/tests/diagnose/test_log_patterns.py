"""Printed lines read by the pattern of their form: the same numbers as without it, and fast."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.diagnose.log.line_patterns import OFTEN, LinePatterns
from bench.diagnose.log.printed_line import learning_rates, steps
from bench.diagnose.log.read_log import read_log
from bench.tests.diagnose.test_log_printed import BATCHES, LINES

#: Lines whose numbers change from one to the next, of every form that is tested, and some that are not training lines.
FORMS = [
    *(form for form in LINES.values() if "\n" not in form),
    *(form for form, _ in BATCHES.values()),
    "optim/learning_rate_group{g}={lr}",
    "Epoch {i:5}: adjusting learning rate of group {g} to {lr:.4e}.",
    "step={i}, lr=[{lr}, {lr}], mom=[[0.9, {lr}]]",
    "step {i} took {lr} s",
    "validation {i}: lr is nan after epoch {g}",
]
#: CPU seconds that a million lines may take, and lines that are timed.
BAR, TIMED = 5.0, 200_000


@st.composite
def texts(draw: st.DrawFn) -> list[str]:
    """Lines of a few forms in any order."""
    forms = draw(st.lists(st.sampled_from(FORMS), min_size=1, max_size=3))
    numbers = st.one_of(st.sampled_from([0.5, 1e-5, 2.5e-06, 1.0, 0.0, 12.0]), st.floats(0, 10))
    counts = st.integers(0, 10**6)
    rows = st.tuples(st.sampled_from(forms), counts, counts, st.integers(0, 3), numbers)
    return [form.format(i=i, e=e, g=g, lr=lr) for form, i, e, g, lr in draw(st.lists(rows, max_size=30))]


@given(texts())
def test_a_pattern_changes_nothing(lines: list[str]) -> None:
    """Names and numbers of every line are those that it has when it is read alone."""
    read = LinePatterns().read
    for line in lines:
        numbers, lrs = steps(line), learning_rates(line)
        kind, values = read(line)
        assert kind.steps == tuple(number.name for number in numbers)
        assert kind.lrs == tuple(lr.name for lr in lrs)
        assert [str(value) for value in values] == [
            str(float(line[number.start : number.end])) for number in (*numbers, *lrs)
        ]


def test_a_form_that_is_met_often_gets_a_pattern() -> None:
    """It reads lines with other digits and other padding, and no line with another form or another name."""
    lines = LinePatterns()
    for step in range(OFTEN):
        assert not lines._patterns
        assert lines.read(f"step {step:4} lr/2: 0.{step}")[1] == (step, step / 10)
    (pattern,) = lines._patterns
    same, other = ("step 100000 lr/2: 0.25", "step     7 lr/2: 0.5"), ("0.25e-3", "25", "-0.2", "0.25%")
    assert all(pattern.match(line) for line in same)
    assert not any(pattern.match(f"step 1 lr/2: {number}") for number in other)
    assert not pattern.match("step 1 lr/3: 0.5")
    assert not pattern.match("step 1\tlr/2: 0.5")


def million(kind: str) -> str:
    """The lines of a long log."""
    if kind == "json":
        return "".join(json.dumps({"step": i, "lr": i / 3e9, "loss": 2.0}) + "\n" for i in range(TIMED))
    if kind == "csv":
        return "step,lr\n" + "".join(f"{i},{i / 3e9!r}\n" for i in range(TIMED))
    return "".join(
        f"step {i:5d} | loss: 4.675732 | lr {i / 3e9:.4e} | norm: 1.2345 | dt: 92.11ms | tok/sec: 178000.12\n"
        for i in range(TIMED)
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["printed", "json", "csv"])
def test_long_logs_are_read_in_time(kind: str, tmp_path: Path) -> None:
    """A million rows of any text format take at most `BAR` seconds, by the time of a part of them."""
    path = tmp_path / "train.log"
    path.write_text(million(kind))
    start = time.process_time()
    read_log(path)
    assert (time.process_time() - start) * 1e6 / TIMED <= BAR
