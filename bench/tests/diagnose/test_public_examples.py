"""The public examples: loops run the clock that they say, mistakes show, answers are judged as described."""

from __future__ import annotations

import ast
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from bench.__main__ import main
from bench.diagnose.core.causes import CAUSES
from bench.diagnose.core.diagnosis import Diagnosis, Explanation
from bench.diagnose.examples import public
from bench.diagnose.examples.public import public_score
from bench.diagnose.examples.public.fact_check import facts_are_right
from bench.diagnose.examples.public.logbook import Logging
from bench.diagnose.examples.public.loop import LoopShape, draw_plan, draw_shape, train
from bench.diagnose.examples.public.mistake import MISTAKES, WantedRun
from bench.diagnose.examples.public.public_example import (
    HEALTHY,
    PublicExample,
    by_label,
    facts_of,
    healthy_run,
    public_example,
    shows,
)
from bench.diagnose.examples.public.public_score import HALF, RIGHT, UNKNOWN, WRONG, PublicScore, judged
from bench.diagnose.examples.public.report import as_frame, line, lines, publish_scores
from bench.diagnose.examples.public.resume_mistakes import nothing_loaded, optimizer_first, scheduler_only
from bench.diagnose.examples.public.schedules.schedule import SCHEDULES, CountingScheduler, PublicPlan
from reference import Schedule, parse

FOLDER = Path(public.__file__).parent
SHAPE = LoopShape(loader=10, epochs=3, accumulate=4, processes=1)
PLAN = PublicPlan(1.0, 2, 9)


def counter() -> CountingScheduler:
    """A scheduler whose LR is the number of its steps."""
    return CountingScheduler(lambda t, plan: float(t), PLAN)


