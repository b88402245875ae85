"""The installed torch: the usual ways to write a warmup and a decay with its own schedulers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from reference import (
    ChainedScheduler,
    ConstantDecay,
    ConstantLR,
    CosineAnnealingLR,
    CosineDecay,
    Decay,
    ExponentialLR,
    InverseSqrtDecay,
    LinearDecay,
    LinearLR,
    LinearWarmup,
    OneCycleLR,
    PolynomialDecay,
    Schedule,
    SequentialLR,
    family,
    sequential,
)
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.library import Library, LibrarySchedule, Numbers

FROM = "from torch.optim.lr_scheduler import "
#: Without a warmup its LinearLR has total_iters=0, which leaves the LR at the start factor.
NO_WARMUP = {"w0": "a phase of no steps: `python -m suite show length-zero-kept` has the cases"}
FRACTION = {"w4.5": "a milestone that is not an integer never comes"}
TOO_LONG = {"w12": "a decay of no steps has no meaning", "w14": "a decay of -2 steps has no meaning"}
LEFT_OUT = NO_WARMUP | FRACTION | TOO_LONG

RISE = "LinearLR(optimizer, start_factor={start_factor}, total_iters={warmup_steps})"
#: Family B: the last step of the warmup has the base LR.
RISE_FROM_FIRST = "LinearLR(optimizer, start_factor={1 / warmup_steps}, total_iters={warmup_steps - 1})"
HOLD = "ConstantLR(optimizer, factor={start_factor}, total_iters={warmup_steps})"
FALLS: dict[str, tuple[str, str, Callable[[Arguments], Schedule], Numbers]] = {
    "cosine": (
        "CosineAnnealingLR",
        "CosineAnnealingLR(optimizer, T_max={decay_steps}, eta_min={eta_min})",
        lambda a: CosineAnnealingLR(a.decay_steps, a.eta_min),
        {"eta_min": 0.0},
    ),
    "linear": (
        "LinearLR",
        "LinearLR(optimizer, start_factor=1.0, end_factor={end_factor}, total_iters={decay_steps})",
        lambda a: LinearLR(1.0, a.end_factor, a.decay_steps),
        {"end_factor": 0.0},
    ),
    "exponential": (
        "ExponentialLR",
        "ExponentialLR(optimizer, gamma={gamma})",
        lambda a: ExponentialLR(a.gamma),
        {"gamma": 0.9},
    ),
    "constant": (
        "ConstantLR",
        "ConstantLR(optimizer, factor=1.0, total_iters=0)",
        lambda a: ConstantLR(1.0, 0),
        {},
    ),
}
OTHERS: dict[str, dict[str, Numbers]] = {
    "cosine": {"floor": {"eta_min": 1e-5}},
    "linear": {"floor": {"end_factor": 0.1}},
    "exponential": {"slow": {"gamma": 0.5}},
    "constant": {},
}


def _one_after_the_other() -> Iterator[LibrarySchedule]:
    """SequentialLR of each warmup and each decay."""
    rises: dict[str, tuple[str, str, Callable[[Arguments], Schedule], Numbers]] = {
        "linear": ("LinearLR", RISE, lambda a: LinearLR(a.start_factor, 1.0, a.warmup_steps), {"start_factor": 0.1}),
        "first": (
            "LinearLR",
            RISE_FROM_FIRST,
            lambda a: LinearLR(1.0 / a.warmup_steps, 1.0, a.warmup_steps - 1),
            {},
        ),
        "constant": ("ConstantLR", HOLD, lambda a: ConstantLR(a.start_factor, a.warmup_steps), {"start_factor": 0.1}),
    }
    for rise, (rising, rise_call, warmup, start) in rises.items():
        for fall, (falling, fall_call, decay, end) in FALLS.items():
            variants = dict(OTHERS[fall])
            if start:
                variants["start"] = {"start_factor": 0.5}
            yield LibrarySchedule(
                f"{rise}-{fall}",
                FROM + ", ".join(sorted({rising, falling, "SequentialLR"})),
                f"SequentialLR(optimizer, [{rise_call}, {fall_call}], milestones=[{{warmup_steps}}])",
                lambda a, warmup=warmup, decay=decay: SequentialLR(  # type: ignore[misc]
                    (warmup(a), decay(a)), (a.warmup_steps,)
                ),
                fields={**start, **end},
                variants=variants,
                left_out=LEFT_OUT | ({"w1": NO_WARMUP["w0"]} if rise == "first" else {}),
                docs="docstrings of SequentialLR and of its parts",
            )


def _at_once() -> Iterator[LibrarySchedule]:
    """ChainedScheduler: the decay's clock runs during the warmup, and the factors are multiplied."""
    whole = "CosineAnnealingLR(optimizer, T_max={total_steps}, eta_min={eta_min})"
    for rise, call, factor in (
        ("linear", RISE, lambda a: LinearLR(a.start_factor, 1.0, a.warmup_steps)),
        ("first", RISE_FROM_FIRST, lambda a: LinearLR(1.0 / a.warmup_steps, 1.0, a.warmup_steps - 1)),
    ):
        start: Numbers = {"start_factor": 0.1} if rise == "linear" else {}
        yield LibrarySchedule(
            f"chained-{rise}-cosine",
            FROM + "ChainedScheduler, CosineAnnealingLR, LinearLR",
            f"ChainedScheduler([{call}, {whole}], optimizer)",
            lambda a, factor=factor: ChainedScheduler(  # type: ignore[misc]
                (factor(a), CosineAnnealingLR(a.total_steps, a.eta_min))
            ),
            fields={**start, "eta_min": 0.0},
            variants={"start": {"start_factor": 0.5}} if start else {},
            left_out=NO_WARMUP | FRACTION | ({"w1": NO_WARMUP["w0"]} if rise == "first" else {}),
            docs="docstrings of ChainedScheduler and of its parts",
        )


