"""The input of `train` and `compare`: schedules with a base LR, model options, checks of files and devices."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.toy.config import CONFIGS, Config, named
from reference import Noam, Schedule, parse
from reference.check import real

#: The default for schedules that are factors of a base LR: the small models learn at it.
BASE_LR = 0.01


class Chosen(NamedTuple):
    """A schedule and the base LR that multiplies it."""

    name: str
    schedule: Schedule
    base_lr: float


def chosen(text: str, base_lr: float | None = None) -> Chosen:
    """Parse SLUG or SLUG@LR; without an LR of its own the schedule gets `base_lr`, else 1 for Noam and 0.01 for others.

    Noam's values are learning rates already. Raises ValueError for an unknown slug, for an LR that is not a number,
    and for a base LR that is not >= 0.

    >>> chosen("linear20+cosine180@0.5").base_lr, chosen("noam40_d16").base_lr, chosen("linear20+hold").base_lr
    (0.5, 1.0, 0.01)
    """
    slug, _, own = text.partition("@")
    schedule = parse(slug)
    if own:
        try:
            base_lr = float(own)
        except ValueError:
            raise ValueError(f"schedule={text} must have a number after the @") from None
    if base_lr is None:
        base_lr = 1.0 if isinstance(schedule, Noam) else BASE_LR
    return Chosen(text, schedule, real("base-lr", base_lr, low=0.0))


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the options for the model, the number of steps and the output."""
    parser.add_argument("--config", choices=[*CONFIGS], default="small16", help="the model (default: small16)")
    parser.add_argument("--norm", choices=("post", "pre"), default="post", help="LayerNorm placement (default: post)")
    parser.add_argument("--steps", type=int, default=200, metavar="T", help="optimizer steps (default: 200)")
    parser.add_argument(
        "--base-lr",
        type=float,
        metavar="LR",
        help=f"multiplies the schedule (default: {BASE_LR:g}; 1 for noam…, whose values are LRs)",
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 … (default: cpu)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="save a plot to FILE (.png, .svg, .pdf)")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the LR and loss of every step")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")


def config_of(args: argparse.Namespace) -> Config:
    """The configuration selected by the options."""
    return named(args.config, norm_first=args.norm == "pre")


def check_files(args: argparse.Namespace, names: Sequence[str] = ("plot", "csv")) -> None:
    """Check before the training that these files can be written.

    Raises ValueError, or ModuleNotFoundError if a plot is requested and matplotlib is missing.
    """
    for name in names:
        path = getattr(args, name)
        if path is not None and not path.parent.is_dir():
            raise ValueError(f"{name}={path} must be in an existing folder")
        if path is not None and path.is_dir():
            raise ValueError(f"{name}={path} must be a file, not a folder")
    if args.plot is not None:
        figure = importlib.import_module("matplotlib.figure").Figure()
        kinds = sorted(figure.canvas.get_supported_filetypes())
        if args.plot.suffix[1:].lower() not in kinds:
            raise ValueError(f"plot={args.plot} must end in one of {', '.join('.' + kind for kind in kinds)}")


def check_device(name: str) -> None:
    """Raise ValueError if torch has no such device."""
    import torch

    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"device={name} must be available: {str(error).splitlines()[0]}") from error
