"""Attention of many replicas over very short sequences, without one small matrix product.

A sequence here has 3 or 4 tokens, so one head of one number is a 4×4 matrix: calling a matrix product,
or a softmax over 4 neighbours in memory, for each of the 10⁵ of them costs more than the arithmetic.
So replica, number and head together become the last axis, the *lanes* L = K·B·h,
and all arithmetic is elementwise along it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .task import PAD

#: Is shown logits [n, s, L].
Watch = Callable[[Tensor], None]


def to_lanes(x: Tensor, batch: int, heads: int, parts: int) -> tuple[Tensor, ...]:
    """Projections [K, B·n, parts·d] → `parts` tensors [d/heads, n, K·B·heads]."""
    apart = x.view(len(x), batch, -1, parts, heads, x.shape[2] // (parts * heads))
    lanes = apart.permute(3, 5, 2, 0, 1, 4)
    return lanes.reshape(*lanes.shape[:3], -1).unbind(0)


def from_lanes(x: Tensor, replicas: int, heads: int) -> Tensor:
    """The way back: [d/heads, n, K·B·heads] → [K, B·n, d]."""
    apart = x.view(*x.shape[:2], replicas, -1, heads)
    return apart.permute(2, 3, 1, 4, 0).reshape(replicas, -1, heads * len(x))


def blocked(keys: Tensor, queries: int, heads: int, *, causal: bool, dtype: torch.dtype) -> Tensor:
    """What is added to the attention logits: 0, or −∞ at padded keys and, if `causal`, at the future.

    `keys`: tokens [K, B, s] → [queries, s, K·B·heads]; `queries` is 1 where all see the same.
    """
    hidden = (keys == PAD).permute(2, 0, 1)[None, ..., None]
    if causal:
        future = torch.ones(queries, keys.shape[2], dtype=torch.bool, device=keys.device).triu(1)
        hidden = hidden | future[:, :, None, None, None]
    added = torch.zeros(hidden.shape, dtype=dtype, device=keys.device).masked_fill_(hidden, -math.inf)
    return added.expand(*added.shape[:4], heads).reshape(*added.shape[:2], -1)


def attend(query: Tensor, key: Tensor, value: Tensor, added: Tensor, watch: Watch | None = None) -> Tensor:
    """Σ_j softmax_j(Σ_c q_ci·k_cj/√C + added_ij)·v_cj in every lane.

    `query` [C, n, L], `key` and `value` [C, s, L], `added` [n or 1, s, L] → [C, n, L]; C is d/heads.
    `watch` is shown the logits before `added`.

    >>> one = torch.ones(2, 1, 1)
    >>> attend(one, one, 3 * one, torch.zeros(1, 1, 1)).flatten().tolist()
    [3.0, 3.0]
    """
    logits = (query[:, :, None] * key[:, None]).sum(0) * (1.0 / math.sqrt(len(query)))
    if watch is not None:
        watch(logits)
    scores = logits + added
    return (scores.softmax(1) * value[:, None]).sum(2)
