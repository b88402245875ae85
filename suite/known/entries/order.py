"""Which cases the entries of order.toml can affect."""

from __future__ import annotations

from reference import CosineAnnealingWarmRestarts
from suite.cases.experiments.order import SteppedFirst
from suite.known.entries.places import Predicate, acted, both, contains

#: Entry → the cases that it can affect.
PREDICATES: dict[str, Predicate] = {
    "warm-restarts-order-unchecked": both(acted(SteppedFirst), contains(CosineAnnealingWarmRestarts)),
}
