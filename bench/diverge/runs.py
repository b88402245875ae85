"""Runs of the toy model with all their records, trained in batches; finished ones can be cached on disk."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from bench.sweep.train import code_key
from bench.toy.batched.batched import Batched
from bench.toy.config import named
from bench.toy.machine import cores
from bench.toy.rates import grid
from reference import parse
from reference.check import Rates
from suite.shared.files import write_whole

#: Runs that are trained together and cached in one file: a kill loses at most this many.
SHARD = 64
#: What is recorded at every step: the training loss before it, and the instruments of `Batched`.
PER_STEP = ("lrs", "losses", "attention_logits", "gradient_norms", "update_ratios")
#: Called with the number of finished runs and the total.
Report = Callable[[int, int], None]


class Plan(NamedTuple):
    """One run: a model (its name, and post or pre for the position of LayerNorm), length, schedule, base LR, seed."""

    config: str
    norm: str
    steps: int
    schedule: str
    base_lr: float
    seed: int

    @property
    def family(self) -> tuple[str, str, int]:
        """What runs must have in common to be trained together."""
        return self.config, self.norm, self.steps


@dataclasses.dataclass(frozen=True, eq=False)
class Records:
    """The results of K runs of one length: five records [K, T], and the validation losses [K] before and after.

    See `bench.toy.batched.batched.Batched` for the records; `losses` are above the task's floor here, too.
    """

    lrs: Rates
    losses: Rates
    attention_logits: Rates
    gradient_norms: Rates
    update_ratios: Rates
    initial: Rates
    final: Rates

    def __getitem__(self, rows: slice | Sequence[int]) -> Records:
        """Some of the runs, in this order."""
        return Records(**{name: values[rows] for name, values in vars(self).items()})

    def until(self, step: int) -> Records:
        """The same runs as known after `step` steps; their final validation losses are NaN."""
        cut = {name: getattr(self, name)[:, :step] for name in PER_STEP}
        return Records(**cut, initial=self.initial, final=np.full_like(self.final, np.nan))


def joined(parts: Sequence[Records]) -> Records:
    """Records of one length, concatenated."""
    return Records(
        *(np.concatenate([getattr(part, field.name) for part in parts]) for field in dataclasses.fields(Records))
    )


def train(plans: Sequence[Plan], folder: Path | None = None, report: Report = lambda done, total: None) -> Records:
    """Train runs of one length and any model; finished ones are read from `folder`.

    Raises ValueError without a plan, for plans of different lengths, and as `Batched`, `grid` and `parse` do;
    OSError if the folder cannot be used.
    """
    lengths = {plan.steps for plan in plans}
    if len(lengths) != 1:
        raise ValueError(f"steps={sorted(lengths)} must be one length for all plans")
    cached = {} if folder is None else _cached(folder)
    finished = {plan: cached[plan] for plan in plans if plan in cached}
    report(len(finished), len(plans))
    missing = [plan for plan in dict.fromkeys(plans) if plan not in finished]
    for family in dict.fromkeys(plan.family for plan in missing):
        same = [plan for plan in missing if plan.family == family]
        for part in (same[i : i + SHARD] for i in range(0, len(same), SHARD)):
            records = _trained(part)
            if folder is not None:
                _save(folder, part, records)
            finished.update((plan, records[[k]]) for k, plan in enumerate(part))
            report(len(finished), len(plans))
    return joined([finished[plan] for plan in plans])


def _trained(plans: Sequence[Plan]) -> Records:
    config, norm, steps = plans[0].family
    rates = grid([parse(plan.schedule) for plan in plans], [plan.base_lr for plan in plans], steps)
    model = named(config, norm_first=norm == "pre")
    batched = Batched(model, rates, [plan.seed for plan in plans], threads=cores(), instruments=True)
    initial = batched.evaluate().numpy()
    batched.run()
    records = {name: getattr(batched, name).numpy() for name in PER_STEP}
    records["losses"] = records["losses"] - batched.floor
    return Records(**records, initial=initial, final=batched.evaluate().numpy())


def _prefix() -> str:
    """The prefix of the cache files: a hash of the code, the versions and the kind of CPU."""
    key = f"{code_key()} {torch.backends.cpu.get_cpu_capability()}"
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def _save(folder: Path, plans: Sequence[Plan], records: Records) -> None:
    data = io.BytesIO()
    np.savez(data, plans=np.array(json.dumps(plans)), **vars(records))
    content = data.getvalue()
    write_whole(folder / f"{_prefix()}-{hashlib.sha256(content).hexdigest()[:16]}.npz", content)


def _cached(folder: Path) -> dict[Plan, Records]:
    """All finished runs of this code in a folder; skips files whose content does not match the hash in their name."""
    folder.mkdir(parents=True, exist_ok=True)
    cached: dict[Plan, Records] = {}
    for path in sorted(folder.glob(f"{_prefix()}-*.npz")):
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest()[:16] != path.stem.partition("-")[2]:
            continue
        with np.load(io.BytesIO(content)) as file:
            records = Records(**{field.name: file[field.name] for field in dataclasses.fields(Records)})
            plans = [Plan(*row) for row in json.loads(str(file["plans"]))]
        cached.update((plan, records[[k]]) for k, plan in enumerate(plans))
    return cached
