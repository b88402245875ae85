"""The plain trainer, written as a user would: nn.Transformer, a torch optimizer, a loop."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from reference import Schedule
from reference.check import integer, one_of, real

from .config import Config
from .model import ToyTransformer, build, seeded
from .optimizers import OptimizerFactory, clip, configured_optimizer
from .rates import CLOCKS, SchedulerFactory, planned
from .task import PAD, Pairs, contexts, prepared, steps_per_epoch

#: Called after each optimizer step with the step's index, the LR it used and the loss before it.
StepReport = Callable[[int, float, float], None]


@dataclasses.dataclass(frozen=True)
class PlainRun:
    """The measurements of one run.

    * `lrs`: the LR in force when optimizer step t ran, read from the optimizer at that moment;
    * `losses`: the training loss on the batch of step t, before the step; nats per token;
    * `validation`: validation loss above the task's floor (see `evaluate`), keyed by the number of optimizer steps
      taken (0: the untrained model);
    * `model`: the trained model.
    """

    lrs: list[float]
    losses: list[float]
    validation: dict[int, float]
    model: ToyTransformer


def token_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Mean cross-entropy in nats over all tokens except padding: [n, t, v], [n, t] → scalar."""
    return nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), target.reshape(-1), ignore_index=PAD)


def divergence(logits: Tensor, pairs: Pairs, truth: Tensor) -> Tensor:
    """How far a model is above the floor: the mean of Σ_v p_v·ln(p_v/q_v) over all tokens, q = softmax(logits).

    `truth`: the probabilities p by context, see `Task`; [n, t, v] → scalar, nats per token. Never negative, and 0
    only at p = q. Source: Kullback & Leibler 1951.
    """
    shares = truth.to(logits)[contexts(pairs.target_in)]
    each = nn.functional.kl_div(logits.log_softmax(2), shares, reduction="none")
    return each.sum(2).mean()


def evaluate(model: ToyTransformer, pairs: Pairs, truth: Tensor | None = None) -> float:
    """The loss of a model on pairs above the task's floor, without dropout; restores the model's mode.

    Without known probabilities the floor is 0: the mean cross-entropy with the labels. With `truth` it is the mean
    cross-entropy with all possible labels, less its least value: `divergence`.
    """
    was_training = model.training
    model.eval()
    with torch.no_grad():
        logits = model(pairs.source, pairs.target_in)
        loss = float(token_loss(logits, pairs.target_out) if truth is None else divergence(logits, pairs, truth))
    model.train(was_training)
    return loss


class Driver:
    """Controls an optimizer's LR: sets it from a reference schedule, or steps a torch scheduler."""

    def __init__(
        self,
        optimizer: Optimizer,
        rule: Schedule | SchedulerFactory,
        steps: int,
        base_lr: float,
        clock: str,
        epoch: int,
    ) -> None:
        self.optimizer, self.every = optimizer, epoch if clock == "epoch" else 1
        self.used: list[float] = []
        self.rates = planned(rule, steps, base_lr, clock, epoch) if isinstance(rule, Schedule) else None
        self.scheduler: Any = None if isinstance(rule, Schedule) else rule(optimizer)
        optimizer.register_step_pre_hook(self._note)

    def _note(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self.used.append(float(optimizer.param_groups[0]["lr"]))

    def before(self, step: int) -> None:
        """Set the LR of this step if a reference schedule gives it."""
        if self.rates is not None:
            for group in self.optimizer.param_groups:
                group["lr"] = float(self.rates[step])

    def after(self, step: int) -> None:
        """Step the torch scheduler if its clock ticks after this step."""
        if self.scheduler is not None and (step + 1) % self.every == 0:
            self.scheduler.step()


class PlainLoop:
    """The plain trainer, one optimizer step at a time; `train` runs it to the end and documents the arguments.

    `used`: the LR of every step so far, read from the optimizer when it stepped;
    `driver`: sets or steps the LR; its `before` and `after` are the whole cost of the schedule in a step.
    """

    def __init__(
        self,
        config: Config,
        rule: Schedule | SchedulerFactory,
        steps: int,
        seed: int,
        base_lr: float = 1.0,
        clock: str = "step",
        optimizer: OptimizerFactory | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        if clock == "epoch" and config.task != "numbers":
            raise ValueError(f"clock=epoch needs task=numbers: {config.task} has no epochs")
        self.config = config
        self.task, orders = prepared(config, [seed], steps)
        self.order = orders[0]
        self.device = device
        self.held = self.task.pairs.take(self.task.validation).to(device)
        self.model = build(config, seed, dtype).to(device)
        self.optimizer = (optimizer or configured_optimizer(config))(self.model.parameters(), base_lr)
        epoch = steps_per_epoch(len(self.task.train), config.batch_size) if config.task == "numbers" else 1
        self.driver = Driver(self.optimizer, rule, steps, base_lr, clock, epoch)
        self.used = self.driver.used

    def step(self) -> float:
        """Take one optimizer step and return the loss of its batch before it; IndexError after the last step."""
        step = len(self.used)
        batch = self.task.pairs.take(self.order[step]).to(self.device)
        self.driver.before(step)
        self.optimizer.zero_grad()
        loss = token_loss(self.model(batch.source, batch.target_in), batch.target_out)
        loss.backward()  # type: ignore[no-untyped-call]
        clip(self.model.parameters(), self.config)
        self.optimizer.step()
        self.driver.after(step)
        return loss.item()

    def evaluate(self) -> float:
        """The current validation loss."""
        return evaluate(self.model, self.held, self.task.truth)


def train(
    config: Config,
    rule: Schedule | SchedulerFactory,
    *,
    steps: int,
    seed: int,
    base_lr: float = 1.0,
    clock: Literal["step", "epoch"] = "step",
    optimizer: OptimizerFactory | None = None,
    validate_every: int = 0,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    report: StepReport | None = None,
) -> PlainRun:
    """Train one model for `steps` optimizer steps.

    `rule` is a reference schedule, or a function that builds a torch scheduler on the optimizer.
    Either advances at every optimizer step, or with ``clock="epoch"`` after each pass over the numbers.
    `base_lr` multiplies the schedule, and is the LR the optimizer is created with.
    `seed` draws the weights, the order of the batches and dropout.
    Validation loss is measured before the first step, after the last, and every `validate_every` steps (0: not).
    Raises TypeError or ValueError for invalid arguments.

    >>> from reference import parse
    >>> from .config import Config
    >>> tiny = Config(d_model=4, feed_forward=4, heads=1, layers=1, limit=10, batch_size=3)
    >>> train(tiny, parse("linear2+hold"), steps=3, seed=0, base_lr=0.1).lrs
    [0.0, 0.05, 0.1]
    """
    integer("steps", steps, 1)
    integer("validate_every", validate_every)
    real("base_lr", base_lr, low=0.0)
    one_of("clock", clock, CLOCKS)
    if not callable(rule):  # schedules are callable too
        raise TypeError(f"rule={rule!r} must be a schedule or a function from an optimizer to a scheduler")
    loop = PlainLoop(config, rule, steps, seed, base_lr, clock, optimizer, dtype, device)
    losses: list[float] = []
    validation = {0: loop.evaluate()}
    with seeded(seed, device):
        for step in range(steps):
            losses.append(loop.step())
            if report is not None:
                report(step, loop.used[-1], losses[-1])
            if step + 1 == steps or (validate_every and (step + 1) % validate_every == 0):
                validation[step + 1] = loop.evaluate()
    return PlainRun(loop.used, losses, validation, loop.model)
