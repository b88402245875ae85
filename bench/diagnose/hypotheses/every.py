"""All hypotheses about a trace beside an expected schedule."""

from __future__ import annotations

from collections.abc import Iterator

from .clocks import clocks
from .evidence import Evidence, Hypothesis
from .logs import logs
from .recursive import recursive
from .resumes import resumes
from .scales import scales
from .shapes import shapes
from .torch_defects import torch_defects


def hypotheses(evidence: Evidence) -> Iterator[Hypothesis]:
    """The expected schedule itself, and every mistake that can be made with it."""
    expected = evidence.anatomy
    yield Hypothesis("follows", expected.at, {}, expected.schedule, expected.base)
    yield from clocks(evidence)
    yield from resumes(evidence)
    yield from logs(evidence)
    yield from scales(evidence)
    yield from shapes(evidence)
    yield from recursive(evidence)
    yield from torch_defects(evidence)
