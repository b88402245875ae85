"""The options of `sweep`, and the grid they describe."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from bench.toy.config import CONFIGS, Config, named
from bench.toy.measures import STABLE_LOSS
from bench.toy.native.native import compiler_version
from reference.check import integer, real

from .schedules import DECAYS, KINDS
from .spec import DTYPES, MATCHES, NORMS, Spec

#: Default warmup lengths, as shares of all steps.
WARMUPS = ("0", "0.01", "0.05", "0.1", "0.2", "0.5")
#: LRs are rounded to this many significant digits: 0.001778 is easier to read than 0.0017782794100389228.
DIGITS = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sweep`."""
    parser.epilog = (
        "Schedules follow convention A: at step t < W the warmup is at t/W (a linear one starts with LR 0), "
        "the decay starts at step W and ends at step T. "
        "The default is 198 runs, 11 LRs × 6 lengths × 3 seeds: under a minute on two cores."
    )
    grid = parser.add_argument_group("grid (every combination is run)")
    grid.add_argument("--config", choices=[*CONFIGS], default="small16", help="the model (default: small16)")
    grid.add_argument("--steps", type=int, default=200, metavar="T", help="optimizer steps per run (default: 200)")
    grid.add_argument(
        "--warmup",
        nargs="+",
        default=[*WARMUPS],
        metavar="W",
        help=f"warmup lengths: 0.2 or 20%% is a share of T, 40 a number of steps (default: {' '.join(WARMUPS)})",
    )
    for name, values, default, text in (
        ("kinds", KINDS, "linear", "kinds of warmup"),
        ("decay", DECAYS, "cosine", "decays after the warmup, over T − W steps"),
        ("norm", NORMS, "post", "LayerNorm placement"),
    ):
        text = f"{text}: {', '.join(values)} (default: {default})"
        grid.add_argument(f"--{name}", nargs="+", choices=[*values], default=[default], metavar="NAME", help=text)
    grid.add_argument("--lrs", nargs="+", type=float, metavar="LR", help="base LRs, instead of a range")
    grid.add_argument(
        "--lr-range",
        nargs=2,
        type=float,
        default=[1e-3, 0.32],
        metavar=("LOW", "HIGH"),
        help="range of base LRs, evenly spaced on a log scale (default: 1e-3 0.32)",
    )
    grid.add_argument("--lr-count", type=int, default=11, metavar="N", help="number of LRs in the range (default: 11)")
    grid.add_argument("--seeds", type=int, default=3, metavar="N", help="seeds per setting (default: 3)")
    grid.add_argument("--first-seed", type=int, default=0, metavar="S", help="seeds are S … S+N−1 (default: 0)")
    grid.add_argument(
        "--match",
        nargs="+",
        choices=MATCHES,
        default=[*MATCHES],
        metavar="NAME",
        help="compare kinds at equal length (steps), at equal effective period (period), or both (default)",
    )
    how = parser.add_argument_group("execution and output")
    how.add_argument(
        "--instruments", action="store_true", help="record the largest attention logit, gradient norm and update ratio"
    )
    how.add_argument(
        "--target",
        type=float,
        default=STABLE_LOSS,
        metavar="LOSS",
        help=f"record the first step at or below this training loss (default: {STABLE_LOSS})",
    )
    how.add_argument("--dtype", choices=DTYPES, default=DTYPES[0], help=f"default: {DTYPES[0]}")
    how.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 … (default: cpu)")
    how.add_argument("--compile", action="store_true", help="use torch.compile; pays off for long sweeps only")
    how.add_argument("--native", action="store_true", help="train in C: faster on a CPU; needs a C compiler, cc or $CC")
    how.add_argument("--jobs", type=int, metavar="N", help="worker processes (default: one per core)")
    how.add_argument("--shard", type=int, metavar="N", help="train and save at most this many runs together")
    how.add_argument("--dask", metavar="ADDRESS", help="run on this Dask cluster instead, e.g. tcp://host:8786")
    how.add_argument(
        "--out",
        type=Path,
        default=Path("sweep"),
        metavar="FOLDER",
        help="folder for tables and pictures; finished runs are saved in FOLDER/shards (default: ./sweep)",
    )
    how.add_argument("--json", action="store_true", help="print the summary as JSON")
    how.add_argument("--quiet", action="store_true", help="print no progress and no tables")


def length(text: str, steps: int) -> int:
    """A length in steps: 0.2 and 20% are a share of `steps`, rounded half up; 40 is a number of steps.

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
        raise ValueError(f"warmup={text} must be a share up to 1, such as 0.05 or 5%, or a number of steps such as 40")
    return int(portion * steps + 0.5)


def rates(low: float, high: float, count: int) -> tuple[float, ...]:
    """LRs evenly spaced on a log scale from `low` to `high`, rounded to 4 significant digits.

    Raises ValueError unless 0 < low < high and count >= 2.

    >>> rates(1e-3, 1e-1, 5)
    (0.001, 0.003162, 0.01, 0.03162, 0.1)
    """
    real("lr-range", low, above=0.0)
    real("lr-range", high, above=low)
    return tuple(float(f"{lr:.{DIGITS}g}") for lr in np.geomspace(low, high, integer("lr-count", count, 2)))


def batched_config(name: str) -> Config:
    """A named configuration that the batched trainer accepts; ValueError for one with dropout."""
    config = named(name)
    if config.dropout:
        raise ValueError(f"config={name} must have no dropout: random numbers would depend on other replicas")
    return config


def spec_of(args: argparse.Namespace) -> Spec:
    """The sweep described by the options; TypeError or ValueError for invalid ones."""
    steps = integer("steps", args.steps, 1)
    first = integer("first-seed", args.first_seed)
    lengths = [length(text, steps) for text in args.warmup]
    return Spec(
        config=batched_config(args.config),
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
        native=args.native and bool(compiler_version()),
    )
