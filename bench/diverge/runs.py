"""Runs of the toy model with all their records, trained side by side; finished ones may be kept on disk."""

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

#: Runs that are trained together and kept in one file: so much a kill may lose.
SHARD = 64
#: What is kept of every step: the training loss before it, and what `Batched` calls its instruments.
PER_STEP = ("lrs", "losses", "attention_logits", "gradient_norms", "update_ratios")
#: Called with the number of finished runs and of all.
Report = Callable[[int, int], None]


class Plan(NamedTuple):
    """One run: a model (its name, and post or pre for the place of LayerNorm), a length, a schedule, a seed."""

    config: str
    norm: str
    steps: int
    schedule: str
    base_lr: float
    seed: int

    @property
    def family(self) -> tuple[str, str, int]:
        """What runs must share to be trained together."""
        return self.config, self.norm, self.steps


@dataclasses.dataclass(frozen=True, eq=False)
class Records:
    """What K runs of one length left: five records [K, T], and the validation losses [K] before and after.

    See `bench.toy.batched.batched.Batched` for the records.
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
        """The same runs as they are known after `step` steps; their validation losses afterwards are not."""
        cut = {name: getattr(self, name)[:, :step] for name in PER_STEP}
        return Records(**cut, initial=self.initial, final=np.full_like(self.final, np.nan))


def joined(parts: Sequence[Records]) -> Records:
    """Records of one length, one after the other."""
    return Records(
        *(np.concatenate([getattr(part, field.name) for part in parts]) for field in dataclasses.fields(Records))
    )


def train(plans: Sequence[Plan], folder: Path | None = None, report: Report = lambda done, total: None) -> Records:
    """Train runs of one length, whatever their models; those that lie finished in `folder` are read.

    Raises ValueError for no plan, for plans of several lengths, and as `Batched`, `grid` and `parse` do;
    OSError where the folder cannot be used.
    """
    lengths = {plan.steps for plan in plans}
    if len(lengths) != 1:
        raise ValueError(f"steps={sorted(lengths)} must be one length for all plans")
    found = {} if folder is None else _kept(folder)
    found = {plan: found[plan] for plan in plans if plan in found}
    report(len(found), len(plans))
    missing = [plan for plan in dict.fromkeys(plans) if plan not in found]
    for family in dict.fromkeys(plan.family for plan in missing):
        same = [plan for plan in missing if plan.family == family]
        for part in (same[i : i + SHARD] for i in range(0, len(same), SHARD)):
            records = _trained(part)
            if folder is not None:
                _keep(folder, part, records)
            found.update((plan, records[[k]]) for k, plan in enumerate(part))
            report(len(found), len(plans))
    return joined([found[plan] for plan in plans])


def _trained(plans: Sequence[Plan]) -> Records:
    config, norm, steps = plans[0].family
    rates = grid([parse(plan.schedule) for plan in plans], [plan.base_lr for plan in plans], steps)
    model = named(config, norm_first=norm == "pre")
    batched = Batched(model, rates, [plan.seed for plan in plans], threads=cores(), instruments=True)
    initial = batched.evaluate().numpy()
    batched.run()
    records = {name: getattr(batched, name).numpy() for name in PER_STEP}
    return Records(**records, initial=initial, final=batched.evaluate().numpy())


def _name() -> str:
    """What the names of files begin with: code, versions and the kind of CPU that they depend on."""
    about = f"{code_key()} {torch.backends.cpu.get_cpu_capability()}"
    return hashlib.sha256(about.encode()).hexdigest()[:16]


def _keep(folder: Path, plans: Sequence[Plan], records: Records) -> None:
    data = io.BytesIO()
    np.savez(data, plans=np.array(json.dumps(plans)), **vars(records))
    content = data.getvalue()
    write_whole(folder / f"{_name()}-{hashlib.sha256(content).hexdigest()[:16]}.npz", content)


def _kept(folder: Path) -> dict[Plan, Records]:
    """All finished runs of this code in a folder; files whose content is not what their name says are left out."""
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[Plan, Records] = {}
    for path in sorted(folder.glob(f"{_name()}-*.npz")):
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest()[:16] != path.stem.partition("-")[2]:
            continue
        with np.load(io.BytesIO(content)) as file:
            records = Records(**{field.name: file[field.name] for field in dataclasses.fields(Records)})
            plans = [Plan(*row) for row in json.loads(str(file["plans"]))]
        found.update((plan, records[[k]]) for k, plan in enumerate(plans))
    return found
