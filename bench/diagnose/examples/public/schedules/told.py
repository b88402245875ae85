"""What a user of a public schedule would give to `--expect`: the slug of the same schedule, where there is one."""

from __future__ import annotations

from collections.abc import Callable

from .schedule import PublicPlan

#: The width that Noam's users give here.
WIDTH = 512


def number(value: float) -> str:
    """A number as slugs write it.

    >>> number(0.1), number(3e-05)
    ('0p1', '3em05')
    """
    return repr(value).replace("-", "m").replace(".", "p")


def _low(plan: PublicPlan) -> str:
    return f"_m{number(plan.floor * plan.base)}" if plan.floor else ""


def _linear(plan: PublicPlan, start: float = 0.0) -> str:
    return f"linear{plan.warmup}" + (f"_s{number(start)}" if start else "")


def _cosine(plan: PublicPlan) -> str:
    return f"cosine{plan.decay}{_low(plan)}"


def _stable(plan: PublicPlan, falling: int, shape: str) -> str:
    return f"wsd{plan.decay - falling}_d{falling}_h{shape}{_low(plan)}"


def _from_floor(plan: PublicPlan, decay: str) -> str:
    return f"familye.{_linear(plan, plan.floor)}+{decay}" if plan.floor else f"{_linear(plan)}+{decay}"


def _noam(plan: PublicPlan, count: str) -> str:
    factor = plan.base * (WIDTH * plan.warmup) ** 0.5
    return f"noam{plan.warmup}_d{WIDTH}_f{number(factor)}{count}"


def _drops(*steps: int) -> str:
    return "multistep" + "x".join(map(str, steps))


#: Schedule → slug for a plan; schedules that `reference` does not have are missing.
SLUGS: dict[str, Callable[[PublicPlan], str]] = {
    "transformers-constant": lambda p: f"{_linear(p)}+hold",
    "transformers-linear": lambda p: f"{_linear(p)}+lineardecay{p.decay}",
    "transformers-cosine": lambda p: f"{_linear(p)}+{_cosine(p)}",
    "transformers-cosine-min-lr": lambda p: f"{_linear(p)}+{_cosine(p)}",
    "transformers-cosine-warmup-min-lr": lambda p: f"familyc.{_linear(p)}+{_cosine(p)}",
    "transformers-polynomial": lambda p: f"{_linear(p)}+polynomial{p.decay}_p2_m1em07",
    "transformers-inverse-sqrt": lambda p: f"{_linear(p)}+invsqrt{p.warmup}",
    "transformers-wsd-cosine": lambda p: _from_floor(p, _stable(p, int(0.1 * p.total), "cosine")),
    "transformers-wsd-1-sqrt": lambda p: _from_floor(p, _stable(p, int(0.2 * p.total), "sqrt")),
    "torchtune-cosine": lambda p: f"{_linear(p)}+{_cosine(p)}",
    "opennmt-noam": lambda p: _noam(p, ""),
    "annotated-transformer": lambda p: _noam(p, "_cmaxone"),
    "nanogpt": lambda p: f"familyf.{_linear(p)}+{_cosine(p)}",
    "nanogpt-2023": lambda p: f"{_linear(p)}+{_cosine(p)}",
    "torchtitan-linear": lambda p: f"familyb.{_linear(p)}+lineardecay{p.decay}{_low(p)}",
    "torchtitan-cosine": lambda p: f"familyb.{_linear(p)}+{_cosine(p)}",
    "torchtitan-wsd-sqrt": lambda p: f"familyb.{_linear(p)}+{_stable(p, min(round(p.total * 0.2), p.decay), 'sqrt')}",
    "megatron-cosine": lambda p: f"{_linear(p)}+{_cosine(p)}",
    "megatron-linear": lambda p: f"{_linear(p)}+lineardecay{p.decay}{_low(p)}",
    "fairseq-inverse-sqrt": lambda p: f"{_linear(p)}+invsqrt{p.warmup}",
    "fairseq-cosine": lambda p: _from_floor(p, _cosine(p)),
    "fairseq-polynomial": lambda p: f"{_linear(p)}+lineardecay{p.decay}",
    "timm-cosine-prefix": lambda p: f"familye.{_linear(p, 0.01)}+{_cosine(p)}",
    "timm-step": lambda p: f"familye.{_linear(p, 0.01)}+step{max(1, p.total // 3)}",
    "dino-array": lambda p: f"familyd.{_linear(p)}+{_cosine(p)}",
    "detectron2-multistep": lambda p: (
        f"familye.{_linear(p, 0.001)}+{_drops(2 * p.total // 3 - p.warmup, 8 * p.total // 9 - p.warmup)}"
    ),
    "mmengine-linear-cosine": lambda p: f"familyd.{_linear(p, 0.001)}+cosine{p.decay}",
    "bolts-cosine": lambda p: f"familyd.{_linear(p)}+cosine{p.decay}",
    "torch-linear-cosine": lambda p: f"familye.{_linear(p, 0.01)}+{_cosine(p)}",
    "torch-linear-linear": lambda p: f"familye.{_linear(p, 0.01)}+lineardecay{p.decay}",
    "torch-linear-multistep": lambda p: f"familye.{_linear(p, 0.01)}+{_drops(int(0.6 * p.decay), int(0.85 * p.decay))}",
    "torch-cosine": lambda p: f"cosine{p.total}{_low(p)}",
    "torch-step": lambda p: f"step{max(1, p.total // 4)}",
    "torch-exponential": lambda p: f"exponentialdecay_g{number(0.01 ** (1 / p.total))}",
    "torch-linear-polynomial": lambda p: f"familye.{_linear(p, 0.01)}+polynomial{p.decay}_p0p9",
}
#: What a user wants who gets one of these by mistake: the decay after the warmup.
WANTED_INSTEAD = {"torch-chained": "torch-linear-cosine", "timm-cosine-default": "timm-cosine-prefix"}
