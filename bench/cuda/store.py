"""Finished parts of a measurement, written at once: a kill loses none, and the next run measures the others."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.sweep.train import code_key
from bench.toy.machine import cores
from bench.toy.processor import cpu_model, free_share
from suite.shared.files import write_whole

from .sizes import CudaSizes
from .speed import Row

RECORD = "sections.json"
#: Our files that decide what a number means.
MEASURING = ("checks.py", "edge.py", "speed.py", "turns.py")


def facts(device: str, sizes: CudaSizes) -> dict[str, str]:
    """What the numbers depend on: the card, the versions, the sizes and our code."""
    on = {"card": "none (CPU)", "cuda": "none"}
    if device == "cuda":
        about = torch.cuda.get_device_properties(torch.device(device))
        memory = f"{about.total_memory / 2**30:.0f} GiB, compute capability {about.major}.{about.minor}"
        on = {"card": f"{about.name}, {memory}", "cuda": str(torch.version.cuda)}
    versions = {"torch": torch.__version__, "triton": _triton(), "numpy": np.__version__}
    versions["python"] = platform.python_version()
    ours = b"".join((Path(__file__).parent / name).read_bytes() for name in MEASURING)
    code = hashlib.sha256(f"{code_key()} {dataclasses.asdict(sizes)}".encode() + ours).hexdigest()[:16]
    return {**on, **versions, "cpu": f"{cores()} cores, {cpu_model()}", "sizes": sizes.name, "key": code}


def measured_load(device: str) -> dict[str, float]:
    """The share of the host's cores, and the GiB of the card's memory, that other programs leave and hold.

    What our own process holds beside torch's tensors, half a GiB or so, is among the latter.
    """
    load = {"host_free": free_share()}
    if device == "cuda":
        free, total = torch.cuda.mem_get_info()
        load["card_used_gib"] = (total - free - torch.cuda.memory_reserved()) / 2**30
    return load


def _triton() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("triton")
    except PackageNotFoundError:
        return "none"


@dataclasses.dataclass
class FinishedPart:
    """The rows of one part, how long it took, when it was finished, and how busy the machine was.

    `load`: what `measured_load` gives.
    """

    section: str
    rows: list[Row]
    seconds: float
    date: str
    load: dict[str, float] = dataclasses.field(default_factory=dict)


class Store:
    """The folder with the results: `sections.json`, the record of all parts, and one CSV file for each section.

    Parts measured on another card, with other versions, sizes or code do not count: they are replaced.
    """

    def __init__(self, folder: Path, about: dict[str, str]) -> None:
        self.folder, self.about = folder, about
        self.parts: dict[str, FinishedPart] = {}
        self.replaces = False
        content = self._read()
        if content is not None and content["about"] == about:
            self.parts = {name: FinishedPart(**part) for name, part in content["parts"].items()}
        elif content is not None:
            self.replaces = True

    def _read(self) -> dict[str, Any] | None:
        """The record in the folder; ValueError where it is not one."""
        path = self.folder / RECORD
        if not path.exists():
            return None
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError:
            content = None
        if not isinstance(content, dict) or not {"about", "parts"} <= content.keys():
            raise ValueError(f"out={self.folder} must hold the results of this command, but {RECORD} is not its own")
        return content

    def add(self, name: str, part: FinishedPart) -> None:
        """Write a finished part: first the record, then the CSV file of its section."""
        self.parts[name] = part
        self.folder.mkdir(parents=True, exist_ok=True)
        record = {"about": self.about, "parts": {each: dataclasses.asdict(done) for each, done in self.parts.items()}}
        write_whole(self.folder / RECORD, (json.dumps(record, indent=1) + "\n").encode())
        write_whole(self.folder / f"{part.section}.csv", as_csv(self.rows(part.section)).encode())

    def rows(self, section: str) -> list[Row]:
        """All rows of a section."""
        return [row for part in self.parts.values() if part.section == section for row in part.rows]


def as_csv(rows: list[Row]) -> str:
    """Rows as CSV, with the columns of all of them; None is an empty cell.

    >>> print(as_csv([{"a": 1, "b": None}, {"a": 0.5, "c": "x"}]), end="")
    a,b,c
    1,,
    0.5,,x
    """
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
