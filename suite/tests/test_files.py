"""File writes are atomic, also after a kill and on a full disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from suite.shared.files import write_whole


def test_a_part_left_by_a_kill_is_swept(tmp_path: Path) -> None:
    """The next write removes the half-written file of a dead process and keeps that of a living one."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    dead, alive = tmp_path / f".a.csv.{child.pid}-0123.part", tmp_path / f".a.csv.{os.getppid()}-0123.part"
    for path in (dead, alive):
        path.write_bytes(b"half")
    write_whole(tmp_path / "a.csv", b"whole")
    assert sorted(tmp_path.iterdir()) == sorted([alive, tmp_path / "a.csv"])
    assert (tmp_path / "a.csv").read_bytes() == b"whole"


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a write fails, the error is raised, the file is as before, and no part of the new one remains."""
    path = tmp_path / "a.csv"
    write_whole(path, b"old")

    def full(self: Path, data: bytes) -> int:
        with open(self, "wb") as file:
            file.write(data[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new")
    assert (list(tmp_path.iterdir()), path.read_bytes()) == ([path], b"old")
