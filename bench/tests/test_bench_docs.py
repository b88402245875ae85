"""The examples in the docstrings of bench/."""

from __future__ import annotations

import doctest
import importlib

import pytest

from bench.tests.toy_models import one_thread
from suite.tests.house.tree import python_files

#: asv's own modules are left out: they set the number of threads when they are imported, and show no examples.
MODULES = [
    path.removesuffix(".py").replace("/", ".")
    for path in python_files("bench")
    if (path.count("/") > 1 or path == "suite/shared/cli.py") and not path.endswith("__init__.py")
]


@pytest.mark.usefixtures(one_thread.__name__)
@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_show(name: str) -> None:
    """Each `>>>` line of the module gives the output under it."""
    assert doctest.testmod(importlib.import_module(name)).failed == 0
