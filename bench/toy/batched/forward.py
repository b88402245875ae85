"""The losses of K replicas at once and their gradients, each replica with its own weights and batch.

Everything is [K, …]: matrices are multiplied replica by replica, the rest is elementwise or along
a replica's own axes, so no value of one replica reaches another.
B is the batch size, n the number of tokens in a sequence, N = n·B, d the number of features.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.toy.config import Config
from bench.toy.task import PAD, Pairs, contexts

from .attention import Attention, LogitHook, blocked, from_lanes, to_lanes
from .layers import EVERYTHING, Back, Model
from .records import Peaks

#: A block without its residual connection: input → what is added to it, and the backward function.
Inner = Callable[[Tensor], tuple[Tensor, Back]]


class Pass:
    """One forward pass through the model of a configuration without dropout, and its backward pass.

    `losses`: mean cross-entropy of each replica over its own tokens except padding: [K], nats.
    `backward` writes the gradients of the losses into the model; call it at most once, and only if `trained`.
    `peaks` collects the attention logits.
    """

    def __init__(
        self,
        config: Config,
        positions: Tensor,
        model: Model,
        pairs: Pairs,
        *,
        peaks: Peaks | None = None,
        trained: bool = True,
    ) -> None:
        self.config, self.positions, self.model, self.trained = config, positions, model, trained
        # Position before number, so that values stored feature by feature split into lanes of whole vectors.
        source, target, labels = (x.transpose(1, 2) for x in (pairs.source, pairs.target_in, pairs.target_out))
        self.batch = source.shape[2]
        self.tape: list[Back] = []
        hooks: list[LogitHook | None] = [None] * 3
        if peaks is not None:
            keys, queries = peaks.source, peaks.target
            hooks = [peaks.between(keys, keys), peaks.between(queries, queries), peaks.between(queries, keys)]
        self.target = target
        if config.task == "language":
            self.tokens: tuple[Tensor, ...] = (target,)
            x = self._decoder_alone(hooks[1])
        else:
            self.tokens = (source, target)
            x = self._encoder_decoder(*hooks)
        logits = self._note(*model.linear(x, "output.weight", "output.bias"))

        self.labels = labels.reshape(len(labels), -1)
        self.scored = self.labels != PAD
        self.log_shares = F.log_softmax(logits, 2)
        of_labels = self.log_shares.gather(2, self.labels[:, :, None])[:, :, 0].masked_fill(~self.scored, 0)
        self.losses = -of_labels.sum(1) / self.scored.sum(1)

    def _encoder_decoder(
        self, source_hook: LogitHook | None, target_hook: LogitHook | None, cross_hook: LogitHook | None
    ) -> Tensor:
        """The decoder's output from source and target: [K, N, d]."""
        config, (source, target) = self.config, self.tokens
        source_mask = blocked(source, 1, config.heads, causal=False, dtype=self.positions.dtype)
        target_mask = blocked(target, target.shape[1], config.heads, causal=True, dtype=self.positions.dtype)
        x = self._embed(source)
        for i in range(config.layers):
            name = f"transformer.encoder.layers.{i}"
            x = self._block(x, f"{name}.norm1", partial(self._self, f"{name}.self_attn", source_mask, source_hook))
            x = self._block(x, f"{name}.norm2", partial(self._hidden, name))
        self.memory = self._note(*self.model.norm(x, "transformer.encoder.norm"))
        self.d_memory = torch.zeros_like(self.memory)
        self.encoded = len(self.tape)

        x = self._embed(target)
        for i in range(config.layers):
            name = f"transformer.decoder.layers.{i}"
            x = self._block(x, f"{name}.norm1", partial(self._self, f"{name}.self_attn", target_mask, target_hook))
            x = self._block(x, f"{name}.norm2", partial(self._cross, f"{name}.multihead_attn", source_mask, cross_hook))
            x = self._block(x, f"{name}.norm3", partial(self._hidden, name))
        return self._note(*self.model.norm(x, "transformer.decoder.norm"))

    def _decoder_alone(self, hook: LogitHook | None) -> Tensor:
        """The output of a decoder without cross-attention: [K, N, d]."""
        heads, length = self.config.heads, self.target.shape[1]
        mask = blocked(self.target, length, heads, causal=True, dtype=self.positions.dtype)
        x = self._embed(self.target)
        for i in range(self.config.layers):
            name = f"transformer.layers.{i}"
            x = self._block(x, f"{name}.norm1", partial(self._self, f"{name}.self_attn", mask, hook))
            x = self._block(x, f"{name}.norm2", partial(self._hidden, name))
        return self._note(*self.model.norm(x, "transformer.norm"))

    def divergence(self, truth: Tensor) -> Tensor:
        """The loss of each replica above the floor, see `bench.toy.plain.divergence`: [K], nats."""
        shares = truth[contexts(self.target, 1).reshape(self.labels.shape)]
        each = F.kl_div(self.log_shares, shares, reduction="none").sum(2).masked_fill(~self.scored, 0)
        return each.sum(1) / self.scored.sum(1)

    def backward(self) -> None:
        """Write the gradients of the losses into the model."""
        dx = self.log_shares.exp_()
        dx.scatter_add_(2, self.labels[:, :, None], dx.new_full((1, 1, 1), -1).expand(*self.labels.shape, 1))
        dx.mul_((self.scored.to(dx.dtype) / self.scored.sum(1, keepdim=True))[:, :, None])
        parts = []
        if len(self.tokens) > 1:
            while len(self.tape) > self.encoded:
                dx = self.tape.pop()(dx)  # also frees what the layer saved
            parts, dx = [dx], self.d_memory
        while self.tape:
            dx = self.tape.pop()(dx)
        self._embed_back([dx, *parts])

    def _note(self, x: Tensor, back: Back) -> Tensor:
        """Record the backward function and return the output unchanged."""
        if self.trained:
            self.tape.append(back)
        return x

    def _block(self, x: Tensor, norm: str, inner: Inner) -> Tensor:
        """One residual block with its LayerNorm, before or after it as configured."""
        if self.config.norm_first:
            normed, norm_back = self.model.norm(x, norm)
            y, inner_back = inner(normed)
            return self._note(y.add_(x), lambda dy: norm_back(inner_back(dy)).add_(dy))
        y, inner_back = inner(x)
        total, norm_back = self.model.norm(y.add_(x), norm)

        def back(dy: Tensor) -> Tensor:
            d_total = norm_back(dy)
            return inner_back(d_total).add_(d_total)

        return self._note(total, back)

    def _hidden(self, name: str, x: Tensor) -> tuple[Tensor, Back]:
        """The feed-forward block."""
        return self.model.hidden(x, name)

    def _self(self, name: str, added: Tensor, hook: LogitHook | None, x: Tensor) -> tuple[Tensor, Back]:
        """Self-attention including its projections."""
        heads, batch, joint = self.config.heads, self.batch, (f"{name}.in_proj_weight", f"{name}.in_proj_bias")
        projected, joint_back = self.model.linear(x, *joint, to_columns=True)
        lanes = to_lanes(projected, batch, heads, 3)
        query, key, norms_back = self._norms(name, lanes[0], lanes[1])
        attention = Attention(query, key, lanes[2], added, hook)
        y, out_back = self._out(name, attention)

        def back(dy: Tensor) -> Tensor:
            d_lanes = torch.empty_like(lanes)
            d_query, d_key, d_value = d_lanes
            attention.gradients(out_back(dy), d_query, d_key, d_value)
            norms_back(d_query, d_key)
            return joint_back(from_lanes(d_lanes, batch, heads))

        return y, back

    def _cross(self, name: str, added: Tensor, hook: LogitHook | None, x: Tensor) -> tuple[Tensor, Back]:
        """Attention from the target to the encoder's output, including its projections."""
        heads, batch, joint = self.config.heads, self.batch, (f"{name}.in_proj_weight", f"{name}.in_proj_bias")
        first, rest = slice(self.config.d_model), slice(self.config.d_model, None)
        projected, query_back = self.model.linear(x, *joint, first, to_columns=True)
        query = to_lanes(projected, batch, heads, 1)
        projected, pair_back = self.model.linear(self.memory, *joint, rest, to_columns=True)
        pair = to_lanes(projected, batch, heads, 2)
        queries, keys, norms_back = self._norms(name, query[0], pair[0])
        attention = Attention(queries, keys, pair[1], added, hook)
        y, out_back = self._out(name, attention)

        def back(dy: Tensor) -> Tensor:
            d_query, d_pair = torch.empty_like(query), torch.empty_like(pair)
            attention.gradients(out_back(dy), d_query[0], d_pair[0], d_pair[1])
            norms_back(d_query[0], d_pair[0])
            self.d_memory.add_(pair_back(from_lanes(d_pair, batch, heads)))
            return query_back(from_lanes(d_query, batch, heads))

        return y, back

    def _norms(self, name: str, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor, Callable[[Tensor, Tensor], None]]:
        """Queries and keys after their norms, if there are any; the function changes their gradients in place."""
        if not self.config.qk_norm:
            return query, key, lambda d_query, d_key: None
        queries, query_back = self.model.norm_heads(query, f"{name}.q_norm")
        keys, key_back = self.model.norm_heads(key, f"{name}.k_norm")

        def back(d_query: Tensor, d_key: Tensor) -> None:
            d_query.copy_(query_back(d_query))
            d_key.copy_(key_back(d_key))

        return queries, keys, back

    def _out(self, name: str, attention: Attention) -> tuple[Tensor, Back]:
        """The output projection of attention; its backward function returns lanes."""
        heads, batch = self.config.heads, self.batch
        mixed = from_lanes(attention.mixed[None], batch, heads)
        y, back = self.model.linear(mixed, f"{name}.out_proj.weight", f"{name}.out_proj.bias", from_columns=True)
        return y, lambda dy: to_lanes(back(dy), batch, heads, 1)[0]

    def _rows(self, tokens: Tensor) -> Tensor:
        """Tokens [K, n, B] as row indices into the embeddings of all replicas, one replica after another."""
        size = self.model.weights["embedding.weight"].shape[1]
        return tokens + torch.arange(len(tokens), device=tokens.device)[:, None, None] * size

    def _embed(self, tokens: Tensor) -> Tensor:
        """Embeddings with positions: [K, n, B] → [K, N, d]."""
        table = self.model.weights["embedding.weight"]
        embedded = F.embedding(self._rows(tokens), table.reshape(-1, table.shape[2]))
        return embedded.add_(self.positions[: tokens.shape[1], None]).view(len(table), -1, table.shape[2])

    def _embed_back(self, gradients: list[Tensor]) -> None:
        """Write the gradient of the embedding, given those of its outputs for each of `tokens`."""
        table = self.model.weights["embedding.weight"]
        rows = torch.cat([self._rows(tokens).flatten(1) for tokens in self.tokens], 1)
        count = table.shape[0] * table.shape[1]
        total = torch.ops.aten.embedding_dense_backward(torch.cat(gradients, 1), rows, count, -1, False)
        self.model.put("embedding.weight", EVERYTHING, total.view(table.shape))
