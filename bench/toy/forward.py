"""The model's forward pass for K replicas at once, each with its own weights and its own batch.

Everything is [K, …]: matrices are multiplied replica by replica, the rest is elementwise or along
a replica's own axes. So no number of one replica reaches another.
B is the batch, s and t the lengths of source and target, d the features, h the heads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from .attention import Watch, attend, blocked, from_lanes, to_lanes
from .config import Config
from .records import Peaks
from .task import PAD, Pairs

#: Parameters by their name in the model, each [K, *shape].
Weights = Mapping[str, Tensor]


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x·Wᵀ + b for each replica: [K, n, i], [K, o, i], [K, o] → [K, n, o]."""
    return torch.baddbmm(bias[:, None], x, weight.transpose(1, 2))


def norm(x: Tensor, weights: Weights, name: str) -> Tensor:
    """LayerNorm over the features, with each replica's own scale and shift: [K, n, d] → [K, n, d]."""
    plain = F.layer_norm(x, x.shape[-1:])
    return torch.addcmul(weights[f"{name}.bias"][:, None], plain, weights[f"{name}.weight"][:, None])


class Forward:
    """The forward pass of a configuration (without dropout)."""

    def __init__(self, config: Config, positions: Tensor) -> None:
        self.config, self.positions = config, positions

    def _self(self, x: Tensor, weights: Weights, name: str, batch: int, added: Tensor, watch: Watch | None) -> Tensor:
        """Self-attention with its output projection."""
        joint = linear(x, weights[f"{name}.in_proj_weight"], weights[f"{name}.in_proj_bias"])
        query, key, value = to_lanes(joint, batch, self.config.heads, 3)
        mixed = from_lanes(attend(query, key, value, added, watch), len(x), self.config.heads)
        return linear(mixed, weights[f"{name}.out_proj.weight"], weights[f"{name}.out_proj.bias"])

    def _cross(
        self, x: Tensor, memory: Tensor, weights: Weights, name: str, batch: int, added: Tensor, watch: Watch | None
    ) -> Tensor:
        """Attention from the target to the encoder's output, with its output projection."""
        d, heads = self.config.d_model, self.config.heads
        weight, bias = weights[f"{name}.in_proj_weight"], weights[f"{name}.in_proj_bias"]
        (query,) = to_lanes(linear(x, weight[:, :d], bias[:, :d]), batch, heads, 1)
        key, value = to_lanes(linear(memory, weight[:, d:], bias[:, d:]), batch, heads, 2)
        mixed = from_lanes(attend(query, key, value, added, watch), len(x), heads)
        return linear(mixed, weights[f"{name}.out_proj.weight"], weights[f"{name}.out_proj.bias"])

    def _hidden(self, x: Tensor, weights: Weights, name: str) -> Tensor:
        """The feed-forward block."""
        hidden = linear(x, weights[f"{name}.linear1.weight"], weights[f"{name}.linear1.bias"]).relu_()
        return linear(hidden, weights[f"{name}.linear2.weight"], weights[f"{name}.linear2.bias"])

    def _block(self, x: Tensor, weights: Weights, name: str, inner: Callable[[Tensor], Tensor]) -> Tensor:
        """One residual block and its LayerNorm, on the side that the configuration says."""
        if self.config.norm_first:
            return x + inner(norm(x, weights, name))
        return norm(x + inner(x), weights, name)

    def _embed(self, tokens: Tensor, weights: Weights) -> Tensor:
        """Embeddings with positions: [K, B, n] → [K, B·n, d]."""
        table = weights["embedding.weight"]
        first = torch.arange(len(table), device=tokens.device)[:, None, None] * table.shape[1]
        embedded = F.embedding(tokens + first, table.reshape(-1, table.shape[2]))
        return (embedded + self.positions[: tokens.shape[2]]).view(len(table), -1, table.shape[2])

    def logits(self, weights: Weights, source: Tensor, target: Tensor, peaks: Peaks | None = None) -> Tensor:
        """Tokens of source [K, B, s] and target [K, B, t] → logits [K, B·t, vocabulary]; `peaks` watches."""
        config, batch = self.config, source.shape[1]
        dtype = self.positions.dtype
        see_source = blocked(source, 1, config.heads, causal=False, dtype=dtype)
        see_target = blocked(target, target.shape[2], config.heads, causal=True, dtype=dtype)
        watches: list[Watch | None] = [None] * 3
        if peaks is not None:
            known, said = peaks.source, peaks.target
            watches = [peaks.between(known, known), peaks.between(said, said), peaks.between(said, known)]
        in_source, in_target, across = watches

        x = self._embed(source, weights)
        for i in range(config.layers):
            name = f"transformer.encoder.layers.{i}"
            attend = partial(
                self._self, weights=weights, name=f"{name}.self_attn", batch=batch, added=see_source, watch=in_source
            )
            x = self._block(x, weights, f"{name}.norm1", attend)
            x = self._block(x, weights, f"{name}.norm2", partial(self._hidden, weights=weights, name=name))
        memory = norm(x, weights, "transformer.encoder.norm")

        x = self._embed(target, weights)
        for i in range(config.layers):
            name = f"transformer.decoder.layers.{i}"
            attend = partial(
                self._self, weights=weights, name=f"{name}.self_attn", batch=batch, added=see_target, watch=in_target
            )
            x = self._block(x, weights, f"{name}.norm1", attend)
            cross = partial(
                self._cross,
                memory=memory,
                weights=weights,
                name=f"{name}.multihead_attn",
                batch=batch,
                added=see_source,
                watch=across,
            )
            x = self._block(x, weights, f"{name}.norm2", cross)
            x = self._block(x, weights, f"{name}.norm3", partial(self._hidden, weights=weights, name=name))
        x = norm(x, weights, "transformer.decoder.norm")
        return linear(x, weights["output.weight"], weights["output.bias"])

    def losses(self, weights: Weights, pairs: Pairs, peaks: Peaks | None = None) -> Tensor:
        """Mean cross-entropy of each replica over its own tokens that are not padding: [K], nats."""
        logits = self.logits(weights, pairs.source, pairs.target_in, peaks)
        asked = pairs.target_out.reshape(-1)
        each = F.cross_entropy(logits.view(len(asked), -1), asked, ignore_index=PAD, reduction="none")
        scored = (pairs.target_out != PAD).sum((1, 2))
        return each.view(len(logits), -1).sum(1) / scored

    def watched(self, weights: Weights, pairs: Pairs) -> tuple[Tensor, Tensor]:
        """The same losses, and the largest |attention logit| of each replica: [K], [K]."""
        peaks = Peaks(pairs)
        return self.losses(weights, pairs, peaks), peaks.largest()
