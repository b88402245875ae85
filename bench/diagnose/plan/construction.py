"""What schedulers were built with, noted while they are built: arguments, and the LR that each optimizer had before."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from torch.optim import lr_scheduler

from .called import plain


def arguments_of(signature: inspect.Signature, args: Any, kwargs: Any) -> dict[str, Any] | None:
    """The arguments of a constructor by name, without the object itself; None for those that torch will refuse."""
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        return None
    bound.apply_defaults()
    arguments = dict(bound.arguments)
    arguments.pop(next(iter(signature.parameters)))
    return arguments


class SeenConstructions(Protocol):
    """What is known of constructions: see `Constructions`."""

    @property
    def given(self) -> Mapping[int, Mapping[str, Any]]:
        """The arguments of each scheduler by its id."""

    @property
    def base_lrs(self) -> Mapping[int, list[float]]:
        """The LRs of each optimizer before its first scheduler, by its id."""


class Constructions:
    """Note the arguments of every torch scheduler that is built inside the ``with`` block.

    `given`: the arguments by name, without the optimizer, for the id of each scheduler (kept alive in `built`);
    `base_lrs`: the LRs that each optimizer had before its first scheduler, by the id of the optimizer.
    Some objects do not keep these: OneCycleLR changes `initial_lr`, a second SWALR changes the target of the first.

    >>> import torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    >>> with Constructions() as seen:
    ...     scheduler = lr_scheduler.StepLR(optimizer, 30)
    >>> seen.given[id(scheduler)], seen.base_lrs[id(optimizer)]
    ({'step_size': 30, 'gamma': 0.1, 'last_epoch': -1}, [0.5])
    """

    def __init__(self) -> None:
        self.given: dict[int, dict[str, Any]] = {}
        self.base_lrs: dict[int, list[float]] = {}
        self.built: list[Any] = []
        self._replaced: list[tuple[type[Any], Any]] = []

    def __enter__(self) -> Constructions:
        for cls in _classes():
            original = vars(cls)["__init__"]
            self._replaced.append((cls, original))
            cls.__init__ = self._noting(original)
        return self

    def __exit__(self, *exception: object) -> None:
        for cls, original in self._replaced:
            cls.__init__ = original
        self._replaced = []

    def _noting(self, original: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(original)

        @functools.wraps(original)
        def init(scheduler: Any, *args: Any, **kwargs: Any) -> None:
            self._note(scheduler, signature, args, kwargs)
            original(scheduler, *args, **kwargs)

        return init

    def _note(self, scheduler: Any, signature: inspect.Signature, args: Any, kwargs: Any) -> None:
        arguments = arguments_of(signature, (scheduler, *args), kwargs)
        if arguments is None:
            return
        optimizer = arguments.pop("optimizer", None)
        groups = getattr(optimizer, "param_groups", None)
        if groups is not None and id(optimizer) not in self.base_lrs:
            self.base_lrs[id(optimizer)] = [float(plain(group["lr"])) for group in groups]
            self.built.append(optimizer)
        if id(scheduler) not in self.given:  # a subclass calls the constructor of its base class
            self.given[id(scheduler)] = arguments
            self.built.append(scheduler)


def _classes() -> Iterator[type[Any]]:
    todo: list[type[Any]] = [lr_scheduler.LRScheduler, lr_scheduler.ReduceLROnPlateau]
    seen: set[type[Any]] = set()
    while todo:
        cls = todo.pop()
        todo += cls.__subclasses__()
        own = cls.__module__.split(".")[0] == "torch" and "__init__" in vars(cls)
        if own and cls not in seen:  # only torch's: another class may treat its constructor as it likes
            seen.add(cls)
            yield cls
