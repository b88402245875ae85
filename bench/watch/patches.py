"""Public functions of torch that are replaced while somebody listens, and put back afterwards.

torch has hooks for optimizer steps, but none for a backward pass, for a step that a gradient scaler leaves out,
for a scheduler's step, or for the logits of attention.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.nn import functional
from torch.optim import lr_scheduler

#: Called with the arguments of a call before it is made; what it returns, if anything, is called after it.
Listener = Callable[..., Callable[[], None] | None]


def untraced(function: Callable[..., None]) -> Callable[..., None]:
    """The function, such that torch.compile calls it and does not look inside.

    Traced, what it reads would become a condition of the compiled code, and each new LR would be compiled anew.
    Where nothing is compiled, ``torch.compiler.disable`` itself would take longer than the function.
    """
    disable: Any = torch.compiler.disable
    disabled = disable(function)

    def call(*args: Any) -> None:
        if torch.compiler.is_compiling():
            disabled(*args)
        else:
            function(*args)

    return call


class Seam:
    """Replaces a function at each of its places from the first listener on until the last one leaves.

    `places` gives (owner, name) pairs; `outermost`: calls made inside such a call are not told of.
    What torch.compile traces is left alone: nobody is told of it.
    """

    def __init__(self, places: Callable[[], Iterator[tuple[Any, str]]], *, outermost: bool = False) -> None:
        self.places, self.outermost = places, outermost
        self.listeners: tuple[Listener, ...] = ()
        self._depth = 0
        self._replaced: list[tuple[Any, str, Any, Any]] = []

    def add(self, listener: Listener) -> None:
        """Tell `listener` from now on."""
        self.listeners = (*self.listeners, listener)
        self.renew()

    def remove(self, listener: Listener) -> None:
        """Leave `listener` in peace; with the last one the originals come back, unless somebody replaced ours."""
        self.listeners = tuple(other for other in self.listeners if other != listener)
        if not self.listeners:
            for owner, name, original, ours in self._replaced:
                if vars(owner)[name] is ours:
                    setattr(owner, name, original)
            self._replaced = []

    def renew(self) -> None:
        """Replace what was not there before: a class may have been defined since."""
        done = [(owner, name) for owner, name, *_ in self._replaced]
        for owner, name in self.places():
            if (owner, name) not in done:
                original = vars(owner)[name]
                ours = self._replacement(original)
                self._replaced.append((owner, name, original, ours))
                setattr(owner, name, ours)

    def _replacement(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def told(*args: Any, **kwargs: Any) -> Any:
            if torch.compiler.is_compiling() or (self.outermost and self._depth):
                return original(*args, **kwargs)
            after = [listener(*args, **kwargs) for listener in self.listeners]
            self._depth += 1
            try:
                return original(*args, **kwargs)
            finally:
                self._depth -= 1
                for call in after:
                    if call is not None:
                        call()

        return told


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
    found = dict.fromkeys([*_subclasses(lr_scheduler.LRScheduler), lr_scheduler.ReduceLROnPlateau])
    yield from ((cls, "step") for cls in found if "step" in vars(cls))


def being_built(scheduler: Any) -> bool:
    """Whether a scheduler's step is the one that its construction takes, which moves nothing."""
    state = vars(scheduler)
    first = state.get("_step_count", 1) == 0 and type(scheduler).step.__qualname__ == "LRScheduler.step"
    return first or "_last_lr" not in state or state.get("_is_initial", False)


#: A backward pass; one inside it recomputes activations.
BACKWARD = Seam(_backward, outermost=True)
#: A gradient scaler's step, which steps the optimizer or leaves it.
SCALER = Seam(_scaler, outermost=True)
#: A scheduler's step; a composite steps its parts, a subclass calls its base class.
SCHEDULER = Seam(_schedulers, outermost=True)
#: Attention, as nearly all models of today compute it.
ATTENTION = Seam(lambda: iter([(functional, "scaled_dot_product_attention")]))
#: The attention of ``nn.MultiheadAttention``, which is a softmax of its own where the weights are asked for.
MULTIHEAD = Seam(lambda: iter([(functional, "multi_head_attention_forward")]))
SOFTMAX = Seam(lambda: iter([(functional, "softmax")]))
