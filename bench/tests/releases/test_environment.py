"""Environments of releases: refused with one line, left whole or not at all, and checked from inside."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bench.__main__ import main
from bench.releases import environment, self_check
from bench.releases.wheel import Say
from suite.shared import user_cache, user_pip
from suite.shared.release import ReleaseError
from suite.shared.remote_file import Traffic

RELEASE = "9.0.0"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, on what counts as Linux on x86_64."""
    monkeypatch.setenv(user_cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(environment, "require_platform", lambda: None)
    return tmp_path / "cache"


def fake(monkeypatch: pytest.MonkeyPatch, pip: int = 0) -> None:
    """Replace the download and the installs by an empty torch; the environment itself is a real one."""

    def unpack(release: str, wheel: Path, site: Path) -> int:
        info = site / f"torch-{release}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Name: torch\n")
        return 0

    def fetch(release: str, target: Path, say: Say) -> Traffic:
        target.write_bytes(b"")
        return Traffic()

    monkeypatch.setattr(environment, "fetch", fetch)
    monkeypatch.setattr(environment, "unpack", unpack)
    monkeypatch.setattr(environment, "write_stubs", lambda site: 7)
    answer = subprocess.CompletedProcess[str]([], pip, "", "ERROR: no such package")
    monkeypatch.setattr(user_pip, "run", lambda arguments, scratch=None: answer)
    monkeypatch.setattr(environment, "check", lambda release, python: {"torch": release})


@pytest.mark.slow
def test_an_environment_is_made_once_and_removed(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The cost is said before the start, the second call finds it, and nothing else stays in the cache."""
    fake(monkeypatch)
    lines: list[str] = []
    python = environment.make(RELEASE, lines.append)
    assert subprocess.run([python, "-c", "import warmup_bench_cpu"]).returncode == 0
    assert lines[0].startswith("torch 9.0.0: making an environment for a CPU, about 190 MB to fetch, 750 MB on disk")
    assert environment.make(RELEASE, pytest.fail) == python
    assert [path.name for path in cache.iterdir()] == ["cpu"]
    assert main(["torch", RELEASE, "--no-check", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["release"], row["stub_symbols"], row["interpreter"]) == (RELEASE, 7, str(python))
    assert main(["torch", RELEASE, "--remove"]) == 0
    assert environment.record(RELEASE) is None


@pytest.mark.slow
def test_a_failure_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pip cannot install the other packages, one line says so, and the cache holds no half environment.

    What a killed process left is removed too.
    """
    fake(monkeypatch, pip=1)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (cache / f".work-{ended.pid}-{'0' * 8}-cpu-{RELEASE}-left").mkdir(parents=True)
    with pytest.raises(ReleaseError, match=r"^release=9\.0\.0 could not be fetched; pip said: no such package$"):
        environment.make(RELEASE, lambda line: None)
    assert list(cache.iterdir()) == []


@pytest.mark.slow
def test_a_folder_without_a_record_is_replaced(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment whose record is gone is made again."""
    fake(monkeypatch)
    environment.home(RELEASE).mkdir(parents=True)
    environment.make(RELEASE, lambda line: None)
    assert environment.record(RELEASE) is not None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("torch", "1.12.0"), "release=1.12.0 must be 1.13.0 or newer"),
        (("torch", "latest"), "release='latest' must be a final torch release such as 2.8.0"),
    ],
)
def test_bad_releases_are_named(
    words: tuple[str, ...], message: str, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and one line."""
    assert main(list(words)) == 2
    assert capsys.readouterr().err.strip() == message


def test_other_machines_are_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The stubs are written for one kind of machine."""
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert main(["torch", "2.4.1"]) == 2
    assert capsys.readouterr().err.startswith("platform=Darwin arm64 must be Linux x86_64")


def test_the_torch_of_this_machine_passes_the_check(capsys: pytest.CaptureFixture[str]) -> None:
    """The check of an environment passes on a torch that works."""
    release = torch.__version__.partition("+")[0]
    if torch.cuda.is_available():
        pytest.skip("the check is of a torch without a GPU")
    assert self_check.main(release) == 0
    assert json.loads(capsys.readouterr().out)["torch"] == torch.__version__


@pytest.mark.parametrize(
    ("part", "planted"),
    [
        (self_check.passes, ("tanh", lambda x: x / (1 + abs(x)))),
        (self_check.transformer, ("sin", lambda x: x.detach() * x)),
    ],
    ids=["passes", "transformer"],
)
def test_the_check_sees_a_wrong_torch(part, planted, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    """A torch whose function or gradient is another fails the check."""
    monkeypatch.setattr(torch, *planted)
    with pytest.raises(self_check.Wrong, match="differs by"):
        part()


def test_the_check_sees_a_wrong_adam(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adam with another epsilon fails the check."""
    adam = torch.optim.Adam
    monkeypatch.setattr(torch.optim, "Adam", lambda *a, **options: adam(*a, **{**options, "eps": 1e-3}))
    with pytest.raises(self_check.Wrong, match=r"^Adam: differs by"):
        self_check.adam(fused=False)


@pytest.mark.slow
@pytest.mark.parametrize("release", ["2.4.1", "2.15.0"])
def test_a_real_release_computes(release: str) -> None:
    """The environment of a real release, where it has been made, passes its check."""
    if environment.record(release) is None:
        pytest.skip(f"python -m bench torch {release} makes the environment first (190 MB)")
    assert environment.check(release, environment.interpreter(environment.home(release)))["torch"].startswith(release)


def test_a_release_that_fails_is_one_line(tmp_path: Path) -> None:
    """Another torch than the release that was asked for."""
    with pytest.raises(ReleaseError, match=r"^release=9\.0\.0 does not work here on a CPU: torch=\S+ must be 9\.0\.0"):
        environment.check(RELEASE, Path(sys.executable))
