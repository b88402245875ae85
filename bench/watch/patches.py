"""Functions of torch that are replaced while a listener is subscribed, and restored afterwards.

torch has hooks for optimizer steps, but none for a backward pass, for a step that a gradient scaler skips,
for a scheduler's step, or for attention logits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.nn import functional
from torch.optim import Optimizer, lr_scheduler

#: A file name whose frames `warnings.warn(stacklevel=2)` does not count, so that a warning of torch still points at
#: the user's line. Source: ``_is_internal_frame`` in CPython's Lib/warnings.py, the same in 3.10 to 3.14.
UNSEEN = "<importlib._bootstrap: a function watched by bench.watch>"

#: Called with a call's arguments before the call; may return a function to run after one that raised nothing.
Listener = Callable[..., Callable[[], None] | None]


def untraced(function: Callable[..., None]) -> Callable[..., None]:
    """The function, wrapped so that torch.compile calls it without tracing it.

    If it were traced, its inputs would become guards of the compiled code and each new LR would cause a recompilation.
    Outside of compilation the plain function is called: ``torch.compiler.disable`` alone costs more than the function.
    """
    disable: Any = torch.compiler.disable
    disabled = disable(function)

    def call(*args: Any) -> None:
        if torch.compiler.is_compiling():
            disabled(*args)
        else:
            function(*args)

    return call


class Patch:
    """Replaces a function in every place it is looked up, as long as at least one listener is subscribed.

    `places` gives (owner, name) pairs; with `outermost`, listeners are not notified of nested calls.
    Calls that torch.compile traces are not reported.
    """

    def __init__(self, places: Callable[[], Iterator[tuple[Any, str]]], *, outermost: bool = False) -> None:
        self.places, self.outermost = places, outermost
        self.listeners: tuple[Listener, ...] = ()
        self._depth = 0
        self._replaced: list[tuple[Any, str, Any, Any]] = []

    def add(self, listener: Listener) -> None:
        """Subscribe `listener`."""
        self.listeners = (*self.listeners, listener)
        self.renew()

    def remove(self, listener: Listener) -> None:
        """Unsubscribe `listener`; after the last one, restore the originals that nobody else has replaced since."""
        self.listeners = tuple(other for other in self.listeners if other != listener)
        if not self.listeners:
            for owner, name, original, ours in self._replaced:
                if vars(owner)[name] is ours:
                    setattr(owner, name, original)
            self._replaced = []

    def renew(self) -> None:
        """Patch new places too: a class may have been defined since."""
        done = [(owner, name) for owner, name, *_ in self._replaced]
        for owner, name in self.places():
            if (owner, name) not in done:
                original = vars(owner)[name]
                ours = self._replacement(original)
                self._replaced.append((owner, name, original, ours))
                setattr(owner, name, ours)

    def _replacement(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def notifying(*args: Any, **kwargs: Any) -> Any:
            if torch.compiler.is_compiling() or (self.outermost and self._depth):
                return original(*args, **kwargs)
            after = [listener(*args, **kwargs) for listener in self.listeners]
            self._depth += 1
            try:
                result = original(*args, **kwargs)
            finally:
                self._depth -= 1
            for call in after:
                if call is not None:
                    call()
            return result

        unseen: Any = notifying
        unseen.__code__ = unseen.__code__.replace(co_filename=UNSEEN)
        return notifying


def _backward() -> Iterator[tuple[Any, str]]:
    yield torch.autograd, "backward"  # Tensor.backward calls it by this name


def _scaler() -> Iterator[tuple[Any, str]]:
    amp: Any = torch.amp if hasattr(torch.amp, "GradScaler") else torch.cuda.amp  # before torch 2.3
    yield amp.GradScaler, "step"


def _subclasses(cls: type[Any]) -> Iterator[type[Any]]:
    yield cls
    for child in cls.__subclasses__():
        yield from _subclasses(child)


def _schedulers() -> Iterator[tuple[Any, str]]:
    classes = dict.fromkeys([*_subclasses(lr_scheduler.LRScheduler), lr_scheduler.ReduceLROnPlateau])
    yield from ((cls, "step") for cls in classes if "step" in vars(cls))


def _construction() -> Iterator[tuple[Any, str]]:
    yield Optimizer, "__init__"
    classes = dict.fromkeys([*_subclasses(lr_scheduler.LRScheduler), lr_scheduler.ReduceLROnPlateau])
    yield from ((cls, "__init__") for cls in classes if "__init__" in vars(cls))


def being_built(scheduler: Any) -> bool:
    """Whether a scheduler's step is the initial step inside its constructor, which does not advance the schedule."""
    state = vars(scheduler)
    first = state.get("_step_count", 1) == 0 and type(scheduler).step.__qualname__ == "LRScheduler.step"
    return first or "_last_lr" not in state or state.get("_is_initial", False)


#: A backward pass; a nested one recomputes activations.
BACKWARD = Patch(_backward, outermost=True)
#: A gradient scaler's step, which either steps the optimizer or skips it.
SCALER = Patch(_scaler, outermost=True)
#: A scheduler's step; a composite steps its parts, a subclass calls its base class.
SCHEDULER = Patch(_schedulers, outermost=True)
#: The construction of an optimizer or a scheduler.
CONSTRUCTION = Patch(_construction, outermost=True)
#: Attention, as nearly all current models compute it.
ATTENTION = Patch(lambda: iter([(functional, "scaled_dot_product_attention")]))
#: The attention of ``nn.MultiheadAttention``, which computes its own softmax when asked for the weights.
MULTIHEAD = Patch(lambda: iter([(functional, "multi_head_attention_forward")]))
SOFTMAX = Patch(lambda: iter([(functional, "softmax")]))
