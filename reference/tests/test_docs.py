"""The examples in the docstrings of the reference run, and every public name has one or a formula."""

from __future__ import annotations

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

import reference

MODULES = sorted(path.stem for path in Path(reference.__file__).parent.glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_show(name: str) -> None:
    """Each `>>>` line of the module gives the output under it."""
    module = importlib.import_module(f"reference.{name}")
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("name", sorted(reference.__all__))
def test_public_names_are_documented(name: str) -> None:
    """A public class or function says what it is; a schedule shows it by an example."""
    thing = getattr(reference, name)
    if isinstance(thing, dict):
        pytest.skip("a table has no docstring of its own")
    text = inspect.getdoc(thing) or ""
    assert len(text) > 20
    if inspect.isclass(thing) and issubclass(thing, reference.Schedule) and thing.slug_name and name != "LRScheduler":
        assert ">>>" in text, f"{name} has no example"
