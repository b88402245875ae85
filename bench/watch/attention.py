"""The largest attention logit of a training forward pass, measured where torch computes attention.

Nothing is attached to the model: hooks on its modules would disable torch's fast paths in evaluation, and a
``TorchFunctionMode`` would slow down each of the thousand operations of a step. Instead we patch
``torch.nn.functional.scaled_dot_product_attention``, which ``nn.MultiheadAttention`` and nearly all current models
call by that name, and the softmax that ``nn.MultiheadAttention`` uses when asked for its weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .patches import ATTENTION, MULTIHEAD, SOFTMAX
from .steps.lazy_numbers import LazyNumber

#: The most logits held in memory at once; queries are processed in chunks of this size.
BLOCK = 1 << 24


def hidden(mask: Tensor) -> Tensor:
    """Where a mask hides a key from a query: False in a bool mask, about −∞ in an additive one.

    >>> hidden(torch.tensor([0.0, -torch.inf, torch.finfo(torch.float32).min])).tolist()
    [False, True, True]
    """
    return ~mask if mask.dtype == torch.bool else mask.detach() < torch.finfo(mask.dtype).min / 2


def largest(numbers: Tensor) -> Tensor:
    """max |x|, in one pass; NaN if there is one."""
    maximum: Tensor = torch.linalg.vector_norm(numbers, math.inf)
    return maximum


def largest_logit(
    query: Tensor,
    key: Tensor,
    mask: Tensor | None = None,
    *,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """max |q·k|·scale over all visible keys, with the arguments of ``scaled_dot_product_attention``.

    `query` [..., n, c], `key` [..., s, c], `mask` up to [..., n, s]; `scale` is 1/√c by default. What an additive mask
    adds to visible logits is ignored. Source: ``torch.nn.functional.scaled_dot_product_attention``, torch 2.13.

    >>> largest_logit(torch.tensor([[3.0]]), torch.tensor([[-2.0], [9.0]]), torch.tensor([[True, False]])).item()
    6.0
    """
    query, key = query.detach(), key.detach()
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
    queries, keys = query.shape[-2], key.shape[-2]
    unseen = None if mask is None else hidden(mask)
    if is_causal:
        unseen = torch.ones(queries, keys, dtype=torch.bool, device=query.device).triu(1)
    rows = max(1, BLOCK // max(1, query.shape[:-2].numel() * keys))
    maxima = []
    for i in range(0, queries, rows):
        logits = query[..., i : i + rows, :] @ key.mT
        if unseen is not None:
            logits.masked_fill_(unseen if unseen.shape[-2] == 1 else unseen[..., i : i + rows, :], 0)
        maxima.append(largest(logits))
    size = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    return (maxima[0] if len(maxima) == 1 else torch.stack(maxima).amax()) * abs(size)


class AttentionLogits:
    """Tracks the largest |attention logit| since the last `take`, between `open` and `close`.

    Ignores calls without gradients and calls in compiled code.
    """

    def __init__(self) -> None:
        self.paused = False
        self._largest: list[Tensor] = []
        self._multihead = 0
        self._patches = ((ATTENTION, self._attention), (MULTIHEAD, self._inside), (SOFTMAX, self._softmax))

    def open(self) -> None:
        """Start listening."""
        for patch, listener in self._patches:
            patch.add(listener)

    def close(self) -> None:
        """Stop listening."""
        for patch, listener in self._patches:
            patch.remove(listener)

    def take(self) -> LazyNumber | None:
        """The largest logit since the last call; None if there was none."""
        maxima, self._largest = self._largest, []
        if not maxima:
            return None
        # Parts of a model may be on different devices and have different dtypes.
        return torch.stack([maximum.to(maxima[0].device, torch.float32) for maximum in maxima]).amax()

    def add(self, logits: Tensor) -> None:
        """Include the logits of hand-written attention."""
        if not self.paused and torch.is_grad_enabled():
            logits = logits.detach()
            self._largest.append(largest(logits.masked_fill(logits == -math.inf, 0)))

    def _attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        **options: Any,
    ) -> None:
        trained = torch.is_grad_enabled() and (query.requires_grad or key.requires_grad)
        if trained and not self.paused and not query.is_nested:
            self._largest.append(largest_logit(query, key, attn_mask, is_causal=is_causal, **options))

    def _inside(self, *args: Any, **kwargs: Any) -> Callable[[], None]:
        self._multihead += 1

        def leave() -> None:
            self._multihead -= 1

        return leave

    def _softmax(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        if self._multihead and input.requires_grad:
            self.add(input)
