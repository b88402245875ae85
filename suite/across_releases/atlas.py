"""`python -m suite atlas`: every case on every distinct release, as a table that pandas reads.

One row is one case on one distinct scheduler file.
Each release is saved in the user's cache as soon as it is finished, under a key made of everything that the
result depends on: a killed run loses at most the releases it was working on.
"""

from __future__ import annotations

import csv
import dataclasses
import gzip
import hashlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import torch

from suite.cases.catalogue import all_cases
from suite.engine.case import Case
from suite.engine.verdict import Verdict, verdict_of
from suite.known.ablation import judge_on
from suite.known.deviations import Known, explained, table
from suite.releases import cache
from suite.releases.load import load_release
from suite.shared.files import end_with_parent, write_whole

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results" / "atlas"
#: The code that a verdict depends on.
SOURCES = (
    "reference/*.py",
    *(
        f"suite/{name}/*.py"
        for name in (
            "engine",
            "engine/docstrings",
            "cases",
            "cases/schedules",
            "cases/experiments",
            "tutorials",
            "releases",
        )
    ),
)
#: Releases measured at a time, at most: each takes about 240 MiB.
WORKERS = 4
COLUMNS = ("case", "family", "release", "verdict", "channel", "shape", "step", "size", "entry", "detail")

#: Case → for each of its deviations the ids of the entries that explain it.
Causes = dict[str, list[list[str]]]


@dataclasses.dataclass(frozen=True)
class AtlasRow:
    """One case on one distinct release."""

    case: Case
    release: str
    verdict: Verdict
    causes: tuple[tuple[Known, ...], ...] = ()  # for each deviation, the entries that explain it

    @property
    def entries(self) -> tuple[Known, ...]:
        """Every entry that the case shows, the most important first."""
        return tuple(dict.fromkeys(entry for entries in self.causes for entry in entries))


def committed_releases() -> list[str]:
    """The releases that the committed atlas covers; none where there is no atlas."""
    path = RESULTS / "releases.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [release for row in rows for release in (row["release"], *row["same code as"].split())]


def sources_key() -> str:
    """A hash of everything but the release that a verdict depends on: our code, torch, NumPy and Python."""
    digest = hashlib.sha256("\0".join((torch.__version__, np.__version__, sys.version)).encode())
    for path in sorted(path for pattern in SOURCES for path in ROOT.glob(pattern)):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _shard_path(release: str, key: str) -> Path:
    files = cache.read(release) or {}
    content = hashlib.sha256(b"".join(files[name] for name in sorted(files))).hexdigest()[:16]
    return cache.root() / "atlas" / f"{release}-{content}-{key}.shard"


def _packed(verdict: Verdict) -> dict[str, Any]:
    plain = dataclasses.asdict(dataclasses.replace(verdict, others=()))
    plain["expected"] = [value.hex() for value in verdict.expected]
    plain["actual"] = [value.hex() for value in verdict.actual]
    return plain | {"others": [_packed(other) for other in verdict.others]}


def _unpacked(plain: dict[str, Any]) -> Verdict:
    hexes = {name: tuple(float.fromhex(text) for text in plain[name]) for name in ("expected", "actual")}
    others = {"others": tuple(map(_unpacked, plain["others"]))}
    return Verdict(**{**plain, **hexes, **others})


def _measure(release: str, key: str) -> dict[str, Verdict]:
    """The verdicts of one release, read from the cache or measured now and saved there."""
    path = _shard_path(release, key)
    stored = _stored(path)
    if stored is not None:
        return stored
    torch.set_num_threads(1)
    subject = load_release(release)
    verdicts = {case.id: verdict_of(case, subject) for case in all_cases()}
    data = gzip.compress(json.dumps({c: _packed(v) for c, v in verdicts.items()}).encode(), mtime=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, hashlib.sha256(data).digest() + data)
    return verdicts


def _stored(path: Path) -> dict[str, Verdict] | None:
    """The verdicts of a shard, or None if it is absent, truncated or altered."""
    if not path.exists():
        return None
    whole = path.read_bytes()
    size = hashlib.sha256().digest_size
    if hashlib.sha256(whole[size:]).digest() != whole[:size]:
        return None
    return {case: _unpacked(plain) for case, plain in json.loads(gzip.decompress(whole[size:])).items()}


