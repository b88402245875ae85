"""pytorch_optimizer (kozistr): classes that take the peak LR as an argument; each is stepped after an update."""

from __future__ import annotations

import numpy as np

from reference import CosineDecay, Decay, LinearDecay, LinearWarmup, PolynomialDecay, Schedule, StableDecay, family
from reference.check import Rates, Steps
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import Formula, ShapedDecay, rising_from
from suite.libraries.core.library import Library, LibrarySchedule

FROM = "from pytorch_optimizer.lr_scheduler."
LENGTHS = (
    "optimizer=optimizer, t_max={total_steps}, max_lr={base_lr}, min_lr={min_lr}, init_lr={init_lr}, "
    "warmup_steps={warmup_steps}"
)
FLOORS = {"min_lr": {"min_lr": 1e-5}, "init_lr": {"init_lr": 1e-5}}
#: It has no state_dict(), so that a checkpoint cannot hold its step.
NO_STATE = ()


def _warmed_up(a: Arguments, decay: Decay) -> Schedule:
    return rising_from(a.init_lr, a.base_lr, a.warmup_steps, decay)


def _restarts(a: Arguments) -> Schedule:
    """Cycles of a linear warmup and a half cosine; each top is gamma times the one before."""

    def values(t: Steps, base: float) -> Rates:
        rates = np.empty(t.shape)
        for i, step in enumerate(t):
            cycle, length = 0, a.total_steps
            while step >= length:
                step, cycle = step - length, cycle + 1
                length = a.warmup_steps + int((length - a.warmup_steps) * a.cycle_mult)
            top = base * a.gamma**cycle
            pair = rising_from(a.min_lr, top, a.warmup_steps, CosineDecay(length - a.warmup_steps, a.min_lr))
            rates[i] = pair(int(step), top)
        return rates

    return Formula(values)


def _chebyshev(a: Arguments) -> Schedule:
    """The reciprocal nodes of the smallest power of two that has enough of them, in fractal order."""
    order = np.array([0])
    while len(order) < a.total_steps:
        order = np.stack([order, 2 * len(order) - 1 - order], axis=1).ravel()
    count = len(order)
    nodes = 1.0 / (0.525 - 0.475 * np.cos((np.arange(count) + 0.5) * np.pi / count))
    return Formula(lambda t, base: base * nodes[order][np.minimum(t, a.total_steps - 1)])


def _cooldown(a: Arguments) -> Schedule:
    floor, steps = a.min_lr_ratio * a.base_lr, min(4, a.decay_steps)
    if a.cooldown_type == "1-square":
        decay: Decay = ShapedDecay(steps, lambda p: 1.0 - p**2, floor, stable_steps=a.decay_steps - steps)
    else:
        shape = {"1-sqrt": "sqrt"}.get(a.cooldown_type, a.cooldown_type)
        decay = StableDecay(a.decay_steps - steps, steps, shape, floor)
    return family("A", LinearWarmup(a.warmup_steps), decay)


RHO = """optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr={base_lr})
lr_scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, {total_steps})
def proportion():
    value = scheduler.get_lr()
    optimizer.step()
    lr_scheduler.step()
    scheduler.step()
    return value"""

