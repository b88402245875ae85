"""Read all schedulers of a script at once, and say what no single one of them shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from suite.engine.user_factory import optimizer_of

from .called import plain
from .construction import Constructions
from .fact import PlanFact
from .plan import SchedulerPlan, read_plan
from .twin import parts_of
from .words import lr


def read_plans(
    schedulers: Sequence[Any],
    optimizers: Sequence[Any],
    steps: int,
    *,
    seen: Constructions | None = None,
    metrics: Sequence[float] = (),
    step_it: bool = False,
) -> tuple[list[SchedulerPlan], list[PlanFact]]:
    """The plan of each scheduler, and the facts about all of them.

    These are optimizers that no scheduler moves, and optimizers whose LR two schedulers write.
    `schedulers`: all that a script has, parts of composites too; `optimizers`: all that it steps; `seen`, `metrics`
    and `step_it` are those of `read_plan`.
    """
    inside = {id(part) for scheduler in schedulers for part in _descendants(scheduler)}
    tops = [scheduler for scheduler in schedulers if id(scheduler) not in inside]
    facts = []
    spare = any(len(own) > 1 for own in _by_optimizer(tops, optimizers))
    for i, optimizer in enumerate(optimizers):
        own = _by_optimizer(tops, [optimizer])[0]
        name = type(optimizer).__name__ + (f" (number {i + 1})" if len(optimizers) > 1 else "")
        if not own:
            rates = ", ".join(sorted({lr(float(plain(group["lr"]))) for group in optimizer.param_groups}))
            text = f"No scheduler moves the optimizer {name}: its LR stays at {rates}."
            # A constant LR may be wanted, but not where another optimizer has a scheduler too many.
            fix = "give this optimizer a scheduler of its own" if spare else ""
            facts.append(PlanFact("optimizer-unmoved", text, spare, fix))
        elif len(own) > 1:
            names = " and ".join(type(scheduler).__name__ for scheduler in own)
            text = f"{len(own)} schedulers write the LR of the optimizer {name}: {names}."
            fix = "keep one of them, or join them with SequentialLR or ChainedScheduler"
            facts.append(PlanFact("two-writers", text, True, fix))
    return [read_plan(top, steps, seen=seen, metrics=metrics, step_it=step_it) for top in tops], facts


def _by_optimizer(tops: Sequence[Any], optimizers: Sequence[Any]) -> list[list[Any]]:
    """The schedulers of each optimizer."""
    return [[scheduler for scheduler in tops if optimizer_of(scheduler) is optimizer] for optimizer in optimizers]


def _descendants(scheduler: Any) -> Iterator[Any]:
    for part in parts_of(scheduler):
        yield part
        yield from _descendants(part)
