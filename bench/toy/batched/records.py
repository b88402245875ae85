"""The records and the instruments of runs: losses, largest attention logit, update ratio, first step at a target."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.toy.task import PAD, Pairs

from .attention import LogitHook

#: The measurements of a step in the order of a device's records: the last three need instruments.
MEASURED = ("losses", "attention_logits", "gradient_norms", "update_ratios")


class StepRecords:
    """One row per replica and one column per step for the LRs and each measurement: float64 [K, T], on the CPU.

    NaN where a replica did not run, or nothing was measured. Steps taken on a device leave their numbers there, in
    `buffer`, until `fetch` copies them.
    """

    def __init__(self, rates: Tensor) -> None:
        self.rates = rates
        self.columns = {name: torch.full_like(rates, torch.nan) for name in ("lrs", *MEASURED)}
        self.buffer: Tensor | None = None
        self.fetched = 0

    def write(self, alive: Tensor, t: int, measured: Tensor) -> None:
        """Write the measurements [m, n] of step t, the first m of `MEASURED`, for the replicas alive [n]."""
        self.columns["lrs"][alive, t] = self.rates[alive, t]
        for name, values in zip(MEASURED, measured.double().cpu(), strict=False):
            self.columns[name][alive, t] = values
        self.fetched = t + 1

    def on_device(self, alive: int, measurements: int, like: Tensor) -> Tensor:
        """A buffer for the steps taken on a device: [measurements, T, alive], like the given tensor."""
        self.buffer = like.new_full((measurements, self.rates.shape[1], alive), torch.nan)
        return self.buffer

    def fetch(self, alive: Tensor, end: int) -> None:
        """Copy the steps before `end` that are still on the device; this waits for them."""
        if self.buffer is None or end == self.fetched:
            return
        new = slice(self.fetched, end)
        self.columns["lrs"][alive, new] = self.rates[alive, new]
        for name, values in zip(MEASURED, self.buffer[:, new].double().cpu(), strict=False):
            self.columns[name][alive, new] = values.T
        self.fetched = end


class Peaks:
    """The largest |attention logit| of each replica, collected during one forward pass.

    max |q·k| / √(d/heads) over layers, heads and batch, before masks are added; padded keys and queries
    and the pairs that pad a batch do not count, future keys do.
    Source: Wortsman et al. 2023, section 3.1.1 (arXiv:2309.14322).
    """

    def __init__(self, pairs: Pairs) -> None:
        scored = (pairs.target_out != PAD).any(2, keepdim=True)
        self.source = (pairs.source != PAD) & scored
        self.target = (pairs.target_in != PAD) & scored
        self.maxima: list[Tensor] = []

    def between(self, queries: Tensor, keys: Tensor) -> LogitHook:
        """A hook for the logits [n, s, K·h·B] between the tokens that count: bool [K, B, n] and [K, B, s]."""
        counted = (queries[:, :, :, None] & keys[:, :, None]).permute(2, 3, 0, 1)[:, :, :, None]

        def hook(logits: Tensor) -> None:
            sizes = logits.abs().view(*counted.shape[:3], -1, counted.shape[4])
            self.maxima.append(torch.where(counted, sizes, 0).amax((0, 1, 3, 4)))

        return hook

    def largest(self) -> Tensor:
        """The largest logit so far: [K]."""
        return torch.stack(self.maxima).amax(0)


def update_ratio(before: Tensor, after: Tensor) -> Tensor:
    """‖θ' − θ‖ / ‖θ‖ of each row: [n, P], [n, P] → [n].

    >>> update_ratio(torch.tensor([[3.0, 4.0]]), torch.tensor([[3.0, 4.5]])).tolist()
    [0.10000000149011612]
    """
    size: Tensor = torch.linalg.vector_norm(after - before, dim=1) / torch.linalg.vector_norm(before, dim=1)
    return size


def first_at_or_below(losses: Tensor, target: float) -> Tensor:
    """The first step whose loss is at or below a target: int64 [K], −1 where there is none.

    `losses`: [K, T], NaN where a replica did not run.

    >>> first_at_or_below(torch.tensor([[2.0, 0.9, 0.5], [2.0, torch.nan, torch.nan]]), 0.9).tolist()
    [1, -1]
    """
    reached = losses <= target
    first: Tensor = reached.byte().argmax(1)
    return torch.where(reached.any(1), first, -1)
