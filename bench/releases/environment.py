"""An environment of one torch release on a CPU: made from its Linux wheel, checked, and kept in the user's cache."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from suite.shared import user_cache, user_pip
from suite.shared.release import ReleaseError, canonical, numbers

from .absent import write_stubs
from .elf import BadLibrary
from .wheel import Say, fetch, unpack

ROOT = Path(__file__).resolve().parents[2]
#: What the checks and the measurements import beside torch; NumPy 2 came after torch 2.2.
PACKAGES = ("rich>=13", "platformdirs>=3", "tomli>=2; python_version < '3.11'", "asv_runner==0.3.2")
NUMPY = "numpy>=1.22,<2; python_version < '3.13'", "numpy>=2.1; python_version >= '3.13'"
#: The record of a finished environment: without it a folder is not used.
RECORD = "warmup-bench.json"
#: MB fetched and MB on disk for one release, all packages included, and the seconds it takes at 10 MB per second;
#: shown before the start. A release takes at least this much.
MEGABYTES, ON_DISK, SECONDS = 190, 750, 90
_DROPPED = re.compile(r"nvidia|cuda|triton|pytorch-triton", re.IGNORECASE)
#: Seconds for one check of an environment, far more than it takes.
PATIENCE = 1800.0
#: torch 2.15 registers kernels for CUDA at import; this function, which it calls first, takes them off its list.
_HOOK = "warmup_bench_cpu"
_HOOK_TEXT = '''"""torch asks it for the order of its kernels, and it leaves out those for CUDA."""


def without_cuda(symbol, key, kernels):
    return [] if key == "CUDA" else kernels
'''
_PTH = f'import os; os.environ.setdefault("TORCH_PYTHON_NATIVE_USER_GRAPH_ORDER_FN", "{_HOOK}.without_cuda")\n'


def home(release: str) -> Path:
    """The folder of a release's environment for this version of Python, there or not."""
    return user_cache.root() / "cpu" / f"torch-{release}-py{sys.version_info[0]}.{sys.version_info[1]}"


def interpreter(folder: Path) -> Path:
    """The environment's Python."""
    return folder / "bin" / "python"


