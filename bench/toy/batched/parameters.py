"""The layout of the model's parameters in a replica's row of numbers, and the initial weights of many seeds."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from bench.toy.config import Config
from bench.toy.model import build
from reference.check import integer

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


@dataclasses.dataclass(frozen=True)
class Draw:
    """One call of the generator while a model is built, and the parameters that keep its numbers, if any do.

    `distribution`: ``uniform_`` or ``normal_``, with its arguments; `size`: how many numbers it draws.
    """

    distribution: str
    arguments: tuple[float, ...]
    size: int
    kept: tuple[str, ...] = ()

    @property
    def is_symmetric(self) -> bool:
        """Whether it draws uniformly between −a and a."""
        return self.distribution == "uniform_" and self.arguments[0] == -self.arguments[1]


#: Rows that are drawn before they are written into place: few enough for a cache.
AT_ONCE = 64


@dataclasses.dataclass(frozen=True)
class Drawing:
    """How to draw a model's parameters without building it: the draws in order, and the parameters set to 1.

    `joined`: one call draws what several in a row drew between −a and a, between −1 and 1 instead, and a multiplies
    it. That has the same bits where torch computes (2a)·u − a, u = k/2²⁴, with one rounding, as a·(2u − 1) has.
    """

    draws: tuple[Draw, ...]
    ones: tuple[str, ...]
    joined: bool

    def rows(self, layout: Layout, seeds: Sequence[int]) -> Tensor:
        """One row per seed, float32 [K, P]."""
        rows = torch.zeros(len(seeds), sum(layout.sizes))
        parts = dict(zip((name for name, _ in layout.shapes), torch.split(rows, layout.sizes, dim=1), strict=False))
        calls = self._calls()
        sizes = [call.size for call in calls]
        buffer, generator = torch.empty(AT_ONCE, sum(sizes)), torch.Generator()
        for start in range(0, len(seeds), AT_ONCE):
            some = seeds[start : start + AT_ONCE]
            for row, seed in zip(buffer.unbind(), some, strict=False):
                generator.manual_seed(seed)
                for call, numbers in zip(calls, torch.split(row, sizes), strict=True):
                    getattr(numbers, call.distribution)(*call.arguments, generator=generator)
            drawn = torch.split(buffer[: len(some)], [draw.size for draw in self.draws], dim=1)
            for draw, values in zip(self.draws, drawn, strict=True):
                factor = draw.arguments[1] if self.joined and draw.is_symmetric else 1.0
                for name in draw.kept:  # several: layers that nn.Transformer copied from the first one
                    torch.mul(values, factor, out=parts[name][start : start + len(some)])
        for name in self.ones:
            parts[name].fill_(1)
        return rows

    def _calls(self) -> list[Draw]:
        """The calls of the generator for a row."""
        calls: list[Draw] = []
        for draw in self.draws:
            if not (self.joined and draw.is_symmetric):
                calls.append(draw)
            elif calls and (calls[-1].distribution, calls[-1].arguments) == ("uniform_", (-1.0, 1.0)):
                calls[-1] = dataclasses.replace(calls[-1], size=calls[-1].size + draw.size)
            else:
                calls.append(Draw("uniform_", (-1.0, 1.0), draw.size))
        return calls


class _Marker(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Fills each tensor that is drawn inside the block with the number of the draw plus 2, and notes the draw."""

    FIRST = 2  # 0 and 1 are the constants of initialisation
    DEFAULTS = (0.0, 1.0)  # low and high, or mean and standard deviation

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.draws: list[Draw] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name not in ("uniform_", "normal_"):
            return func(*args, **(kwargs or {}))
        target, *given = args
        arguments = (*given, *self.DEFAULTS[len(given) :])  # torch leaves out those that are its defaults
        self.draws.append(Draw(name, arguments, target.numel()))
        return target.fill_(self.FIRST + len(self.draws) - 1)


@functools.cache
def drawing(config: Config) -> Drawing | None:
    """How this torch draws the model's parameters; None if that cannot be seen, or gives other numbers.

    A model is built with marked numbers, which shows where each draw ends up.
    """
    marker = _Marker()
    with marker:
        model = build(config, 0)
    kept: dict[int, list[str]] = {}
    ones = []
    for name, value in model.named_parameters():
        first = float(value.detach().flatten()[0])
        if not bool((value == first).all()) or not (first.is_integer() and first >= 0):
            return None
        if first >= marker.FIRST:
            kept.setdefault(int(first) - marker.FIRST, []).append(name)
        elif first == 1:
            ones.append(name)
    if not set(kept) <= set(range(len(marker.draws))):
        return None
    draws = tuple(dataclasses.replace(draw, kept=tuple(kept.get(i, ()))) for i, draw in enumerate(marker.draws))
    real = build(config, 0)
    for joined in (True, False):
        found = Drawing(draws, tuple(ones), joined)
        if draws and torch.equal(found.rows(Layout.of(real), [0])[0], row_of(real)):
            return found
    return None


def initial(config: Config, seeds: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
    """One row per seed, [K, P], on the CPU: the plain trainer's initial weights, to the last bit.

    ValueError for a negative seed. Building a model takes 60 times as long as drawing its numbers.
    """
    distinct = list(dict.fromkeys(integer("seed", seed) for seed in seeds))
    recipe = drawing(config)
    if recipe is None:
        rows = torch.stack([row_of(build(config, seed)) for seed in distinct])
    else:
        rows = recipe.rows(Layout.of(build(config, 0)), distinct)
    rows = rows.to(dtype)
    if len(distinct) == len(seeds):
        return rows
    place = {seed: i for i, seed in enumerate(distinct)}
    return rows[torch.tensor([place[seed] for seed in seeds])]
