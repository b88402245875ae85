"""What would have prevented a failure: the search, the sweep table, and the text."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from bench.diverge.alarm_rules import DEFAULT
from bench.diverge.change import longer_warmups, lower_lrs, with_warmup
from bench.diverge.outcome import NEVER, TOO_SLOW, Outcome
from bench.diverge.recommend import FAMILIES, LONGER, LOWER, measured
from bench.diverge.remedy import CHECK_SEEDS, SEARCH_SEEDS, TrainingSetup, search
from bench.diverge.sweep_table import COLUMNS, from_table, read_table
from bench.diverge.verdict import judged, sentence, to_json
from bench.tests.diverge_runs import BAD, GOOD, MIDDLE, STEPS, Ruled
from reference import parse

FAILING = TrainingSetup("small16", "post", STEPS, "linear0+cosine40", 0.1)


def edge(warmup: int, lr: float, seed: int) -> float:
    """A longer warmup allows a higher LR, 0.02·(1 + W/2) with W steps; a run with too low an LR is unfinished."""
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
    """The kinds stay the same, and what the warmup gains is taken from the decay."""
    assert with_warmup(parse(slug), length).slug == changed


def test_the_smallest_changes_are_tried_first() -> None:
    """Warmups increase, LRs decrease, and neither list contains the setup that failed."""
    lengths = [parse(slug).warmup.warmup_steps for slug in longer_warmups(parse("linear20+cosine180"), 200)]  # type: ignore[attr-defined]
    assert lengths == sorted(lengths)
    assert lengths[0] > 20
    assert lower_lrs(0.1) == sorted(lower_lrs(0.1), reverse=True)
    assert lower_lrs(0.1)[0] < 0.1
    assert longer_warmups(parse("untunedlinear+hold"), 200) == []


def test_the_search_finds_the_smallest_stable_change() -> None:
    """By the rule, W >= 8 is stable at LR 0.1, and LR 0.02 without warmup; each is checked with fresh seeds."""
    trainer = Ruled(edge)
    remedy = search(FAILING, trainer)
    assert remedy.warmup is not None
    assert remedy.lr is not None
    assert (remedy.warmup.schedule, remedy.warmup.base_lr) == ("linear8+cosine32", 0.1)
    assert (remedy.lr.schedule, remedy.lr.base_lr) == ("linear0+cosine40", 0.0177)
    assert remedy.learned_by == 12
    assert [{plan.seed for plan in plans} for plans in trainer.asked] == [set(SEARCH_SEEDS), set(CHECK_SEEDS)]


def test_a_change_that_fails_its_check_is_skipped() -> None:
    """With the seeds of the check only W >= 14 is stable: it is found in a second check and advised."""
    trainer = Ruled(lambda w, lr, seed: BAD if seed in CHECK_SEEDS and w == 8 else edge(w, lr, seed))
    remedy = search(FAILING, trainer)
    assert remedy.warmup is not None
    assert remedy.warmup.schedule == "linear14+cosine26"
    assert [len(plans) // len(CHECK_SEEDS) for plans in trainer.asked[1:]] == [2, 1]


def test_one_failed_seed_of_the_search_is_too_many() -> None:
    """A setup is not stable if one seed fails; it may be stable if one seed is unfinished."""
    bad = Ruled(lambda w, lr, seed: BAD if seed == SEARCH_SEEDS[0] and w == 8 else edge(w, lr, seed))
    slow = Ruled(lambda w, lr, seed: MIDDLE if seed == SEARCH_SEEDS[0] and w == 8 else edge(w, lr, seed))
    chosen = [remedy.warmup.schedule for trainer in (bad, slow) if (remedy := search(FAILING, trainer)).warmup]
    assert chosen == ["linear14+cosine26", "linear8+cosine32"]


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (
            edge,
            (
                "What would have prevented it: a warmup of 8 steps at the same base LR [linear8+cosine32] "
                "(4 of 4 fresh seeds learned the task, 0 failed);"
            ),
        ),
        (lambda w, lr, seed: GOOD if lr <= 0.02 else BAD, "No warmup up to 30 steps is long enough at this LR."),
        (lambda w, lr, seed: GOOD if w >= 8 else BAD, "No lower LR is stable with this warmup."),
        (
            lambda w, lr, seed: GOOD if lr == 0.05 and w == 0 and seed >= 1000 else BAD,
            "a base LR of 0.05 with the same warmup",
        ),
        (lambda w, lr, seed: BAD, "None of the changes that were tried is stable"),
        (lambda w, lr, seed: GOOD if lr > 0.1 else BAD, "2 of 2 runs did not learn the task (2 too slow;"),
        (lambda w, lr, seed: GOOD, "0 of 2 runs failed (2 learned; validation loss 0.01 to 0.01"),
    ],
    ids=["both", "no warmup", "no lr", "one lr", "nothing", "slow", "good"],
)
def test_the_sentence_says_what_would_have_prevented_it(ending: object, words: str) -> None:
    """Each result of the search has its text, and the JSON has the same sentence."""
    verdict = judged(FAILING, [0, 1], Ruled(ending))  # type: ignore[arg-type]
    assert words in sentence(verdict)
    assert to_json(verdict)["sentence"] == sentence(verdict)
    assert to_json(verdict)["failed"] == (2 if "2 of 2 runs failed" in sentence(verdict) else 0)
    assert any(outcome.kind == TOO_SLOW for outcome in verdict.outcomes) == ("too slow" in words)


def test_the_warning_has_its_lead() -> None:
    """The sentence names the rule that warned in time in most runs, its step, and its lead."""
    verdict = judged(FAILING, [0, 1], Ruled(edge), advise=False)
    assert "There was no warning before the loss shows the failure at step 40." in sentence(verdict)
    late = dataclasses.replace(verdict, outcomes=tuple(Outcome(NEVER, 12) for _ in verdict.outcomes))
    late.records.attention_logits[:, 12:] = 1000.0
    assert "There was no warning before the loss shows the failure at step 12." in sentence(late)
    verdict.records.attention_logits[:] = 1e-3
    verdict.records.attention_logits[:, 30:] = 1000.0
    assert f"{DEFAULT.words}, at step 30 in 2 of 2 failed runs; " in sentence(verdict)
    assert "the loss shows the failure at step 40, 10 steps later (medians)." in sentence(verdict)
    verdict.records.update_ratios[:, 20:] = 1.0
    assert "First warning: update ratio > 0.036, at step 22 in 2 of 2 failed runs; " in sentence(verdict)
    assert f"Most reliable warning: {DEFAULT.words}, at step 30 in 2 of 2 failed runs." in sentence(verdict)


def rows_of(lengths: list[int], lrs: list[float]) -> list[dict[str, object]]:
    """The table of a sweep that follows the rule."""
    rows = []
    for length in lengths:
        slug = with_warmup(parse(FAILING.schedule), length).slug
        for lr in lrs:
            base = {**FAILING._asdict(), "schedule": slug, "kind": "linear", "warmup_steps": length, "decay": "cosine"}
            rows += [{**base, "lr": lr, "seed": seed, "loss": edge(length, lr, seed)} for seed in range(3)]
    return rows


def test_a_table_is_read_on_the_safe_side() -> None:
    """The rows at LR 0.11 are used for LR 0.1, those at W 0 for W 0; the advised setups themselves are then run."""
    trainer = Ruled(edge)
    remedy = from_table(FAILING, rows_of([0, 6, 8, 9, 30], [0.004, 0.01, 0.02, 0.03, 0.11, 0.5]), trainer)
    assert remedy.warmup is not None
    assert remedy.lr is not None
    assert (remedy.warmup.schedule, remedy.lr.base_lr) == ("linear9+cosine31", 0.02)
    assert remedy.learned_by == 12
    assert {(plan.schedule, plan.base_lr) for plan in trainer.asked[0]} == {
        ("linear9+cosine31", 0.1),
        ("linear0+cosine40", 0.02),
    }


def test_a_table_of_other_runs_is_refused() -> None:
    """A table without a run of this model, length, warmup and decay cannot be used."""
    other = FAILING._replace(schedule="cosinewarmup4+lineardecay36")
    for setup in (other, FAILING._replace(norm="pre"), FAILING._replace(steps=50)):
        with pytest.raises(
            ValueError, match=r"schedule=.* must have a kind of warmup and .* (post|pre)-LN, (40|50) steps"
        ):
            from_table(setup, rows_of([0, 8], [0.1]), Ruled(edge))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "must be a sweep's runs.csv"),
        ("a,b\n1,2\n", "has no column 'schedule'"),
        (",".join(COLUMNS) + "\nlinear0+hold,none,x,hold,post,small16,40,0.1,0,2\n", "and numbers in warmup_steps"),
        (",".join(COLUMNS) + "\n", "must have at least one row"),
        ("\x00\xff\xfe", "must be a sweep's runs.csv"),
    ],
    ids=["empty", "columns", "numbers", "rows", "binary"],
)
def test_a_file_that_is_not_a_table_is_refused(text: str, error: str, tmp_path: Path) -> None:
    """The message says what the file must be."""
    path = tmp_path / "runs.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=error):
        read_table(path)


def test_the_advice_is_tried_with_fresh_seeds() -> None:
    """Every case failed before, was advised by the table, and is run once with a fresh seed."""
    trainer = Ruled(lambda w, lr, seed: edge(w, lr, seed))
    setups = measured(trainer, drawn=4)
    assert len(setups) == 4 * len(FAMILIES)
    assert any(item.failed for item in setups)
    assert all(item.failed or not item.changes for item in setups)
    changes = [(item, kind, change) for item in setups for kind, change in item.changes.items()]
    assert all(change.loss == GOOD for _, _, change in changes)
    for item, kind, change in changes:
        assert (change.base_lr < item.setup.base_lr) == (kind == LOWER)
        assert (change.schedule != item.setup.schedule) == (kind == LONGER)
    last = [plan.seed for plan in trainer.asked[-1]]
    earlier = {plan.seed for plans in trainer.asked[:-1] for plan in plans}
    assert len(set(last)) == len(last) == len(changes)
    assert not earlier & set(last)
