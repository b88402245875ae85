"""What would have held: the search, the table in its place, and the words."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from bench.diverge.alarm_rules import DEFAULT
from bench.diverge.change import longer_warmups, lower_lrs, with_warmup
from bench.diverge.outcome import NEVER, TOO_SLOW, Outcome
from bench.diverge.recommend import FAMILIES, measured
from bench.diverge.remedy import CHECK_SEEDS, SEARCH_SEEDS, TrainingSetup, search
from bench.diverge.sweep_table import COLUMNS, from_table, read_table
from bench.diverge.verdict import judged, sentence, to_json
from bench.tests.diverge_runs import BAD, GOOD, MIDDLE, STEPS, Ruled
from reference import parse

FAILING = TrainingSetup("small16", "post", STEPS, "linear0+cosine40", 0.1)


def edge(warmup: int, lr: float, seed: int) -> float:
    """A longer warmup allows a higher LR: 0.02 without, 0.02·(1 + W/2) with W steps; too low an LR is too slow."""
    if lr < 0.005:
        return MIDDLE
    return GOOD if lr <= 0.02 * (1 + warmup / 2) else BAD


@pytest.mark.parametrize(
    ("slug", "length", "changed"),
    [
        ("linear20+cosine180", 50, "linear50+cosine150"),
        ("linear0+hold", 50, "linear50+hold"),
        ("noam400_d512", 50, "noam50_d512"),
        ("linear0", 50, "linear50"),
        ("familyb.cosinewarmup4+lineardecay8", 6, "familyb.cosinewarmup6+lineardecay6"),
        ("familyg.linear4+cosine12", 6, "familyg.linear6+cosine12"),
        ("linear2+wsd5_d4", 9, "linear9+wsd0_d2"),
    ],
)
def test_a_longer_warmup_ends_at_the_same_step(slug: str, length: int, changed: str) -> None:
    """The kinds stay, and what the warmup gains is taken from the decay."""
    assert with_warmup(parse(slug), length).slug == changed


def test_changes_are_tried_from_the_smallest_on() -> None:
    """Warmups grow, LRs fall, and neither contains what failed."""
    lengths = [parse(slug).warmup.warmup_steps for slug in longer_warmups(parse("linear20+cosine180"), 200)]  # type: ignore[attr-defined]
    assert lengths == sorted(lengths)
    assert lengths[0] > 20
    assert lower_lrs(0.1) == sorted(lower_lrs(0.1), reverse=True)
    assert lower_lrs(0.1)[0] < 0.1
    assert longer_warmups(parse("untunedlinear+hold"), 200) == []


def test_the_search_finds_the_smallest_change_that_holds() -> None:
    """By the rule W >= 8 holds at LR 0.1, and LR 0.02 without warmup; each is checked with seeds of its own."""
    trainer = Ruled(edge)
    found = search(FAILING, trainer)
    assert found.warmup is not None
    assert found.lr is not None
    assert (found.warmup.schedule, found.warmup.base_lr) == ("linear8+cosine32", 0.1)
    assert (found.lr.schedule, found.lr.base_lr) == ("linear0+cosine40", 0.0177)
    assert found.learned_by == 12
    assert [{plan.seed for plan in plans} for plans in trainer.asked] == [set(SEARCH_SEEDS), set(CHECK_SEEDS)]


def test_a_change_that_fails_its_check_is_passed_over() -> None:
    """With the seeds of the check only W >= 14 holds: that is what is advised, and found in a second check."""
    trainer = Ruled(lambda w, lr, seed: BAD if seed in CHECK_SEEDS and w == 8 else edge(w, lr, seed))
    found = search(FAILING, trainer)
    assert found.warmup is not None
    assert found.warmup.schedule == "linear14+cosine26"
    assert [len(plans) // len(CHECK_SEEDS) for plans in trainer.asked[1:]] == [2, 1]


def test_one_failed_seed_of_the_search_is_too_many() -> None:
    """A setting with which one seed fails does not hold, whatever the others do; one that is unfinished may."""
    bad = Ruled(lambda w, lr, seed: BAD if seed == SEARCH_SEEDS[0] and w == 8 else edge(w, lr, seed))
    slow = Ruled(lambda w, lr, seed: MIDDLE if seed == SEARCH_SEEDS[0] and w == 8 else edge(w, lr, seed))
    chosen = [found.warmup.schedule for trainer in (bad, slow) if (found := search(FAILING, trainer)).warmup]
    assert chosen == ["linear14+cosine26", "linear8+cosine32"]


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (
            edge,
            "What holds: a longer warmup at this LR, linear8+cosine32 (4 of 4 fresh seeds learned the task, 0 failed);",
        ),
        (lambda w, lr, seed: GOOD if lr <= 0.02 else BAD, "No warmup up to 30 steps is long enough at this LR."),
        (lambda w, lr, seed: GOOD if w >= 8 else BAD, "No lower LR held with this warmup."),
        (
            lambda w, lr, seed: GOOD if lr == 0.05 and w == 0 and seed >= 1000 else BAD,
            "a lower LR with this warmup, 0.05",
        ),
        (lambda w, lr, seed: BAD, "Nothing that was tried holds"),
        (lambda w, lr, seed: GOOD if lr > 0.1 else BAD, "did not learn the task with 2 of 2 seeds (2 too slow;"),
        (lambda w, lr, seed: GOOD, "did not fail with any of 2 seeds (2 learned; validation loss 0.01 to 0.01"),
    ],
    ids=["both", "no warmup", "no lr", "one lr", "nothing", "slow", "good"],
)
def test_the_sentence_says_what_would_have_held(ending: object, words: str) -> None:
    """Each outcome of the search has its words, and the JSON has the same sentence."""
    verdict = judged(FAILING, [0, 1], Ruled(ending))  # type: ignore[arg-type]
    assert words in sentence(verdict)
    assert to_json(verdict)["sentence"] == sentence(verdict)
    assert to_json(verdict)["failed"] == (2 if "failed with" in sentence(verdict) else 0)
    assert any(found.kind == TOO_SLOW for found in verdict.outcomes) == ("too slow" in words)


def test_the_warning_is_told_with_its_lead() -> None:
    """The alarm that is in time in most runs, its step, and how far before the failure."""
    verdict = judged(FAILING, [0, 1], Ruled(edge), advise=False)
    assert "Nothing warned before the loss shows it at step 40." in sentence(verdict)
    late = dataclasses.replace(verdict, outcomes=tuple(Outcome(NEVER, 12) for _ in verdict.outcomes))
    late.records.attention_logits[:, 12:] = 1000.0
    assert "Nothing warned before the loss shows it at step 12." in sentence(late)
    verdict.records.attention_logits[:] = 1e-3
    verdict.records.attention_logits[:, 30:] = 1000.0
    assert f"{DEFAULT.text}, in 2 of 2 failed runs at step 30; " in sentence(verdict)
    assert "the loss shows it at step 40, 10 steps later (medians)." in sentence(verdict)
    verdict.records.update_ratios[:, 20:] = 1.0
    assert "The first warning: update ratio > 0.036, in 2 of 2 failed runs at step 22; " in sentence(verdict)
    assert f"The most reliable one: {DEFAULT.text}, in 2 of 2 failed runs at step 30." in sentence(verdict)


def rows_of(lengths: list[int], lrs: list[float]) -> list[dict[str, object]]:
    """A sweep's table that follows the rule."""
    made = []
    for length in lengths:
        slug = with_warmup(parse(FAILING.schedule), length).slug
        for lr in lrs:
            base = {**FAILING._asdict(), "schedule": slug, "kind": "linear", "warmup_steps": length, "decay": "cosine"}
            made += [{**base, "lr": lr, "seed": seed, "loss": edge(length, lr, seed)} for seed in range(3)]
    return made


