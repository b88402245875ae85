"""What happens in somebody's own training: the LRs that were used, and instruments on the model."""

from .monitor import Monitor
from .recorder import Recorder

__all__ = ["Monitor", "Recorder"]
