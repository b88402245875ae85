"""Plans for a reader and for programs: the headline, what was built, the facts, and the lines to change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .factory import FactoryReading
from .plan import SchedulerPlan

if TYPE_CHECKING:
    from rich.console import Console


def plans_json(reading: FactoryReading) -> dict[str, Any]:
    """The plans as plain data for JSON."""
    return {
        "plans": [plan.to_json() for plan in reading.plans],
        "plan_facts": [fact.to_json() for fact in reading.facts],
    }


def print_plans(console: Console, reading: FactoryReading) -> None:
    """Print what is wrong with all plans together, then each plan, then what else is known of all."""
    for fact in reading.facts:
        if fact.wrong:
            console.print(f"{fact.sentence}\nChange: {fact.fix}\n")
    for i, plan in enumerate(reading.plans):
        if len(reading.plans) > 1:
            console.print(("\n" if i else "") + f"[{plan.optimizer} {i + 1}]")
        for line in report_lines(plan):
            console.print(line)
    for fact in reading.facts:
        if not fact.wrong:
            console.print(f"\n{fact.sentence}")


def report_lines(plan: SchedulerPlan) -> list[str]:
    """The lines: headline, what was built, every fact, each wrong one with the line to change."""
    facts = plan.facts
    wrong = [fact for fact in facts if fact.wrong]
    entries = [] if plan.deviation is None else [(plan.deviation.sentence, plan.deviation.fix)]
    entries += [(fact.sentence, fact.fix) for fact in wrong]
    resumed = f", which has taken {plan.position} steps" if plan.position else ""
    lines = [entries[0][0] if entries else f"Nothing to change in the plan of {plan.scheduler}{resumed}."]
    if entries:
        lines.append(f"Change: {entries[0][1]}")
    lines += ["", f"Built{resumed}: {plan.words}."]
    if plan.deviation is None and any(group.documented is not None and group.lrs is not None for group in plan.groups):
        lines.append(f"torch gives the documented LR in each of the {plan.steps} updates.")
    for sentence, fix in entries[1:]:
        lines += [sentence, f"Change: {fix}"]
    return lines + [fact.sentence for fact in facts if not fact.wrong]