def record(release: str) -> dict[str, Any] | None:
    """What is known of a finished environment; None where there is none, or its Python is gone."""
    try:
        content = json.loads((home(release) / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return dict(content) if interpreter(home(release)).exists() else None


def require_platform() -> None:
    """Raise ReleaseError where torch's Linux wheels for x86_64 do not run."""
    here = f"{platform.system()} {platform.machine()}"
    if here != "Linux x86_64":
        raise ReleaseError(f"platform={here} must be Linux x86_64: there torch's older releases run without a GPU")


def requirements(metadata: str) -> list[str]:
    """What the wheel's METADATA requires, without the CUDA libraries, Triton and extras.

    >>> requirements("Requires-Dist: filelock\\nRequires-Dist: nvidia-nccl-cu12==2.20.5\\n")
    ['filelock']
    """
    rows = HeaderParser().parsestr(metadata).get_all("Requires-Dist") or []
    return [row for row in rows if not _DROPPED.match(row) and "extra ==" not in row]


def run_inside(python: Path, arguments: Sequence[str], patience: float = PATIENCE) -> subprocess.CompletedProcess[str]:
    """Run the environment's Python from the repository's root, without the user's own paths."""
    clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    clean |= {"PYTHONDONTWRITEBYTECODE": "1", "CUDA_VISIBLE_DEVICES": ""}
    try:
        return subprocess.run(
            [str(python), *arguments],
            cwd=ROOT,
            env=clean,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=patience,
        )
    except subprocess.TimeoutExpired:
        raise ReleaseError(f"command={' '.join(arguments)!r} must end within {patience:.0f} s") from None


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """Why a process failed: its last line, or the signal that ended it."""
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    if done.returncode < 0:
        return f"it was ended by signal {-done.returncode}"
    return lines[-1] if lines else f"it ended with code {done.returncode}"


def make(release: str, say: Say) -> Path:
    """The Python of the release's environment, made unless it is there; raises ReleaseError, one line that says why."""
    require_platform()
    release = canonical(release)
    if numbers(release) < (1, 13):
        raise ReleaseError(f"release={release} must be 1.13.0 or newer")
    if record(release) is not None:
        return interpreter(home(release))
    user_cache.sweep()
    say(
        f"torch {release}: making an environment for a CPU, about {MEGABYTES} MB to fetch, {ON_DISK} MB on disk, "
        f"about {SECONDS} s at 10 MB/s"
    )
    try:
        with user_cache.workspace(f"cpu-{release}") as work:
            _build(release, work, say)
    except OSError as error:
        raise user_pip.no_storage(release, error.strerror or str(error), full=error.errno == 28) from error
    return interpreter(home(release))


def _build(release: str, work: Path, say: Say) -> None:
    start, folder = time.monotonic(), work / "environment"
    venv.create(folder, symlinks=True)
    site = next(folder.glob("lib/python*/site-packages"))
    wheel = work / "torch.whl"
    traffic = fetch(release, wheel, say)
    size = unpack(release, wheel, site)
    wheel.unlink()
    try:
        symbols = write_stubs(site)
    except BadLibrary as error:
        raise ReleaseError(f"release={release} could not be read: {error}") from None
    (site / f"{_HOOK}.py").write_text(_HOOK_TEXT, encoding="utf-8")
    (site / f"{_HOOK}.pth").write_text(_PTH, encoding="utf-8")
    metadata = next(site.glob("torch-*.dist-info")) / "METADATA"
    say(f"torch {release}: {size / 1e6:.0f} MB unpacked, {symbols} symbols of absent CUDA libraries defined")
    needs = (*requirements(metadata.read_text(encoding="utf-8")), *PACKAGES, *NUMPY)
    if numbers(release) < (2, 2):
        needs = (*needs, "setuptools<81")  # these releases import pkg_resources
    installed = user_pip.run(("--python", str(interpreter(folder)), "install", "--quiet", *needs), scratch=work)
    if installed.returncode != 0:
        raise user_pip.failure(release, installed.stdout + installed.stderr)
    checks = check(release, interpreter(folder))
    content = {
        "release": release,
        "python": platform.python_version(),
        "fetched_mb": round(traffic.bytes / 1e6),
        "disk_mb": round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6),
        "stub_symbols": symbols,
        "seconds": round(time.monotonic() - start),
        **checks,
    }
    (folder / RECORD).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    _put(folder, home(release), work)


def _put(folder: Path, target: Path, work: Path) -> None:
    """Rename the finished folder to its place; an unfinished or damaged one there is moved aside first."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        if (target / RECORD).exists() and interpreter(target).exists():  # another process was quicker
            return
        target.rename(work / "aside")
    folder.rename(target)


def check(release: str, python: Path) -> dict[str, Any]:
    """Check that this Python's torch is the release and computes what it should; raises ReleaseError."""
    done = run_inside(python, ("-m", "bench.releases.self_check", release))
    if done.returncode != 0:
        raise ReleaseError(f"release={release} does not work here on a CPU: {last_line(done)}")
    return dict(json.loads(done.stdout))


def check_schedulers(release: str) -> str:
    """The last line of the suite's own check, run in the release's environment; raises ReleaseError if it failed."""
    done = run_inside(interpreter(home(release)), ("-m", "suite", "check", "--summary"))
    if done.returncode not in (0, 1):
        raise ReleaseError(f"release={release} could not be checked: {last_line(done)}")
    lines = [line for line in done.stdout.splitlines() if " cases follow " in line]
    return lines[-1] if lines else last_line(done)


def remove(release: str) -> bool:
    """Remove a release's environment; whether there was one."""
    there = home(release).exists()
    shutil.rmtree(home(release), ignore_errors=True)
    return there
