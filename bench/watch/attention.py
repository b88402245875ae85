"""The largest attention logit of a training forward pass, seen where torch computes attention.

Nothing is attached to the model: hooks on its modules would switch off torch's fast paths in evaluation,
a mode for all functions would cost at each of the thousand operations of a step. What is watched are calls of
``torch.nn.functional.scaled_dot_product_attention`` by that name, which is how ``nn.MultiheadAttention`` and nearly
all models of today compute attention, and the softmax of ``nn.MultiheadAttention`` where its weights are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .deferred import Noted
from .patches import ATTENTION, MULTIHEAD, SOFTMAX

#: Logits that are held at once: so many queries are taken together.
BLOCK = 1 << 24


def hidden(mask: Tensor) -> Tensor:
    """Where a mask keeps a query from a key: False of a bool mask; of an added one, all that is next to −∞.

    >>> hidden(torch.tensor([0.0, -torch.inf, torch.finfo(torch.float32).min])).tolist()
    [False, True, True]
    """
    return ~mask if mask.dtype == torch.bool else mask.detach() < torch.finfo(mask.dtype).min / 2


def largest(numbers: Tensor) -> Tensor:
    """max |x|, in one pass; NaN if there is one."""
    found: Tensor = torch.linalg.vector_norm(numbers, math.inf)
    return found


def largest_logit(
    query: Tensor,
    key: Tensor,
    mask: Tensor | None = None,
    *,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """max |q·k|·scale over all keys that a query may see, in the arguments of ``scaled_dot_product_attention``.

    `query` [..., n, c], `key` [..., s, c], `mask` up to [..., n, s]; `scale` is 1/√c by default. What a mask adds to
    visible logits does not count. Source: ``torch.nn.functional.scaled_dot_product_attention``, torch 2.13.

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
    found = []
    for i in range(0, queries, rows):
        logits = query[..., i : i + rows, :] @ key.mT
        if unseen is not None:
            logits.masked_fill_(unseen if unseen.shape[-2] == 1 else unseen[..., i : i + rows, :], 0)
        found.append(largest(logits))
    size = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    return (found[0] if len(found) == 1 else torch.stack(found).amax()) * abs(size)


class AttentionLogits:
    """Keeps the largest |attention logit| of the calls since it was last taken, while it listens.

    Calls without gradients do not count, nor do those in compiled code.
    """

    def __init__(self) -> None:
        self.paused = False
        self._largest: list[Tensor] = []
        self._multihead = 0
        self._seams = ((ATTENTION, self._attention), (MULTIHEAD, self._inside), (SOFTMAX, self._softmax))

    def open(self) -> None:
        """Listen."""
        for seam, listener in self._seams:
            seam.add(listener)

    def close(self) -> None:
        """Listen no longer."""
        for seam, listener in self._seams:
            seam.remove(listener)

    def take(self) -> Noted | None:
        """The largest since the last time, None if there was none."""
        found, self._largest = self._largest, []
        if not found:
            return None
        # Parts of a model may lie on several devices and have several dtypes.
        return torch.stack([one.to(found[0].device, torch.float32) for one in found]).amax()

    def add(self, logits: Tensor) -> None:
        """Count the logits of an attention that is written by hand."""
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
