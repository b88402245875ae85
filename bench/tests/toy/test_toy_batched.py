"""The batched trainer: each replica matches the plain run and is independent of the others."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import reference as ref
from bench.tests.toy_models import ODD, one_thread
from bench.toy.batched.adam import RowAdam
from bench.toy.batched.batched import Batched
from bench.toy.batched.parameters import ALIGNED
from bench.toy.config import Config, named
from bench.toy.model import build
from bench.toy.plain import train
from bench.toy.rates import grid

pytestmark = pytest.mark.usefixtures(one_thread.__name__)

#: Tolerance of a replica against the sequential run in float64, at LRs up to 1e-3, over 200 steps.
EXACT = 1e-12
STEPS = 200
SCHEDULES = [ref.parse(slug) for slug in ("linear20+cosine180", "linear0+hold", "exponential40+lineardecay160")]
SHORT = 8


def short(config: Config, replicas: list[int], **options) -> Batched:  # type: ignore[no-untyped-def]
    """Replicas of a fixed family (k determines LR, schedule and seed), before their first step."""
    rates = grid([SCHEDULES[k % 3] for k in replicas], [1e-3 * (1 + k) for k in replicas], SHORT)
    return Batched(config, rates, [k % 5 for k in replicas], **options)


def finished(config: Config, replicas: list[int], **options) -> Batched:  # type: ignore[no-untyped-def]
    """Replicas of the same family, after their last step."""
    runs = short(config, replicas, **options)
    runs.run()
    return runs


def same(first: Batched, row: int, second: Batched, other: int) -> bool:
    """Whether two replicas have the same parameters, Adam state and losses to the last bit."""
    pairs = [
        (first.parameters, second.parameters),
        (first.optimizer.state[0], second.optimizer.state[0]),
        (first.optimizer.state[1], second.optimizer.state[1]),
    ]
    losses = first.losses[int(first.alive[row])], second.losses[int(second.alive[other])]
    return all(torch.equal(x[row], y[other]) for x, y in pairs) and torch.equal(*losses)


def without_key_bias(name: str, value: Tensor, d_model: int) -> Tensor:
    """A parameter without the key biases.

    These shift all logits of a softmax equally, so their gradient is pure rounding error,
    which Adam normalises to full size.
    """
    return torch.cat([value[:d_model], value[2 * d_model :]]) if name.endswith("in_proj_bias") else value


@pytest.mark.slow
@pytest.mark.parametrize("norm_first", [False, True], ids=["post", "pre"])
def test_replica_is_the_plain_run(norm_first: bool) -> None:
    """Losses, validation and weights of 200 float64 steps agree with nn.Transformer and fused Adam to 1e-12."""
    config = named("small16", norm_first=norm_first)
    peaks, seeds = [1e-3, 3e-4, 1e-3], [0, 1, 0]
    runs = Batched(config, grid(SCHEDULES, peaks, STEPS), seeds, dtype=torch.float64)
    before = runs.evaluate()
    runs.run()
    after, weights = runs.evaluate(), runs.layout.views(runs.parameters)
    for k in (0, 1) if norm_first else (0, 1, 2):
        plain = train(config, SCHEDULES[k], steps=STEPS, seed=seeds[k], base_lr=peaks[k], dtype=torch.float64)
        assert runs.lrs[k].tolist() == plain.lrs
        assert runs.losses[k].tolist() == pytest.approx(plain.losses, rel=EXACT, abs=0)
        assert [before[k].item(), after[k].item()] == pytest.approx([*plain.validation.values()], rel=EXACT, abs=0)
        for name, parameter in plain.model.named_parameters():
            ours = without_key_bias(name, weights[name][k], config.d_model)
            theirs = without_key_bias(name, parameter.detach(), config.d_model)
            assert float((ours - theirs).abs().max()) <= EXACT * float(theirs.abs().max())
    assert after.max() < 0.9 * before.min()  # they did train


@pytest.mark.slow
@pytest.mark.parametrize(
    "config", [named("small16"), named("small16", norm_first=True), ODD], ids=["post", "pre", "odd"]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_replica_ignores_how_many_there_are(config: Config, dtype: torch.dtype) -> None:
    """A replica has the same bits for K = 1, 3 and 64, at any position."""
    many = finished(config, list(range(64)), dtype=dtype)
    three = finished(config, [63, 40, 7], dtype=dtype)
    assert [same(three, row, many, k) for row, k in enumerate((63, 40, 7))] == [True] * 3
    assert same(finished(config, [7], dtype=dtype), 0, many, 7)
    assert not torch.equal(many.parameters[7], many.parameters[12])  # the same seed, another LR


@pytest.mark.slow
@pytest.mark.parametrize("config", [named("small16"), ODD], ids=["small16", "odd"])
@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_not_change_a_replica(config: Config, threads: int) -> None:
    """With replicas spread over threads, and torch itself on several, all replicas keep their bits."""
    alone = finished(config, list(range(10)))
    torch.set_num_threads(2)
    shared = finished(config, list(range(10)), threads=threads)
    assert torch.get_num_threads() == 2
    assert len(shared.groups) == threads
    assert all(same(alone, k, shared, k) for k in range(10))
    assert same(finished(config, [4]), 0, alone, 4)


def test_nan_in_a_neighbour_changes_nothing() -> None:
    """A replica that becomes NaN leaves those on both sides of it unchanged, to the last bit."""
    clean, planted = short(named("small16"), [0, 1, 2]), short(named("small16"), [0, 1, 2])
    for runs in (clean, planted):
        runs.run(3)
        if runs is planted:
            runs.parameters[1] = torch.nan
        runs.run(SHORT - 3)
    assert same(planted, 0, clean, 0)
    assert same(planted, 2, clean, 2)
    assert bool(planted.parameters[1].isnan().any())
    assert torch.equal(planted.evaluate().isnan(), torch.tensor([False, True, False]))


@pytest.mark.parametrize("config", [named("small16"), ODD], ids=["small16", "odd"])
def test_retiring_neighbours_changes_nothing(config: Config) -> None:
    """The remaining replicas keep the same bits through two rounds of retirement."""
    replicas = list(range(9))
    undisturbed = finished(config, replicas)
    runs = short(config, replicas)
    runs.run(2)
    runs.retire(torch.tensor([True, False, False, True, False, True, True, False, True]))
    assert runs.alive.tolist() == [1, 2, 4, 7]
    runs.run(3)
    runs.retire(runs.alive == 2)
    runs.run()
    assert runs.alive.tolist() == [1, 4, 7]
    assert [same(runs, row, undisturbed, k) for row, k in enumerate((1, 4, 7))] == [True] * 3
    assert torch.equal(runs.evaluate(), undisturbed.evaluate()[runs.alive])


def test_replicas_are_aligned() -> None:
    """Rows, batches and validation are padded to full cache lines, whatever the sizes."""
    runs = short(ODD, [0, 1])
    used = sum(parameter.numel() for parameter in build(ODD, 0).parameters())
    assert used % ALIGNED != 0
    assert runs.parameters.shape[1] == used + -used % ALIGNED
    assert (runs.orders.shape[-1], runs.validation.shape[-1]) == (16, 16)  # 5 numbers; 12 numbers
    runs.run()
    assert bool((runs.parameters[:, used:] == 0).all())


def test_records_stop_where_a_replica_was_retired() -> None:
    """LR and loss are recorded up to a replica's last step, and are NaN after it."""
    runs = short(ODD, [0, 1])
    runs.run(2)
    runs.retire(torch.tensor([True, False]))
    runs.run()
    for record in (runs.lrs, runs.losses):
        assert record.isnan().sum(1).tolist() == [SHORT - 2, 0]
        assert bool(record[0, :2].isfinite().all())
    assert torch.equal(runs.lrs[1], runs.rates[1])


