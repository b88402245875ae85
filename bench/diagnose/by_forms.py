"""Diagnosis with told settings by the known forms: one that has them, or a mistake that was made with one."""

from __future__ import annotations

from bench.diagnose.core.diagnosis import FITS
from bench.diagnose.core.trace import Trace
from bench.diagnose.fit.fit import LoggedLRs
from bench.diagnose.forms.closest import closest
from bench.diagnose.forms.search import search
from bench.diagnose.hypotheses.anatomy import anatomy
from bench.diagnose.hypotheses.every import hypotheses
from bench.diagnose.hypotheses.evidence import gather_evidence

from .rank import ScoredHypothesis, best_of, scored

#: Known forms whose mistakes are tried one by one.
MEANT = 8


def by_forms(trace: Trace, data: LoggedLRs) -> list[ScoredHypothesis]:
    """What explains every row, the best first; empty where nothing does or a setting is unknown."""
    if data.base is None or data.w is None or data.total is None:
        return []
    known = best_of(trace, scored(search(data), data.t, data.y, data.tol))
    if known and known[0].misfit <= FITS:
        return [k for k in known if k.misfit <= FITS]
    best: list[ScoredHypothesis] = []
    for schedule in closest(data)[:MEANT]:
        evidence = gather_evidence(trace, anatomy(schedule, data.base, data.total))
        mine = best_of(trace, scored(hypotheses(evidence), evidence.t, evidence.y, evidence.tol))
        best += [m for m in mine[:1] if m.misfit <= FITS and m.hypothesis.cause != "follows"]
    return sorted(best, key=lambda s: s.order)
