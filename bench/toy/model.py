"""The model: token embedding with positions, ``nn.Transformer``, and a projection to the vocabulary."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from reference.check import integer

from .config import Config
from .task import PAD, VOCABULARY, digits_needed


def positions(length: int, d_model: int) -> Tensor:
    """Sinusoidal positional encoding: float64 [length, d_model].

    PE(p, 2i) = sin(p / 10000^(2i/d)), PE(p, 2i+1) = cos(p / 10000^(2i/d)).
    Source: Vaswani et al. 2017, section 3.5.

    >>> positions(2, 4)[:, :2].tolist()[0]
    [0.0, 1.0]
    """
    frequency = torch.exp(torch.arange(0, d_model, 2, dtype=torch.float64) * (-math.log(10000.0) / d_model))
    angle = torch.arange(length, dtype=torch.float64)[:, None] * frequency
    return torch.stack([angle.sin(), angle.cos()], dim=2).reshape(length, d_model)


def causal_mask(length: int, device: torch.device | str = "cpu") -> Tensor:
    """Bool [length, length], True where a query (row) must not attend to a key (column): the future.

    >>> causal_mask(2).tolist()
    [[False, True], [False, False]]
    """
    return torch.ones(length, length, dtype=torch.bool, device=device).triu(1)


class ToyTransformer(nn.Module):
    """Tokens of source [n, s] and target [n, t] → logits [n, t, vocabulary].

    As in the tutorial, embeddings are drawn from N(0, 1) and therefore not scaled by √d_model;
    the paper draws them √d_model times smaller and scales them.
    Positions are added; padded keys and the future are masked.
    """

    positions: Tensor

    def __init__(self, config: Config, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(VOCABULARY), config.d_model)
        with warnings.catch_warnings():  # pre-LN does not support nested tensors; torch warns at each construction
            warnings.filterwarnings("ignore", message="enable_nested_tensor is True")
            self.transformer = nn.Transformer(
                config.d_model,
                config.heads,
                config.layers,
                config.layers,
                config.feed_forward,
                config.dropout,
                batch_first=True,
                norm_first=config.norm_first,
            )
        # Nested tensors are a prototype: torch warns, and columns that are padding in the whole batch are dropped.
        self.transformer.encoder.use_nested_tensor = False
        self.output = nn.Linear(config.d_model, len(VOCABULARY))
        self.to(dtype)  # always drawn in float32, so that a seed gives the same model in every dtype
        length = digits_needed(config.limit) + 1
        self.register_buffer("positions", positions(length, config.d_model).to(dtype), persistent=False)

    def embed(self, tokens: Tensor) -> Tensor:
        """Embeddings with positions: [n, s] → [n, s, d_model]."""
        embedded: Tensor = self.embedding(tokens) + self.positions[: tokens.shape[1]]
        return embedded

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Logits for the token after each target token."""
        padded = source == PAD
        decoded = self.transformer(
            self.embed(source),
            self.embed(target),
            tgt_mask=causal_mask(target.shape[1], target.device),
            tgt_is_causal=False,  # otherwise torch inspects the mask at each call, which synchronises a GPU
            src_key_padding_mask=padded,
            tgt_key_padding_mask=target == PAD,
            memory_key_padding_mask=padded,
        )
        logits: Tensor = self.output(decoded)
        return logits


@contextlib.contextmanager
def seeded(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seed torch's global generators inside the block, and restore them afterwards."""
    device = torch.device(device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(integer("seed", seed))
        yield


def build(config: Config, seed: int, dtype: torch.dtype = torch.float32) -> ToyTransformer:
    """The model initialised by `seed`, drawn on the CPU: the same weights in every trainer and on every device."""
    with seeded(seed):
        return ToyTransformer(config, dtype)
