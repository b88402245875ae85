"""The schedules of public libraries as the installed libraries compute them; each needs its library."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from collections.abc import Callable
from typing import Any

import torch

from bench.diagnose.examples.public.schedules.schedule import PublicPlan

#: The LRs of all updates of a plan.
LibraryRun = Callable[[PublicPlan], list[float]]


def _optimizer(plan: PublicPlan) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=plan.base)


def _stepped(build: Callable[[Any, PublicPlan], Any]) -> LibraryRun:
    """A scheduler with step(), after each update."""

    def run(plan: PublicPlan) -> list[float]:
        optimizer = _optimizer(plan)
        scheduler, lrs = build(optimizer, plan), []
        for t in range(plan.total):
            lrs.append(float(optimizer.param_groups[0]["lr"]))
            optimizer.step()
            if t < plan.total - 1:
                scheduler.step()
        return lrs

    return run


def _transformers(name: str, **options: Any) -> LibraryRun:
    def build(optimizer: Any, plan: PublicPlan) -> Any:
        numbers = {"num_warmup_steps": plan.warmup, "num_training_steps": plan.total}
        if name in ("get_constant_schedule_with_warmup", "get_inverse_sqrt_schedule"):
            del numbers["num_training_steps"]
        extra = dict(options)
        if "min_lr" in name:
            extra["min_lr_rate"] = plan.floor
        if "wsd" in name:
            extra = {
                **options,
                "min_lr_ratio": plan.floor,
                "num_decay_steps": int(options["num_decay_steps"] * plan.total),
            }
        return getattr(importlib.import_module("transformers.optimization"), name)(optimizer, **numbers, **extra)

    return _stepped(build)


def _timm(file: str, name: str, **options: Any) -> LibraryRun:
    def run(plan: PublicPlan) -> list[float]:
        package = types.ModuleType("timm_schedulers")  # timm's own __init__ needs torchvision
        spec = importlib.util.find_spec("timm")
        if spec is None or not spec.submodule_search_locations:
            raise ImportError("timm is not installed")
        package.__path__ = [f"{spec.submodule_search_locations[0]}/scheduler"]
        sys.modules["timm_schedulers"] = package
        optimizer = _optimizer(plan)
        given = {"warmup_t": plan.warmup, "warmup_lr_init": 0.01 * plan.base, **options}
        if "Step" in name:
            given |= {"decay_t": plan.total // 3, "decay_rate": 0.1}
        else:
            given |= {"t_initial": plan.decay if options else plan.total, "lr_min": plan.floor * plan.base}
        module = importlib.import_module(f"timm_schedulers.{file}")
        scheduler, lrs = getattr(module, name)(optimizer, t_in_epochs=False, **given), []
        for t in range(plan.total):
            lrs.append(float(optimizer.param_groups[0]["lr"]))
            scheduler.step_update(t + 1)
        return lrs

    return run


def _detectron(decay: Callable[[Any, PublicPlan], Any]) -> LibraryRun:
    """detectron2's WarmupParamScheduler, which is fvcore's composite of a line and the decay."""

    def run(plan: PublicPlan) -> list[float]:
        fvcore = importlib.import_module("fvcore.common.param_scheduler")
        share, after = plan.warmup / plan.total, decay(fvcore, plan)
        line = fvcore.LinearParamScheduler(0.001 * after(0.0), after(share))
        both = fvcore.CompositeParamScheduler([line, after], [share, 1 - share], ["rescaled", "fixed"])
        return [plan.base * float(both(t / plan.total)) for t in range(plan.total)]

    return run


def _steps_of(fvcore: Any, plan: PublicPlan) -> Any:
    milestones = [2 * plan.total // 3, 8 * plan.total // 9]
    return fvcore.MultiStepParamScheduler([1, 0.1, 0.01], milestones=milestones, num_updates=plan.total)


def _mmengine(plan: PublicPlan) -> list[float]:
    schedulers = importlib.import_module("mmengine.optim.scheduler")
    optimizer = _optimizer(plan)
    both = [
        schedulers.LinearLR(optimizer, start_factor=0.001, by_epoch=False, begin=0, end=plan.warmup),
        schedulers.CosineAnnealingLR(
            optimizer, T_max=plan.decay, by_epoch=False, begin=plan.warmup, end=plan.total, eta_min=0.0
        ),
    ]
    lrs = []
    for _ in range(plan.total):
        lrs.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        for scheduler in both:
            scheduler.step()
    return lrs


def _megatron(style: str) -> LibraryRun:
    def run(plan: PublicPlan) -> list[float]:
        module = importlib.import_module("megatron.core.optimizer_param_scheduler")
        optimizer, low = _optimizer(plan), plan.floor * plan.base
        annealing = (max(1, int(0.15 * plan.total)), "exponential")
        numbers = (0.0, plan.base, low, plan.warmup, plan.total, style, 0.0, 0.0, plan.total, "constant")
        scheduler = module.OptimizerParamScheduler(
            optimizer, *numbers, wsd_decay_steps=annealing[0], lr_wsd_decay_style=annealing[1]
        )
        lrs = []
        for _ in range(plan.total):
            lrs.append(float(optimizer.param_groups[0]["lr"]))
            scheduler.step(1)
        return lrs

    return run


def _deepspeed(name: str, kind: str) -> LibraryRun:
    def build(optimizer: Any, plan: PublicPlan) -> Any:
        module = importlib.import_module("deepspeed.runtime.lr_schedules")
        given: dict[str, Any] = {"warmup_max_lr": plan.base, "warmup_num_steps": plan.warmup, "warmup_type": kind}
        if name == "WarmupDecayLR":
            given["total_num_steps"] = plan.total
        return getattr(module, name)(optimizer, **given)

    return _stepped(build)


def _titan(shape: str, ratio: float | None) -> LibraryRun:
    def build(optimizer: Any, plan: PublicPlan) -> Any:
        module = importlib.import_module("torchtitan.components.optimizer.lr_scheduler")
        config = module.LRSchedulersContainer.Config(
            warmup_steps=plan.warmup, decay_ratio=ratio, decay_type=shape, min_lr_factor=plan.floor
        )
        return config.build(optimizers=[optimizer], training_steps=plan.total)

    return _stepped(build)


def _torchtune(optimizer: Any, plan: PublicPlan) -> Any:
    module = importlib.import_module("torchtune.training.lr_schedulers")
    return module.get_cosine_schedule_with_warmup(optimizer, plan.warmup, plan.total)


def _bolts(optimizer: Any, plan: PublicPlan) -> Any:
    module = importlib.import_module("pl_bolts.optimizers.lr_scheduler")
    return module.LinearWarmupCosineAnnealingLR(optimizer, plan.warmup, plan.total)


#: Schedule → the library's own run.
LIBRARY_RUNS: dict[str, LibraryRun] = {
    "transformers-constant": _transformers("get_constant_schedule_with_warmup"),
    "transformers-linear": _transformers("get_linear_schedule_with_warmup"),
    "transformers-cosine": _transformers("get_cosine_schedule_with_warmup"),
    "transformers-cosine-min-lr": _transformers("get_cosine_with_min_lr_schedule_with_warmup"),
    "transformers-cosine-warmup-min-lr": _transformers("get_cosine_with_min_lr_schedule_with_warmup_lr_rate"),
    "transformers-cosine-restarts": _transformers("get_cosine_with_hard_restarts_schedule_with_warmup", num_cycles=3),
    "transformers-polynomial": _transformers("get_polynomial_decay_schedule_with_warmup", power=2.0),
    "transformers-inverse-sqrt": _transformers("get_inverse_sqrt_schedule"),
    "transformers-wsd-cosine": _transformers("get_wsd_schedule", num_decay_steps=0.1),
    "transformers-wsd-1-sqrt": _transformers("get_wsd_schedule", num_decay_steps=0.2, decay_type="1-sqrt"),
    "torchtune-cosine": _stepped(_torchtune),
    "timm-cosine-prefix": _timm("cosine_lr", "CosineLRScheduler", warmup_prefix=True),
    "timm-cosine-default": _timm("cosine_lr", "CosineLRScheduler"),
    "timm-step": _timm("step_lr", "StepLRScheduler"),
    "timm-tanh": _timm("tanh_lr", "TanhLRScheduler"),
    "detectron2-cosine": _detectron(lambda fvcore, plan: fvcore.CosineParamScheduler(1.0, 0.0)),
    "detectron2-multistep": _detectron(_steps_of),
    "mmengine-linear-cosine": _mmengine,
    "bolts-cosine": _stepped(_bolts),
    "megatron-cosine": _megatron("cosine"),
    "megatron-linear": _megatron("linear"),
    "megatron-inverse-sqrt": _megatron("inverse-square-root"),
    "megatron-wsd": _megatron("WSD"),
    "deepspeed-warmup-log": _deepspeed("WarmupLR", "log"),
    "deepspeed-decay-log": _deepspeed("WarmupDecayLR", "log"),
    "deepspeed-decay-linear": _deepspeed("WarmupDecayLR", "linear"),
    "torchtitan-linear": _titan("linear", None),
    "torchtitan-cosine": _titan("cosine", None),
    "torchtitan-wsd-sqrt": _titan("sqrt", 0.2),
}
