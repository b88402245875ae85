"""Attention of many replicas over very short sequences, without small matrix products.

A sequence has 3 or 4 tokens, so the attention matrix of one head and one number is 4×4: a matrix product,
or a softmax over 4 neighbours in memory, called for each of the 10⁵ matrices costs more than the arithmetic.
Therefore replica, head and number are merged into the last axis, the *lanes* L = K·h·B,
and all arithmetic is elementwise along it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from bench.toy.task import PAD

#: Receives the attention logits [n, s, L].
LogitHook = Callable[[Tensor], None]
#: Up to this many features per head, sums over features are accumulated one by one, which stays in the cache.
FEW = 8


def to_lanes(x: Tensor, batch: int, heads: int, parts: int) -> Tensor:
    """Projections [K, n·B, parts·d], stored feature by feature → [parts, d/heads, n, K·heads·B]."""
    apart = x.mT.view(len(x), parts, heads, x.shape[2] // (parts * heads), -1, batch)
    lanes = apart.permute(1, 3, 4, 0, 2, 5)
    return lanes.reshape(*lanes.shape[:3], -1)


def from_lanes(x: Tensor, batch: int, heads: int) -> Tensor:
    """The inverse of `to_lanes`: [parts, d/heads, n, K·heads·B] → [K, n·B, parts·d], stored feature by feature."""
    parts, features, length, lanes = x.shape
    apart = x.view(parts, features, length, lanes // (heads * batch), heads, batch).permute(3, 0, 4, 1, 2, 5)
    return apart.reshape(len(apart), parts * heads * features, length * batch).mT


def blocked(keys: Tensor, queries: int, heads: int, *, causal: bool, dtype: torch.dtype) -> Tensor:
    """The additive attention mask: 0, or −∞ at padded keys and, if `causal`, at future ones.

    `keys`: tokens [K, s, B] → [queries, s, K·heads·B]; `queries` is 1 if all queries share a mask.
    """
    hidden = (keys == PAD).transpose(0, 1)[None, :, :, None]
    if causal:
        future = torch.ones(queries, keys.shape[1], dtype=torch.bool, device=keys.device).triu(1)
        hidden = hidden | future[:, :, None, None, None]
    added = torch.zeros(hidden.shape, dtype=dtype, device=keys.device).masked_fill_(hidden, -math.inf)
    return added.expand(-1, -1, -1, heads, -1).reshape(*added.shape[:2], -1)


def match(x: Tensor, y: Tensor) -> Tensor:
    """Σ_c x_ci·y_cj in every lane: [C, n, L], [C, s, L] → [n, s, L]."""
    if len(x) > FEW:
        return (x[:, :, None] * y[:, None]).sum(0)
    total = x[0][:, None] * y[0]
    for x_c, y_c in zip(x[1:], y[1:], strict=True):
        total.addcmul_(x_c[:, None], y_c)
    return total


def mix(shares: Tensor, values: Tensor, out: Tensor | None = None) -> Tensor:
    """Σ_j shares_ij·values_cj in every lane: [n, s, L], [C, s, L] → [C, n, L]."""
    total = torch.mul(shares[:, 0], values[:, None, 0], out=out)
    for j in range(1, shares.shape[1]):
        total.addcmul_(shares[:, j], values[:, None, j])
    return total


class Attention:
    """Σ_j softmax_j(Σ_c q_ci·k_cj/√C + added_ij)·v_cj in every lane, and its gradients.

    `query` [C, n, L], `key` and `value` [C, s, L], `added` [n or 1, s, L]; C is d/heads.
    `mixed` is the result [C, n, L]; `hook` receives the logits before `added`.

    >>> ones = torch.ones(2, 1, 1)
    >>> Attention(ones, ones, 3 * ones, torch.zeros(1, 1, 1)).mixed.flatten().tolist()
    [3.0, 3.0]
    """

    def __init__(self, query: Tensor, key: Tensor, value: Tensor, added: Tensor, hook: LogitHook | None = None) -> None:
        self.query, self.key, self.value = query, key, value
        self.scale = 1.0 / math.sqrt(len(query))
        logits = match(query, key).mul_(self.scale)
        if hook is not None:
            hook(logits)
        self.shares = logits.add_(added).softmax(1)
        self.mixed = mix(self.shares, value)

    def gradients(self, mixed: Tensor, query: Tensor, key: Tensor, value: Tensor) -> None:
        """Given the gradient of `mixed`, write the gradients of query, key and value."""
        mix(self.shares.transpose(0, 1), mixed, out=value)
        shares = match(mixed, self.value)
        logits = torch._softmax_backward_data(shares, self.shares, 1, shares.dtype).mul_(self.scale)
        mix(logits, self.key, out=query)
        mix(logits.transpose(0, 1), self.query, out=key)