def test_all_may_be_retired() -> None:
    """With no replicas left a step does nothing."""
    runs = short(ODD, [0, 1])
    runs.retire(torch.tensor([True, True]))
    assert runs.step().shape == runs.evaluate().shape == (0,)
    assert bool(runs.lrs.isnan().all())


def test_row_adam_is_adam() -> None:
    """Each row of the batched Adam matches torch's Adam with that row's LR, over 100 steps with changing LRs."""
    generator = torch.Generator().manual_seed(0)
    start, rates = torch.randn(3, 40, generator=generator, dtype=torch.float64), torch.tensor([1e-3, 1e-2, 0.3])
    ours, config = start.clone(), Config(16, 16, betas=(0.8, 0.95), eps=1e-6)
    rows = [torch.nn.Parameter(row.clone()) for row in start]
    theirs = torch.optim.Adam([{"params": [row]} for row in rows], betas=config.betas, eps=config.eps)
    adam = RowAdam(ours, config.betas, config.eps)
    for t in range(100):
        gradient = torch.randn(3, 40, generator=generator, dtype=torch.float64)
        now = rates.double() * (1 + t % 7)
        for row, group, lr, grad in zip(rows, theirs.param_groups, now.tolist(), gradient, strict=True):
            row.grad, group["lr"] = grad.clone(), lr
        theirs.step()
        adam.step(ours, gradient, now, slice(0, 3), t)
    torch.testing.assert_close(ours, torch.stack([row.detach() for row in rows]), rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize(
    ("config", "rates", "seeds", "options", "message"),
    [
        (ODD, torch.zeros(2, 3), [0], {}, "rates=[2, 3] must be [1, steps], one row per seed, at least 1"),
        (ODD, torch.zeros(3), [0, 1, 2], {}, "rates=[3] must be [3, steps], one row per seed, at least 1"),
        (ODD, torch.zeros(0, 3), [], {}, "rates=[0, 3] must be [0, steps], one row per seed, at least 1"),
        (ODD, torch.tensor([[0.1, torch.nan]]), [0], {}, "lr=nan must be finite and >= 0"),
        (ODD, torch.tensor([[0.5, -0.5]]), [0], {}, "lr=-0.5 must be finite and >= 0"),
        (ODD, torch.zeros(1, 3), [-1], {}, "seed=-1 must be >= 0"),
        (ODD, torch.zeros(1, 3), [0], {"threads": 0}, "threads=0 must be >= 1"),
        (
            named("tutorial"),
            torch.zeros(1, 3),
            [0],
            {},
            "dropout=0.1 must be 0: random numbers would depend on other replicas",
        ),
        (
            Config(8, 8),
            torch.zeros(1, 3),
            [0],
            {},
            "d_model=8 must be a multiple of 16, so that replicas align",
        ),
    ],
)
def test_bad_arguments_are_named(config, rates, seeds, options, message: str) -> None:  # type: ignore[no-untyped-def]
    """A bad argument is refused with its name, its value and the rule."""
    with pytest.raises(ValueError, match="must") as raised:
        Batched(config, rates, seeds, **options)
    assert str(raised.value) == message


def test_steps_beyond_the_schedule_are_refused() -> None:
    """A step past the end of the schedules is refused."""
    runs = finished(ODD, [0])
    with pytest.raises(RuntimeError, match=r"^step=8 must be < 8, the length of the schedules$"):
        runs.step()


def test_mask_of_another_shape_is_refused() -> None:
    """Retiring needs one bool per replica alive."""
    runs = short(ODD, [0, 1])
    for mask in (torch.tensor([True]), torch.tensor([1, 0])):
        with pytest.raises(ValueError, match=r"^failed=\[\d\] must be bool \[2\], one per replica alive$"):
            runs.retire(mask)
