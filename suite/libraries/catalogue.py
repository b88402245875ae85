"""Every library, found in the folders of their declarations."""

from __future__ import annotations

import difflib
import functools
import importlib
import pkgutil
from collections.abc import Mapping

from suite.shared.cli import InputError

from .core.library import Library

#: First where several have a schedule of the same name, and first in every table.
MOST_USED = ("transformers", "timm", "torch")
FOLDERS = ("language", "vision", "training", "packages")


@functools.cache
def libraries() -> Mapping[str, Library]:
    """Every library by its name, the most used first, then folder by folder; the modules declare them as `LIBRARY`."""
    found = {}
    for folder in FOLDERS:
        package = importlib.import_module(f"{__package__}.{folder}")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            library = getattr(importlib.import_module(module.name), "LIBRARY", None)
            if library is not None:
                found[library.name] = library
    return {name: found[name] for name in dict.fromkeys((*MOST_USED, *found))}


def library(name: str) -> Library:
    """The library of this name; raises InputError for an unknown one."""
    known = libraries()
    if name not in known:
        close = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise InputError(f"library={name!r} must be one of {', '.join(known)}{hint}")
    return known[name]
