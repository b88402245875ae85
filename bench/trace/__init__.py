"""From a trace of learning rates to what it is and what is wrong with it."""

from . import with_expectation, without_expectation  # `diagnose` asks for them
from .diagnosis import Diagnosis, Explanation, diagnose
from .trace import Trace

__all__ = ["Diagnosis", "Explanation", "Trace", "diagnose", "with_expectation", "without_expectation"]
