"""Watch a user's own training run: record the LRs it used, and measure loss, gradients, updates and attention."""

from .monitor import Monitor
from .recorder import Recorder

__all__ = ["Monitor", "Recorder"]
