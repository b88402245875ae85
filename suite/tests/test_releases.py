"""Each release's own schedulers, loaded beside the installed torch, and the groups of equal code."""

from __future__ import annotations

import functools
import importlib
import pickle
from pathlib import Path

import pytest
import torch

from suite.__main__ import main
from suite.cases.catalogue import all_cases
from suite.engine.loader import BadModule
from suite.engine.subject import Subject, installed
from suite.engine.verdict import verdict_of
from suite.releases import cache, index, load
from suite.releases.cache import ReleaseError
from suite.shared.user_pip import NoWheel
from suite.tests import fake_index

#: The release with the smallest wheel (43 MB).
SMALLEST = "1.11.0"
#: Every 20th case is compared with the installed torch.
STRIDE = 20

STAND_IN = '''
"""Schedulers in miniature."""
from torch._six import inf
from .optimizer import Optimizer, {helper}
from torch.optim import optimizer as module

class LinearLR:
    """{doc}"""
    speed = {speed}
    def step(self):
        from torch.optim.lr_scheduler import LinearLR
        return LinearLR
'''
AVERAGES = '''
from torch.optim.lr_scheduler import LinearLR
from . import lr_scheduler
from .lr_scheduler import LinearLR as Same
class SWALR(LinearLR):
    """{doc}"""
    parts = (lr_scheduler.LinearLR, Same)
def unrelated():
    return {other}
'''


def put(release: str, *, doc: str = "a", speed: int | str = 1, other: int = 1, helper: str = "Optimizer") -> None:
    """Store a made-up release in the cache."""
    texts = (
        STAND_IN.format(doc=doc, speed=speed, helper=helper),
        AVERAGES.format(doc=doc, other=other),
        "def newer_helper(): return 42\nclass Optimizer: pass\n",
    )
    cache.store(release, dict(zip(cache.FILES, (text.encode() for text in texts), strict=True)))


@pytest.fixture
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for this test alone."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def smallest() -> Subject:
    """A real old release: from the user's cache, or downloaded where an index can be reached."""
    try:
        return load.subject(SMALLEST)
    except ReleaseError as error:
        pytest.skip(str(error))


def test_imports_bind_to_the_release_itself(cache_folder: Path) -> None:
    """Each spelling of the import, inside functions too, finds this release's module; the installed one stays."""
    put("9.0.0")
    subject = load.load_release("9.0")
    linear, swalr = subject.scheduler_class("LinearLR"), subject.scheduler_class("SWALR")
    assert swalr.__mro__[1] is linear
    assert swalr.parts == (linear, linear)
    assert linear().step() is linear
    assert torch.optim.lr_scheduler.LinearLR is not linear
    assert importlib.import_module("torch.optim.lr_scheduler") is installed().schedulers


def test_releases_live_side_by_side(cache_folder: Path) -> None:
    """Two releases share nothing, each keeps its own name, and the same one is loaded once."""
    put("9.0.0", speed=1)
    put("9.1.0", speed=2)
    old, new = load.load_release("9.0.0"), load.load_release("9.1.0")
    assert (old.release, new.release) == ("9.0.0", "9.1.0")
    assert (old.scheduler_class("SWALR").speed, new.scheduler_class("SWALR").speed) == (1, 2)
    assert old.schedulers.__name__ != new.schedulers.__name__
    assert load.load_release("9.0.0") is old


def test_a_changed_release_is_loaded_again(cache_folder: Path) -> None:
    """A file exchanged by hand, as when someone edits a copy of a release, takes effect."""
    put("9.2.0", speed=1)
    before = load.load_release("9.2.0")
    cache.folder("9.2.0").rename(cache_folder / "aside")
    put("9.2.0", speed=3)
    assert load.load_release("9.2.0") is not before
    assert load.load_release("9.2.0").scheduler_class("LinearLR").speed == 3


def test_classes_can_be_found_by_name(cache_folder: Path) -> None:
    """pickle finds the classes of a release, because their module has an importable name."""
    put("9.0.0")
    linear = load.load_release("9.0.0").scheduler_class("LinearLR")
    assert pickle.loads(pickle.dumps(linear)) is linear


def test_an_old_release_lists_its_public_classes(cache_folder: Path) -> None:
    """Where the file has no list of public names, its own classes that can step are the list."""
    put("9.0.0")
    assert load.load_release("9.0.0").public_names() == ["LinearLR", "SWALR"]


def test_helpers_newer_than_the_installed_torch_come_from_the_release(cache_folder: Path) -> None:
    """Only what the installed optimizer module lacks is the release's; Optimizer itself stays the installed one."""
    put("9.3.0", helper="newer_helper")
    module = load.load_release("9.3.0").schedulers
    assert vars(module)["newer_helper"]() == 42
    assert vars(module)["Optimizer"] is torch.optim.Optimizer
    assert not hasattr(importlib.import_module("torch.optim.optimizer"), "newer_helper")


def test_a_name_that_no_release_has_is_reported(cache_folder: Path) -> None:
    """An import that cannot be resolved is one clear line."""
    put("9.4.0", helper="nobody_has_this")
    with pytest.raises(BadModule, match=r"^release=9\.4\.0 lr_scheduler\.py cannot be imported: ImportError"):
        load.load_release("9.4.0")


