"""Stands for `paddle.optimizer.lr`: the two base classes, as Paddle documents them.

A scheduler is built with the LR instead of an optimizer, makes its first step when it is built, and is called for the
LR that is in force.
"""

from __future__ import annotations

from collections.abc import Callable


class PaddleScheduler:
    """The base of all schedulers: subclasses say in get_lr() what the LR is at `last_epoch`."""

    def __init__(self, learning_rate: float = 0.1, last_epoch: int = -1, verbose: bool = False) -> None:
        self.base_lr = self.last_lr = float(learning_rate)
        self.last_epoch = last_epoch
        self.step()

    def __call__(self) -> float:
        """The LR in force."""
        return self.last_lr

    def step(self, epoch: int | None = None) -> None:
        """Go on by one step, or to step `epoch`."""
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self.last_lr = self.get_lr()

    def get_lr(self) -> float:
        """The LR at `last_epoch`."""
        raise NotImplementedError


#: Its name in Paddle.
LRScheduler = PaddleScheduler


class LambdaDecay(PaddleScheduler):
    """The base LR times a function of `last_epoch`."""

    def __init__(
        self, learning_rate: float, lr_lambda: Callable[[int], float], last_epoch: int = -1, verbose: bool = False
    ) -> None:
        self.lr_lambda = lr_lambda
        super().__init__(learning_rate, last_epoch, verbose)

    def get_lr(self) -> float:
        """The base LR times the factor."""
        return self.base_lr * self.lr_lambda(self.last_epoch)
