"""warmup-bench as it is installed: closed forms in `.reference`, checks of torch in `.suite`, diagnosis in `.bench`.

`python -m warmup_bench.suite --help` and `python -m warmup_bench.bench --help` list the commands. The names below are
imported when they are first used: torch takes a second, and a test that asks for nothing must not wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bench.watch import Monitor as Monitor
    from .bench.watch import Recorder as Recorder
    from .reference import parse as parse

    __version__: str

_HOMES = {"Monitor": ".bench.watch", "Recorder": ".bench.watch", "parse": ".reference"}
__all__ = ["Monitor", "Recorder", "parse"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("warmup-bench")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name], __name__), name)
