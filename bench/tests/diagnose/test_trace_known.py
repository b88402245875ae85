"""Every known deviation of torch that shows in an LR trace is named in a diagnosis of the real trace."""

from __future__ import annotations

import functools
import json
import re

import numpy as np
import pytest

from bench.diagnose import Trace, diagnose
from bench.diagnose.core.causes import CAUSES
from suite.cases.catalogue import all_cases
from suite.engine.case import Case
from suite.engine.loop import run_case
from suite.engine.subject import installed
from suite.engine.verdict import verdict_of
from suite.known.deviations import record_lines, records, table

#: Known deviation → the causes that are right for its traces.
NAMED: dict[str, set[str]] = {
    "length-zero-kept": {"start-kept"},
    "empty-rise": {"torch-empty-rise"},
    "multiplicative-later-phase": {"phase-scaled"},
    "swalr-shared-goal": {"torch-swalr-goal"},
    "swalr-later-phase": {"torch-swalr-continues"},
    "sequential-inside-chain": {"torch-sequential-in-chain"},
    "sequential-inside-first-phase": {"nested-lost-step"},
    "cycle-replaces-base-lr": {"torch-cycle-base"},
    # In a chain with a SequentialLR both causes name the trace that torch makes: the same numbers.
    "cyclic-first-lr-stale": {"torch-cycle-base", "torch-sequential-in-chain"},
    "settings-shared-in-group": {"torch-cycle-base"},
    "chain-as-first-phase": {"torch-chain-first"},
    "chain-built-backwards": {"torch-built-backwards"},
    "shared-tensor-plateau": {"factor-twice"},
    "plateau-first-epoch": {"torch-plateau-first"},
    "plateau-threshold-of-one": {"torch-plateau-first"},
    "plateau-eps-reached": {"torch-plateau-eps"},
    "epoch-multiplicative": {"torch-step-epoch"},
    "epoch-swalr": {"torch-step-epoch"},
    "epoch-warm-restarts": {"torch-step-epoch"},
    "optimizer-loaded-before-build": {"torch-restore-order"},
    # Restarted at the end of a ConstantLR, the jump happens twice: the same numbers under another name.
    "last-epoch-sequential": {"torch-last-epoch", "factor-twice"},
    "last-epoch-drop-twice": {"torch-last-epoch", "factor-twice"},
    "last-epoch-warm-restarts": {"torch-last-epoch"},
    "last-epoch-swalr": {"torch-last-epoch"},
}
#: Entry → why no LR trace shows it.
NOT_IN_THE_LR = {
    "constant-factor-zero": "torch raises ZeroDivisionError; the LRs up to there are right",
    "fractional-length": "the right LRs for 4.5 steps are undefined: the finding is that it is accepted",
    "composite-later-phase": "torch raises NotImplementedError at the milestone; the LRs up to there are right",
    "momentum-turned-on": "the LRs are right; the finding is that the optimizer is given a momentum",
    "zero-length-divides": "torch raises ZeroDivisionError in the first step()",
    "milestones-unchecked": "the right LRs for a milestone of 4.5 are undefined: the finding is that it is accepted",
    "plateau-unchecked": "the right LRs for patience=-1 are undefined: the finding is that it is accepted",
    "negative-length": "the right LRs for -3 steps are undefined: the finding is that it is accepted",
    "nan-in-range": "the right LRs for a factor of NaN are undefined: the finding is that it is accepted",
    "cyclic-halving-overflows": "torch raises OverflowError; the LRs up to there are right",
    "cyclic-state-emptied": "load_state_dict raises KeyError; the LRs up to there are right",
    "momentum-at-construction": "the LRs are right; the finding is the momentum of the phases before",
    "negative-lr": "the LRs are those that were asked for; the finding is that they are accepted",
}
#: Entry → why its trace has no name, though the LRs are wrong.
UNNAMED = {"shared-last-wins": "one group trains with the LRs of another; a diagnosis looks at one group"}
#: Shapes of a verdict that are a deviation of the LRs themselves.
IN_THE_LR = {"differs", "scaled", "shifted", "stuck", "reset"}
#: The farthest step(epoch) of a trace that is diagnosed: a log of few steps says too little about a farther one.
FARTHEST = 1000
#: Cases of an entry that are diagnosed, evenly chosen from all.
MOST = 6


