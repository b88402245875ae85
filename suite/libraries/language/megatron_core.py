"""Megatron-core: OptimizerParamScheduler, which counts samples; its trainer steps it by the samples of each update."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reference import ConstantDecay, Decay, InverseSqrtDecay, StableDecay
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.formula import rising_from
from suite.libraries.core.library import Library, LibrarySchedule

#: Samples of an update.
BATCH = 8
#: What the scheduler is built with; its lengths are samples.
CALL = (
    "OptimizerParamScheduler(optimizer, init_lr={init_lr}, max_lr={base_lr}, min_lr={min_lr}, "
    f"lr_warmup_steps={{warmup_steps * {BATCH}}}, lr_decay_steps={{total_steps * {BATCH}}}, lr_decay_style={{style}}, "
    f"start_wd=0.0, end_wd=0.0, wd_incr_steps={{total_steps * {BATCH}}}, wd_incr_style='constant'"
)
LRS = {"init_lr": 0.0, "min_lr": 3e-5}
STARTS = {"start3e-5": {"init_lr": 3e-5}, "floor0": {"min_lr": 0.0}}
SHAPES = {"minus_sqrt": "sqrt"}


def _style(
    style: str,
    decay: Callable[[Arguments], Decay],
    docs: str,
    *,
    more: str = "",
    fields: Mapping[str, object] | None = None,
    variants: Mapping[str, Mapping[str, object]] | None = None,
    edges: Mapping[str, Mapping[str, object]] | None = None,
    setup: str = "",
) -> LibrarySchedule:
    return LibrarySchedule(
        style,
        "from megatron.core.optimizer_param_scheduler import OptimizerParamScheduler",
        f"{CALL}{more})",
        lambda a: rising_from(a.init_lr, a.base_lr, a.warmup_steps, decay(a)),
        setup=setup,
        step=f"scheduler.step(increment={BATCH})",
        fields={"style": style, **LRS, **(fields or {})},
        variants={**STARTS, **(variants or {})},
        edges=edges or {},
        docs=docs,
        reading="megatron-decay-steps",
    )


def _annealed(a: Arguments) -> Decay:
    steps = min(a.anneal_steps, a.decay_steps)
    return StableDecay(a.decay_steps - steps, steps, SHAPES.get(a.shape, a.shape), a.min_lr)


LIBRARY = Library(
    "megatron-core",
    project="megatron-core",
    files=("megatron/core/optimizer_param_scheduler.py",),
    releases=("0.10.0", "0.13.0", "0.14.0", "0.16.1", "0.17.0", "0.19.2"),
    schedules=(
        _style("constant", lambda a: ConstantDecay(), "comment: constant after the warmup"),
        _style(
            "linear",
            lambda a: StableDecay(0, a.decay_steps, "linear", a.min_lr),
            "docstring: a linear warmup from init_lr to max_lr, then to min_lr at lr_decay_steps, which counts from 0",
        ),
        _style(
            "cosine",
            lambda a: StableDecay(0, a.decay_steps, "cosine", a.min_lr),
            "docstring: as linear, along half a cosine (Loshchilov and Hutter, page 4)",
        ),
        _style(
            "cosine-overrides",
            lambda a: StableDecay(0, a.decay_steps, "cosine", a.min_lr),
            "ParamGroupOverride: max_lr of a parameter group replaces that of the scheduler",
            fields={"style": "cosine"},
            setup="""
for group in optimizer.param_groups:
    group.setdefault("max_lr", float(group["lr"]))
""",
        ),
        _style(
            "inverse-square-root",
            lambda a: InverseSqrtDecay(max(a.warmup_steps, 1), min_lr=a.min_lr),
            "argument: max_lr times the square root of warmup over step, not below min_lr",
        ),
        _style(
            "WSD",
            _annealed,
            "arguments: max_lr until the last wsd_decay_steps, in which it decays to min_lr",
            more=f", wsd_decay_steps={{(min(anneal_steps, decay_steps) + excess) * {BATCH}}}, "
            "lr_wsd_decay_style={shape}",
            fields={"anneal_steps": 3, "excess": 0, "shape": "exponential"},
            variants={"linear": {"shape": "linear"}, "cosine": {"shape": "cosine"}},
            edges={"longer": {"excess": 8}},
        ),
        _style(
            "WSD-minus_sqrt",
            _annealed,
            "as WSD; the shape is 1 minus the square root",
            more=f", wsd_decay_steps={{min(anneal_steps, decay_steps) * {BATCH}}}, lr_wsd_decay_style='minus_sqrt'",
            fields={"style": "WSD", "anneal_steps": 3, "shape": "minus_sqrt"},
        ),
    ),
)
