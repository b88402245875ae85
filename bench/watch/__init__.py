"""What happens in somebody's own training: the LRs that were used, and instruments on the model."""

from .recorder import Recorder

__all__ = ["Recorder"]
