"""The package as it is installed, in a folder away from the clone, and programs that run with it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from suite.tests.house.tree import ROOT


def one_name() -> ModuleType:
    """The module that makes the package."""
    spec = importlib.util.spec_from_file_location("one_name", ROOT / ".ci" / "one_name.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_elsewhere(site: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a new folder beside `site`, the folder that holds the package."""
    folder = site.parent / "elsewhere"
    folder.mkdir(exist_ok=True)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        # Where the package is installed too, its entry point would register the plugin a second time.
        env=clean | {"PYTHONPATH": str(site), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
