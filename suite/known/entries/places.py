"""Where in a composition a scheduler is, for the predicates of the known deviations.

A predicate says where a deviation *can* appear; whether it does is measured.
It never looks at what torch did, so it cannot excuse a deviation with a different cause or shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from reference import ChainedScheduler, Schedule, SequentialLR
from suite.engine.action import Action
from suite.engine.case import Case

Path = tuple[tuple[Schedule, int], ...]
Predicate = Callable[[Case], bool]


def places(schedule: Schedule, path: Path = ()) -> Iterator[tuple[Schedule, Path]]:
    """Every scheduler of a composition with its path: the enclosing composites and its index in each."""
    yield schedule, path
    for i, part in enumerate(getattr(schedule, "schedulers", ())):
        yield from places(part, (*path, (schedule, i)))


def beside(case: Case) -> Iterator[Schedule]:
    """The schedulers that the lines of the case build on its optimizer, beside its own."""
    for action in case.setup.actions:
        yield from action.built_beside


def later(path: Path) -> bool:
    """Whether it is a later phase of the SequentialLR that directly contains it."""
    return bool(path) and isinstance(path[-1][0], SequentialLR) and path[-1][1] > 0


def contains(*kinds: type[Schedule], where: Callable[[Path], bool] = lambda path: True) -> Predicate:
    """One of these schedulers is in the composition, at a path that `where` accepts."""
    return lambda case: any(isinstance(s, kinds) and where(path) for s, path in places(case.schedule))


def is_float(value: object) -> bool:
    """Whether a length was given as a float."""
    return isinstance(value, float)


def in_chain(path: Path) -> bool:
    """Whether it is inside a chain, at any depth."""
    return any(isinstance(above, ChainedScheduler) for above, _ in path)


def in_first_phase(path: Path) -> bool:
    """Whether it is inside the first phase of a SequentialLR, at any depth."""
    return any(isinstance(above, SequentialLR) and i == 0 for above, i in path)


def in_composite(path: Path) -> bool:
    """Whether it is inside a composite."""
    return bool(path)


def resumed(order: str, *kinds: type[Schedule]) -> Predicate:
    """Restored in an order whose name starts with `order`, with one of these schedulers in the composition."""
    present = contains(*kinds) if kinds else (lambda case: True)
    return lambda case: case.setup.resume.startswith(order) and present(case)


def jumped(*kinds: type[Schedule]) -> Predicate:
    """step(epoch) is called, with one of these schedulers in the composition."""
    return lambda case: bool(case.setup.jumps) and contains(*kinds)(case)


def acted(*kinds: type[Action]) -> Predicate:
    """The script contains one of these actions."""
    return lambda case: any(isinstance(action, kinds) for action in case.setup.actions)


def both(*predicates: Predicate) -> Predicate:
    """All of these are true of the case."""
    return lambda case: all(predicate(case) for predicate in predicates)


def has_tensor_lr(case: Case) -> bool:
    """The optimizer was given its LR as a tensor."""
    conversion = case.setup.conversion
    return case.setup.lr_type != "float" or (conversion.kind == "lr" and conversion.text.startswith("torch."))
