"""Two of asv's result files compared, each number by its own threshold and in both directions.

`asv compare` has one factor for all numbers, and asv's regression page looks for rises only and needs two commits
after the change. Here the thresholds are those of `regressions_thresholds` in asv.conf.json. Where both files come from
one CPU model, torch and NumPy release, the numbers of an unchanged training are identical to the last bit, so every
difference is a change.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: The benchmarks whose numbers do not depend on time or load.
TRACKS = re.compile(r"(stability\.Stability|lr_trace\.LearningRates)\.track_")
#: What must be equal for numbers to be equal to the last bit: a checksum of CPU model, torch and NumPy.
PLATFORM = "stability.Platform.track_checksum"
#: asv's own threshold for a benchmark that no pattern names.
DEFAULT_THRESHOLD = 0.05


@dataclasses.dataclass(frozen=True)
class AsvResults:
    """The numbers of one commit: by name with parameters, the number and the version of its benchmark.

    `platform`: a checksum of what decides how they round; None if it was not recorded.
    """

    commit: str
    platform: float | None
    numbers: dict[str, tuple[float | None, str]]


@dataclasses.dataclass(frozen=True)
class NumberChange:
    """A number that changed: `ratio` new over old (None if one is missing), and whether it is beyond the threshold."""

    name: str
    old: float | None
    new: float | None
    threshold: float
    beyond: bool

    @property
    def ratio(self) -> float | None:
        """New over old."""
        return None if self.old is None or self.new is None else self.new / self.old


def read(path: Path) -> AsvResults:
    """Read a result file of asv; ValueError for any other file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        columns = content["result_columns"]
        numbers = {}
        for name, row in content["results"].items():
            if TRACKS.match(name):
                numbers.update(_unrolled(name, dict(zip(columns, row, strict=False))))
        (platform,) = content["results"].get(PLATFORM, [[None]])[0] or [None]
        return AsvResults(str(content["commit_hash"])[:8], platform, numbers)
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(f"results={path.name} must be a result file of asv, but: {error}") from error


def _unrolled(name: str, row: Mapping[str, Any]) -> dict[str, tuple[float | None, str]]:
    combinations = list(itertools.product(*row["params"]))
    values = row["result"] or [None] * len(combinations)
    keys = [f"{name}({', '.join(combination)})" if combination else name for combination in combinations]
    return {key: (value, str(row["version"])) for key, value in zip(keys, values, strict=True)}


def find(folder: Path, text: str) -> Path:
    """The result file called `text`, or that of the commit starting with `text`; ValueError unless there is one."""
    if Path(text).is_file():
        return Path(text)
    files = sorted(folder.glob(f"*/{text}*-*.json")) if re.fullmatch("[0-9a-f]{4,40}", text) else []
    if len(files) != 1:
        names = ", ".join(file.name for file in files) or "none"
        raise ValueError(f"results={text} must be a file or name one commit of {folder.name}, but it names: {names}")
    return files[0]


def thresholds(configuration: Path) -> dict[str, float]:
    """`regressions_thresholds` of asv's configuration: relative changes, by pattern."""
    return {
        pattern: float(value)
        for pattern, value in json.loads(configuration.read_text())["regressions_thresholds"].items()
    }


def threshold_of(name: str, patterns: Mapping[str, float]) -> float:
    """The largest threshold of the patterns that a name starts with, as in asv.

    >>> threshold_of("a.B.track_c(x)", {r"a\\.B": 0.1, r"a\\.B\\.track_c": 0.2})
    0.2
    """
    return max((value for pattern, value in patterns.items() if re.match(pattern, name)), default=DEFAULT_THRESHOLD)


def same_bits(old: AsvResults, new: AsvResults) -> bool:
    """Whether an unchanged training gives both the same bits: one CPU model and release of torch and NumPy."""
    return old.platform is not None and old.platform == new.platform


def is_beyond(old: float, new: float, threshold: float) -> bool:
    """Whether a number, above 0, changed by more than a threshold, in either direction.

    >>> is_beyond(1.0, 1.1, 0.2), is_beyond(1.0, 0.8, 0.2)
    (False, True)
    """
    return abs(math.log(new / old)) > math.log1p(threshold)


def changes(old: AsvResults, new: AsvResults, patterns: Mapping[str, float]) -> list[NumberChange]:
    """The numbers that differ or are missing on one side; those of benchmarks whose version changed are left out."""
    found = []
    for name in sorted(old.numbers.keys() | new.numbers.keys()):
        (before, version), (after, other) = old.numbers.get(name, (None, "")), new.numbers.get(name, (None, ""))
        if (version and other and version != other) or before == after:
            continue
        limit = threshold_of(name, patterns)
        beyond = before is None or after is None or is_beyond(before, after, limit)
        found.append(NumberChange(name, before, after, limit, beyond))
    return found


def incomparable(old: AsvResults, new: AsvResults) -> list[str]:
    """The numbers in both whose benchmark has another version."""
    return [
        name for name in sorted(old.numbers.keys() & new.numbers.keys()) if old.numbers[name][1] != new.numbers[name][1]
    ]
