"""The layout of the model's parameters in a replica's row of numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from bench.toy.config import Config
from bench.toy.model import build

#: Rows are padded to a multiple of this many numbers, 64 bytes of float32, so that each row starts at the same
#: offset in a cache line. A matrix product chooses its kernel, and thereby its rounding, by that offset too
#: (Intel oneMKL, "Obtaining Numerically Reproducible Results", asks for arrays aligned to 64 bytes).
ALIGNED = 16


@dataclasses.dataclass(frozen=True)
class Layout:
    """Names and shapes of the parameters in a row, in the order of ``model.named_parameters()``.

    A row has P numbers: those of the parameters, then zeros up to a multiple of `ALIGNED`.
    """

    shapes: tuple[tuple[str, tuple[int, ...]], ...]

    @classmethod
    def of(cls, model: nn.Module) -> Layout:
        """The layout of a model's parameters."""
        return cls(tuple((name, tuple(value.shape)) for name, value in model.named_parameters()))

    @property
    def sizes(self) -> list[int]:
        """The number of elements of each parameter, then the number of zeros at the end; their sum is P."""
        used = [math.prod(shape) for _, shape in self.shapes]
        return [*used, -sum(used) % ALIGNED]

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """Rows [K, P] as one tensor [K, *shape] per parameter, sharing memory.

        Raises ValueError unless the rows have length P.
        """
        total = sum(self.sizes)
        if flat.shape[-1] != total:
            raise ValueError(f"P={flat.shape[-1]} must be {total}, the length of a row")
        parts: tuple[Tensor, ...] = torch.split(flat, self.sizes, dim=1)[:-1]
        return {name: part.view(len(flat), *shape) for (name, shape), part in zip(self.shapes, parts, strict=True)}

    def join(self, parts: Mapping[str, Tensor]) -> Tensor:
        """The inverse of `views`, as new rows [K, P]."""
        rows = [parts[name].flatten(1) for name, _ in self.shapes]
        return torch.cat([*rows, rows[0].new_zeros(len(rows[0]), self.sizes[-1])], dim=1)


def row_of(model: nn.Module) -> Tensor:
    """A copy of a model's parameters as one row [P]."""
    return Layout.of(model).join({name: value.detach()[None] for name, value in model.named_parameters()})[0]


def write(row: Tensor, model: nn.Module) -> None:
    """Write a row [P] back into a model."""
    with torch.no_grad():
        for name, value in Layout.of(model).views(row[None]).items():
            model.get_parameter(name).copy_(value[0])


def initial(config: Config, seeds: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
    """One row per seed, [K, P], on the CPU: the plain trainer's initial weights."""
    drawn = {seed: row_of(build(config, seed, dtype)) for seed in dict.fromkeys(seeds)}
    return torch.stack([drawn[seed] for seed in seeds])
