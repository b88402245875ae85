"""Diagnose every run of a folder, and rank the runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from bench.diagnose.core.diagnosis import Diagnosis
from bench.diagnose.log.read_log import Log
from bench.diagnose.log.run_folder import RunFolder

from .examine import LogDiagnosis

#: The worst verdict first.
ORDER = ("fault", "unknown", "healthy")


@dataclasses.dataclass(frozen=True, eq=False)
class ExaminedRun:
    """A run with its diagnosis, or with the reason why it could not be read."""

    name: str
    result: LogDiagnosis | None
    unread: str = ""

    @property
    def verdict(self) -> str:
        """The worst verdict on a trace of the run."""
        if self.result is None:
            return "not read"
        return self.worst.verdict

    @property
    def worst(self) -> Diagnosis:
        """The diagnosis of the worst trace."""
        assert self.result is not None, self.name
        return min(self.result.diagnoses, key=lambda diagnosis: (ORDER.index(diagnosis.verdict), -_size(diagnosis)))

    def to_json(self) -> dict[str, Any]:
        """The run as plain data for JSON: its diagnosis, or why it was not read."""
        content = {"unread": self.unread} if self.result is None else self.result.to_json()
        return {"run": self.name, "verdict": self.verdict, **content}

    def sentence(self) -> str:
        """What is wrong with the run, or why it was not read."""
        if self.result is None:
            return self.unread
        return self.worst.sentence()


def _size(diagnosis: Diagnosis) -> float:
    """The largest relative error of an LR, 0 where it is unknown."""
    return (diagnosis.best.size or 0.0) if diagnosis.best is not None else 0.0


def examine_runs(
    runs: Iterable[RunFolder], read: Callable[[RunFolder], Log], diagnose: Callable[[Log], LogDiagnosis]
) -> list[ExaminedRun]:
    """Every run, the worst first: faults by their size, then what is unknown, healthy and could not be read."""
    examined = []
    for run in runs:
        try:
            log = read(run)
        except ValueError as error:
            examined.append(ExaminedRun(run.name, None, str(error)))
            continue
        except ModuleNotFoundError as error:  # of a format that few need; the other runs can be read without it
            examined.append(ExaminedRun(run.name, None, f"{error.name} is not installed: pip install '.[bench]'"))
            continue
        examined.append(ExaminedRun(run.name, diagnose(log)))

    def badness(run: ExaminedRun) -> tuple[int, float]:
        rank = (*ORDER, "not read").index(run.verdict)
        return rank, 0.0 if run.result is None else -_size(run.worst)

    return sorted(examined, key=badness)
