"""The needed parts of a wheel, read from a server on this machine."""

from __future__ import annotations

import io
import os
import random
import zipfile
from pathlib import Path

import pytest

from bench.releases import wheel
from bench.releases.wheel import fetch, unpack
from suite.shared import user_cache
from suite.shared.release import ReleaseError
from suite.tests.fake_server import PASSWORD, Index, serving

RELEASE = "9.0.0"
#: More than the gap over which needed members are read together.
BIG = 3 << 20


def fake_wheel() -> dict[str, bytes]:
    """A wheel with a CUDA library between two needed members."""
    draw = random.Random(0)
    info = f"torch-{RELEASE}.dist-info"
    members = {
        "torch/lib/libtorch_cpu.so": draw.randbytes(50_000),
        "torch/lib/libtorch_cuda.so": draw.randbytes(BIG),
        "torch/bin/torch_shm_manager": b"#!",
        "torch/include/ATen/ATen.h": b"//",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: torch\nVersion: {RELEASE}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o755 if "/bin/" in name else 0o644) << 16
            archive.writestr(entry, content)
    return {f"torch-{RELEASE}-py3-none-any.whl": buffer.getvalue()}


@pytest.fixture(autouse=True)
def only_our_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, pip without the settings of this machine, and no proxy."""
    for name in [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(user_cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


def change_after_plan(monkeypatch: pytest.MonkeyPatch, server: Index, mode: str) -> None:
    """Let the server answer in this mode once the wheel's directory has been read."""
    plan = wheel.plan

    def planned(archive: zipfile.ZipFile, size: int) -> wheel.WheelParts:
        server.mode = mode
        return plan(archive, size)

    monkeypatch.setattr(wheel, "plan", planned)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["ranges", "breaks once"])
def test_needed_members_arrive_and_cuda_stays(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy unpacks to the needed members alone, and little more than they are was read; one break is retried."""
    lines: list[str] = []
    with serving(fake_wheel()) as server:
        monkeypatch.setenv("PIP_INDEX_URL", server.url)
        change_after_plan(monkeypatch, server, mode)
        traffic = fetch(RELEASE, tmp_path / "copy", lines.append, pause=lambda seconds: None)
    unpack(RELEASE, tmp_path / "copy", tmp_path / "site")
    files = {str(path.relative_to(tmp_path / "site")) for path in (tmp_path / "site").rglob("*") if path.is_file()}
    assert {name for name in files if name.startswith("torch/")} == {
        "torch/lib/libtorch_cpu.so",
        "torch/bin/torch_shm_manager",
    }
    assert os.access(tmp_path / "site" / "torch/bin/torch_shm_manager", os.X_OK)
    assert traffic.bytes < BIG / 4
    assert lines == ["torch 9.0.0: 0 MB of its wheel's 3 MB"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("short", "could not be fetched: the server sent"),
    ],
)
def test_each_failure_is_one_line(mode: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that sends less than it says."""
    with serving(fake_wheel()) as server:
        monkeypatch.setenv("PIP_INDEX_URL", server.url)
        server.mode = mode
        with pytest.raises(ReleaseError) as raised:
            fetch(RELEASE, tmp_path / "copy", lambda line: None, pause=lambda seconds: None)
    text = str(raised.value)
    assert text.startswith(f"release={RELEASE} {message}")
    assert "\n" not in text


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "private"), [("whole", False), ("broken", False), ("ranges", True)])
def test_else_the_whole_wheel_comes(mode: str, private: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a server without ranges, one that fails at them, and one with a password; a line says so first."""
    lines: list[str] = []
    with serving(fake_wheel(), mode, private) as server:
        monkeypatch.setenv("PIP_INDEX_URL", server.url)
        traffic = fetch(RELEASE, tmp_path / "copy", lines.append)
    assert unpack(RELEASE, tmp_path / "copy", tmp_path / "site") > 50_000
    assert traffic.bytes > BIG
    assert len(lines) == 1
    assert PASSWORD not in lines[0]
    assert lines[0].endswith("downloading all of it, 500 to 920 MB")


@pytest.mark.slow
def test_damaged_bytes_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that changed on the way do not become an environment."""
    with serving(fake_wheel()) as server:
        monkeypatch.setenv("PIP_INDEX_URL", server.url)
        change_after_plan(monkeypatch, server, "other bytes")
        fetch(RELEASE, tmp_path / "copy", lambda line: None)
        with pytest.raises(ReleaseError, match=r"^release=9\.0\.0 could not be unpacked, its wheel is damaged: "):
            unpack(RELEASE, tmp_path / "copy", tmp_path / "site")


@pytest.mark.slow
def test_a_release_without_a_wheel_names_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says for which releases there is a wheel."""
    with serving(fake_wheel()) as server:
        monkeypatch.setenv("PIP_INDEX_URL", server.url)
        with pytest.raises(ReleaseError, match=r"^release=2\.4\.1 has no Linux wheel .*; there are 9\.0\.0$"):
            wheel.link("2.4.1")
