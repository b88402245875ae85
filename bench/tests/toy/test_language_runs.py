"""Training on the language: replicas are the plain runs, ignore each other, and learn."""

from __future__ import annotations

import math

import pytest
import torch

import reference as ref
from bench.__main__ import main
from bench.tests.toy_models import one_thread
from bench.toy.batched.batched import Batched
from bench.toy.batched.forward import Pass
from bench.toy.batched.layers import Model
from bench.toy.batched.parameters import Layout, drawing, initial, row_of
from bench.toy.captured import TensorLoop
from bench.toy.config import Config, named
from bench.toy.language.markov import language
from bench.toy.model import build
from bench.toy.plain import evaluate, token_loss, train
from bench.toy.rates import grid
from bench.toy.rules import by_way
from bench.toy.task import prepared

pytestmark = pytest.mark.usefixtures(one_thread.__name__)

#: As in `test_toy_model` and `test_optimizers`: sums in float64, and two ways to round the same few steps.
SAME = EXACT = 1e-12
STEPS = 12
SCHEDULE = ref.parse("linear4+cosine8")
CONFIGS = {
    "post": named("language16"),
    "pre": named("language16", norm_first=True),
    "odd": Config(16, 11, heads=2, layers=1, task="language", sequence=5, batch_size=5),
}


def finished(config: Config, replicas: list[int], **options) -> Batched:  # type: ignore[no-untyped-def]
    """Replicas of one family (k determines LR and seed), after their last step."""
    rates = grid([SCHEDULE] * len(replicas), [1e-3 * (1 + k) for k in replicas], STEPS)
    runs = Batched(config, rates, [k % 5 for k in replicas], **options)
    runs.run()
    return runs


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_gradients_are_autograds(config: Config) -> None:
    """Loss and the gradient of every parameter agree with torch's modules, for two replicas."""
    task, orders = prepared(config, [0, 1], 1)
    models = [build(config, seed, torch.float64) for seed in (0, 1)]
    views = Layout.of(models[0]).views(initial(config, (0, 1), torch.float64))
    ours = {name: torch.full_like(view, torch.nan) for name, view in views.items()}
    batched = Pass(config, models[0].positions, Model(views, ours), task.pairs.take(orders[:, 0]))
    batched.backward()
    for k, model in enumerate(models):
        batch = task.pairs.take(orders[k, 0])
        loss = token_loss(model(batch.source, batch.target_in), batch.target_out)
        theirs = torch.autograd.grad(loss, list(model.parameters()))
        torch.testing.assert_close(batched.losses[k], loss, rtol=SAME, atol=0)
        for name, gradient in zip(views, theirs, strict=True):
            torch.testing.assert_close(ours[name][k], gradient, rtol=SAME, atol=SAME)


@pytest.mark.parametrize("config", [*CONFIGS.values(), named("language16", qk_norm=True)], ids=[*CONFIGS, "qk"])
def test_a_replica_is_the_plain_run(config: Config) -> None:
    """Losses and validation of a float64 run agree with the plain trainer's."""
    runs = finished(config, [2, 0], dtype=torch.float64)
    plain = train(config, SCHEDULE, steps=STEPS, seed=2, base_lr=3e-3, dtype=torch.float64)
    assert runs.losses[0].tolist() == pytest.approx(plain.losses, rel=EXACT, abs=0)
    assert runs.evaluate()[0].item() == pytest.approx(plain.validation[STEPS], rel=EXACT, abs=0)


@pytest.mark.parametrize("name", ["post", "odd"])
def test_a_replica_ignores_its_neighbours(name: str) -> None:
    """A replica has the same bits alone, among others, on several threads, and after others have retired."""
    config = CONFIGS[name]
    alone, many = finished(config, [7]), finished(config, list(range(20)), threads=2)
    assert torch.equal(alone.parameters[0], many.parameters[7])
    assert torch.equal(alone.evaluate()[0], many.evaluate()[7])
    rest = Batched(config, grid([SCHEDULE] * 3, [1e-3, 8e-3, 2e-3], STEPS), [1, 2, 3])
    rest.run(5)
    rest.retire(torch.tensor([True, False, True]))
    rest.run()
    assert torch.equal(rest.parameters[0], alone.parameters[0])


def test_a_step_on_the_device_and_a_traced_one_are_the_step() -> None:
    """Looked up by a step number on the device, or traced by the compiler as one graph, a run is the same."""
    config = CONFIGS["odd"]
    one, other = (
        finished(config, [3, 1], dtype=torch.float64, instruments=True, execution=execution)
        for execution in ("groups", "resident")
    )
    traced = Batched(
        config,
        grid([SCHEDULE] * 2, [4e-3, 2e-3], STEPS),
        [3, 1],
        dtype=torch.float64,
        compiled=True,
        instruments=True,
    )
    assert traced.compiled is not None
    traced.compiled.function = torch.compile(traced.compiled.traced, dynamic=False, fullgraph=True, backend="eager")
    traced.run()
    for name in ("losses", "attention_logits", "gradient_norms", "update_ratios"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=EXACT, atol=0)
        torch.testing.assert_close(getattr(one, name), getattr(traced, name), rtol=EXACT, atol=0)


