"""Invented runs of the replications of papers, whose edges are known by arm and warmup."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from typing import Any

from bench.claims.core.grid import as_table
from bench.claims.core.publish import Claim
from bench.claims.core.runs import PUBLISHED, stamped
from bench.claims.replications.core.arms import PaperArm
from bench.claims.replications.core.paper import Paper
from bench.sweep.spec import Run
from bench.sweep.train import Result
from bench.toy.measures import EDGE_LOSS

from .invented import GOOD, INITIAL, PLATEAU, SPREAD, STEEPNESS

SEEDS = 6
Key = tuple[str, int]


def paper_of(name: str) -> Paper:
    """The paper of a module."""
    paper: Paper = importlib.import_module(f"bench.claims.replications.{name}").PAPER
    return paper


def middle(arm: PaperArm) -> float:
    """log2 of the middle of the LRs of an arm."""
    return math.log2(arm.lrs[0] * arm.lrs[-1]) / 2


def invented(paper: Paper, octaves: Mapping[Key, float], part: str = PUBLISHED, first: int = 0) -> Any:
    """Runs whose edge is this far above the middle of an arm's LRs, in octaves, times a factor of the seed."""
    import pandas

    tables = []
    for arm, spec in zip(paper.arms, paper.specs(range(first, first + SEEDS)), strict=True):

        def loss(run: Run, arm: PaperArm = arm) -> float:
            edge = math.pow(2, middle(arm) + octaves[arm.name, run.warmup_steps]) * math.pow(SPREAD, run.seed % 3 - 1)
            return min(PLATEAU, max(GOOD, EDGE_LOSS * math.pow(run.lr / edge, STEEPNESS)))

        results = {run: Result(loss(run), INITIAL, None, 7, 0.0, 0.0, 0.0) for run in spec.runs()}
        tables.append(as_table(spec, results))
    return stamped(pandas.concat(tables, ignore_index=True), part, "0123456789ab")


def keys(paper: Paper) -> list[Key]:
    """Every arm with every warmup."""
    return [(arm.name, warmup) for arm in paper.arms for warmup in arm.warmups]


def verdicts(claim: Claim) -> list[str]:
    """The verdict of each prediction."""
    return list(claim.table["verdict"])
