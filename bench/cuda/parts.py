"""All that is measured, in the order of its value, each part written when it is finished."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial

import torch

from . import checks, edge, speed
from .sizes import CudaSizes
from .speed import Row
from .store import FinishedPart, Store

Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class GpuPart:
    """A part of a section; `seconds`: what it takes on a quick GPU with slow cores, it is not begun with less left."""

    section: str
    name: str
    seconds: float
    measure: Callable[[], list[Row]]


class TimeIsUp(Exception):
    """The time for the whole command is over."""


def parts(sizes: CudaSizes, device: str) -> list[GpuPart]:
    """All parts of a measurement."""
    listed = [GpuPart("tests", "tests", 40, partial(checks.tests, sizes.tests))]
    for model, counts in sizes.replicas:
        listed.append(GpuPart("batched", f"plain {model}", 6, partial(speed.plain, model, sizes, device)))
        for count in counts:
            name = f"batched {model} K={count}"
            listed.append(GpuPart("batched", name, 8, partial(speed.batched, model, count, sizes, device)))
    listed.append(GpuPart("setup", "setup", 6, partial(speed.setup, sizes, device)))
    listed.append(GpuPart("update", "update", 4, partial(speed.update, sizes, device)))
    for width in sizes.widths:
        listed.append(GpuPart("stability", f"stability d={width}", 10, partial(edge.stability, width, sizes, device)))
    for model in sizes.step_configs:
        listed.append(GpuPart("steps", f"steps {model}", 20, partial(speed.step_times, model, sizes, device)))
        listed.append(GpuPart("capture", f"capture {model}", 6, partial(speed.capture, model, sizes, device)))
    for model, count in sizes.compiled:
        measure = partial(speed.batched, model, count, sizes, device, compiled=True)
        listed.append(GpuPart("batched", f"compiled {model} K={count}", 45, measure))
    if sizes.compiled_tests:
        listed.append(GpuPart("tests", "tests that compile", 45, partial(checks.tests, sizes.compiled_tests)))
    listed.append(GpuPart("suite", "suite", 45, partial(checks.suite, sizes, device)))
    return listed


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise TimeIsUp inside the block after some seconds, where the system has such a signal."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: object) -> None:
        raise TimeIsUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run(
    listed: list[GpuPart],
    store: Store,
    seconds: float,
    say: Say,
    finished: Callable[[], None],
    load: dict[str, float] | None = None,
) -> dict[str, str]:
    """Measure the parts that are not in the store, for at most `seconds`; return why each other one is missing.

    `finished` is called after each part; `load` is stored with it.
    An error of one part leaves the others to be measured.
    """
    end = time.monotonic() + seconds
    missing: dict[str, str] = {}
    for part in listed:
        if part.name in store.parts:
            continue
        start = time.monotonic()
        if end - start < part.seconds:
            missing[part.name] = "no time left"
            continue
        say(f"{part.name} ({end - start:.0f} s left)")
        try:
            with at_most(end - start):
                rows = part.measure()
        except TimeIsUp:
            missing[part.name] = "no time left"
            continue
        except Exception as error:  # noqa: BLE001  # one part must not take the others of an expensive hour with it
            say("".join(traceback.format_exception(error, limit=-4)).rstrip())
            missing[part.name] = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            continue
        finally:
            gc.collect()
            if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
                torch.cuda.empty_cache()
        took, today = time.monotonic() - start, date.today().isoformat()
        store.add(part.name, FinishedPart(part.section, rows, took, today, load or {}))
        finished()
    return missing