@functools.cache
def by_id() -> dict[str, Case]:
    """Every case by its id."""
    return {case.id: case for case in all_cases()}


@functools.cache
def cases_of(entry: str) -> list[Case]:
    """Known cases of an entry whose LRs deviate in the plain loop, or in the one thing that the entry is about."""
    records_of_entry = [lines[0] for lines in record_lines().values() if {entry} == {line.entries for line in lines}]
    cases = [by_id()[r.case] for r in records_of_entry if r.channel == "lr" and r.shape in IN_THE_LR]
    return [case for case in cases if is_plain(case, entry)]


def is_plain(case: Case, entry: str) -> bool:
    """Whether one thing is wrong at a time and a log shows it: float LRs, one restart, short steps, no actions."""
    setup = case.setup
    rising = all(a < b for a, b in zip((2, *setup.jumps), setup.jumps, strict=False))
    about_resume = entry.startswith(("last-epoch", "optimizer-loaded"))
    return (
        (setup.lr_type == "float" or entry == "shared-tensor-plateau")
        and not setup.lists
        and not setup.actions
        and not setup.numbers
        and setup.clock == "step"
        and len(setup.cuts) == about_resume
        and rising
        and max(setup.jumps, default=0) <= FARTHEST
    )


@functools.cache
def named(entry: str) -> dict[str, str]:
    """The cause that comes first for each chosen case of an entry."""
    chosen = cases_of(entry)
    causes = {}
    for case in chosen[:: max(1, len(chosen) // MOST)][:MOST]:
        run = run_case(case.schedule, case.setup, case.steps, installed())
        trace = Trace(np.array(run.positions), np.array(run.lrs)[:, 0])
        diagnosis = diagnose(trace, case.schedule, base_lr=case.setup.base_lrs()[0])
        # A word by itself: the slug of the schedule may name a metric that is NaN.
        assert not re.search(r"\bnan\b", json.dumps(diagnosis.to_json(), allow_nan=False))
        causes[case.id] = diagnosis.explanations[0].cause if diagnosis.tied else "unknown"
    return causes


def test_every_live_entry_has_its_cause_or_its_reason() -> None:
    """No entry of the plain loop that is live in the newest release is missing, and none is in both lists."""
    plain = {line.entry for case, line in records().items() if not by_id()[case].setup.actions}
    live = {name for name, entry in table().items() if not entry.until and name in plain}
    assert {*NAMED, *NOT_IN_THE_LR, *UNNAMED} == live, "list each live entry in one of the tables above"
    assert not set(NAMED) & set(NOT_IN_THE_LR)
    assert set().union(*NAMED.values()) <= set(CAUSES)


@pytest.mark.slow
@pytest.mark.parametrize("entry", NAMED)
def test_the_real_trace_is_named(entry: str) -> None:
    """The trace of the installed torch, against the composition as documented, is explained by the entry's cause."""
    causes = named(entry)
    assert causes
    assert {case: cause for case, cause in causes.items() if cause not in NAMED[entry]} == {}


@pytest.mark.parametrize("entry", NOT_IN_THE_LR)
def test_what_is_left_out_does_not_show(entry: str) -> None:
    """No case of an entry that is left out deviates in its LRs."""
    mine = [r for r in records().values() if r.entry == entry]
    assert mine
    assert not {r.shape for r in mine if r.channel == "lr"} & IN_THE_LR


def test_torch_without_a_deviation_is_healthy() -> None:
    """Compositions that torch follows are not accused."""
    deviating = set(records())
    followed = [c for c in all_cases() if c.id not in deviating and c.family == "crossed" and c.setup.clock == "step"]
    plain = [c for c in followed if c.setup.lr_type == "float" and not c.setup.lists and not c.setup.resume]
    assert plain
    for case in plain[:12]:
        verdict = verdict_of(case, installed())
        assert verdict.follows
        run = run_case(case.schedule, case.setup, case.steps, installed())
        trace = Trace(np.array(run.positions), np.array(run.lrs)[:, 0])
        assert diagnose(trace, case.schedule, base_lr=case.setup.base_lrs()[0]).verdict == "healthy"
