"""pytorch-scheduler (2026): subclasses of torch's LRScheduler, a wrapper that adds a warmup, and presets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reference import ConstantDecay, CosineDecay, LinearDecay, Schedule, StableDecay, TanhDecay
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import ShapedDecay
from suite.libraries.core.library import Library, LibrarySchedule

from . import pytorch_scheduler_forms as forms

FLOOR = {"floor": {"min_lr": 1e-5}}
RAMP = "docstring: a linear ramp from 0 to base_lr, then "


def _own(
    name: str,
    where: str,
    arguments: str,
    reference: Callable[[Arguments], Schedule],
    fields: Mapping[str, object],
    docs: str,
    **more: Any,
) -> LibrarySchedule:
    """A class that takes the optimizer, then `arguments`; `where` is its module and its name."""
    module, cls = where.split(":")
    imports = f"from pytorch_scheduler.scheduler.{module} import {cls}"
    return LibrarySchedule(name, imports, f"{cls}(optimizer{arguments})", reference, fields=fields, docs=docs, **more)


def _preset(name: str, reference: Callable[[Arguments], Schedule], docs: str) -> LibrarySchedule:
    return LibrarySchedule(
        f"preset-{name.replace('_', '-')}",
        "from pytorch_scheduler.presets import create_from_preset",
        f"create_from_preset(optimizer, {name!r}, total_steps={{total_steps}})",
        reference,
        docs=f"presets.py: {docs}",
    )


def _wrapped(name: str, base: str, reference: Callable[[Arguments], Schedule], **more: Any) -> LibrarySchedule:
    """WarmupScheduler around another scheduler, whose clock starts when the warmup is over."""
    return LibrarySchedule(
        name,
        "import torch\n"
        "from pytorch_scheduler.base.warmup import WarmupScheduler\n"
        "from pytorch_scheduler.scheduler.rex import RexScheduler",
        "WarmupScheduler(optimizer, base, {warmup_steps}, {kind})",
        reference,
        setup=f"base = {base}",
        fields={"kind": "linear"},
        docs="docstring: composable warmup wrapper for any LR scheduler; from 0 to base_lr, then the wrapped scheduler",
        **more,
    )


LIBRARY = Library(
    "pytorch-scheduler",
    project="pytorch-scheduler",
    files=(
        "pytorch_scheduler/base/__init__.py",
        "pytorch_scheduler/base/*.py",
        "pytorch_scheduler/experimental/sequential_composer.py",
        "pytorch_scheduler/presets.py",
        "pytorch_scheduler/scheduler/__init__.py",
        "pytorch_scheduler/scheduler/*.py",
    ),
    releases=("0.2.0", "0.2.1", "0.2.2"),
    schedules=(
        _own("identity", "identity:IdentityScheduler", "", lambda a: ConstantDecay(), {}, "docstring: base_lr"),
        _own(
            "chebyshev",
            "chebyshev:ChebyshevScheduler",
            ", {total_steps}, {min_lr}",
            forms.chebyshev,
            {"min_lr": 0.0},
            "docstring: cos(pi (2 j + 1) / (2 total_steps)), mapped to [min_lr, base_lr]",
            variants=FLOOR,
        ),
        _own(
            "cosine-restarts",
            "cosine_annealing:CosineAnnealingWarmupRestarts",
            ", {total_steps}, {warmup_steps}, {base_lr}, {min_lr}, {cycle_mult}, {gamma}",
            forms.restarts,
            {"min_lr": 1e-6, "cycle_mult": 1.0, "gamma": 1.0},
            "docstring: a linear warmup at the start of each cycle; the LRs of the groups are not used",
            variants={"shrinking": {"gamma": 0.5}, "longer": {"cycle_mult": 2.0}},
        ),
        _own(
            "cosine-warmup",
            "cosine_warmup:CosineWithWarmupScheduler",
            ", {total_steps}, {warmup_steps}, {min_lr}",
            lambda a: forms.after_warmup(a, CosineDecay(a.decay_steps, a.min_lr)),
            {"min_lr": 0.0},
            RAMP + "cosine decay to min_lr",
            variants=FLOOR,
        ),
        _own(
            "exp-hyperbolic",
            "hyperbolic:ExpHyperbolicLRScheduler",
            ", {total_steps}, {upper_bound}, {min_lr}, {warmup_steps}",
            forms.exp_hyperbolic,
            {"min_lr": 1e-6, "upper_bound": 20},
            "docstring: base_lr * (base_lr / min_lr) ** (f(x) - f(0))",
            variants={"to-the-floor": {"upper_bound": 12}},
        ),
        _own(
            "hyperbolic",
            "hyperbolic:HyperbolicLRScheduler",
            ", {total_steps}, {upper_bound}, {min_lr}, {warmup_steps}",
            forms.hyperbolic,
            {"min_lr": 1e-6, "upper_bound": 20},
            "docstring: base_lr + (base_lr - min_lr) * (f(x) - f(0))",
            variants={"to-the-floor": {"upper_bound": 12}},
        ),
        _own(
            "flat-cosine",
            "flat_cosine:FlatCosineScheduler",
            ", {total_steps}, {flat_fraction}, {min_lr}",
            lambda a: forms.flat(a, int(a.total_steps * a.flat_fraction)),
            {"min_lr": 0.0, "flat_fraction": 0.7},
            "docstring: flat until floor(total_steps * flat_fraction), then a cosine to min_lr",
            variants=FLOOR | {"not-flat": {"flat_fraction": 0.0}},
        ),
        _own(
            "inverse-sqrt",
            "inverse_sqrt:InverseSqrtScheduler",
            ", {warmup_steps}",
            forms.inverse_sqrt,
            {},
            RAMP + "base_lr * sqrt(warmup_steps / step)",
        ),
        _own(
            "k-decay",
            "k_decay:KDecayScheduler",
            ", {total_steps}, {k}, {min_lr}",
            forms.k_decay,
            {"min_lr": 0.0, "k": 1.0},
            "docstring: (1 + cos(pi (step / total_steps) ** k)) / 2",
            variants=FLOOR | {"late": {"k": 3.0}, "early": {"k": 0.5}},
        ),
        _own(
            "linear-decay",
            "linear_decay:LinearDecayScheduler",
            ", {total_steps}, {warmup_steps}, {min_lr}",
            lambda a: forms.after_warmup(a, LinearDecay(a.decay_steps, a.min_lr)),
            {"min_lr": 0.0},
            RAMP + "linear decay to min_lr",
            variants=FLOOR,
        ),
        _own(
            "polynomial",
            "polynomial:PolynomialScheduler",
            ", {total_steps}, {power}, {min_lr}, {warmup_steps}, {cycle}",
            forms.polynomial,
            {"min_lr": 0.0, "power": 2.0, "cycle": False},
            RAMP + "(base_lr - min_lr) * (1 - progress) ** power + min_lr; with cycle it restarts after total_steps",
            variants=FLOOR | {"root": {"power": 0.5}, "cycle": {"cycle": True}},
        ),
        _own(
            "power-decay",
            "power_decay:PowerDecayScheduler",
            ", {total_steps}, {warmup_steps}, {alpha}, {min_lr}",
            forms.power_decay,
            {"min_lr": 0.0, "alpha": 0.5},
            RAMP + "max(base_lr * (step / warmup_steps) ** -alpha, min_lr)",
            variants={"floor": {"min_lr": 1e-5, "alpha": 3.0}},
        ),
        _own(
            "rex",
            "rex:RexScheduler",
            ", {total_steps}",
            lambda a: ShapedDecay(a.total_steps, forms.rex),
            {},
            "docstring: base_lr * (1 - t) / (1 - t / 2)",
        ),
        _own(
            "slanted-triangular",
            "slanted_triangular:SlantedTriangularScheduler",
            ", {total_steps}, {cut_frac}, {ratio}",
            lambda a: forms.slanted(a.total_steps, a.cut_frac, a.ratio),
            {"cut_frac": 0.25, "ratio": 32.0},
            "docstring: up to floor(total_steps * cut_frac), then down; p = 1 where the decay starts",
            variants={"short": {"cut_frac": 0.05}, "steep": {"ratio": 4.0}},
        ),
        _own(
            "tanh",
            "tanh_decay:TanhDecayScheduler",
            ", {total_steps}, {steepness}, {min_lr}",
            lambda a: TanhDecay(a.total_steps, -a.steepness, a.steepness, a.min_lr),
            {"min_lr": 0.0, "steepness": 3.0},
            "docstring: min_lr + (base_lr - min_lr) / 2 * (1 - tanh(steepness * (2 t - 1)))",
            variants=FLOOR | {"gentle": {"steepness": 1.0}},
        ),
        _own(
            "trapezoidal",
            "trapezoidal:TrapezoidalScheduler",
            ", {total_steps}, {warmup_steps}, {fall_steps}, {min_lr}",
            lambda a: forms.trapezoid(a, a.fall_steps, "linear"),
            {"min_lr": 0.0, "fall_steps": 4},
            RAMP + "constant, and a linear decay to min_lr over the last decay_steps",
            variants=FLOOR | {"no-fall": {"fall_steps": 0}},
        ),
        _own(
            "warmup-hold-cosine",
            "warmup_hold_cosine:WarmupHoldCosineScheduler",
            ", {total_steps}, {warmup_steps}, {hold_steps}, {min_lr}",
            lambda a: forms.trapezoid(a, a.decay_steps - a.hold_steps, "cosine"),
            {"min_lr": 0.0, "hold_steps": 3},
            RAMP + "base_lr for hold_steps, then a cosine to min_lr",
            variants=FLOOR,
        ),
        _own(
            "wsd",
            "wsd:WSDScheduler",
            ", {total_steps}, {warmup_steps}, {max(0, decay_steps - 4)}, {min_lr}, {decay_type}",
            forms.wsd,
            {"min_lr": 0.0, "decay_type": "cosine"},
            RAMP + "stable_steps at base_lr, then a decay to min_lr; warmup + stable must be below total_steps",
            variants=FLOOR | {"linear": {"decay_type": "linear"}, "sqrt": {"decay_type": "sqrt"}},
        ),
        _wrapped(
            "warmup-rex",
            "RexScheduler(optimizer, total_steps={max(1, decay_steps)})",
            forms.wrapped_rex,
            variants={"cosine": {"kind": "cosine"}, "square": {"kind": "exponential"}},
            reading="pytorch-scheduler-exponential-warmup",
        ),
        _wrapped(
            "warmup-torch-cosine",
            "torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, {max(1, decay_steps)})",
            forms.wrapped_cosine,
        ),
        _wrapped(
            "warmup-torch-step",
            "torch.optim.lr_scheduler.StepLR(optimizer, step_size=3)",
            forms.wrapped_steps,
        ),
        LibrarySchedule(
            "composer",
            "import torch\nfrom pytorch_scheduler.experimental.sequential_composer import SequentialComposer",
            "SequentialComposer(optimizer, [linear, cosine], [{warmup_steps}])",
            forms.composed,
            setup="linear = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters={warmup_steps})\n"
            "cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, {max(1, decay_steps)})",
            docs="docstring: as torch's SequentialLR, but it avoids its issues and correctly handles state",
        ),
        _preset("llm_pretrain", lambda a: StableDecay(8, 4, "cosine"), "warmup 1 %, stable 70 %, then a cosine"),
        _preset("llm_finetune", lambda a: CosineDecay(a.total_steps, 0.1 * a.base_lr), "min_lr_ratio 0.1"),
        _preset("vision_finetune", lambda a: CosineDecay(a.total_steps, 0.01 * a.base_lr), "min_lr_ratio 0.01"),
        _preset(
            "vision_pretrain",
            lambda a: StableDecay(3, 9, "cosine", 0.001 * a.base_lr),
            "hold 30 %, then a cosine, min_lr_ratio 0.001",
        ),
        _preset("transfer_small_data", lambda a: forms.slanted(a.total_steps, 0.1, 32.0), "slanted triangular"),
        _preset("budgeted_training", lambda a: ShapedDecay(a.total_steps, forms.rex), "REX"),
    ),
)