def _one_cycle(a: Arguments) -> Schedule:
    pct = a.warmup_steps / a.total_steps
    cycle = OneCycleLR(
        a.base_lr,
        a.total_steps,
        pct_start=pct,
        anneal_strategy=a.anneal_strategy,
        div_factor=a.div_factor,
        final_div_factor=a.final_div_factor,
    )
    end = LinearDecay(0, a.base_lr / a.div_factor / a.final_div_factor)
    return sequential(cycle, end, milestones=(a.total_steps,))


#: The progress of the warmup at step t < W, as in families A, B, D and F.
PROGRESS = {
    "a": "t / {warmup_steps}",
    "b": "(t + 1) / {warmup_steps}",
    "d": "t / {warmup_steps - 1}",
    "f": "(t + 1) / {warmup_steps + 1}",
}
OVERSHOOTS = {"w4.5": "the formula as it is written is above 1 where W is not an integer"}
UNFIT = {"b": OVERSHOOTS, "d": OVERSHOOTS | {"w1": "t / 0 at step 0"}}
#: The factor at step t >= W, between 1 and `floor`; the decay ends at total_steps and stays there.
SHARE = "min(1.0, (t - {warmup_steps}) / {max(1, decay_steps)})"
FACTOR: dict[str, tuple[str, Callable[[Arguments], Decay], Numbers]] = {
    "linear": (
        f"{{floor}} + {{1 - floor}} * (1 - {SHARE})",
        lambda a: LinearDecay(a.decay_steps, a.floor * a.base_lr),
        {"floor": 0.0},
    ),
    "cosine": (
        f"{{floor}} + {{1 - floor}} * (1 + math.cos(math.pi * {SHARE})) / 2",
        lambda a: CosineDecay(a.decay_steps, a.floor * a.base_lr),
        {"floor": 0.0},
    ),
    "polynomial": (
        f"{{floor}} + {{1 - floor}} * (1 - {SHARE}) ** {{power}}",
        lambda a: PolynomialDecay(a.decay_steps, a.power, a.floor * a.base_lr),
        {"floor": 0.0, "power": 2.0},
    ),
    "inverse-sqrt": (
        "({timescale} / (t - {warmup_steps} + {timescale})) ** 0.5",
        lambda a: InverseSqrtDecay(a.timescale),
        {"timescale": 4},
    ),
    "constant": ("1.0", lambda a: ConstantDecay(), {}),
}


def _lambdas() -> Iterator[LibrarySchedule]:
    """LambdaLR with the formula written out."""
    for letter, progress in PROGRESS.items():
        for name, (factor, decay, fields) in FACTOR.items():
            yield LibrarySchedule(
                f"lambda-{letter}-{name}",
                ("import math\n" if "math" in factor else "") + FROM + "LambdaLR",
                f"LambdaLR(optimizer, lambda t: {progress} if t < {{warmup_steps}} else {factor})",
                lambda a, letter=letter, decay=decay: family(  # type: ignore[misc]
                    letter.upper(), LinearWarmup(a.warmup_steps), decay(a)
                ),
                fields=fields,
                variants={"floor": {"floor": 0.1}} if "floor" in fields else {},
                left_out=UNFIT.get(letter, {}),
                docs="docstring of LambdaLR: the base LR times the function's value",
            )


ONE_CYCLE = LibrarySchedule(
    "one-cycle",
    FROM + "OneCycleLR",
    "OneCycleLR(optimizer, max_lr={base_lr}, total_steps={total_steps}, pct_start={warmup_steps / total_steps}, "
    "anneal_strategy={anneal_strategy}, div_factor={div_factor}, final_div_factor={final_div_factor})",
    _one_cycle,
    fields={"anneal_strategy": "cos", "div_factor": 25.0, "final_div_factor": 1e4},
    variants={"linear": {"anneal_strategy": "linear"}, "div": {"div_factor": 10.0, "final_div_factor": 100.0}},
    left_out={
        **dict.fromkeys(("groups", "linear-groups", "div-groups"), "max_lr is the peak of every group"),
        **dict.fromkeys(("w0", "w1", "w12"), "a phase of no steps: `python -m suite show empty-rise` has the cases"),
        "w14": "pct_start would be above 1",
    },
    docs="docstring of OneCycleLR",
)

LIBRARY = Library(
    "torch",
    project="",
    files=(),
    releases=("2.13.0",),
    schedules=(*_one_after_the_other(), *_at_once(), ONE_CYCLE, *_lambdas()),
)
