"""The measurements as asv's results, so that its own commands compare releases: `asv compare 2.9.1 2.10.0`."""

from __future__ import annotations

import datetime
import itertools
import json
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.toy.machine import cores
from suite.shared import user_cache
from suite.shared.files import write_whole

from . import repository
from .plan import DATES
from .table import HistoryTable

ROOT = Path(__file__).resolve().parents[2]


def cpu_name(text: str) -> str:
    """The processor's name in the text of /proc/cpuinfo.

    >>> cpu_name("processor: 0\\nmodel name\\t: AMD EPYC 9B14\\n")
    'AMD EPYC 9B14'
    """
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else "unknown"


def machine() -> dict[str, Any]:
    """This machine for asv: its processor, and a name made of it."""
    try:
        cpu = cpu_name(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        cpu = "unknown"
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    name = "-".join(word for word in cpu.lower().replace("(r)", "").replace("(tm)", "").split() if word.isalnum())
    return {
        "machine": f"{cores()}-cores-{name}",
        "cpu": cpu,
        "num_cpu": str(cores()),
        "os": "Linux",
        "arch": os.uname().machine,
        "ram": f"{pages / 2**30:.0f} GiB",
        "version": 1,
    }


def configuration(folder: Path, results: Path) -> tuple[Path, dict[str, str]]:
    """Make the repository of releases and asv's configuration in `folder`; return its path, and the commits."""
    commits = repository.make(folder / "releases", DATES)
    content = {
        "version": 1,
        "project": "warmup-bench over torch releases",
        "repo": str(folder / "releases"),
        "dvcs": "git",
        "branches": ["main"],
        "benchmark_dir": str(ROOT / "bench" / "asv_benchmarks"),
        "results_dir": str(results),
        "env_dir": str(folder / "env"),
        "html_dir": str(folder / "html"),
        "environment_type": "existing",
    }
    path = folder / "asv.conf.json"
    write_whole(path, json.dumps(content, indent=1).encode())
    return path, commits


def write(table: HistoryTable, results: Path, config_folder: Path | None = None) -> Path:
    """Write asv's files for every release of the table; return the path of the configuration that reads them."""
    from asv.benchmarks import Benchmarks
    from asv.config import Config
    from asv.environment import get_environments
    from asv.repo import get_repo
    from asv.results import Results
    from asv.runner import BenchmarkResult

    path, commits = configuration(config_folder or user_cache.root() / "history", results)
    conf = Config.load(str(path))
    about = machine()
    (results / about["machine"]).mkdir(parents=True, exist_ok=True)
    write_whole(results / about["machine"] / "machine.json", (json.dumps(about, indent=4) + "\n").encode())
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    environments = list(get_environments(conf, [f"existing:{sys.executable}"]))
    names = sorted({name for name, _ in table.values})
    benchmarks = Benchmarks.discover(conf, get_repo(conf), environments, [list(commits.values())[-1]])
    benchmarks.save()
    for release in (arm for arm in table.arms if arm in commits):
        day = datetime.datetime.fromisoformat(DATES[release]).replace(tzinfo=datetime.timezone.utc)
        params = {**{key: about[key] for key in ("machine", "cpu", "os", "ram")}, "python": python}
        # Named as in a matrix, without a path of this machine.
        name = f"cpu-py{python}"
        one = Results(params, {}, commits[release], int(day.timestamp() * 1000), python, name, {})
        for benchmark in names:
            values = _of(table, benchmark, release)
            shape = _axes([params for params, _ in values])
            full = [dict(values).get(row) for row in itertools.product(*shape)]
            known = [None if rounds is None else [v for v in rounds if not math.isnan(v)] or None for rounds in full]
            middle = [None if rounds is None else sorted(rounds)[len(rounds) // 2] for rounds in known]
            number = [None if rounds is None else 1 for rounds in known]
            entry = {**benchmarks[benchmark], "params": [[repr(value) for value in axis] for axis in shape]}
            result = BenchmarkResult(middle, known, number, 0, "", None)
            one.add_result(entry, result, started_at=day, duration=None, record_samples=True)
        one.save(str(results))
    return path


def _of(table: HistoryTable, benchmark: str, release: str) -> list[tuple[tuple[object, ...], list[float]]]:
    row = table.arms.index(release)
    return [(key[1], list(map(float, values[row]))) for key, values in table.values.items() if key[0] == benchmark]


def _axes(rows: list[tuple[object, ...]]) -> list[list[object]]:
    """The values of each parameter, in order of appearance."""
    return [list(dict.fromkeys(column)) for column in zip(*rows, strict=True)]


def commands(path: Path, releases: list[str]) -> Mapping[str, str]:
    """asv's own commands on these results."""
    last = releases[-2:] if len(releases) > 1 else releases * 2
    return {
        "compare two releases": f"asv compare --config {path} {' '.join(last)}",
        "asv's own site": f"asv publish --config {path}",
    }
