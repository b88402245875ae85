"""The edge of stability and the LR sensitivity under each warmup, by width, trained on a device."""

from __future__ import annotations

import math

from bench.toy.batched.stability import Profile, numbers_of, schedules, train
from bench.toy.config import Config
from bench.toy.promised import PEAK_LR, TOTAL_STEPS, WARMUP_STEPS

from .sizes import CudaSizes
from .speed import Row

#: The edge falls as this power of the width: 0.025 at width 16, about 0.009 at width 64, without a warmup.
POWER = -0.7
#: At this width the LRs are those of `python -m bench stability`.
FIRST_WIDTH = 16


def profile_of(width: int, sizes: CudaSizes) -> Profile:
    """Seeds, and LRs from a quarter to four times an LR near the edge at this width.

    >>> from .sizes import FULL
    >>> [f"{lr:.2g}" for lr in profile_of(128, FULL).lrs]
    ['0.0017', '0.0025', '0.0035', '0.0049', '0.007', '0.0099', '0.014', '0.02', '0.028']
    """
    centre = PEAK_LR * (width / FIRST_WIDTH) ** POWER
    ratio = 16 ** (1 / (sizes.lrs - 1))
    half = (sizes.lrs - 1) / 2
    return Profile(sizes.seeds, tuple(centre * ratio ** (k - half) for k in range(sizes.lrs)), "cuda")


def stability(width: int, sizes: CudaSizes, device: str) -> list[Row]:
    """One row per warmup: edge and LR sensitivity with their standard errors, and the loss early in the run.

    The model has the tutorial's depth and four hidden features per feature. Warmups are trained one after another,
    all seeds and LRs of one together: at width 128 more would not fit into most GPUs.
    """
    config, profile = Config(d_model=width, feed_forward=4 * width), profile_of(width, sizes)
    rows: list[Row] = []
    for warmup, factors in schedules().items():
        runs = train(config, {warmup: factors}, profile, device=device)[warmup]
        numbers = numbers_of(runs, warmup, profile, WARMUP_STEPS, TOTAL_STEPS)
        edge, sensitivity = 1 / numbers["inverse_edge"], numbers["lr_sensitivity"]
        row: Row = {"width": width, "warmup": warmup, "warmup_steps": WARMUP_STEPS, "steps": TOTAL_STEPS}
        row |= {"seeds": profile.seeds, "lrs": len(profile.lrs), "lowest_lr": profile.lrs[0]}
        row |= {"highest_lr": profile.lrs[-1], "edge": edge}
        row |= {"edge_error": edge * (numbers["inverse_edge_error"] - 1), "lr_sensitivity": sensitivity}
        row |= {"lr_sensitivity_error": sensitivity * (numbers["lr_sensitivity_error"] - 1)}
        row |= {"early_loss": numbers["early_loss"], "steps_off": numbers["steps_off"] - 1}
        rows.append(row)
    return [row | {"edge_over_none": _over(row, rows)} for row in rows]


def _over(row: Row, rows: list[Row]) -> float:
    """The edge over that without a warmup."""
    without = next((float(each["edge"] or 0) for each in rows if each["warmup"] == "none"), math.nan)
    return float(row["edge"] or 0) / without
