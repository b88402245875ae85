"""L2 norms over many tensors at once, without waiting for their device."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


def _dense(tensor: Tensor) -> Tensor:
    """The numbers of a tensor, of a sparse one those that are stored, in at least single precision."""
    dense = tensor.coalesce().values() if tensor.is_sparse else tensor
    return dense.float() if dense.dtype in (torch.float16, torch.bfloat16) else dense


def _norm(numbers: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(numbers)
    return norm


def total_norm(tensors: Iterable[Tensor]) -> Tensor:
    """√Σ‖t‖² over all tensors, at least one, on the device of the first.

    >>> float(total_norm([torch.tensor([3.0]), torch.tensor([[4.0]])]))
    5.0
    """
    places: dict[tuple[torch.device, torch.dtype], list[Tensor]] = defaultdict(list)
    for tensor in map(_dense, tensors):
        places[tensor.device, tensor.dtype].append(tensor)
    norms = [_norm(torch.stack(torch._foreach_norm(group))) for group in places.values()]
    return _norm(torch.stack([norm.to(norms[0]) for norm in norms])) if norms[1:] else norms[0]


def trained(optimizer: Optimizer) -> list[nn.Parameter]:
    """The parameters that an optimizer may change."""
    return [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]


class Snapshot:
    """The parameters of an optimizer as they were."""

    @torch.no_grad()
    def __init__(self, optimizer: Optimizer) -> None:
        self.parameters: list[Tensor] = [*trained(optimizer)]
        self.before = [torch.empty_like(p) for p in self.parameters]
        torch._foreach_copy_(self.before, self.parameters)

    @torch.no_grad()
    def update_ratio(self) -> Tensor:
        """‖θ − θ_before‖ / ‖θ_before‖; used once."""
        size = total_norm(self.before)
        torch._foreach_sub_(self.before, self.parameters)
        return total_norm(self.before) / size
