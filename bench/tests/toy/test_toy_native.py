"""The pass in C: its gradients against torch's in double precision, and the independence of the replicas."""

from __future__ import annotations

import dataclasses
import os
import shlex
import shutil

import pytest
import torch
from torch import Tensor

from bench.sweep.shards import key_of
from bench.sweep.train import Job, code_key, train_runs
from bench.tests.sweeps import GRID
from bench.tests.toy_models import ODD, one_thread
from bench.toy.batched.batched import Batched
from bench.toy.config import Config, named
from bench.toy.native.native import Native, compiler_version
from bench.toy.rates import grid
from reference import parse

COMPILER = shlex.split(os.environ.get("CC", "cc"))[0]
pytestmark = [
    pytest.mark.usefixtures(one_thread.__name__),
    pytest.mark.skipif(shutil.which(COMPILER) is None, reason=f"CC={COMPILER} must be a C compiler: there is none"),
]

#: How much farther from double precision than torch's own pass in single precision: both round every sum of up to
#: max(B·n, feed_forward) products, in another order, and a bound of such an error scales with the number of terms.
AS_CLOSE = 4.0
#: Steps, and the LR; rounding has not grown by then.
STEPS, LR = 8, 1e-3
#: One digit, padded batch; three digits, odd sizes where the pass allows them.
SHORT = Config(d_model=16, feed_forward=16, heads=2, layers=1, limit=10, batch_size=3)
LONGER = dataclasses.replace(ODD, feed_forward=48, heads=1, layers=3)
CONFIGS = {
    "post": named("small16"),
    "pre": named("small16", norm_first=True),
    "short": SHORT,
    "longer": LONGER,
    "wide": named("small64", layers=1),
}


def started(config: Config, seeds: list[int], **options) -> Batched:  # type: ignore[no-untyped-def]
    """Replicas before their first step, each with its own LR."""
    rates = grid([parse("linear4+hold")] * len(seeds), [LR * (1 + seed) for seed in seeds], STEPS)
    return Batched(config, rates, seeds, **options)


def finished(config: Config, seeds: list[int], **options) -> Batched:  # type: ignore[no-untyped-def]
    """The same replicas after their last step."""
    runs = started(config, seeds, native=True, **options)
    runs.run()
    return runs