@pytest.mark.parametrize(
    ("options", "lrs"),
    [
        ({}, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ({"step_at": "epoch"}, [0, 0, 0, 1, 1, 1, 2, 2, 2]),
        ({"step_at": "batch"}, [3, 7, 9, 13, 17, 19, 23, 27, 29]),
        ({"step_at": "before"}, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ({"step_at": "never"}, [0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ({"times": 2}, [0, 2, 4, 6, 8, 10, 12, 14, 16]),
        ({"skipped": [0, 4]}, [1, 2, 3, 5, 6, 7, 8]),
        ({"skipped": [0, 4], "waits": True}, [0, 0, 1, 2, 3, 3, 4, 5, 6]),
    ],
)
def test_the_loop_steps_where_it_says(options: dict[str, object], lrs: list[float]) -> None:
    """Ten batches by fours make three updates an epoch, the last of two batches."""
    assert train(counter(), SHAPE, **options) == lrs  # type: ignore[arg-type]


def test_plans_fit_their_loops() -> None:
    """Drawn warmups end well inside the run."""
    rng = np.random.default_rng(0)
    for _ in range(100):
        shape = draw_shape(rng)
        plan = draw_plan(rng, shape, floors=True)
        assert plan.total == shape.updates
        assert 5 <= plan.warmup <= 0.45 * plan.total


def wanted(name: str) -> WantedRun:
    """A run of 300 updates."""
    return WantedRun(SCHEDULES[name], PublicPlan(1e-3, 30, 300), LoopShape(30, 10, 1, 1))


def test_a_restart_is_the_schedule_from_its_start() -> None:
    """Without its state a formula starts over where the run was resumed."""
    run = wanted("transformers-linear")
    right, restarted = healthy_run(run).lrs, nothing_loaded(np.random.default_rng(1), run)
    assert restarted is not None
    before = int(np.flatnonzero(np.array(right) != restarted.lrs)[0])
    assert restarted.lrs[before:] == right[: 300 - before]


def test_torch_scales_after_the_wrong_order() -> None:
    """Building writes the warmup's first LR, a hundredth of the base, over the loaded one; torch multiplies that."""
    run = wanted("torch-linear-linear")
    right = np.array(healthy_run(run).lrs)
    scaled = optimizer_first(np.random.default_rng(1), run)
    assert scaled is not None
    lrs = np.array(scaled.lrs)
    before = int(np.flatnonzero(lrs != right)[0])
    assert lrs[before] == pytest.approx(0.01 * run.plan.base)
    assert lrs[before:] / right[before:] == pytest.approx(lrs[before] / right[before])


def test_two_ways_to_resume_give_the_same() -> None:
    """Behind a SequentialLR the wrong order of loading is as if the optimizer's state had not been loaded."""
    run, seed = wanted("torch-linear-linear"), 1
    runs = [make(np.random.default_rng(seed), run) for make in (optimizer_first, scheduler_only)]
    assert runs[0] == runs[1]
    one, other = (
        set(by_label()[name][0].right) for name in ("torch-restore-order", "scheduler-state-without-optimizer")
    )
    assert one == other


@pytest.mark.parametrize("label", sorted(by_label()))
def test_a_mistake_shows(label: str) -> None:
    """Each label can be drawn, and its log differs from that of the wanted run."""
    example = public_example(3, label)
    assert example.label == label
    assert example.trace.steps.size >= 15 or example.logging.missing > 0
    if not SCHEDULES[example.wanted.schedule.name].name.startswith(("timm-cosine-default", "torch-chained")):
        assert not shows(example.wanted, healthy_run(example.wanted), Logging())


def test_right_answers_exist() -> None:
    """What counts as right or near is a cause, or a label that the causes lack so far."""
    known = CAUSES.keys() | by_label().keys()
    for mistake in MISTAKES:
        assert set(mistake.right) <= known
        assert set(mistake.near) <= known - set(mistake.right)
        assert mistake.label in mistake.right
        assert mistake.modes


@pytest.mark.slow
def test_an_example_follows_from_its_seed_alone() -> None:
    """The same seed gives the same log; half of the seeds give a healthy one, half a degraded one."""
    first, second = ([public_example(seed) for seed in range(60)] for _ in range(2))
    assert [e.label for e in first] == [e.label for e in second]
    assert all(np.array_equal(a.trace.lrs, b.trace.lrs) for a, b in zip(first, second, strict=True))
    for count in (sum(e.label == HEALTHY for e in first), sum(e.logging.degraded for e in first)):
        assert abs(count - 30) <= 4 * 3.9  # four standard deviations of a fair coin
    assert all((e.expect is None) == (e.mode != "expect") for e in first)
    assert all((e.warmup_steps is None) == (e.mode != "settings") for e in first)


def test_a_degraded_log_loses_rows_and_digits() -> None:
    """Every fifth row to three digits; the first and the last row stay when others are missing."""
    lrs = [1 / (t + 3) for t in range(101)]
    for seed in range(8):  # by chance one seed alone keeps an end
        trace = Logging(stride=5, digits=3, missing=0.5, seed=seed).trace(list(range(101)), lrs)
        assert set(trace.steps) < set(range(0, 101, 5))
        assert (trace.steps[0], trace.steps[-1]) == (0, 100)
        assert trace.lrs.tolist() == [float(f"{lrs[t]:.2e}") for t in trace.steps]


def test_facts_are_those_of_the_run() -> None:
    """First, last and highest LR, the share at 0, the first negative LR, and jumps."""
    facts = facts_of([0.0, 0.5, 1.0, 0.98, 0.2, -0.1])
    assert (facts.first, facts.last, facts.peak, facts.peak_step) == (0.0, -0.1, 1.0, 2)
    assert facts.zero_share == pytest.approx(1 / 6)
    assert (facts.negative_from, facts.jumps) == (5, (1, 2, 4, 5))


def answered(example: PublicExample, verdict: str, cause: str, schedule: Schedule | None = None) -> Diagnosis:
    """An answer with one explanation."""
    explanation = Explanation(cause, "", "", "", None, None, 0.0, schedule, {"base_lr": 1.0})
    return Diagnosis(example.trace, None, verdict, (explanation,), 1)


def test_answers_are_judged() -> None:
    """Right, near, wrong and unknown; a healthy verdict with the right curve is half right if nothing was given."""
    example = dataclasses.replace(public_example(3, "per-process"), mode="nothing")
    assert judged(example, answered(example, "fault", "per-process")).result == RIGHT
    assert judged(example, answered(example, "fault", "micro-batch")).result == HALF
    assert judged(example, answered(example, "fault", "late")).result == WRONG
    assert judged(example, answered(example, "unknown", "late")).result == UNKNOWN
    assert judged(example, answered(example, "healthy", "follows", parse("linear3+cosine9"))).result == WRONG
    run = WantedRun(SCHEDULES["transformers-cosine"], PublicPlan(1.0, 10, 100), LoopShape(10, 10, 1, 1))
    same = dataclasses.replace(example, trace=Logging().trace(list(range(100)), healthy_run(run).lrs))
    curve = answered(same, "healthy", "follows", parse("linear10+cosine90"))
    assert judged(same, curve).result == HALF
    assert judged(dataclasses.replace(same, mode="settings"), curve).result == WRONG


def test_a_refusal_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ValueError of the diagnosis counts as unknown, and its words come into the table."""

    def refuse(*_: object, **__: object) -> Diagnosis:
        raise ValueError("warmup_steps=9 must be <= total_steps=3")

    monkeypatch.setattr(public_score, "diagnose", refuse)
    score = public_score.score_public(2)
    assert score.result == UNKNOWN
    assert "warmup_steps=9" in str(line("all", "some", [score])["named_instead"])


def test_a_healthy_run_is_accused_by_any_fault() -> None:
    """Healthy is right, a fault accuses, except where a library's ordinary start is described rightly."""
    example = dataclasses.replace(public_example(3, HEALTHY), right=("zero-twice",))
    assert judged(example, answered(example, "healthy", "follows")).result == RIGHT
    assert judged(example, answered(example, "fault", "late")).accused
    assert not judged(example, answered(example, "fault", "zero-twice")).accused


def test_the_table_counts(tmp_path: Path) -> None:
    """Shares and intervals by kind; the files have the same numbers."""
    faulty, healthy = dataclasses.replace(public_example(3, "too-slow"), label="unheard-of"), public_example(3, HEALTHY)
    scores = [
        PublicScore(faulty, "horizon-long", HALF, True, True),
        PublicScore(faulty, "late", WRONG, False, True),
        PublicScore(healthy, HEALTHY, RIGHT, True, True),
    ]
    rows = {row["kind"]: row for row in lines(scores)}
    kind = rows["unheard-of (no cause yet)"]
    assert (kind["n"], kind["right"].value, kind["right_or_half"].value) == (2, 0.0, 0.5)
    assert (kind["wrong"].value, kind["wrong_and_sure"].value) == (0.5, 0.0)
    assert kind["named_instead"] == "horizon-long 1, late 1"
    assert rows["healthy"]["right"].value == 1.0
    publish_scores(lines(scores), (0, 3), tmp_path)
    assert as_frame(lines(scores)).shape[0] == len((tmp_path / "public.csv").read_text().splitlines()) - 1
    assert "| unheard-of (no cause yet)" in (tmp_path / "public.md").read_text()


def test_the_command_prints_and_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    """Two seeds as JSON; an unknown generator and --out of the own one cost one line and exit code 2."""
    assert main(["score", "--generator", "public", "--seeds", "0", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["seeds"] == [0, 2]
    for arguments in (["--generator", "other"], ["--out", "x"]):
        assert main(["score", *arguments]) == 2
    assert capsys.readouterr().err.count("must be") == 2


def code_lines(paths: list[Path]) -> set[str]:
    """Lines of code long enough to be a thought; imports, definitions and docstrings are left out."""
    lines: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Assign | ast.Return | ast.AugAssign) and len(ast.unparse(node)) >= 30:
                lines.add(ast.unparse(node))
    return lines


def test_it_shares_nothing_with_the_rules() -> None:
    """Only the scoring imports the diagnosis; no statement is in the other generator or in the rules as well."""
    ours = sorted(FOLDER.rglob("*.py"))
    rules = [path for path in FOLDER.parents[1].rglob("*.py") if FOLDER not in path.parents]
    assert len(code_lines(ours)) > 100
    assert code_lines(ours) & code_lines(rules) == set()
    for path in ours:
        text = path.read_text()
        for forbidden in ("hypotheses", "bench.diagnose.fit", "rank", "examples.example", "examples.loops"):
            assert f"import {forbidden}" not in text
            assert f"from {forbidden}" not in text
        if path.name not in ("public_score.py", "report.py", "fact_check.py"):
            assert "bench.diagnose.examine" not in text


@pytest.mark.parametrize("seed", range(40, 60))
def test_the_facts_of_a_clean_healthy_run_are_true(seed: int) -> None:
    """The phases describe the run; described upside down, or with another end, they do not."""
    example = public_example(seed, HEALTHY)
    made, stride = example.made, example.trace.stride
    steps, lrs = np.array(made.steps), np.array(made.lrs)
    diagnosis = public_score.answer(example)
    assume_right = facts_are_right(diagnosis, steps, lrs, stride)
    turned = lrs.max() + lrs.min() - lrs
    if assume_right and np.ptp(lrs) > 0.1 * lrs.max():
        assert not facts_are_right(diagnosis, steps, turned, stride)
    cut = np.where(steps < steps[-1] // 2, lrs, 0.0)
    assert not facts_are_right(diagnosis, steps, cut, stride)


def test_an_informed_answer_names_nothing_wrong() -> None:
    """Right facts count where nothing was given, and never beside a wrong cause."""
    example = dataclasses.replace(public_example(3, HEALTHY), mode="nothing")
    assert PublicScore(example, UNKNOWN, UNKNOWN, False, True).informed
    assert not PublicScore(example, "late", WRONG, True, True).informed
    assert not PublicScore(dataclasses.replace(example, mode="settings"), UNKNOWN, UNKNOWN, False, True).informed
