"""Rounds: every release measured in turn, again and again, so that a slow minute of the machine hits them alike."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import resource
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.releases import environment
from bench.releases.environment import interpreter, last_line, run_inside
from suite.shared import user_cache
from suite.shared.cli import InputError
from suite.shared.files import write_whole
from suite.shared.release import ReleaseError

from .plan import MEASURED, Tracked

ROOT = Path(__file__).resolve().parents[2]
#: Seconds for each timed combination in one round: about thirty steps of the small model.
BUDGET = 0.4
#: A measurement got less than this share of its core: other programs ran, and its times are too long.
QUIET = 0.9
#: Rounds that a comparison needs: fewer give no interval.
FEWEST = 3
#: Programs that wait for a core, on average over the last minute, above which no measurement starts.
LOAD = 0.5
#: One release and round takes about this long on a quiet core; the stability benchmark this much more, once.
SECONDS, ONCE_SECONDS = 40, 175

#: Measures a release in its environment: requests → values by benchmark, and the share of a core that it had.
Runner = Callable[[str, list[Any]], tuple[dict[str, Any], float]]


@dataclasses.dataclass(frozen=True)
class Arm:
    """One release; its second copy is a control: the same thing measured twice."""

    release: str
    again: bool = False

    @property
    def label(self) -> str:
        """The release, and which copy."""
        return f"{self.release} again" if self.again else self.release


def arms(releases: Sequence[str]) -> list[Arm]:
    """The releases in order, and the last one again."""
    return [*map(Arm, releases), Arm(releases[-1], again=True)]


def order(all_arms: Sequence[Arm], number: int) -> list[Arm]:
    """The order of a round: another one each time, the same in every run.

    >>> sorted(arm.label for arm in order(arms(["2.8.0", "2.9.1"]), 1))
    ['2.8.0', '2.9.1', '2.9.1 again']
    """
    return random.Random(number).sample(all_arms, len(all_arms))


def key() -> str:
    """Names what the measurements depend on beside torch: our code; old ones are not mixed with new ones."""
    digest = hashlib.sha256()
    folders = ("bench/asv_benchmarks", "bench/toy", "reference")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py") if "tests" not in path.parts]
    for path in sorted([*files, *(ROOT / "bench/history" / name for name in ("inside.py", "plan.py"))]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def home() -> Path:
    """Where the measurements of this code are kept, one file for each release and round."""
    return user_cache.root() / "history" / key()


def require_quiet(busy: bool) -> None:
    """Raise InputError where other programs use the cores, unless that is accepted."""
    load = os.getloadavg()[0]
    if load > LOAD and not busy:
        raise InputError(
            f"load={load:.1f} must be below {LOAD}: other programs use the cores; wait until they end, or --busy "
            "measures anyway and marks the result"
        )


def requests(number: int, control: bool, measured: Iterable[Tracked] = MEASURED) -> list[Any]:
    """What is measured in a round; numbers that no load changes are measured in the first one."""
    return [[m.name, m.axes, BUDGET] for m in measured if not m.once or (number == 0 and not control)]


def in_environment(release: str, requested: list[Any]) -> tuple[dict[str, Any], float]:
    """Measure in the release's environment; raises ReleaseError."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    python = interpreter(environment.home(release))
    done = run_inside(python, ("-W", "ignore", "-m", "bench.history.inside", json.dumps(requested)))
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    if done.returncode != 0:
        raise ReleaseError(f"release={release} could not be measured: {last_line(done)}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return dict(json.loads(done.stdout)), used / seconds


def run(
    releases: Sequence[str], rounds: int, done: Callable[[str], object], runner: Runner = in_environment
) -> list[dict[str, Any]]:
    """Measure all rounds, and return their records; finished ones are read from the cache."""
    records, folder = [], home()
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(rounds):
        for arm in order(arms(releases), number):
            path = folder / f"{arm.label.replace(' ', '-')}-{number}.json"
            record = read(path)
            if record is None:
                values, share = runner(arm.release, requests(number, arm.again))
                record = {"arm": arm.label, "round": number, "core": round(share, 3), "values": values}
                write_whole(path, json.dumps(record).encode())
            records.append(record)
            done(f"round {number + 1} of {rounds}: torch {arm.label}")
    return records


def read(path: Path) -> dict[str, Any] | None:
    """A finished record; None where there is none."""
    try:
        return dict(json.loads(path.read_bytes()))
    except (OSError, ValueError):
        return None