def batch_pass(runs: Batched, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Losses, gradients and peaks of one batch for given parameters."""
    runs.parameters.copy_(parameters)
    batch = runs.pairs.take(runs.orders[runs.order_of, 3])
    with torch.no_grad():
        losses, gradients, peaks = runs.pass_through(slice(0, len(parameters)), batch)
    return losses, gradients.clone(), peaks


def distance(values: Tensor, exact: Tensor) -> float:
    """‖values − exact‖ / ‖exact‖."""
    return float((values.double() - exact).norm() / exact.norm())


def assert_as_close(config: Config, flags: tuple[str, ...] = ()) -> None:
    """Losses, peaks and every parameter's gradient are about as near to double precision as torch's are."""
    seeds = [0, 1, 2]
    trained = started(config, seeds)
    trained.run(3)
    exact = batch_pass(started(config, seeds, dtype=torch.float64, instruments=True), trained.parameters)
    torch_single = batch_pass(started(config, seeds, instruments=True), trained.parameters)
    runs = started(config, seeds, native=True, instruments=True)
    if flags:
        names = [name for name, _ in runs.layout.shapes]
        runs.native = Native(config, runs.positions, names, runs.layout.sizes, flags)
    runs.gradients[:, : sum(runs.layout.sizes[:-1])] = torch.nan  # what is not written shows
    ours = batch_pass(runs, trained.parameters)
    eps = torch.finfo(torch.float32).eps
    for mine, single, double in zip(ours, torch_single, exact, strict=True):
        assert distance(mine, double) <= AS_CLOSE * max(distance(single, double), eps)
    views = [runs.layout.views(each[1]) for each in (ours, torch_single, exact)]
    total = float(exact[1].norm())
    for name in views[0]:
        mine, single, double = (view[name] for view in views)
        error, theirs = float((mine.double() - double).norm()), float((single.double() - double).norm())
        assert error <= AS_CLOSE * max(theirs, eps * float(double.norm()), eps**2 * total), name


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_gradients_are_those_of_torch(config: Config) -> None:
    """Losses, gradients and peaks agree with torch's pass in float64 as well as torch's pass in float32 does."""
    assert_as_close(config)


def test_shorter_vectors_do_as_well() -> None:
    """Without AVX-512 the vectors have eight numbers, and the results are as close."""
    if "x86" not in os.uname().machine:
        pytest.skip("machine must be x86 for this flag")
    assert_as_close(CONFIGS["post"], ("-mno-avx512f",))


def test_replica_ignores_neighbours_and_threads() -> None:
    """A replica has the same bits alone, among 20, on two threads, and beside a NaN; a missing bit would show."""
    config = CONFIGS["post"]
    many = finished(config, list(range(20)))
    three, alone = finished(config, [19, 4, 7]), finished(config, [7])
    shared = finished(config, list(range(20)), threads=2)
    planted = started(config, [6, 7, 8], native=True)
    planted.run(2)
    planted.parameters[[0, 2]] = torch.nan
    planted.run(STEPS - 2)
    assert torch.equal(shared.parameters, many.parameters)
    assert torch.equal(three.parameters, many.parameters[[19, 4, 7]])
    for runs, row in ((alone, 0), (planted, 1)):
        assert torch.equal(runs.parameters[row], many.parameters[7])
        assert torch.equal(runs.losses[row], many.losses[7])
    assert bool(planted.parameters[[0, 2]].isnan().all(0)[:100].all())
    assert not torch.equal(many.parameters[7], many.parameters[8])


def test_training_goes_as_with_torch() -> None:
    """Losses and records of a short run agree with those of torch's pass, and instruments change no bit."""
    config = CONFIGS["post"]
    runs, theirs = finished(config, [0, 1], instruments=True), started(config, [0, 1], instruments=True)
    theirs.run()
    for record in ("losses", "attention_logits", "gradient_norms", "update_ratios"):
        # Adam turns a rounding error of a small gradient into one of up to the LR: far below the values here.
        torch.testing.assert_close(getattr(runs, record), getattr(theirs, record), rtol=LR, atol=0)
    assert torch.equal(runs.parameters, finished(config, [0, 1]).parameters)


@pytest.mark.parametrize(
    ("config", "options", "message"),
    [
        (ODD, {}, "feed_forward=11 must be a multiple of 16 with native=True"),
        (dataclasses.replace(SHORT, task="language"), {}, "task=language must be numbers with native=True"),
        (named("language16"), {}, "task=language must be numbers with native=True"),
        (dataclasses.replace(SHORT, qk_norm=True), {}, "qk_norm=True must be False with native=True"),
        (SHORT, {"dtype": torch.float64}, "dtype=torch.float64 must be torch.float32 with native=True"),
        (SHORT, {"device": "meta"}, "device=meta must be cpu with native=True"),
        (SHORT, {"compiled": True}, "compiled=True must be False with native=True"),
    ],
)
def test_what_it_cannot_do_is_refused(config: Config, options: dict[str, object], message: str) -> None:
    """A configuration, type or device that the pass does not know is refused by name."""
    with pytest.raises(ValueError, match="with native=True") as raised:
        started(config, [0], native=True, **options)
    assert str(raised.value) == message


def test_missing_or_failing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a compiler, or with one that fails, the error names it."""
    two_digits = dataclasses.replace(SHORT, limit=12345)  # not compiled before
    for command, rule in (("no-such-compiler", "must be a C compiler"), ("false", "must compile passes.c")):
        monkeypatch.setenv("CC", command)
        with pytest.raises(RuntimeError, match=rf"^CC={command} {rule} for native=True: "):
            started(two_digits, [0], native=True)
        with pytest.raises(ValueError, match=rf"^CC={command} must be a C compiler for native=True: "):
            compiler_version()


@pytest.mark.slow
def test_a_sweep_trains_the_same_runs() -> None:
    """A sweep with the pass in C has the losses of one without, and its results are kept apart."""
    config = dataclasses.replace(GRID.config, feed_forward=16)
    plain = dataclasses.replace(GRID, config=config, lrs=(0.01,))
    native = dataclasses.replace(plain, native=True)
    runs = tuple(run for run in plain.runs() if run.norm == "post")
    expected, results = (train_runs(Job(spec, runs, code_key())) for spec in (plain, native))
    # float32 through about 20 layers and 6 steps, summed in another order
    assert [each.loss for each in results] == pytest.approx([each.loss for each in expected], rel=1e-4)
    assert results != expected
    assert key_of(native) != key_of(plain)
