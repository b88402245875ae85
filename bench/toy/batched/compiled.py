"""The forward and backward pass through ``torch.compile``, for a fixed number of replicas."""

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
    """A model that returns its gradients as new rows: the compiler handles those better than writes into slices."""

    def __init__(self, layout: Layout, rows: Tensor) -> None:
        super().__init__(layout.views(rows), {})
        self.layout = layout
        self.parts: dict[tuple[str, int], Tensor] = {}

    def put(self, name: str, part: slice, value: Tensor) -> None:
        """Store a gradient under its name and start index."""
        self.parts[name, part.start or 0] = value

    def put_product(self, name: str, part: slice, left: Tensor, right: Tensor) -> None:
        """Store a product as a gradient."""
        self.put(name, part, torch.bmm(left, right))

    def gradient(self) -> Tensor:
        """The gradients as rows [K, P]."""
        names = [name for name, _ in self.layout.shapes]
        parts = {
            name: torch.cat([self.parts[key] for key in sorted(self.parts) if key[0] == name], 1) for name in names
        }
        return self.layout.join(parts)


class Compiled:
    """Losses, gradients and largest attention logits of `size` replicas; a smaller group is padded.

    There is thus one shape, and one compilation, however many replicas are left.
    """

    def __init__(self, config: Config, positions: Tensor, layout: Layout, size: int, *, watched: bool) -> None:
        self.config, self.positions, self.layout, self.size, self.watched = config, positions, layout, size, watched
        self.function = torch.compile(self.traced, dynamic=False, fullgraph=True)

    def traced(self, rows: Tensor, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The compiled function: rows [size, P] and tokens → losses [size], gradients [size, P], peaks [size]."""
        model, pairs = Traced(self.layout, rows), Pairs(source, target)
        peaks = Peaks(pairs) if self.watched else None
        current = Pass(self.config, self.positions, model, pairs, peaks=peaks)
        losses = current.losses
        current.backward()
        return losses, model.gradient(), losses.new_empty(0) if peaks is None else peaks.largest()

    def __call__(self, rows: Tensor, pairs: Pairs) -> tuple[Tensor, Tensor, Tensor]:
        """Losses, gradients and peaks of n ≤ size replicas; the last replica is repeated as padding."""
        n = len(rows)
        if n == self.size:
            return self.function(rows, pairs.source, pairs.target)
        padded = torch.arange(self.size, device=rows.device).clamp_(max=n - 1)
        results = self.function(rows[padded], pairs.source[padded], pairs.target[padded])
        losses, gradient, peaks = (each[:n] for each in results)
        return losses, gradient, peaks
