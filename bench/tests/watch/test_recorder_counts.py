"""What the recorder counts is the explanation: loops of each kind, right and wrong, recorded and read from the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.optim import SGD, AdamW, Optimizer
from torch.optim import lr_scheduler as lrs

from bench.diagnose.examine import examine
from bench.diagnose.log.read_log import read_log
from bench.tests.loops import Spoiled, loop, loss_of, parameters, scaled_loop
from bench.watch import Recorder
from reference import parse
from reference import per_micro_batch as per_micro_batch_of

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own, about the order of the steps
UPDATES, MICRO, EPOCH = 40, 4, 8


def optimizer_of(lr: float = 0.1) -> AdamW:
    """One optimizer of one parameter."""
    return AdamW(parameters(1), lr=lr)


def warm_cosine(optimizer: Optimizer, warmup: int, total: int) -> lrs.SequentialLR:
    """A linear warmup from a tenth, then a cosine to 0."""
    parts = [lrs.LinearLR(optimizer, 0.1, total_iters=warmup), lrs.CosineAnnealingLR(optimizer, total - warmup)]
    return lrs.SequentialLR(optimizer, parts, [warmup])


def per_micro_batch(total: int) -> None:
    """A scheduler stepped after each of four backward passes."""
    optimizer = optimizer_of()
    scheduler = warm_cosine(optimizer, total // 8, total)
    for i in range(UPDATES * MICRO):
        loss_of(optimizer).backward()  # type: ignore[no-untyped-call]
        if (i + 1) % MICRO == 0:
            optimizer.step()
            optimizer.zero_grad()
        scheduler.step()


def per_epoch(total: int) -> None:
    """A scheduler stepped after every eight updates."""
    optimizer = optimizer_of()
    scheduler = lrs.CosineAnnealingLR(optimizer, total)
    for _ in range(UPDATES // EPOCH):
        loop(optimizer, None, EPOCH)
        scheduler.step()


def twice() -> None:
    """A scheduler stepped in the loop and in a callback."""
    optimizer = optimizer_of()
    scheduler = warm_cosine(optimizer, 5, UPDATES)
    for _ in range(UPDATES):
        loop(optimizer, scheduler, 1)
        scheduler.step()


def before() -> None:
    """A scheduler stepped before the optimizer."""
    optimizer = optimizer_of()
    scheduler = warm_cosine(optimizer, 5, UPDATES)
    for _ in range(UPDATES):
        scheduler.step()
        loop(optimizer, None, 1)


def skipped(spoiled: Spoiled) -> None:
    """A gradient scaler that leaves updates out, and a scheduler that is stepped all the same."""
    optimizer = optimizer_of()
    scaled_loop(optimizer, warm_cosine(optimizer, 5, UPDATES), UPDATES, spoiled, lambda step: None)


def two(second_has: str) -> None:
    """A critic with two updates for each of the generator, its scheduler stepped, forgotten, missing or misplaced."""
    first, second = optimizer_of(), SGD(parameters(1), lr=0.3)
    scheduler = warm_cosine(first, 5, UPDATES)
    driven = first if second_has == "copied" else second
    other = lrs.LambdaLR(driven, lambda t: min(1.0, (t + 1) / 20)) if second_has else None
    for _ in range(UPDATES):
        loop(second, other if second_has == "stepped" else None, 2)
        loop(first, scheduler, 1)
        if other is not None and second_has == "copied":
            other.step()


def one_after_the_other() -> None:
    """A probe at a constant LR, then training with a schedule: two optimizers, none of them forgotten."""
    loop(SGD(parameters(1), lr=0.3), None, UPDATES)
    optimizer = optimizer_of()
    loop(optimizer, warm_cosine(optimizer, 5, UPDATES), UPDATES)


def replaced() -> None:
    """An optimizer built again after its scheduler, as after wrapping the model."""
    old = optimizer_of()
    scheduler = warm_cosine(old, 5, UPDATES)
    optimizer = optimizer_of()
    loop(optimizer, scheduler, UPDATES)


def trial_pass() -> None:
    """A backward pass before a correct loop."""
    optimizer = optimizer_of()
    scheduler = warm_cosine(optimizer, 5, UPDATES)
    loss_of(optimizer).backward()  # type: ignore[no-untyped-call]
    optimizer.zero_grad()
    loop(optimizer, scheduler, UPDATES)


def resumed() -> None:
    """A run and its correct continuation."""
    optimizer = optimizer_of()
    scheduler = warm_cosine(optimizer, 5, UPDATES)
    loop(optimizer, scheduler, UPDATES // 2)
    after = optimizer_of()
    again = warm_cosine(after, 5, UPDATES)
    after.load_state_dict(optimizer.state_dict())
    again.load_state_dict(scheduler.state_dict())
    loop(after, again, UPDATES // 2)


def plateau(stepped: bool) -> None:
    """A scheduler that follows a metric, stepped once per epoch or forgotten."""
    optimizer = optimizer_of()
    scheduler = lrs.ReduceLROnPlateau(optimizer, patience=0)
    for _ in range(UPDATES // EPOCH):
        loop(optimizer, None, EPOCH)
        if stepped:
            scheduler.step(1.0)


#: The loops: what runs, and the causes that are named, one for each distinct trace ("" for a healthy one).
KINDS: dict[str, tuple[Callable[[], None], list[str]]] = {
    "micro": (lambda: per_micro_batch(UPDATES), ["micro-batch"]),
    "micro-counted": (lambda: per_micro_batch(UPDATES * MICRO), [""]),
    "epoch": (lambda: per_epoch(UPDATES), ["per-epoch"]),
    "epoch-counted": (lambda: per_epoch(UPDATES // EPOCH), [""]),
    "epoch-more": (lambda: per_epoch(UPDATES // EPOCH + 2), [""]),
    "twice": (twice, ["stepped-often"]),
    "before": (before, ["ahead"]),
    "skipped-first": (lambda: skipped(frozenset({0, 1})), ["scaler-skips"]),
    "skipped-once": (lambda: skipped(frozenset({20})), ["scaler-skips"]),
    "skipped-never": (lambda: skipped(frozenset()), [""]),
    "two": (lambda: two("stepped"), ["", ""]),
    "two-forgotten": (lambda: two("built"), ["never-stepped", ""]),
    "two-missing": (lambda: two(""), ["", ""]),
    "two-copied": (lambda: two("copied"), ["unscheduled", ""]),
    "probe": (one_after_the_other, ["", ""]),
    "replaced": (replaced, ["wrong-optimizer"]),
    "trial": (trial_pass, [""]),
    "resumed": (resumed, [""]),
    "plateau": (lambda: plateau(True), [""]),
    "plateau-forgotten": (lambda: plateau(False), ["never-stepped"]),
}


def recorded(run: Callable[[], None]) -> Recorder:
    """The recording of a loop."""
    with Recorder() as recorder:
        run()
    return recorder


@pytest.mark.parametrize("kind", KINDS)
def test_the_counts_decide(kind: str, tmp_path: Path) -> None:
    """The file of a recording gives the cause, healthy loops have none, and the notes of the summary say the same."""
    run, causes = KINDS[kind]
    recorder = recorded(run)
    recorder.write(tmp_path / "trace.csv")
    diagnoses = examine(read_log(tmp_path / "trace.csv")).diagnoses
    assert [d.best.cause if d.verdict == "fault" and d.best else "" for d in diagnoses] == causes
    assert [d.verdict for d in diagnoses] == ["fault" if cause else "healthy" for cause in causes]
    notes = [line.removeprefix("  note: ") for line in recorder.summary() if line.startswith("  note")]
    assert notes == [d.sentence() for d in diagnoses if d.verdict == "fault"]


@pytest.mark.parametrize("kind", [kind for kind, (_, causes) in KINDS.items() if any(causes)])
def test_a_counted_fault_is_a_fault_with_settings_too(kind: str) -> None:
    """The settings of the run never turn a counted fault into another cause."""
    run, causes = KINDS[kind]
    found = recorded(run).diagnose(base_lr=0.1, warmup_steps=5, total_steps=UPDATES)
    assert [d.best.cause for d in found if d.verdict == "fault" and d.best and d.best.cause in causes] == [
        cause for cause in causes if cause
    ]


def test_an_expected_lr_at_every_update_is_not_a_fault() -> None:
    """Whatever was counted: the schedule that was asked for is the one that every update used."""
    expected = per_micro_batch_of(parse("seq2_m5.linearlr5_s0p1.cosineannealinglr35"), MICRO)
    recorder = recorded(lambda: per_micro_batch(UPDATES))
    assert [d.verdict for d in recorder.diagnose(expected, base_lr=0.1)] == ["healthy"]
    assert [d.verdict for d in recorder.diagnose()] == ["fault"]


def test_a_resumed_run_is_compared_from_its_own_step() -> None:
    """A recording of the second half alone follows the schedule from that step on."""
    optimizer = optimizer_of()
    scheduler = warm_cosine(optimizer, 5, UPDATES)
    loop(optimizer, scheduler, 15)
    with Recorder() as recorder:
        again = optimizer_of()
        loaded = warm_cosine(again, 5, UPDATES)
        again.load_state_dict(optimizer.state_dict())
        loaded.load_state_dict(scheduler.state_dict())
        loop(again, loaded, 10)
    (diagnosis,) = recorder.diagnose(parse("seq2_m5.linearlr5_s0p1.cosineannealinglr35"), base_lr=0.1)
    assert diagnosis.verdict == "healthy"
    assert diagnosis.trace.steps.tolist() == list(range(15, 25))


def test_a_schedule_of_more_epochs_than_the_run_is_not_a_fault() -> None:
    """A trial of five epochs of a schedule of 160: its lengths do not count updates."""
    assert "note" not in "".join(recorded(lambda: per_epoch(4 * UPDATES)).summary())


def test_leads_are_listed_where_they_grow() -> None:
    """Of many skipped updates the first, the second and the last are named, with the lead that each leaves."""
    (note,) = [line for line in recorded(lambda: skipped(frozenset({0, 9, 12, 20, 30}))).summary() if "note" in line]
    assert note.endswith("Steps ahead: 1 from the first update, 2 from update 8, … 5 from update 26.")


def test_an_own_scheduler_is_judged_by_its_decay() -> None:
    """A scheduler of the user's own says nothing of its length, so only its decay shows whether it was too fast."""

    class Own(lrs.LRScheduler):
        def get_lr(self) -> list[float | torch.Tensor]:
            return [base * max(0.0, 1 - self.last_epoch / UPDATES) for base in self.base_lrs]

    def run(steps: int) -> None:
        optimizer = optimizer_of()
        scheduler = Own(optimizer)
        for _ in range(steps):
            loop(optimizer, scheduler, 1)
            scheduler.step()

    (short,) = recorded(lambda: run(UPDATES // 2)).diagnose()
    (long,) = recorded(lambda: run(UPDATES)).diagnose()
    assert short.verdict == "healthy"
    assert long.best is not None
    assert long.best.cause == "stepped-often"


def test_an_optimizer_without_a_scheduler_is_a_fault_only_where_a_schedule_is_expected() -> None:
    """A critic at a constant LR may be wanted; told nothing it is a fact, told a schedule it is the cause."""
    recorder = recorded(lambda: two(""))
    assert [d.verdict for d in recorder.diagnose()] == ["healthy", "healthy"]
    _, critic = recorder.diagnose(parse("seq2_m5.linearlr5_s0p1.cosineannealinglr35"), base_lr=0.3)
    assert critic.best is not None
    assert (critic.verdict, critic.best.cause) == ("fault", "unscheduled")