def measure(chosen: Iterable[str], done: Callable[[str], None] = lambda release: None) -> dict[str, list[AtlasRow]]:
    """All rows of these releases, a few releases at a time; `done` is called as each finishes."""
    chosen, key = list(chosen), sources_key()
    cases = {case.id: case for case in all_cases()}
    verdicts: dict[str, tuple[dict[str, Verdict], Causes]] = {}
    with ProcessPoolExecutor(min(os.cpu_count() or 1, WORKERS), initializer=end_with_parent) as pool:
        futures = {pool.submit(_explained, release, key): release for release in chosen}
        for future in as_completed(futures):
            verdicts[futures[future]] = future.result()
            done(futures[future])
    return {r: list(_rows(cases, r, *verdicts[r])) for r in chosen}


def _explained(release: str, key: str) -> tuple[dict[str, Verdict], Causes]:
    """The verdicts of one release, and for each deviating case the ids of the entries that explain its deviations."""
    verdicts, cases, run = (
        _measure(release, key),
        {case.id: case for case in all_cases()},
        judge_on(load_release(release)),
    )
    causes = {
        name: [[entry.id for entry in entries] for entries in explained(cases[name], verdict, release, run)]
        for name, verdict in verdicts.items()
        if verdict.deviations
    }
    return verdicts, causes


def _rows(cases: dict[str, Case], release: str, verdicts: dict[str, Verdict], causes: Causes) -> Iterator[AtlasRow]:
    for name, verdict in verdicts.items():
        entries = tuple(tuple(table()[entry] for entry in ids) for ids in causes.get(name, []))
        yield AtlasRow(cases[name], release, verdict, entries)


def unexplained(rows: dict[str, list[AtlasRow]]) -> list[AtlasRow]:
    """Deviations that no entry of suite/known/entries explains in their release."""
    return [row for group in rows.values() for row in group if not all(row.causes)]


def ranges_off(rows: dict[str, list[AtlasRow]]) -> list[str]:
    """Known deviations whose range differs from the releases that show them, in words."""
    shown: dict[str, list[str]] = {name: [] for name in table()}
    for release, group in rows.items():
        for name in {entry.id for row in group for entry in row.entries}:
            shown[name].append(release)
    lines = []
    for name, entry in table().items():
        expected = [release for release in rows if entry.covers(release)]
        if expected != shown[name]:
            shown_in = " ".join(shown[name]) or "none"
            lines.append(f"{name}: known for {' '.join(expected) or 'none'}, shown in {shown_in}")
    return lines


def _compressed(header: Iterable[str], lines: Iterator[list[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0)


def _table_lines(rows: dict[str, list[AtlasRow]]) -> Iterator[list[str]]:
    for release, group in rows.items():
        for row in group:
            case = [row.case.id, row.case.family, release]
            if not row.verdict.deviations:
                yield [*case, row.verdict.kind, "", "", "", "", "", row.verdict.detail]
            for verdict, entries in zip(row.verdict.deviations, row.causes, strict=True):
                step = "" if verdict.step is None else str(verdict.step)
                causes = "+".join(entry.id for entry in entries)
                size = f"{verdict.size:.9g}"
                yield [*case, verdict.kind, verdict.channel, verdict.shape, step, size, causes, verdict.detail]


def _trace_lines(rows: dict[str, list[AtlasRow]]) -> Iterator[list[str]]:
    """Each distinct deviating trace once, with the releases that show it."""
    shown: dict[tuple[str, str, str], list[str]] = {}
    for release, group in rows.items():
        for row in group:
            if row.verdict.kind == "deviates" and row.verdict.actual:
                pair = (" ".join(v.hex() for v in side) for side in (row.verdict.expected, row.verdict.actual))
                shown.setdefault((row.case.id, *pair), []).append(release)  # type: ignore[arg-type]
    for (case, expected, actual), where in shown.items():
        yield [case, " ".join(where), expected, actual]


def files(rows: dict[str, list[AtlasRow]]) -> dict[str, bytes]:
    """The data files of the atlas by name; the same rows give the same bytes."""
    return {
        "atlas.csv.gz": _compressed(COLUMNS, _table_lines(rows)),
        "traces.csv.gz": _compressed(("case", "releases", "expected", "actual"), _trace_lines(rows)),
    }
