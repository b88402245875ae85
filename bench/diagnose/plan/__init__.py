"""Read the schedule from a live scheduler object: what was built, what it will do, and what is wrong with the plan."""

from .all_plans import read_plans
from .plan import SchedulerPlan, read_plan

__all__ = ["SchedulerPlan", "read_plan", "read_plans"]
