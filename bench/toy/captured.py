"""A training step with a tensor LR, optionally captured in a CUDA graph.

A graph replays its kernels with the arguments they were captured with. An LR that is a Python number is such an
argument: the scheduler changes the number, but the replayed step keeps using the old one.
An LR in a device tensor is read at every replay, provided that it is changed in place (torch's schedulers do so
since 2.4); assigning another object to ``group["lr"]`` freezes it all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from reference.check import one_of

from .config import Config
from .devices import require
from .model import build
from .optimizers import OptimizerFactory
from .plain import token_loss
from .rules import Rule
from .task import Pairs, prepared

#: float, tensor: fused Adam with an LR of that type; capturable: Adam with capturable=True and a tensor LR;
#: graph: the same, captured. The last two need a GPU.
KINDS = ("float", "tensor", "capturable", "graph")
#: Warm-up calls on a side stream before the capture: they allocate the memory that the graph will use.
WARMUP_CALLS = 3


def optimizer_of(kind: str, config: Config, device: str) -> OptimizerFactory:
    """Fused Adam with the kind of LR asked for; ValueError for an unknown kind or device.

    Raises NotImplementedError where the device is missing, or where torch supports the kind on GPUs only.

    >>> from .config import CONFIGS
    >>> optimizer = optimizer_of("tensor", CONFIGS["small16"], "cpu")([nn.Parameter(torch.zeros(1))], 0.5)
    >>> optimizer.param_groups[0]["lr"]
    tensor(0.5000)
    """
    require(device)
    capturable = one_of("kind", kind, KINDS) in ("capturable", "graph")
    if capturable and device == "cpu":
        raise NotImplementedError(f"kind={kind} needs a GPU: nothing can be captured on device=cpu")

    def make(parameters: Iterable[nn.Parameter], lr: float) -> Optimizer:
        rate = lr if kind == "float" else torch.tensor(lr, device=device)
        return torch.optim.Adam(
            parameters, lr=rate, betas=config.betas, eps=config.eps, fused=True, capturable=capturable
        )

    return make


class Captured:
    """A function without arguments, captured in a CUDA graph; each call replays it and returns the same tensor.

    `work` is called `WARMUP_CALLS` times first, then once for the capture itself, which does no arithmetic.
    `undo`, if there is one, is called after each of the first calls: it must take back what they changed.
    Source: torch 2.13, "CUDA semantics", section "CUDA Graphs", whole-network capture.
    """

    def __init__(self, work: Callable[[], Tensor], undo: Callable[[], None] | None = None) -> None:
        require("cuda")
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARMUP_CALLS):
                work()
                if undo is not None:
                    undo()
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.result = work()

    def __call__(self) -> Tensor:
        """Replay."""
        self.graph.replay()
        return self.result


class TensorLoop:
    """The plain trainer's step with one kind of LR, under a rule that builds a torch scheduler; seed 0.

    `scheduler` is built after the capture, so the first replayed step uses the schedule's first LR.
    Raises what `optimizer_of` raises, and TypeError for a rule without a scheduler.
    """

    def __init__(self, kind: str, config: Config, rule: Rule, steps: int, device: str) -> None:
        make = optimizer_of(kind, config, device)
        task, orders = prepared(config, [0], steps)
        self.pairs = task.pairs.to(device)
        self.order = orders[0].to(device)
        self.model = build(config, 0).to(device)
        self.optimizer = make(self.model.parameters(), rule.base_lr)
        self.batch = self.pairs.take(self.order[0])
        self.taken = 0
        self.run: Callable[[], Tensor] = Captured(self._work) if kind == "graph" else self._work
        self.scheduler = rule.scheduler(self.optimizer)

    def _work(self) -> Tensor:
        """The work on the device: one optimizer step on the current batch."""
        self.optimizer.zero_grad()
        loss = token_loss(self.model(self.batch.source, self.batch.target_in), self.batch.target_out)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss

    def step(self) -> float:
        """Take one optimizer step and return the loss of its batch before it; IndexError after the last step."""
        batch: Pairs = self.pairs.take(self.order[self.taken])
        self.batch.source.copy_(batch.source)
        self.batch.target.copy_(batch.target)
        loss = self.run()
        self.scheduler.step()
        self.taken += 1
        return loss.item()
