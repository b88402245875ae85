"""Stubs for the CUDA libraries that a release's own libraries ask for, found from the libraries themselves."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from .elf import SharedObject, read_library
from .stub import library

#: The one stub that defines the symbols; it is asked for by every release. The others are empty.
HOLDER = "libtorch_cuda.so"
_CUDA = re.compile(r"lib(?:cu|nv|nccl|torch_|c10_cuda|caffe2_nvrtc)")
#: Libraries of the system whose symbols some of torch's libraries use without naming them.
_SYSTEM = ("libstdc++.so.6", "libgcc_s.so.1", "libm.so.6")


def system_has() -> Callable[[str], bool]:
    """Tells whether a symbol is Python's, or in one of the system's libraries."""
    libraries = [ctypes.CDLL(None), *(ctypes.CDLL(name) for name in _SYSTEM)]
    return lambda name: any(hasattr(one, name) for one in libraries)


def wanted(libraries: dict[str, SharedObject], in_system: Callable[[str], bool]) -> tuple[set[str], set[str]]:
    """The names of the absent CUDA libraries, and the symbols that nothing else defines."""
    absent = {name for one in libraries.values() for name in one.needed if _CUDA.match(name)} - set(libraries)
    defined = frozenset[str]().union(*(one.defined for one in libraries.values()))
    lacking = {
        symbol.name
        for one in libraries.values()
        for symbol in one.undefined
        if (symbol.library is None or symbol.library in absent) and symbol.name not in defined
    }
    return absent, {name for name in lacking if not name.startswith(("Py", "_Py")) and not in_system(name)}


def write_stubs(site: Path, in_system: Callable[[str], bool] | None = None) -> int:
    """Write the stubs beside the libraries of the torch in `site`; return how many symbols they define."""
    home = site / "torch" / "lib"
    files: Iterable[Path] = [*home.glob("*.so*"), *site.glob("torch/_C*.so"), *site.glob("functorch/_C*.so")]
    absent, symbols = wanted({path.name: read_library(path) for path in files}, in_system or system_has())
    for name in {*absent, HOLDER}:
        (home / name).write_bytes(library(name, symbols if name == HOLDER else ()))
    return len(symbols)
