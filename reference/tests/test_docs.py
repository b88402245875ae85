"""The docstrings of the reference: their examples run, and every public name has a docstring."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
from pathlib import Path

import pytest

import reference

MODULES = sorted(path.stem for path in Path(reference.__file__).parent.glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_show(name: str) -> None:
    """Each `>>>` line of the module prints the output below it."""
    module = importlib.import_module(f"reference.{name}")
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_examples_do_not_depend_on_numpys_repr(name: str) -> None:
    """No expected output is the repr of a NumPy object: NumPy 2 prints np.float64(0.5) where NumPy 1 prints 0.5."""
    module = importlib.import_module(f"reference.{name}")
    examples = [example for test in doctest.DocTestFinder().find(module) for example in test.examples]
    assert [example.want for example in examples if re.search(r"\b(np\.|array\()", example.want)] == []


@pytest.mark.parametrize("name", sorted(reference.__all__))
def test_public_names_are_documented(name: str) -> None:
    """Every public class or function has a docstring, and every schedule an example."""
    thing = getattr(reference, name)
    if isinstance(thing, dict):
        pytest.skip("a dictionary has no docstring")
    text = inspect.getdoc(thing) or ""
    assert len(text) > 20
    if inspect.isclass(thing) and issubclass(thing, reference.Schedule) and thing.slug_name and name != "LRScheduler":
        assert ">>>" in text, f"{name} has no example"
