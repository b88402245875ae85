"""What `train` and `compare` are asked for: schedules with a base LR, a model, and a file that can be written."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.toy.config import CONFIGS, Config, named
from reference import Noam, Schedule, parse
from reference.check import real

#: For schedules that are factors of a base LR: the small models learn at it.
BASE_LR = 0.01


class Chosen(NamedTuple):
    """A schedule and the base LR that multiplies it."""

    name: str
    schedule: Schedule
    base_lr: float


def chosen(text: str, base_lr: float | None = None) -> Chosen:
    """A slug, with its own base LR behind an @ if it has one; else `base_lr`; else 1 for Noam and 0.01 for others.

    Noam's values are learning rates already. Raises ValueError for another text, a slug that names no schedule,
    or a base LR that is not >= 0.

    >>> chosen("linear20+cosine180@0.5").base_lr, chosen("noam40_d16").base_lr, chosen("linear20+hold").base_lr
    (0.5, 1.0, 0.01)
    """
    slug, _, own = text.partition("@")
    schedule = parse(slug)
    if own:
        try:
            base_lr = float(own)
        except ValueError:
            raise ValueError(f"schedule={text} must end in a number after its @") from None
    if base_lr is None:
        base_lr = 1.0 if isinstance(schedule, Noam) else BASE_LR
    return Chosen(text, schedule, real("base-lr", base_lr, low=0.0))


def add_model(parser: argparse.ArgumentParser) -> None:
    """The options that say what is trained, for how long, and where the numbers go."""
    parser.add_argument("--config", choices=[*CONFIGS], default="small16", help="the model (default: small16)")
    parser.add_argument("--norm", choices=("post", "pre"), default="post", help="LayerNorm's place (default: post)")
    parser.add_argument("--steps", type=int, default=200, metavar="T", help="optimizer steps (default: 200)")
    parser.add_argument(
        "--base-lr",
        type=float,
        metavar="LR",
        help=f"multiplies the schedule (default: {BASE_LR:g}; 1 for noam…, whose values are LRs)",
    )
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 … (default: cpu)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw it into FILE (.png, .svg, .pdf)")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write LR and loss of every step")
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")


def config_of(args: argparse.Namespace) -> Config:
    """The configuration that the options name."""
    return named(args.config, norm_first=args.norm == "pre")


def check_files(args: argparse.Namespace, names: Sequence[str] = ("plot", "csv")) -> None:
    """Find out before the training that one of these files cannot be written.

    Raises ValueError, or ModuleNotFoundError where there is no matplotlib to draw with.
    """
    for name in names:
        path = getattr(args, name)
        if path is not None and not path.parent.is_dir():
            raise ValueError(f"{name}={path} must be in a folder that exists")
        if path is not None and path.is_dir():
            raise ValueError(f"{name}={path} must be a file, not a folder")
    if args.plot is not None:
        figure = importlib.import_module("matplotlib.figure").Figure()
        kinds = sorted(figure.canvas.get_supported_filetypes())
        if args.plot.suffix[1:].lower() not in kinds:
            raise ValueError(f"plot={args.plot} must end in one of {', '.join('.' + kind for kind in kinds)}")


def check_device(name: str) -> None:
    """Raise ValueError where torch has no such device."""
    import torch

    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"device={name} must be there: {str(error).splitlines()[0]}") from error