def test_groups_are_by_code_and_docstrings(cache_folder: Path) -> None:
    """Comments and the rest of swa_utils.py make no new group; a change of code or of a class's docstring does."""
    put("9.0.0")
    put("9.1.0", other=2)
    put("9.2.0", speed=2)
    put("9.3.0", doc="another text")
    put("9.10.0", speed="1  # as at first")
    every = ("9.10.0", "9.3.0", "9.2.0", "9.1.0", "9.0.0")
    assert load.distinct(every) == [("9.0.0", "9.1.0", "9.10.0"), ("9.2.0",), ("9.3.0",)]
    assert len(load.distinct(every, by_text=True)) == 4


def test_a_release_that_is_not_cached_is_reported(cache_folder: Path) -> None:
    """Loading, grouping and asking offline each name the release."""
    for ask in (load.load_release, lambda r: load.distinct([r]), lambda r: load.subject(r, offline=True)):
        with pytest.raises(ReleaseError, match=r"^release=2\.8\.0 must be in the cache"):
            ask("2.8.0")


def test_the_real_file_of_an_old_release_loads(smallest: Subject) -> None:
    """1.11.0, whose imports no longer exist, gives its own schedulers and their behaviour of that time."""
    assert smallest.release == SMALLEST
    assert smallest.scheduler_class("LinearLR") is not installed().scheduler_class("LinearLR")
    assert issubclass(smallest.scheduler_class("SWALR"), vars(smallest.schedulers)["_LRScheduler"])
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    warmup = smallest.scheduler_class("LinearLR")(optimizer, start_factor=0.01, total_iters=4)
    steady = smallest.scheduler_class("LambdaLR")(optimizer, lambda step: 1.0)
    smallest.scheduler_class("SequentialLR")(optimizer, [warmup, steady], milestones=[4])
    assert optimizer.param_groups[0]["lr"] == 1.0  # the warmup's first LR is lost, as it was until 1.13 (#72874)


def test_the_installed_release_behaves_as_installed() -> None:
    """The fetched files of the installed release give the installed torch's verdicts, bit for bit."""
    version = installed().release
    if version not in cache.cached():
        pytest.skip(f"release={version} is not cached: python -m suite fetch {version}")
    fetched = load.load_release(version)
    cases = all_cases()[::STRIDE]
    assert [repr(verdict_of(case, fetched)) for case in cases] == [
        repr(verdict_of(case, installed())) for case in cases
    ]


def test_the_command_shows_what_is_cached(cache_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Cached releases are shown with their groups; a release that cannot be fetched makes the exit code 2."""
    put("9.0.0")
    put("9.1.0", other=2)
    assert main(["fetch", "9.0", "9.1", "--offline"]) == 0
    output = capsys.readouterr().out
    assert "2 of 2 releases cached, 1 different in code or docstrings" in output
    assert "as 9.0.0" in output
    assert main(["fetch", "9.0", "9.5", "--offline"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("release=9.5.0 must be in the cache when offline")
    assert lines[1:] == ["1 of 2 releases could not be fetched; 2 are cached"]
    assert main(["fetch", "nine", "--offline"]) == 2
    assert capsys.readouterr().err.startswith("release='nine' must be ")
    assert main(["fetch", "--offline", "--list"]) == 0
    assert f"2 of {len(index.FALLBACK) + 2} releases cached" in capsys.readouterr().out


def served(monkeypatch: pytest.MonkeyPatch, reason: str = "") -> None:
    """Let the index list 9.0.0 to 9.3.0 and serve made-up files, or fail for this reason."""

    def files(source: index.PipIndex, release: str, work: Path) -> dict[str, bytes]:
        if reason:
            raise NoWheel(f"release={release} {reason}")
        source.traffic.add(1_500_000)
        source.warn("\x1b[31mwhole wheels")
        return fake_index.contents(release)

    monkeypatch.setattr(index.PipIndex, "files", files)
    monkeypatch.setattr(index, "_listed", lambda python: "Available versions: 9.3.0, 9.2.0, 9.1.0, 9.0.0")


def test_the_command_says_what_it_fetches_and_why(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Damaged files are named before they are fetched again, the traffic is counted, control characters are escaped."""
    served(monkeypatch)
    put("9.0.0")
    (cache.folder("9.0.0") / "optimizer.py").write_text("damaged")
    assert main(["fetch"]) == 0
    output = capsys.readouterr()
    assert "4 of 4 releases cached" in output.out
    assert output.out.splitlines()[-1] == "6.0 MB fetched in 4 requests"
    assert output.err.splitlines()[0] == "release=9.0.0 is fetched again: its cached files are damaged"
    assert output.err.splitlines()[1:] == ["\\x1b[31mwhole wheels"] * 4


def test_equal_reasons_are_one_line(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Four releases that fail for one reason give one line and the count, and exit code 2."""
    served(monkeypatch, "could not be fetched; pip said: no such wheel")
    assert main(["fetch"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "release=9.0.0 could not be fetched; pip said: no such wheel (and 3 more)",
        "4 of 4 releases could not be fetched; 0 are cached",
    ]


def test_the_command_writes_hashes(
    cache_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--write-hashes` adds what was fetched to the list of known releases, and says what."""
    served(monkeypatch)
    monkeypatch.setattr(cache, "KNOWN", tmp_path / "known.sha256")
    monkeypatch.setattr(cache, "known", functools.cache(cache.known.__wrapped__))
    (tmp_path / "known.sha256").write_text("")
    assert main(["fetch", "9.1", "--write-hashes"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "added to known.sha256: 9.1.0"
    assert main(["fetch", "9.1", "--write-hashes"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "added to known.sha256: nothing"
    assert list(cache.known()) == ["9.1.0"]
