"""The options of `sweep`, and the grid that they mean."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from bench.toy.config import CONFIGS, Config, named
from bench.toy.measures import STABLE_LOSS
from reference.check import integer, real

from .schedules import DECAYS, KINDS
from .spec import DTYPES, MATCHES, NORMS, Spec

#: Shares of all steps.
WARMUPS = ("0", "0.01", "0.05", "0.1", "0.2", "0.5")
#: LRs are rounded to so many digits: a table with 0.001778 is easier to read than one with 0.0017782794100389228.
DIGITS = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `sweep`."""
    parser.epilog = (
        "Schedules are of family A: at step t < W the warmup has come t/W of its way (a linear one begins with LR 0), "
        "the decay begins at step W and ends with step T. The default is 198 runs: 11 LRs × 6 lengths × 3 seeds."
    )
    grid = parser.add_argument_group("what is run (every combination)")
    grid.add_argument("--config", choices=[*CONFIGS], default="small16", help="the model (default: small16)")
    grid.add_argument("--steps", type=int, default=200, metavar="T", help="optimizer steps of a run (default: 200)")
    grid.add_argument(
        "--warmup",
        nargs="+",
        default=[*WARMUPS],
        metavar="W",
        help=f"lengths of the warmup: 0.2 or 20%% is a share of T, 40 is steps (default: {' '.join(WARMUPS)})",
    )
    for name, values, default, what in (
        ("kinds", KINDS, "linear", "kinds of warmup"),
        ("decay", DECAYS, "cosine", "what follows, of T − W steps"),
        ("norm", NORMS, "post", "LayerNorm's place"),
    ):
        words = f"{what}: {', '.join(values)} (default: {default})"
        grid.add_argument(f"--{name}", nargs="+", choices=[*values], default=[default], metavar="NAME", help=words)
    grid.add_argument("--lrs", nargs="+", type=float, metavar="LR", help="the base LRs, instead of a range")
    grid.add_argument(
        "--lr-range",
        nargs=2,
        type=float,
        default=[1e-3, 0.32],
        metavar=("LOW", "HIGH"),
        help="base LRs in equal ratios (default: 1e-3 0.32)",
    )
    grid.add_argument("--lr-count", type=int, default=11, metavar="N", help="how many of them (default: 11)")
    grid.add_argument("--seeds", type=int, default=3, metavar="N", help="seeds of each setting (default: 3)")
    grid.add_argument("--first-seed", type=int, default=0, metavar="S", help="seeds are S … S+N−1 (default: 0)")
    grid.add_argument(
        "--match",
        nargs="+",
        choices=MATCHES,
        default=[*MATCHES],
        metavar="NAME",
        help="compare kinds at equal length (steps), at equal effective period (period), or (default) both",
    )
    how = parser.add_argument_group("how")
    how.add_argument("--instruments", action="store_true", help="note the largest attention logit, update, gradient")
    how.add_argument(
        "--target",
        type=float,
        default=STABLE_LOSS,
        metavar="LOSS",
        help=f"note the first step with this training loss (default: {STABLE_LOSS})",
    )
    how.add_argument("--dtype", choices=DTYPES, default=DTYPES[0], help=f"default: {DTYPES[0]}")
    how.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 … (default: cpu)")
    how.add_argument("--compile", action="store_true", help="torch.compile: pays for long sweeps only")
    how.add_argument("--jobs", type=int, metavar="N", help="worker processes (default: one for each core)")
    how.add_argument(
        "--shard", type=int, metavar="N", help="at most so many runs are trained together and kept at once"
    )
    how.add_argument("--dask", metavar="ADDRESS", help="run on this Dask cluster instead, e.g. tcp://host:8786")
    how.add_argument(
        "--out",
        type=Path,
        default=Path("sweep"),
        metavar="FOLDER",
        help="for tables and pictures; finished runs are kept in FOLDER/shards (default: ./sweep)",
    )
    how.add_argument("--json", action="store_true", help="print the summary as JSON")
    how.add_argument("--quiet", action="store_true", help="no progress, no tables")


def length(text: str, steps: int) -> int:
    """A length in steps: of 0.2 or 20% the share of `steps`, rounded half up; of 40 the number itself.

    Raises ValueError for anything else.

    >>> [length(text, 200) for text in ("0.05", "5%", "0", "40", "1.0")]
    [10, 10, 0, 40, 200]
    """
    try:
        if text.isdecimal():
            return int(text)
        portion = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        portion = -1.0
    if not 0 <= portion <= 1:
        raise ValueError(f"warmup={text} must be a share such as 0.05 or 5%, up to 1, or whole steps such as 40")
    return int(portion * steps + 0.5)


def rates(low: float, high: float, count: int) -> tuple[float, ...]:
    """LRs in equal ratios from `low` to `high`, rounded to 4 digits.

    Raises ValueError unless 0 < low < high and count >= 2.

    >>> rates(1e-3, 1e-1, 5)
    (0.001, 0.003162, 0.01, 0.03162, 0.1)
    """
    real("lr-range", low, above=0.0)
    real("lr-range", high, above=low)
    return tuple(float(f"{lr:.{DIGITS}g}") for lr in np.geomspace(low, high, integer("lr-count", count, 2)))


def config_of(name: str) -> Config:
    """A named configuration that the batched trainer takes; ValueError for one with dropout."""
    config = named(name)
    if config.dropout:
        raise ValueError(f"config={name} must have no dropout: random numbers would depend on the neighbours")
    return config


def spec_of(args: argparse.Namespace) -> Spec:
    """The sweep that the options mean; TypeError or ValueError for those that mean none."""
    steps = integer("steps", args.steps, 1)
    first = integer("first-seed", args.first_seed)
    lengths = [length(text, steps) for text in args.warmup]
    return Spec(
        config=config_of(args.config),
        name=args.config,
        steps=steps,
        warmups=tuple(dict.fromkeys(lengths)),
        lrs=tuple(sorted(args.lrs)) if args.lrs else rates(args.lr_range[0], args.lr_range[1], args.lr_count),
        seeds=tuple(range(first, first + integer("seeds", args.seeds, 1))),
        kinds=tuple(dict.fromkeys(args.kinds)),
        decays=tuple(dict.fromkeys(args.decay)),
        norms=tuple(dict.fromkeys(args.norm)),
        match=tuple(name for name in MATCHES if name in args.match),
        target=args.target,
        instruments=args.instruments,
        dtype=args.dtype,
        device=args.device,
        compiled=args.compile,
    )
