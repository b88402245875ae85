"""Writes result files as asv does, with numbers of the tests, and asks `asv compare` about them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: In the format of asv: what identifies the machine and the environment.
SETTING = {"machine": "box", "cpu": "Some CPU 9", "arch": "x86_64", "os": "Linux", "ram": "1 GiB", "num_cpu": "2"}
COLUMNS = ["result", "params", "version"]
ENVIRONMENT = "virtualenv-py3.11-numpy2.3.5-torch2.13.0"


def content(commit: str, rows: Mapping[str, list[Any]]) -> dict[str, Any]:
    """A result file: `rows` by benchmark, in the order of `COLUMNS`."""
    return {
        "commit_hash": commit,
        "env_name": ENVIRONMENT,
        "date": 1,
        "params": {**SETTING, "python": "3.11", "torch": "2.13.0", "numpy": "2.3.5"},
        "python": "3.11",
        "requirements": {"torch": "2.13.0", "numpy": "2.3.5"},
        "env_vars": {},
        "result_columns": COLUMNS,
        "results": dict(rows),
        "durations": {},
        "version": 2,
    }


def rows(numbers: Mapping[str, float | None], version: str = "1", parameter: str = "'linear'") -> dict[str, list[Any]]:
    """One benchmark of one combination for each number of the class Stability."""
    return {f"stability.Stability.track_{name}": [[value], [[parameter]], version] for name, value in numbers.items()}


def write(
    folder: Path,
    commit: str,
    numbers: Mapping[str, float | None],
    version: str = "1",
    platform: float | None = 7.0,
) -> Path:
    """Write the result file of a commit where asv looks for it."""
    machine = folder / SETTING["machine"]
    machine.mkdir(parents=True, exist_ok=True)
    (machine / "machine.json").write_text(json.dumps({**SETTING, "version": 1}))
    path = machine / f"{commit[:8]}-{ENVIRONMENT}.json"
    checksum = {} if platform is None else {"stability.Platform.track_checksum": [[platform], [], "1"]}
    path.write_text(json.dumps(content(commit, {**rows(numbers, version), **checksum})))
    return path


class AsvRepository:
    """A git repository with empty commits, and asv's configuration and results beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.results = folder, folder / "results"
        self.git("init", "-q", "-b", "main")
        configuration = {"version": 1, "project": "x", "repo": str(folder), "branches": ["main"]}
        configuration |= {
            "results_dir": str(self.results),
            "benchmark_dir": str(folder),
            "html_dir": str(folder / "html"),
        }
        (folder / "asv.conf.json").write_text(json.dumps(configuration))

    def git(self, *words: str) -> str:
        """The output of a git command."""
        settings = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
        command = ["git", *settings, "-C", str(self.folder), *words]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def add(self, name: str, numbers: Mapping[str, float]) -> str:
        """Commit, and write the results of that commit; returns its hash."""
        self.git("commit", "-q", "--allow-empty", "-m", name)
        commit = self.git("rev-parse", "HEAD")
        write(self.results, commit, numbers)
        listed = {
            key: {
                "name": key,
                "params": row[1],
                "param_names": ["warmup"],
                "type": "track",
                "unit": "",
                "version": row[2],
            }
            for key, row in rows(numbers).items()
        }
        (self.results / "benchmarks.json").write_text(json.dumps({**listed, "version": 2}))
        return commit

    def compare(self, old: str, new: str) -> dict[str, str]:
        """The mark that `asv compare` gives each number: + for a rise by more than 10 %, - for a fall."""
        command = [sys.executable, "-m", "asv", "compare", old, new, "--config", str(self.folder / "asv.conf.json")]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=self.folder)
        lines = [[cell.strip() for cell in line.split("|")] for line in done.stdout.splitlines() if "track_" in line]
        return {cells[-2].partition("track_")[2].partition("(")[0]: cells[1] for cells in lines}
