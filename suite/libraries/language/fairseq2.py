"""fairseq2: scheduler classes of torch's kind, stepped after each update."""

from __future__ import annotations

from reference import (
    ConstantDecay,
    Decay,
    InverseSqrtDecay,
    LinearWarmup,
    Noam,
    PolynomialDecay,
    Schedule,
    StableDecay,
    WarmRestartsDecay,
    family,
)
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import rising_from
from suite.libraries.core.library import Library, LibrarySchedule


def _import(name: str, before: str = "") -> str:
    """The package was renamed in 0.5.0."""
    old = f"{before} as {name}" if before else name
    return (
        f"try:\n    from fairseq2.optim.lr_schedulers import {name}\n"
        f"except ImportError:\n    from fairseq2.optim.lr_scheduler import {old}"
    )


def _warmed(a: Arguments, decay: Decay) -> Schedule:
    """A line from start_lr to the base LR, then the decay."""
    return rising_from(a.start_lr, a.base_lr, a.warmup_steps, decay)


FOLDERS = ("lr_schedulers", "lr_scheduler")
ENDS = {"start_lr": 0.0, "final_lr": 0.0}
#: Learning rates, below the smallest base LR of the cases.
VARIANTS = {"start-lr": {"start_lr": 1e-4}, "final-lr": {"final_lr": 1e-4}}

LIBRARY = Library(
    "fairseq2",
    project="fairseq2",
    files=tuple(f"fairseq2/optim/{folder}/{name}" for folder in FOLDERS for name in ("__init__.py", "*.py")),
    releases=("0.3.0", "0.4.0", "0.5.0", "0.6", "0.7.0", "0.8.1"),
    schedules=(
        LibrarySchedule(
            "cosine",
            _import("CosineAnnealingLR"),
            "CosineAnnealingLR(optimizer, cycle_len={min(decay_steps, cycle)}, num_warmup_steps={warmup_steps}, "
            "cycle_mul={cycle_mul}, lr_mul={lr_mul}, start_lr={start_lr}, final_lr={final_lr})",
            lambda a: _warmed(
                a, WarmRestartsDecay(min(a.decay_steps, a.cycle), int(a.cycle_mul), a.lr_mul, min_lr=a.final_lr)
            ),
            fields=ENDS | {"cycle": 1000, "cycle_mul": 1.0, "lr_mul": 1.0},
            variants=VARIANTS
            | {
                "lr-mul": {"cycle": 4, "lr_mul": 0.5},
                "lr-mul-final-lr": {"cycle": 4, "lr_mul": 0.5, "final_lr": 1e-4},
                "cycle-mul": {"cycle": 2, "cycle_mul": 2.0},
            },
            docs="docstring: the formula of both phases; cycle_mul grows each cycle, lr_mul scales base and final LR",
        ),
        LibrarySchedule(
            "myle",
            _import("MyleLR"),
            "MyleLR(optimizer, num_warmup_steps={warmup_steps}, start_lr={start_lr})",
            lambda a: _warmed(a, InverseSqrtDecay(a.warmup_steps)),
            fields={"start_lr": 0.0},
            variants={"start-lr": VARIANTS["start-lr"]},
            docs="docstring: base LR times the lower of sqrt(W/t) and t/W",
        ),
        LibrarySchedule(
            "noam",
            _import("NoamLR"),
            "NoamLR(optimizer, num_warmup_steps={warmup_steps})",
            lambda a: Noam(a.warmup_steps, 1, count="from_zero" if a.warmup_steps else "max_one"),
            docs="docstring: base LR times the lower of 1/sqrt(t) and t/W^1.5; the base LR first if W is 0",
        ),
        LibrarySchedule(
            "polynomial",
            _import("PolynomialDecayLR"),
            "PolynomialDecayLR(optimizer, num_steps={total_steps}, num_warmup_steps={warmup_steps}, power={power}, "
            "start_lr={start_lr}, final_lr={final_lr})",
            lambda a: _warmed(a, PolynomialDecay(a.decay_steps, a.power, a.final_lr)),
            fields=ENDS | {"power": 1.0},
            variants=VARIANTS | {"power2": {"power": 2.0}},
            docs="docstring: the formula of both phases",
        ),
        LibrarySchedule(
            "tri-stage",
            _import("TriStageLR"),
            "TriStageLR(optimizer, num_steps={total_steps}, stage_ratio=({warmup_steps / total_steps}, "
            "{min(hold_steps, decay_steps) / total_steps}, {max(0, decay_steps - hold_steps) / total_steps}), "
            "start_lr_scale={start_scale}, final_lr_scale={final_scale})",
            lambda a: family(
                "E",
                LinearWarmup(a.warmup_steps, a.start_scale),
                StableDecay(
                    min(a.hold_steps, a.decay_steps),
                    max(0, a.decay_steps - a.hold_steps),
                    "geometric",
                    a.final_scale * a.base_lr,
                ),
            ),
            fields={"hold_steps": 4, "start_scale": 0.01, "final_scale": 0.01},
            variants={
                "scales": {"start_scale": 0.5, "final_scale": 0.1},
                "t100": {"total_steps": 100, "warmup_steps": 29, "hold_steps": 29},
            },
            left_out={
                "w14": "the ratios of the three stages could not add up to 1",
                "w4.5": "every stage is rounded down to whole steps",
            },
            docs="docstring: a line from the scale at the start, a hold, an exponential decay to the scale at the end",
        ),
        LibrarySchedule(
            "passthrough",
            _import("PassthroughLR", before="NoopLR"),
            "PassthroughLR(optimizer)",
            lambda a: ConstantDecay(),
            docs="docstring of NoopLR, its name before 0.5.0: no schedule",
        ),
    ),
)
