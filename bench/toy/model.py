"""The model: token embedding with positions, ``nn.Transformer`` or its decoder alone, and a projection to tokens."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from reference.check import integer

from .config import Config
from .task import PAD, target_length, vocabulary_size


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


def added(mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """A mask as what is added to the logits: −∞ where a bool mask hides a key, other masks as they are.

    >>> added(torch.tensor([True, False]), torch.float32).tolist()
    [-inf, 0.0]
    """
    if mask is None or mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(mask, -torch.inf)


class NormedAttention(nn.MultiheadAttention):
    """``nn.MultiheadAttention`` with normalised queries and keys, which bounds its logits.

    softmax(LN(q)·LN(k)ᵀ/√c)·v in each head of c features; LN has eps 1e-5, a learned scale that the heads share and
    starts at 1, and no bias; |logit| ≤ √c·max|scale_q·scale_k|. The parameters of a given module are taken over and
    no number is drawn: a seed gives the weights that it gives without the norm.
    The given module must have ``batch_first`` and one width; attention weights are not returned.
    Source: Dehghani et al. 2023, section 2; Wortsman et al. 2023, section 3.1.1 (arXiv:2309.14322).

    >>> attention = NormedAttention(nn.MultiheadAttention(8, 2, batch_first=True))
    >>> attention(*[100 * torch.ones(1, 3, 8)] * 3)[0].shape
    torch.Size([1, 3, 8])
    """

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        nn.Module.__init__(self)
        self.embed_dim, self.num_heads, self.head_dim = attention.embed_dim, attention.num_heads, attention.head_dim
        self.dropout, self.batch_first, self._qkv_same_embed_dim = attention.dropout, True, True
        self.in_proj_weight, self.in_proj_bias = attention.in_proj_weight, attention.in_proj_bias
        self.out_proj = attention.out_proj
        self.q_norm, self.k_norm = (nn.LayerNorm(self.head_dim, bias=False) for _ in range(2))

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = False,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, None]:
        """Attention of [n, t, d] to [n, s, d], with masks as in ``nn.MultiheadAttention``."""
        heads = [
            nn.functional.linear(x, weight, bias).view(*x.shape[:2], self.num_heads, -1).transpose(1, 2)
            for x, weight, bias in zip(
                (query, key, value), self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3), strict=True
            )
        ]
        mask, padding = added(attn_mask, query.dtype), added(key_padding_mask, query.dtype)
        if padding is not None:
            mask = padding[:, None, None] if mask is None else mask + padding[:, None, None]
        mixed = nn.functional.scaled_dot_product_attention(
            self.q_norm(heads[0]), self.k_norm(heads[1]), heads[2], mask, self.dropout if self.training else 0.0
        )
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), None


def normalise_attention(model: nn.Module) -> None:
    """Replace every ``nn.MultiheadAttention`` inside a model by one with normalised queries and keys.

    In evaluation ``nn.TransformerEncoderLayer`` hands the weights to one fused function, which would pass by the
    norms; `activation_relu_or_gelu` of 0 tells it that it cannot.
    """
    for module in [*model.modules()]:
        for name, child in [*module.named_children()]:
            if isinstance(child, nn.MultiheadAttention):
                setattr(module, name, NormedAttention(child))
        if isinstance(module, nn.TransformerEncoderLayer):
            module.activation_relu_or_gelu = 0


def encoder_decoder(config: Config) -> nn.Transformer:
    """``nn.Transformer`` as configured."""
    model = nn.Transformer(
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
    model.encoder.use_nested_tensor = False
    return model


def decoder_only(config: Config) -> nn.TransformerEncoder:
    """A decoder without cross-attention, which torch calls an encoder, for a causal mask.

    Its matrices are drawn as ``nn.Transformer`` draws them: layers that are copies of one would start alike.
    """
    layer = nn.TransformerEncoderLayer(
        config.d_model,
        config.heads,
        config.feed_forward,
        config.dropout,
        batch_first=True,
        norm_first=config.norm_first,
    )
    norm = nn.LayerNorm(config.d_model)
    model = nn.TransformerEncoder(layer, config.layers, norm, enable_nested_tensor=False)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
    return model


class ToyTransformer(nn.Module):
    """Tokens of source [n, s] and target [n, t] → logits [n, t, vocabulary].

    The language needs no source, and the model is then a decoder without cross-attention (`decoder_only`).
    As in the tutorial, embeddings are drawn from N(0, 1) and therefore not scaled by √d_model;
    the paper draws them √d_model times smaller and scales them.
    Positions are added; padded keys and the future are masked.
    """

    positions: Tensor

    def __init__(self, config: Config, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        vocabulary, self.alone = vocabulary_size(config), config.task == "language"
        self.embedding = nn.Embedding(vocabulary, config.d_model)
        with warnings.catch_warnings():  # pre-LN does not support nested tensors; torch warns at each construction
            warnings.filterwarnings("ignore", message="enable_nested_tensor is True")
            self.transformer = decoder_only(config) if self.alone else encoder_decoder(config)
        if config.qk_norm:
            normalise_attention(self.transformer)
        self.output = nn.Linear(config.d_model, vocabulary)
        self.to(dtype)  # always drawn in float32, so that a seed gives the same model in every dtype
        self.register_buffer("positions", positions(target_length(config), config.d_model).to(dtype), persistent=False)

    def embed(self, tokens: Tensor) -> Tensor:
        """Embeddings with positions: [n, s] → [n, s, d_model]."""
        embedded: Tensor = self.embedding(tokens) + self.positions[: tokens.shape[1]]
        return embedded

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Logits for the token after each target token."""
        if self.alone:
            seen = causal_mask(target.shape[1], target.device)
            alone: Tensor = self.output(self.transformer(self.embed(target), mask=seen, is_causal=False))
            return alone
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
