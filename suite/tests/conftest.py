"""Caches with made-up releases, shared by the tests of the commands that compare releases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from suite.across_releases import atlas
from suite.engine.case import Case
from suite.engine.subject import Subject, installed
from suite.engine.verdict import Verdict, verdict_of
from suite.releases import cache
from suite.tests import stock


@pytest.fixture
def one_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with the files of the installed torch under its own number."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    stock.put(installed().release)
    return tmp_path / "cache"


@pytest.fixture
def two_releases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache with the installed schedulers as one release and a broken copy as the next; few cases, one thread."""
    cases = stock.some_cases()
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(atlas, "all_cases", lambda: cases)
    monkeypatch.setattr(atlas, "ProcessPoolExecutor", lambda workers, initializer: ThreadPoolExecutor(1))
    threads = torch.get_num_threads()
    stock.put(stock.RIGHT)
    stock.put(stock.WRONG, stock.WRONG_EXPONENTIAL)
    yield tmp_path / "cache"
    torch.set_num_threads(threads)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many cases were run on each release from here on."""
    counts: Counter[str] = Counter()

    def counting(case: Case, subject: Subject) -> Verdict:
        counts[subject.release] += 1
        return verdict_of(case, subject)

    monkeypatch.setattr(atlas, "verdict_of", counting)
    return counts
