"""L2 norms over many tensors at once, without synchronising their device."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


def _dense(tensor: Tensor) -> Tensor:
    """The values of a tensor (of a sparse one, the stored values) in at least single precision."""
    dense = tensor.coalesce().values() if tensor.is_sparse else tensor
    return dense.float() if dense.dtype in (torch.float16, torch.bfloat16) else dense


def _norm(tensors: list[Tensor]) -> Tensor:
    """‖·‖₂ of tensors of one device and dtype.

    On a CPU, one pass over a concatenated copy is several times faster than one call per tensor. Elsewhere one kernel
    processes many tensors, and memory is scarcer.
    """
    if tensors[0].device.type == "cpu":
        norm: Tensor = torch.linalg.vector_norm(torch.cat([tensor.flatten() for tensor in tensors]))
    else:
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(tensors)))
    return norm


def by_place(tensors: Iterable[Tensor]) -> list[list[Tensor]]:
    """The tensors grouped by device and dtype."""
    places: dict[tuple[torch.device, torch.dtype], list[Tensor]] = defaultdict(list)
    for tensor in tensors:
        places[tensor.device, tensor.dtype].append(tensor)
    return list(places.values())


def total_norm(tensors: Iterable[Tensor]) -> Tensor:
    """√Σ‖t‖² over one or more tensors, on the device of the first.

    >>> float(total_norm([torch.tensor([3.0]), torch.tensor([[4.0]])]))
    5.0
    """
    norms = [_norm(group) for group in by_place(map(_dense, tensors))]
    return norms[0] if len(norms) == 1 else _norm([norm.to(norms[0]) for norm in norms])


def trained(optimizer: Optimizer) -> list[nn.Parameter]:
    """The parameters that an optimizer may change."""
    return [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]


class Snapshot:
    """A copy of an optimizer's parameters before a step; its memory is reused from step to step."""

    def __init__(self) -> None:
        self.of: list[tuple[int, int]] = []
        self.groups: list[list[Tensor]] = []
        self.rows: list[Tensor] = []
        self.parts: list[list[Tensor]] = []

    def take(self, optimizer: Optimizer) -> None:
        """Copy the current parameters."""
        parameters = trained(optimizer)
        of = [(id(p), p.data_ptr()) for p in parameters]
        if of != self.of:  # the first time, or parameters were added, frozen or moved
            self.of, self.groups = of, by_place([p.detach() for p in parameters])
            self.rows = [torch.cat([p.flatten() for p in group]) for group in self.groups]
            sizes = [[p.numel() for p in group] for group in self.groups]
            cuts = [torch.split(row, size) for row, size in zip(self.rows, sizes, strict=True)]
            pairs = [zip(cut, group, strict=True) for cut, group in zip(cuts, self.groups, strict=True)]
            self.parts = [[part.view(p.shape) for part, p in pair] for pair in pairs]
        for parts, group in zip(self.parts, self.groups, strict=True):
            torch._foreach_copy_(parts, group)

    def update_ratio(self) -> Tensor:
        """‖θ − θ_before‖ / ‖θ_before‖; once per copy, which the difference overwrites."""
        size = total_norm(self.rows)
        for parts, group in zip(self.parts, self.groups, strict=True):
            torch._foreach_sub_(parts, group)
        return total_norm(self.rows) / size
