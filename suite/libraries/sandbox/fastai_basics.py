"""What fastai's file of schedules takes from fastai.basics with a star: enough to load it and to call its functions."""

from __future__ import annotations

import collections
import functools
import math
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import tensor

__all__ = [
    "Callback",
    "L",
    "Learner",
    "Recorder",
    "TrainEvalCallback",
    "collections",
    "delegates",
    "docs",
    "functools",
    "log_args",
    "math",
    "mk_class",
    "np",
    "patch",
    "store_attr",
    "tensor",
    "torch",
]

L = list


class Callback:
    """The base of callbacks, which no schedule needs."""


class Learner:
    """What the library adds its methods to; one of them is asked for again."""

    fit = fit_one_cycle = None


TrainEvalCallback = Recorder = Learner


def _as_it_is(decorated: Any) -> Any:
    """A decorator that changes nothing."""
    return decorated


docs = patch = _as_it_is


def delegates(to: Any = None) -> Callable[[Any], Any]:
    """A decorator with an argument that changes nothing."""
    return _as_it_is


def log_args(decorated: Any = None, **options: Any) -> Any:
    """A decorator with or without arguments that changes nothing."""
    return _as_it_is if decorated is None else decorated


def store_attr(names: str) -> None:
    """Keep the caller's arguments of these names as attributes of its `self`."""
    values = sys._getframe(1).f_locals
    for name in names.split(","):
        setattr(values["self"], name, values[name])


def mk_class(name: str, **attributes: Any) -> None:
    """A class with these attributes, in the caller's module."""
    sys._getframe(1).f_globals[name] = types.SimpleNamespace(**attributes)
