"""The plain trainer: the recorded LR is the LR that was applied."""

from __future__ import annotations

import pytest
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

import reference as ref
from bench.tests.toy_models import ODD, one_thread
from bench.toy.batched.parameters import row_of
from bench.toy.config import named
from bench.toy.plain import train
from bench.toy.rates import grid, planned
from suite.engine.tolerances import relative

pytestmark = pytest.mark.usefixtures(one_thread.__name__)

STEPS, WARMUP, PEAK = 24, 6, 3e-3
TWIN = ref.SequentialLR((ref.LinearLR(0.1, total_iters=WARMUP), ref.CosineAnnealingLR(STEPS - WARMUP)), (WARMUP,))


def sequential(optimizer: Optimizer) -> SequentialLR:
    """Linear warmup, then a cosine, composed as in torch's documentation."""
    parts = [LinearLR(optimizer, 0.1, total_iters=WARMUP), CosineAnnealingLR(optimizer, STEPS - WARMUP)]
    return SequentialLR(optimizer, parts, [WARMUP])


def sgd(parameters, lr: float) -> Optimizer:  # type: ignore[no-untyped-def]
    """Plain gradient descent: its update is proportional to the LR."""
    return torch.optim.SGD(parameters, lr=lr)


def test_recorded_lr_is_the_scheduled_one_with_torch() -> None:
    """Under SequentialLR the recorded LRs are its twin's trace, from the first step to the last."""
    run = train(ODD, sequential, steps=STEPS, seed=0, base_lr=PEAK)
    assert run.lrs == pytest.approx(TWIN.trace(STEPS, PEAK), rel=relative(STEPS), abs=0)


def test_recorded_lr_is_the_scheduled_one_with_the_reference() -> None:
    """Under a reference schedule the recorded LRs are its trace, to the last bit."""
    assert train(ODD, TWIN, steps=STEPS, seed=0, base_lr=PEAK).lrs == TWIN.trace(STEPS, PEAK).tolist()


@pytest.mark.parametrize("rule", [sequential, TWIN], ids=["torch", "reference"])
def test_epoch_clock_moves_once_an_epoch(rule) -> None:  # type: ignore[no-untyped-def]
    """With the epoch clock the LR is constant for one epoch of steps, under either kind of rule."""
    epoch = 105 // 5  # 117 numbers, 12 of them held out
    run = train(ODD, rule, steps=2 * epoch + 3, seed=0, base_lr=PEAK, clock="epoch")
    expected = TWIN.trace(3, PEAK).repeat(epoch)[: 2 * epoch + 3]
    assert run.lrs == pytest.approx(expected, rel=relative(STEPS), abs=0)


@pytest.mark.parametrize("rule", [sequential, TWIN], ids=["torch", "reference"])
def test_recorded_lr_is_the_one_that_moved_the_weights(rule) -> None:  # type: ignore[no-untyped-def]
    """SGD's first update is the recorded LR times the gradient: half the LR moves the weights half as far."""
    start = row_of(train(ODD, rule, steps=1, seed=0, base_lr=0.0, optimizer=sgd).model)
    runs = [train(ODD, rule, steps=1, seed=0, base_lr=lr, optimizer=sgd) for lr in (0.5, 0.25)]
    moved = [float((row_of(run.model) - start).norm()) for run in runs]
    assert moved[0] == pytest.approx(2 * moved[1], rel=1e-4)  # float32 weights near 1, moved by about 0.1
    assert runs[0].lrs == pytest.approx([0.05], rel=relative(1), abs=0)


def test_both_kinds_of_rule_train_alike() -> None:
    """torch's scheduler and its twin give the same losses."""
    runs = [train(ODD, rule, steps=STEPS, seed=0, base_lr=PEAK, dtype=torch.float64) for rule in (sequential, TWIN)]
    assert runs[0].losses == pytest.approx(runs[1].losses, rel=1e-10, abs=0)


def test_run_is_repeatable_with_dropout() -> None:
    """The seed decides everything, dropout included."""
    config = named("small16", dropout=0.1)
    runs = [train(config, TWIN, steps=4, seed=seed, base_lr=PEAK).losses for seed in (0, 0, 1)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_validation_is_measured_where_it_was_asked() -> None:
    """Validation happens before the first step, every `validate_every` steps, and after the last."""
    run = train(ODD, TWIN, steps=10, seed=0, base_lr=PEAK, validate_every=4)
    assert sorted(run.validation) == [0, 4, 8, 10]
    assert sorted(train(ODD, TWIN, steps=10, seed=0, base_lr=PEAK).validation) == [0, 10]


def test_measuring_does_not_change_training() -> None:
    """Validation does not affect the weights, dropout's random numbers or the mode of the model."""
    config = named("small16", dropout=0.1)
    runs = [train(config, TWIN, steps=6, seed=0, base_lr=PEAK, validate_every=every) for every in (0, 1)]
    assert runs[0].losses == runs[1].losses


def test_report_shows_each_step() -> None:
    """The report receives step, LR used and loss, as recorded."""
    shown: list[tuple[int, float, float]] = []
    run = train(ODD, TWIN, steps=5, seed=0, base_lr=PEAK, report=lambda *line: shown.append(line))
    assert shown == list(zip(range(5), run.lrs, run.losses, strict=True))


@pytest.mark.slow
def test_task_is_learned() -> None:
    """With a good LR, 200 steps at width 16 suffice to translate numbers that were never trained on."""
    run = train(named("small16"), ref.parse("linear20+cosine180"), steps=200, seed=0, base_lr=1e-2)
    assert run.validation[0] > 2.3  # above the entropy of the words' frequencies
    assert run.validation[200] < 0.1


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"steps": 0}, ValueError, "steps=0 must be >= 1"),
        ({"seed": -1}, ValueError, "seed=-1 must be >= 0"),
        ({"base_lr": -1.0}, ValueError, "base_lr=-1.0 must be >= 0"),
        ({"clock": "hour"}, ValueError, "clock='hour' must be one of step, epoch"),
        ({"validate_every": -1}, ValueError, "validate_every=-1 must be >= 0"),
        ({"rule": 3}, TypeError, "rule=3 must be a schedule or a function from an optimizer to a scheduler"),
    ],
)
def test_bad_arguments_are_named(changes, kind: type[Exception], message: str) -> None:  # type: ignore[no-untyped-def]
    """A bad argument is refused with its name, its value and the rule."""
    with pytest.raises(kind, match="must") as raised:
        train(ODD, **{"rule": TWIN, "steps": 2, "seed": 0, **changes})
    assert str(raised.value) == message


def test_grid_has_a_row_for_each_replica() -> None:
    """Row k is schedule k at base LR k; different numbers of schedules and base LRs are refused."""
    rows = grid([TWIN, ref.LinearLR(0.5)], [1.0, 0.1], 8)
    assert rows[0].tolist() == TWIN.trace(8).tolist()
    assert rows[1].tolist() == planned(ref.LinearLR(0.5), 8, 0.1).tolist()
    with pytest.raises(ValueError, match=r"^base_lrs=1 values must match the 2 schedules, at least 1$"):
        grid([TWIN, TWIN], [1.0], 8)