def test_a_table_is_read_on_the_safe_side() -> None:
    """LR 0.11 stands for 0.1 and W 0 for 0; what it says is checked by running what is advised itself."""
    trainer = Ruled(edge)
    found = from_table(FAILING, rows_of([0, 6, 8, 9, 30], [0.004, 0.01, 0.02, 0.03, 0.11, 0.5]), trainer)
    assert found.warmup is not None
    assert found.lr is not None
    assert (found.warmup.schedule, found.lr.base_lr) == ("linear9+cosine31", 0.02)
    assert found.learned_by == 12
    assert {(plan.schedule, plan.base_lr) for plan in trainer.asked[0]} == {
        ("linear9+cosine31", 0.1),
        ("linear0+cosine40", 0.02),
    }


def test_a_table_of_other_runs_is_refused() -> None:
    """A table without a run of this model, length and kinds cannot say anything."""
    other = FAILING._replace(schedule="cosinewarmup4+lineardecay36")
    for setting in (other, FAILING._replace(norm="pre"), FAILING._replace(steps=50)):
        with pytest.raises(
            ValueError, match=r"schedule=.* must be of kinds that the table has, .* (post|pre)-LN, (40|50) steps"
        ):
            from_table(setting, rows_of([0, 8], [0.1]), Ruled(edge))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "must be a sweep's runs.csv"),
        ("a,b\n1,2\n", "with the column 'schedule'"),
        (",".join(COLUMNS) + "\nlinear0+hold,none,x,hold,post,small16,40,0.1,0,2\n", "must hold numbers"),
        (",".join(COLUMNS) + "\n", "one row or more"),
        ("\x00\xff\xfe", "must be a sweep's runs.csv"),
    ],
    ids=["empty", "columns", "numbers", "rows", "binary"],
)
def test_a_file_that_is_no_table_is_refused(text: str, error: str, tmp_path: Path) -> None:
    """One line says what it must be."""
    path = tmp_path / "runs.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=error):
        read_table(path)


def test_the_advice_is_tried_with_seeds_of_its_own() -> None:
    """Every case failed before, was advised by the table, and is run once with a seed that nothing else had."""
    trainer = Ruled(lambda w, lr, seed: edge(w, lr, seed))
    advice = measured(trainer, drawn=4)
    assert advice.drawn == 4 * len(FAMILIES)
    assert advice.failed > 0
    assert len(advice.cases) + advice.without == 2 * advice.failed
    assert all(case.holds for case in advice.cases)
    assert all(
        case.change == ("lower LR" if case.advised.base_lr < case.failed.base_lr else "longer warmup")
        for case in advice.cases
    )
    last = [plan.seed for plan in trainer.asked[-1]]
    earlier = {plan.seed for plans in trainer.asked[:-1] for plan in plans}
    assert len(set(last)) == len(last) == len(advice.cases)
    assert not earlier & set(last)
    assert np.isfinite([case.loss for case in advice.cases]).all()
