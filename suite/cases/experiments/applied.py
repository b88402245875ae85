"""The LR that an update of the parameters really used, for every optimizer of torch.optim and each of its switches."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

from reference import (
    ChainedScheduler,
    CosineAnnealingLR,
    CyclicLR,
    ExponentialLR,
    LinearLR,
    OneCycleLR,
    Schedule,
    SequentialLR,
)
from suite.cases.schedules.sample import parts
from suite.engine.action import Action, Check
from suite.engine.axes import Setup
from suite.engine.case import Case
from suite.engine.optimizers import OPTIMIZERS, has_momentum

#: A measured LR is the quotient of two differences of parameters near 1, in float32 for the usual optimizers: each
#: rounds by half a unit of 2**-23, and the smaller is 2**-10 or more; some optimizers keep their state in float32.
REL_TOL, ABS_TOL = "1e-4", "1e-6"


@dataclasses.dataclass(frozen=True)
class Measured(Action):
    """Measure the LR of each update beside another optimizer of its kind that always has the LR 0.125.

    Both get the same gradients from the same parameters, so their updates differ by the quotient of their LRs alone.
    The sign is measured against the gradient: two that both climb would look alike.
    """

    mark = "applied"
    words = "with the LR measured from each update"
    alone = True
    rebuilds = True
    prepare = (
        "import math\n\n"
        "twin, applied, in_groups = make_optimizer(), {}, {}\n"
        'for group in twin.param_groups:\n    group["lr"] = 0.125\n\n\n'
        f"def near(*lrs):\n    return math.isclose(*lrs, rel_tol={REL_TOL}, abs_tol={ABS_TOL})\n\n"
    )
    update = (
        "moved, pairs = [], list(zip(optimizer.param_groups, twin.param_groups))\n"
        'asked = [float(group["lr"]) for group in optimizer.param_groups]\n'
        "for group, other in pairs:\n"
        '    shared = [key for key in group if key not in ("params", "lr")]\n'
        "    other.update({key: group[key] for key in shared})\n"
        '    for parameter in group["params"] + other["params"]:\n'
        "        parameter.fill_(1.0)\n"
        "        parameter.grad = torch.ones_like(parameter)\n"
        "        if isinstance(optimizer, torch.optim.SparseAdam):\n"
        "            parameter.grad = parameter.grad.to_sparse()\n"
        "optimizer.step(lambda: 1.0)\n"
        "twin.step(lambda: 1.0)\n"
        "for group, other in pairs:\n"
        '    own, constant = (float(g["params"][0].flatten()[0]) for g in (group, other))\n'
        '    down = -1.0 if group.get("maximize") else 1.0  # the gradient is 1\n'
        "    moved.append(0.125 * down * (1.0 - own) / abs(1.0 - constant))\n"
        "if not all(map(near, moved, asked)):\n"
        '    applied[step] = [float(f"{lr:.4g}") for lr in moved]\n'
        '    in_groups[step] = [float(f"{lr:.4g}") for lr in asked]'
    )

    @property
    def checks(self) -> tuple[Check, ...]:
        """The first updates whose LR is not the one in the group."""
        first = "dict(list({}.items())[:3])"
        what = "the LR that an update used, by step and group,"
        return (Check("applied", what, first.format("applied"), first.format("in_groups")),)


def schedules(index: int, optimizer: str) -> Iterator[Schedule]:
    """Every second class alone, two composites, and a cycled momentum if there is one to cycle."""
    yield from itertools.islice(parts(), index % 2, None, 2)  # each class meets every second optimizer
    warmup = LinearLR(0.13, 1.0, 6)
    yield SequentialLR((warmup, CosineAnnealingLR(11, 1e-3)), (6,))
    yield ChainedScheduler((warmup, ExponentialLR(0.89)))
    if has_momentum(optimizer):
        yield from (OneCycleLR(0.23, 20), CyclicLR(0.017, 0.19, 3, 4))


def cases() -> Iterator[Case]:
    """Every optimizer under many classes; each of its switches under a warmup and a sequence."""
    measured = (Measured(),)
    warmup = LinearLR(0.13, 1.0, 6)
    sequence = SequentialLR((warmup, CosineAnnealingLR(11, 1e-3)), (6,))
    for index, name in enumerate(OPTIMIZERS):
        plain = "+" not in name
        for schedule in schedules(index, name) if plain else (warmup, sequence):
            yield Case("applied", schedule, Setup(optimizer=name, actions=measured))
        if not plain:
            continue
        for schedule in (warmup, sequence):
            yield Case("applied", schedule, Setup(optimizer=name, lr_type="tensor", actions=measured))
            if name != "lbfgs":  # which takes one group only
                yield Case("applied", schedule, Setup(optimizer=name, groups=2, actions=measured))
            setup = Setup(optimizer=name, resume="builtfirst", cuts=(3,), actions=measured)
            yield Case("applied", schedule, setup)
    for name in OPTIMIZERS:
        if not has_momentum(name) and not name.startswith(("lbfgs", "sparseadam")):
            yield from (Case("applied", schedule, Setup(optimizer=name)) for schedule in _cycles())


def _cycles() -> Iterator[Schedule]:
    """Schedulers that cycle a momentum, alone and as a phase."""
    cycles = OneCycleLR(0.23, 20), CyclicLR(0.017, 0.19, 3, 4)
    yield from cycles
    for cycle in cycles:
        yield SequentialLR((LinearLR(0.13, 1.0, 6), cycle), (6,))
        yield ChainedScheduler((cycle, ExponentialLR(0.89)))
