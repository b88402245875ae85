"""How bad a known deviation is for a run: silent or not, and how far the LR is from the documented one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from .deviations import Known
from .findings import Finding

#: Shapes that a user notices at once, or that leave every LR as documented.
NOT_SILENT = ("error", "accepted", "warns")
#: LRs below this share of the peak are left out: next to its end a decay is near 0, and any ratio is possible.
COUNTED_SHARE = 0.01


def is_silent(finding: Finding) -> bool:
    """Whether the run continues with wrong LRs, without an error or a warning."""
    return finding.verdict.shape not in NOT_SILENT


def factor_off(finding: Finding) -> float:
    """The largest factor between an LR and the documented one: 1 for equal LRs, infinite for an LR of 0."""
    expected, actual = finding.verdict.expected, finding.verdict.actual
    floor = COUNTED_SHARE * max(expected, default=0.0)
    counted = [(e, a) for e, a in zip(expected, actual, strict=False) if e > floor]
    return max((math.inf if a <= 0 else max(e / a, a / e) for e, a in counted), default=1.0)


def plainest(findings: Iterable[Finding]) -> list[Finding]:
    """The silent cases with the fewest axes off their default, where no second deviation adds to the first."""
    silent = [finding for finding in findings if is_silent(finding)]
    fewest = min((len(finding.case.setup.marks) for finding in silent), default=0)
    return [finding for finding in silent if len(finding.case.setup.marks) == fewest]


def worst_factor(findings: Iterable[Finding]) -> float:
    """The largest `factor_off` among the plainest silent cases; 1 where no case is silent."""
    return max(map(factor_off, plainest(findings)), default=1.0)


def worst(groups: Mapping[str, list[Finding]], count: int) -> list[Known]:
    """The worst entries: silent and reported upstream (so somebody met them), by the largest factor."""
    entries = [findings[0].entry for findings in groups.values()]
    reported = [entry for entry in entries if entry is not None and entry.upstream]
    return sorted(reported, key=lambda entry: -worst_factor(groups[entry.id]))[:count]
