"""The batched trainer: K runs at once, each with its own LRs, schedule and seed.

A replica's results do not depend, to the last bit, on which other replicas run beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from bench.toy.captured import Captured
from bench.toy.config import Config
from bench.toy.model import build
from bench.toy.native.native import Native
from bench.toy.rates import checked
from bench.toy.task import Pairs, prepared
from reference.check import integer, one_of

from .adam import RowAdam
from .compiled import Compiled
from .forward import Pass
from .layers import Model
from .parameters import ALIGNED, Layout, initial
from .records import MEASURED, Peaks, StepRecords, update_ratio
from .resident import Resident
from .row_rules import RULES, RowRule, clip_rows
from .workers import Workers

#: How steps are taken. groups: one group of replicas after another, with a step number and LRs on the host;
#: resident: all replicas in each operation, without waiting for the device; graph: the same, in one CUDA graph.
EXECUTIONS = ("groups", "resident", "graph")

#: Features times replicas of a group, which goes through the model together on a CPU: more would overflow its caches.
GROUP = 1024
#: Minimum group size; below it call overhead dominates.
SMALLEST_GROUP = 8


def _filled(rows: Tensor, empty: int) -> Tensor:
    """Rows of pairs [..., B], padded with the empty pair until B is a multiple of `ALIGNED`.

    The numbers of every replica then start at the same offset in a cache line and fill whole vectors.
    """
    missing = -rows.shape[-1] % ALIGNED
    return torch.nn.functional.pad(rows, (0, missing), value=empty) if missing else rows


class _Record:
    """A record as an attribute, with all steps so far."""

    def __set_name__(self, owner: type[Batched], name: str) -> None:
        self.name = name

    def __get__(self, runs: Batched, owner: type[Batched]) -> Tensor:
        runs.records.fetch(runs.alive, runs.step_count)
        return runs.records.columns[self.name]


class Batched:
    """Trains K replicas of one configuration, each for at most T steps.

    * `rates`: float64 [K, T], the LR of replica k at optimizer step t (see `rates.grid`);
    * `seeds`: K seeds; each draws the weights and the order of the batches, as in the plain trainer;
    * `threads`: on a CPU, the number of cores that share the replicas; each operation runs on one core, so that
      it rounds the same way for every K (results do not depend on `threads`);
    * `compiled`: compile the forward and backward pass; the first step takes minutes, and results are then
      no longer identical to the last bit;
    * `native`: the forward and backward pass in C, several times as fast: float32 on a CPU, with a C compiler;
    * `instruments`: also keep the last three records; the training stays identical to the last bit;
    * `execution`: how steps are taken, one of `EXECUTIONS`; None: graph on a GPU, else groups. All round alike
      except for Adam's update. On a GPU the number of replicas may change the rounding, their values do not.

    The records, float64 [K, T] on the CPU, keep one row per replica, retired ones included; NaN where it did not run:
    `lrs` and `losses`, the LR used and the training loss before the step;
    with `instruments` (NaN without): `attention_logits`, the largest |attention logit| in the forward pass
    of the step (see `Peaks`), `gradient_norms`, ‖∇‖₂ of the whole gradient, and `update_ratios`,
    ‖θ_{t+1} − θ_t‖ / ‖θ_t‖ over all parameters.
    `floor`: the least expected training loss, nats per token; 0 unless the task knows better;
    `alive`: int64, the replicas still running; row i of `parameters` [alive, P] belongs to ``alive[i]``.
    Raises TypeError or ValueError for arguments of the wrong shape or out of range, and for a model with dropout.

    >>> tiny = Config(d_model=16, feed_forward=4, heads=1, layers=1, limit=10, batch_size=3)
    >>> runs = Batched(tiny, torch.tensor([[0.0, 0.5], [0.0, 0.25]]), seeds=[0, 0])
    >>> runs.run()
    >>> runs.lrs.tolist()
    [[0.0, 0.5], [0.0, 0.25]]
    """

    lrs = _Record()
    losses = _Record()
    attention_logits = _Record()
    gradient_norms = _Record()
    update_ratios = _Record()

    def __init__(
        self,
        config: Config,
        rates: Tensor,
        seeds: Sequence[int],
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        threads: int = 1,
        compiled: bool = False,
        native: bool = False,
        instruments: bool = False,
        execution: str | None = None,
    ) -> None:
        if config.dropout:
            raise ValueError(f"dropout={config.dropout:g} must be 0: random numbers would depend on other replicas")
        if config.d_model % ALIGNED:
            raise ValueError(f"d_model={config.d_model} must be a multiple of {ALIGNED}, so that replicas align")
        if rates.ndim != 2 or len(rates) != len(seeds) or not len(seeds):
            raise ValueError(f"rates={list(rates.shape)} must be [{len(seeds)}, steps], one row per seed, at least 1")
        self.config, self.device = config, torch.device(device)
        self.execution = execution or ("graph" if self.device.type == "cuda" else "groups")
        if one_of("execution", self.execution, EXECUTIONS) == "graph" and self.device.type != "cuda":
            raise ValueError(f"device={device} must be cuda for execution=graph")
        if native and compiled:
            raise ValueError("compiled=True must be False with native=True")
        self.rates = torch.from_numpy(checked(rates.double().cpu().numpy()))
        self.step_count = 0
        self.alive = torch.arange(len(seeds))
        self.records = StepRecords(self.rates)
        self.resident: Resident | None = None

        distinct = list(dict.fromkeys(seeds))
        task, orders = prepared(config, distinct, rates.shape[1])
        empty, self.floor = len(task.pairs.target), task.floor
        self.pairs = task.pairs.with_empty().to(self.device)
        self.validation = _filled(task.validation, empty).to(self.device)
        self.orders = _filled(orders, empty).to(self.device)
        place = {seed: i for i, seed in enumerate(distinct)}
        self.order_of = torch.tensor([place[seed] for seed in seeds], device=self.device)

        model = build(config, seed=0, dtype=dtype)
        self.layout = Layout.of(model)
        self.parameters = initial(config, seeds, dtype).to(self.device)
        rule = RULES.get(config.optimizer)
        self.optimizer: RowAdam | RowRule = (
            RowAdam(self.parameters, config.betas, config.eps) if rule is None else rule(self.parameters, config)
        )
        self.positions = model.positions.to(self.device)
        self.truth = None if task.truth is None else task.truth.to(self.positions)
        self.instruments = instruments
        self.workers = Workers(threads)
        self.compiled: Compiled | None = None
        if compiled:
            size = self._size(len(seeds))
            self.compiled = Compiled(config, self.positions, self.layout, size, watched=instruments)
        names = [name for name, _ in self.layout.shapes]
        self.native = Native(config, self.positions, names, self.layout.sizes) if native else None
        self._view()

    def _size(self, rows: int) -> int:
        """The group size for this many rows."""
        if self.device.type != "cpu" or self.execution != "groups":
            return rows
        return min(max(GROUP // self.config.d_model, SMALLEST_GROUP), -(-rows // self.workers.threads))

    def _view(self) -> None:
        """Cut the rows into groups and allocate their gradients."""
        rows = len(self.parameters)
        size = self._size(rows) if self.compiled is None else self.compiled.size
        self.groups = [slice(i, min(i + size, rows)) for i in range(0, rows, max(size, 1))]
        self.gradients = torch.zeros_like(self.parameters)

    def _each(self, job: Callable[[slice], None]) -> None:
        """Run a job for every group of replicas."""

        def without_graph(group: slice) -> None:
            with torch.no_grad():  # set in each worker: it applies to one thread only
                job(group)

        self.workers.run(partial(without_graph, group) for group in self.groups)

    def pass_through(self, group: slice, batch: Pairs) -> tuple[Tensor, Tensor, Tensor]:
        """Losses [n], gradients [n, P] and, with instruments, largest attention logits [n] of a group."""
        rows, gradient = self.parameters[group], self.gradients[group]
        if self.compiled is not None:
            return self.compiled(rows, batch)
        if self.native is not None:
            return self.native(rows, gradient, batch)
        peaks = Peaks(batch) if self.instruments else None
        model = Model(self.layout.views(rows), self.layout.views(gradient))
        current = Pass(self.config, self.positions, model, batch, peaks=peaks)
        losses = current.losses
        current.backward()
        return losses, gradient, losses if peaks is None else peaks.largest()

    def norms(self, gradient: Tensor) -> Tensor:
        """The norm of each row of a gradient [n, P], which is then clipped if the configuration says so.

        [n]; without instruments and clipping nobody asks, and it is all 0.
        """
        if self.config.max_norm:
            return clip_rows(gradient, self.config.max_norm)
        return torch.linalg.vector_norm(gradient, dim=1) if self.instruments else gradient.new_zeros(len(gradient))

    def step(self) -> Tensor:
        """Take one optimizer step of every replica alive; return their losses before it: float64 [alive], on the CPU.

        Raises RuntimeError after the last step of the schedules. On a GPU this waits, `advance` does not.
        """
        self.advance()
        return self.losses[self.alive, self.step_count - 1]

    def advance(self) -> None:
        """Take one optimizer step of every replica alive, without waiting for a GPU; raises as `step` does."""
        if self.step_count == self.rates.shape[1]:
            raise RuntimeError(f"step={self.step_count} must be < {self.step_count}, the length of the schedules")
        if self.execution == "groups":
            self._take_in_groups(self.step_count)
        elif len(self.alive):
            self._take_on_device()
        self.step_count += 1

    def _take_on_device(self) -> None:
        """Take a step of all replicas at once; on a GPU, return before it is done."""
        if self.device.type == "cpu":
            self.resident = self.resident or Resident(self)
            self.workers.run([partial(self.resident.take, self)])
            return
        with torch.cuda.device(self.device):
            self.resident = self.resident or Resident(self, Captured if self.execution == "graph" else None)
            self.resident.take(self)

    def _take_in_groups(self, t: int) -> None:
        """Take step t, one group of replicas after another, and write its records."""
        rates = self.rates[self.alive, t]
        measured = self.parameters.new_empty(len(MEASURED) if self.instruments else 1, len(self.alive))

        def job(group: slice) -> None:
            rows, batch = self.parameters[group], self.pairs.take(self.orders[self.order_of[group], t])
            measured[0, group], gradient, peaks = self.pass_through(group, batch)
            before = rows.clone() if self.instruments else None
            norms = self.norms(gradient)
            self.optimizer.step(rows, gradient, rates[group], group, t)
            if before is not None:
                measured[1, group] = peaks
                measured[2, group] = norms
                measured[3, group] = update_ratio(before, rows)

        self._each(job)
        self.records.write(self.alive, t, measured)

    def run(self, steps: int | None = None) -> None:
        """Take `steps` steps, or all remaining ones."""
        for _ in range(self.rates.shape[1] - self.step_count if steps is None else integer("steps", steps)):
            self.advance()

    def evaluate(self) -> Tensor:
        """Validation loss of every replica alive above the task's floor: [alive], on the CPU, float64.

        See `bench.toy.plain.evaluate`.
        """
        losses = self.parameters.new_empty(len(self.alive))

        def job(group: slice) -> None:
            batch = self.pairs.take(self.validation.expand(group.stop - group.start, -1))
            model = Model(self.layout.views(self.parameters[group]), {})
            current = Pass(self.config, self.positions, model, batch, trained=False)
            losses[group] = current.losses if self.truth is None else current.divergence(self.truth)

        self._each(job)
        return losses.double().cpu()

    def retire(self, failed: Tensor) -> None:
        """Drop replicas for good; the others continue unchanged, to the last bit.

        `failed`: bool [alive], in the order of `alive`. Raises ValueError for another shape or type.
        """
        if failed.dtype != torch.bool or failed.shape != self.alive.shape:
            raise ValueError(f"failed={list(failed.shape)} must be bool [{len(self.alive)}], one per replica alive")
        self.records.fetch(self.alive, self.step_count)
        self.resident, self.records.buffer = None, None  # a graph is of one number of replicas
        kept = torch.nonzero(~failed.cpu())[:, 0]
        self.alive = self.alive[kept]
        on_device = kept.to(self.device)
        self.order_of = self.order_of[on_device]
        self.parameters = self.parameters[on_device]
        self.optimizer.keep(on_device)
        self._view()