@pytest.mark.parametrize("norm_first", [False, True])
def test_future_is_hidden(norm_first: bool) -> None:
    """Changing a word changes the logits at its place and later, and none before."""
    config = named("language16", norm_first=norm_first)
    task, orders = prepared(config, [0], 1)
    pairs, model = task.pairs.take(orders[0, 0]), build(config, 0, torch.float64)
    for place in range(config.sequence):
        changed = pairs.target_in.clone()
        changed[:, place] = torch.where(changed[:, place] == 3, 4, 3)
        with torch.no_grad():
            moved = (model(pairs.source, changed) - model(pairs.source, pairs.target_in)).abs().amax((0, 2))
        assert bool((moved[:place] < SAME).all())
        assert moved[place:].min() > 1e-6


def test_weights_of_many_seeds_are_drawn_in_bulk() -> None:
    """Rows have the bits of the models, whose layers differ from each other."""
    config = named("language16")
    assert drawing(config) is not None
    assert torch.equal(initial(config, [3, 8]), torch.stack([row_of(build(config, seed)) for seed in (3, 8)]))
    first, second = (
        dict(build(config, 3).named_parameters())[f"transformer.layers.{i}.linear1.weight"] for i in (0, 1)
    )
    assert not torch.equal(first, second)


def test_untrained_loss_is_above_that_of_frequencies() -> None:
    """An untrained model is further above the floor than one that knows the frequencies; the loss is never negative."""
    config = named("language16")
    task, _ = prepared(config, [0], 1)
    model = build(config, 0)
    held = task.pairs.take(task.validation)
    assert evaluate(model, held, task.truth) > language().entropy - task.floor
    with torch.no_grad():
        loss = float(token_loss(model(held.source, held.target_in), held.target_out))
    assert math.isclose(evaluate(model, held, task.truth), loss - task.floor, abs_tol=0.5)


def test_tensor_loop_trains_the_language() -> None:
    """The step with a tensor LR reads the same batches."""
    config = named("language16")
    loop = TensorLoop("tensor", config, by_way("sequential", config, 2, 4), 4, "cpu")
    plain = train(config, ref.parse("linear0+hold"), steps=1, seed=0, base_lr=0.0)
    assert loop.step() == pytest.approx(plain.losses[0], rel=1e-6)  # float32, the same weights


def test_commands_say_what_their_losses_are_above(capsys: pytest.CaptureFixture[str]) -> None:
    """`train` and `compare` take the language by its name, and name the floor; for numbers there is none."""
    note = f"validation losses are above the floor of {language().floor(12):.2f} nats per token"
    for command in (
        ["train", "--schedule", "linear0+hold"],
        ["compare", "linear0+hold", "linear2+hold", "--seeds", "1"],
    ):
        for config in ("language16", "small16"):
            main([*command, "--config", config, "--steps", "3"])
            assert (note in " ".join(capsys.readouterr().out.split())) is (config == "language16")


def test_diverge_measures_losses_above_the_floor(capsys: pytest.CaptureFixture[str]) -> None:
    """`diverge` takes the language by its name and says what its losses are above; the pass in C is refused at once."""
    command = ["diverge", "--schedule", "linear0+hold", "--base-lr", "0.01", "--steps", "3", "--seeds", "1"]
    for config in ("language16", "small16"):
        main([*command, "--no-advice", "--config", config])
        assert ("above the entropy of the task" in capsys.readouterr().out) is (config == "language16")
    assert main(["sweep", "--native", "--config", "language16"]) == 2
    assert "task=language must be numbers with native=True" in capsys.readouterr().err


def test_a_language_has_no_epochs() -> None:
    """A clock of epochs is refused."""
    with pytest.raises(ValueError, match=r"^clock=epoch needs task=numbers: language has no epochs$"):
        train(named("language16"), SCHEDULE, steps=2, seed=0, clock="epoch")


@pytest.mark.slow
def test_language_is_learned() -> None:
    """400 steps suffice to get below half of what the frequencies leave, which needs the word two places before."""
    rates = grid([ref.parse("linear40+cosine360")] * 2, [1e-2, 1e-2], 400)
    runs = Batched(named("language16"), rates, [0, 1])
    runs.run()
    assert float(runs.evaluate().max()) < (language().entropy - runs.floor) / 2
