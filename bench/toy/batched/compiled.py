"""The pass forward and back through ``torch.compile``, for one number of replicas only."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.toy.config import Config
from bench.toy.task import Pairs

from .forward import Pass
from .layers import Model
from .parameters import Layout
from .records import Peaks


class Traced(Model):
    """Gives its gradients as new rows: a compiler writes those well, and parts of given rows badly."""

    def __init__(self, layout: Layout, rows: Tensor) -> None:
        super().__init__(layout.views(rows), {})
        self.layout = layout
        self.parts: dict[tuple[str, int], Tensor] = {}

    def put(self, name: str, part: slice, value: Tensor) -> None:
        """Keep a gradient under the name and the place where it begins."""
        self.parts[name, part.start or 0] = value

    def put_product(self, name: str, part: slice, left: Tensor, right: Tensor) -> None:
        """The same, of a product."""
        self.put(name, part, torch.bmm(left, right))

    def gradient(self) -> Tensor:
        """The gradients as rows [K, P]."""
        names = [name for name, _ in self.layout.shapes]
        parts = {
            name: torch.cat([self.parts[key] for key in sorted(self.parts) if key[0] == name], 1) for name in names
        }
        return self.layout.join(parts)


class Compiled:
    """Losses, gradients and largest attention logits of `size` replicas; fewer are filled up.

    So there is one shape, and one compilation, however many replicas are left.
    """

    def __init__(self, config: Config, positions: Tensor, layout: Layout, size: int, *, watched: bool) -> None:
        self.config, self.positions, self.layout, self.size, self.watched = config, positions, layout, size, watched
        self.function = torch.compile(self.traced, dynamic=False, fullgraph=True)

    def traced(self, rows: Tensor, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What is compiled: rows [size, P] and their tokens → losses [size], gradients [size, P], peaks [size]."""
        model, pairs = Traced(self.layout, rows), Pairs(source, target)
        peaks = Peaks(pairs) if self.watched else None
        going = Pass(self.config, self.positions, model, pairs, peaks=peaks)
        losses = going.losses
        going.backward()
        return losses, model.gradient(), losses.new_empty(0) if peaks is None else peaks.largest()

    def __call__(self, rows: Tensor, pairs: Pairs) -> tuple[Tensor, Tensor, Tensor]:
        """The same for n ≤ size replicas."""
        n = len(rows)
        if n == self.size:
            return self.function(rows, pairs.source, pairs.target)
        filled = torch.arange(self.size, device=rows.device).clamp_(max=n - 1)
        results = self.function(rows[filled], pairs.source[filled], pairs.target[filled])
        losses, gradient, peaks = (each[:n] for each in results)
        return losses, gradient, peaks
