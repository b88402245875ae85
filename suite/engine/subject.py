"""The code under test: one `lr_scheduler` module and the `swa_utils` beside it."""

from __future__ import annotations

import dataclasses
import functools
from types import ModuleType
from typing import Any

import torch
import torch.optim.lr_scheduler
import torch.optim.swa_utils


@dataclasses.dataclass(frozen=True)
class Subject:
    """The scheduler classes under test and the name that reports use for them."""

    name: str
    release: str
    schedulers: ModuleType
    averaging: ModuleType = torch.optim.swa_utils

    def scheduler_class(self, name: str) -> Any:
        """The class of this name, or None where this release has none."""
        home = self.averaging if name == "SWALR" else self.schedulers
        return getattr(home, name, None)

    @functools.cached_property
    def classes(self) -> dict[str, Any]:
        """Every public scheduler class by its name."""
        return {name: self.scheduler_class(name) for name in self.public_names()}

    def public_names(self) -> list[str]:
        """Every public scheduler class, sorted; SWALR is in swa_utils."""
        return sorted({*self.schedulers.__all__, "SWALR"})


def installed() -> Subject:
    """The torch that is installed, imported in the ordinary way."""
    return Subject(f"torch {torch.__version__}", torch.__version__.split("+")[0], torch.optim.lr_scheduler)
