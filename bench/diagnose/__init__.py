"""Identify the schedule in a trace of learning rates, and what is wrong with it."""

from .core.diagnosis import Diagnosis, Explanation
from .core.trace import Trace
from .examine import diagnose

__all__ = ["Diagnosis", "Explanation", "Trace", "diagnose"]
