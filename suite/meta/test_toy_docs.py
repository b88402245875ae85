"""The examples in the docstrings of the toy task, its model and its trainers."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import bench.toy
from suite.meta.toy import one_thread

MODULES = sorted(path.stem for path in Path(bench.toy.__path__[0]).glob("*.py") if path.stem != "__init__")


@pytest.mark.usefixtures(one_thread.__name__)
@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_show(name: str) -> None:
    """Each `>>>` line of the module gives the output under it."""
    module = importlib.import_module(f"bench.toy.{name}")
    assert doctest.testmod(module).failed == 0
