"""Invented runs of the claims, whose edges of stability are known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from bench.claims.core.grid import as_table
from bench.claims.core.publish import Claim
from bench.claims.core.runs import PUBLISHED, stamped
from bench.sweep.spec import Run, Spec
from bench.sweep.train import Result
from bench.toy.measures import EDGE_LOSS

SEEDS = 5
INITIAL, PLATEAU, GOOD = 3.4, 2.3, 0.02
#: The loss rises as this power of the LR about the edge, so that interpolation between two LRs is exact.
STEEPNESS = 3.0
#: The edges of neighbouring seeds differ by this factor, whatever the warmup: pairing removes it.
SPREAD = 1.15


def edge(run: Run, slope: float, kinds: float = 1.0) -> float:
    """The edge of a seed: 1.1·(W/5)^slope times that without warmup, and times `kinds` for kinds but linear."""
    base: float = {"post": 0.02, "pre": 0.04}[run.norm] * math.pow(SPREAD, run.seed % 3 - 1)
    gain = 1.1 * math.pow(run.warmup_steps / 5, slope) if run.warmup_steps and slope else 1.0
    kind = 1.0 if run.kind in ("linear", "none") else kinds
    return float(base * gain * kind)


def results(spec: Spec, slope: float = 0.25, kinds: float = 1.0) -> dict[Run, Result]:
    """Results of a grid whose losses cross the limit at the edge."""

    def loss(run: Run) -> float:
        rise = math.pow(run.lr / edge(run, slope, kinds), STEEPNESS)
        return min(PLATEAU, max(GOOD, EDGE_LOSS * rise))

    return {run: Result(loss(run), INITIAL, None, 7, 0.0, 0.0, 0.0) for run in spec.runs()}


def runs_of(module: ModuleType, seeds: Sequence[int] = range(SEEDS), **options: float) -> Any:
    """The invented runs of a claim, as they are published."""
    import pandas

    tables = [as_table(spec, results(spec, **options)) for spec in module.specs(seeds)]
    return stamped(pandas.concat(tables, ignore_index=True), PUBLISHED, "0123456789ab")


def made(module: ModuleType, **options: float) -> Claim:
    """A claim made from invented runs."""
    claim: Claim = module.claim(runs_of(module, range(SEEDS), **options))
    return claim