LIBRARY = Library(
    "pytorch_optimizer",
    project="pytorch_optimizer",
    files=(
        "pytorch_optimizer/lr_scheduler/*.py",
        "pytorch_optimizer/base/scheduler.py",
        "pytorch_optimizer/base/exception.py",
    ),
    releases=("2.0.0", "2.3.1", "3.0.0", "3.1.2", "3.3.4", "3.11.0", "4.1.0"),
    schedules=(
        LibrarySchedule(
            "linear",
            FROM + "linear_warmup import LinearScheduler",
            f"LinearScheduler({LENGTHS})",
            lambda a: _warmed_up(a, LinearDecay(a.decay_steps, a.min_lr)),
            fields={"min_lr": 0.0, "init_lr": 0.0},
            variants=FLOORS,
            state=NO_STATE,
            docs="docstring: linear decay to min_lr at t_max, after a warmup from init_lr to max_lr",
        ),
        LibrarySchedule(
            "cosine",
            FROM + "linear_warmup import CosineScheduler",
            f"CosineScheduler({LENGTHS})",
            lambda a: _warmed_up(a, CosineDecay(a.decay_steps, a.min_lr)),
            fields={"min_lr": 0.0, "init_lr": 0.0},
            variants=FLOORS,
            state=NO_STATE,
            docs="docstring: cosine decay to min_lr at t_max, after a warmup from init_lr to max_lr",
        ),
        LibrarySchedule(
            "poly",
            FROM + "linear_warmup import PolyScheduler",
            f"PolyScheduler(poly_order={{poly_order}}, {LENGTHS})",
            lambda a: _warmed_up(a, PolynomialDecay(a.decay_steps, a.poly_order, a.min_lr)),
            fields={"min_lr": 0.0, "init_lr": 0.0, "poly_order": 0.5},
            variants=FLOORS | {"square": {"poly_order": 2.0}},
            state=NO_STATE,
            docs="docstring of 3.x: poly_order: lr scheduler decreases with steps",
        ),
        LibrarySchedule(
            "rex",
            FROM + "rex import REXScheduler",
            "REXScheduler(optimizer, total_steps={total_steps}, max_lr={base_lr}, min_lr={min_lr})",
            lambda a: ShapedDecay(a.total_steps, lambda p: (1.0 - p) / (1.0 - p / 2), a.min_lr),
            fields={"min_lr": 0.0},
            variants={"min_lr": {"min_lr": 1e-5}},
            docs="Chen et al. 2022, section 3: (1 - p) / (1 - p/2), p = t/T",
        ),
        LibrarySchedule(
            "cosine-restarts",
            FROM + "cosine_anealing import CosineAnnealingWarmupRestarts",
            "CosineAnnealingWarmupRestarts(optimizer, {total_steps}, cycle_mult={cycle_mult}, max_lr={base_lr}, "
            "min_lr={min_lr}, warmup_steps={warmup_steps}, gamma={gamma})",
            _restarts,
            fields={"min_lr": 1e-6, "cycle_mult": 1.0, "gamma": 0.9},
            variants={"longer": {"cycle_mult": 2.0}, "no-floor": {"min_lr": 0.0}},
            docs="docstring: cosine decay with linear warmup and restarts; gamma multiplies max_lr after each cycle",
        ),
        LibrarySchedule(
            "chebyshev",
            FROM + "chebyshev import get_chebyshev_schedule",
            "get_chebyshev_schedule(optimizer, {total_steps})",
            _chebyshev,
            peak=20.0,
            docs="Agarwal et al. 2021, section 2: fractal order of the reciprocal Chebyshev nodes of [0.05, 1]",
        ),
        LibrarySchedule(
            "wsd",
            FROM + "wsd import get_wsd_schedule",
            "get_wsd_schedule(optimizer, {warmup_steps}, {max(0, decay_steps - 4)}, {max(0, min(4, decay_steps))}, "
            "min_lr_ratio={min_lr_ratio}, cooldown_type={cooldown_type})",
            _cooldown,
            fields={"min_lr_ratio": 0.0, "cooldown_type": "1-sqrt"},
            variants={
                "linear": {"cooldown_type": "linear"},
                "cosine": {"cooldown_type": "cosine"},
                "square": {"cooldown_type": "1-square"},
                "floor": {"min_lr_ratio": 0.1},
                "cosine-floor": {"cooldown_type": "cosine", "min_lr_ratio": 0.1},
            },
            docs="docstring: warmup, stable and decay steps; min_lr_ratio is the LR multiplier after decay",
        ),
        LibrarySchedule(
            "proportion",
            "import torch\n" + FROM + "proportion import ProportionScheduler",
            "ProportionScheduler(lr_scheduler, max_lr={base_lr}, max_value={2 * base_lr}, min_value={0.5 * base_lr})",
            lambda a: Formula(lambda t, base: base * (0.5 + 1.5 * LinearDecay(a.total_steps)(t))),
            setup=RHO,
            rate="proportion()",
            peak=2.0,
            docs="docstring: a value that is proportional to the LR of a scheduler, which is stepped first",
        ),
    ),
)
