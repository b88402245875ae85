"""The runs in a folder, and the logs of each, as TensorBoard, Lightning, the Trainer, MLflow and DVCLive keep them."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .columns import VALUE_NAMES, metric, names_lr
from .read_log import Log, read_log, read_logs

#: Kinds of files with the pattern of their names, the one that is tried first first.
KINDS = {
    "state": re.compile(r"trainer_state\.json$"),
    "metric": re.compile(r"(^|/)metrics/(.*/)?[^/.]+(\.tsv)?$"),
    "events": re.compile(r"(^|/)events\.out\.tfevents\.|\.tfevents$"),
    "wandb": re.compile(r"\.wandb$"),
    "scalars": re.compile(r"(^|/)vis_data/scalars\.json$"),
    "table": re.compile(r"\.(csv|tsv|parquet|jsonl)(\.gz)?$"),
    "json": re.compile(r"\.json(\.gz)?$"),
    "text": re.compile(r"\.(log|txt|out)(\.gz)?$"),
}
#: Kinds that tools write, one run to a folder; of other files each may be a run.
SURE = ("state", "metric", "events", "wandb", "scalars")
#: The part of a path that belongs to one run: a checkpoint of it, or the folders that tools keep their metrics in.
INSIDE = re.compile(r"(^|/)(checkpoint-\d+|vis_data|plots|metrics(/.*)?|plots/metrics(/.*)?|files)$")
#: The Trainer writes TensorBoard's files here, beside its checkpoints.
TRAINER_EVENTS = re.compile(r"(^|/)runs/[^/]+$")
#: Files of a folder that are looked at.
MOST_FILES = 20_000


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """A run: its name, which is its path in the folder, and its files by kind."""

    name: str
    files: dict[str, tuple[Path, ...]]


def find_runs(folder: Path) -> list[RunFolder]:
    """The runs in a folder, by name; raises ValueError for a folder without a file that could be a log."""
    found: dict[str, dict[str, list[Path]]] = {}
    for path in _files(folder):
        inner = path.relative_to(folder).as_posix()
        kind = next((kind for kind, pattern in KINDS.items() if pattern.search(inner)), None)
        if kind is not None and (kind != "metric" or names_lr(_metric_name(path))):
            name = INSIDE.sub("", path.relative_to(folder).parent.as_posix()) or "."
            found.setdefault(name, {}).setdefault(kind, []).append(path)
    for name in [name for name in found if TRAINER_EVENTS.search(name)]:
        owner = TRAINER_EVENTS.sub("", name) or "."
        if "state" in found.get(owner, {}):
            del found[name]
    found = _split(found)
    if not found:
        raise ValueError(f"trace={str(folder)!r} must have logs, but no file in it is one")
    return [
        RunFolder(name, {kind: tuple(sorted(files, key=_in_order)) for kind, files in found[name].items()})
        for name in sorted(found)
    ]


def _split(found: dict[str, dict[str, list[Path]]]) -> dict[str, dict[str, list[Path]]]:
    """The runs, where several files of one kind in a folder that no tool has written are a run each.

    Files below the folder of a tool belong to its run.
    """
    sure = {name for name, files in found.items() if any(kind in files for kind in SURE)}
    runs: dict[str, dict[str, list[Path]]] = {}
    for name, files in found.items():
        if name not in sure and any(name.startswith(f"{owner}/") for owner in sure):
            continue
        if name in sure or all(len(paths) == 1 for paths in files.values()):
            runs[name] = files
            continue
        before = "" if name == "." else f"{name}/"
        runs |= {f"{before}{path.name}": {kind: [path]} for kind, paths in files.items() for path in paths}
    return runs


def _files(folder: Path) -> Iterator[Path]:
    count = 0
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "node_modules")
        for name in files:
            count += 1
            if count > MOST_FILES:
                raise ValueError(f"trace={str(folder)!r} must have at most {MOST_FILES} files: name a folder of runs")
            yield Path(root, name)


def _in_order(path: Path) -> list[tuple[int, str]]:
    """Numbers in names count as numbers: checkpoint-900 is before checkpoint-1000."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.as_posix())]


def _metric_name(path: Path) -> str:
    """The name of a metric that has a file of its own: its path below `metrics`."""
    parts = path.with_suffix("").parts
    return "/".join(parts[len(parts) - parts[::-1].index("metrics") :])


def read_run(run: RunFolder, **options: Any) -> Log:
    """The traces of a run, from the first kind of file that has any; `options` are those of `read_log`.

    Raises ValueError, that of the first file, if none has a learning rate.
    """
    first: ValueError | None = None
    for kind in KINDS:
        files = run.files.get(kind, ())
        groups: list[tuple[Path, ...]] = [(path,) for path in reversed(files)]
        if kind == "events" and files:
            groups = [files]  # a run that was resumed has several, in the order of their times
        try:
            if kind == "metric" and files:
                return _together([_named(path, **options) for path in files])
            return _first_of(groups, kind, **options)
        except ValueError as error:
            first = first or (error if files else None)
    assert first is not None, run
    raise first


def _first_of(groups: list[tuple[Path, ...]], kind: str, **options: Any) -> Log:
    """The first group of files that can be read; the last checkpoint of a Trainer has the whole history."""
    error = ValueError(f"kind={kind} must have files")
    for i, paths in enumerate(groups):
        try:
            log = read_logs(list(paths), **options)
            if kind != "events" and all(metric(trace.name) in VALUE_NAMES for trace in log.traces):
                raise ValueError(f"column={log.traces[0].name!r} in {paths[0].name} must be named as a learning rate")
            return log
        except ValueError as caught:
            error = error if i else caught
    raise error


def _named(path: Path, **options: Any) -> Log:
    """The log of a metric that has a file of its own, under the name of the metric."""
    log = read_log(path, **options)
    traces = [dataclasses.replace(trace, name=_metric_name(path)) for trace in log.traces]
    lost = tuple((_metric_name(path), fact) for _, fact in log.lost)
    return dataclasses.replace(log, traces=tuple(traces), lost=lost)


def _together(logs: list[Log]) -> Log:
    traces = tuple(trace for log in logs for trace in log.traces)
    notes = tuple(dict.fromkeys(note for log in logs for note in log.notes))
    lost = tuple(found for log in logs for found in log.lost)
    return dataclasses.replace(logs[0], traces=traces, notes=notes, lost=lost)
