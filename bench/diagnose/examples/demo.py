"""One faulty log for each cause, and what the diagnosis says about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from bench.diagnose.core.causes import CAUSES, group_of
from bench.diagnose.core.diagnosis import Diagnosis
from suite.shared.files import write_whole

from .example import KINDS, Example, example
from .score import diagnosed

#: Seeds that are tried for an example that has every step and is diagnosed rightly.
SEEDS = 12
#: The list of commands that is written beside the logs.
COMMANDS = "commands.txt"


@dataclasses.dataclass(frozen=True, eq=False)
class DemoLog:
    """A log of a mistake: its file, the cause, the command that diagnoses it, and the diagnosis."""

    path: Path
    cause: str
    command: str
    diagnosis: Diagnosis


def write_demo(folder: Path, advance: Callable[[], object]) -> list[DemoLog]:
    """Write one log for each cause into a folder, and a list of commands; `advance` is called after each."""
    folder.mkdir(parents=True, exist_ok=True)
    logs = []
    for cause, kind in demo_kinds().items():
        logs.append(_write(folder, cause, *_clearest(cause, kind)))
        advance()
    write_whole(folder / COMMANDS, "".join(f"{log.command}\n" for log in logs).encode())
    return logs


def demo_kinds() -> dict[str, str]:
    """Cause → the first kind of mistake that has it; the healthy one is left out."""
    kinds: dict[str, str] = {}
    for name, kind in KINDS.items():
        if kind.cause in CAUSES and kind.cause not in ("follows", "log-rounded", "log-strided"):
            kinds.setdefault(kind.cause, name)
    return kinds


def _clearest(cause: str, kind: str) -> tuple[Example, Diagnosis]:
    """The first example with every step whose cause is named first, or else the first example."""
    found: list[tuple[Example, Diagnosis]] = []
    for seed in range(SEEDS):
        case = example(seed, kind)
        if case.mode == "nothing" or (case.degraded and seed < SEEDS - 1):
            continue
        found.append((case, diagnosed(case)))
        best = found[-1][1].best
        if best is not None and found[-1][1].tied and group_of(best.cause) == group_of(cause):
            return found[-1]
    return found[0]


def _write(folder: Path, cause: str, case: Example, diagnosis: Diagnosis) -> DemoLog:
    path = folder / f"{cause}.csv"
    rows = (f"{step},{float(lr)!r}\n" for step, lr in zip(case.trace.steps, case.trace.lrs, strict=True))
    write_whole(path, "".join(["step,lr\n", *rows]).encode())
    options = [] if case.expect is None else [f"--expect {case.expect.slug}"]
    for name, value in (
        ("base-lr", case.base_lr),
        ("warmup-steps", case.warmup_steps),
        ("total-steps", case.total_steps),
    ):
        options += [] if value is None else [f"--{name} {value!r}"]
    return DemoLog(path, cause, f"python -m bench diagnose {path.as_posix()} {' '.join(options)}", diagnosis)
