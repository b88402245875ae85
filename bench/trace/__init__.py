"""From a trace of learning rates to what it is and what is wrong with it."""

from .diagnosis import Diagnosis, Explanation, diagnose
from .trace import Trace

__all__ = ["Diagnosis", "Explanation", "Trace", "diagnose"]
