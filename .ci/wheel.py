"""Build hook: puts the package `warmup_bench` into the wheel; an editable one finds its modules in the clone."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parent))

from one_name import NAME, write_editable, write_package


class CustomBuildHook(BuildHookInterface):
    """Writes the package into a temporary folder, from where it goes into the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before the wheel is built; `version`: standard or editable."""
        package = Path(tempfile.mkdtemp(prefix="warmup-bench-")) / NAME
        self.scratch = package.parent
        if version == "editable":
            write_editable(Path(self.root), package)
            build_data["force_include_editable"][str(package)] = NAME
        else:
            write_package(Path(self.root), package)
            build_data["force_include"][str(package)] = NAME

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called when the wheel is there."""
        shutil.rmtree(self.scratch, ignore_errors=True)
