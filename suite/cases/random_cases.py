"""Random cases for Hypothesis: a random composition under every axis of a setup, or under the actions of the cases.

Left out, because it would compare nothing or is tested elsewhere:

* lists with one shared tensor: the groups cannot have different values;
* a cut before the first scheduler step under last_epoch: last_epoch = −1 means a fresh start.
"""

from __future__ import annotations

import functools
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from reference import ReduceLROnPlateau, Schedule
from suite.engine.axes import Setup
from suite.engine.case import Case, asks_for_negative, is_composite
from suite.engine.loop import restores
from suite.engine.optimizers import OPTIMIZERS, USUAL

from .catalogue import all_cases, steps_of
from .composed import actions
from .strategies import compositions, leaves, mostly, plateaus, sound, within_tolerances

#: Optimizers without a switch; LBFGS takes one group only, SparseAdam sparse gradients only.
PLAIN_OPTIMIZERS = [name for name in OPTIMIZERS if "+" not in name and name not in ("lbfgs", "sparseadam")]


@st.composite
def setups(draw: st.DrawFn, schedule: Schedule, *, sound: bool = False) -> Setup:
    """Any setup that fits the schedule; with `sound`, only axes without a known deviation."""
    groups = draw(st.integers(1, 3))
    lr_type = draw(st.sampled_from(["float", "float", "tensor", "shared"]))
    chosen: dict[str, Any] = {
        "groups": groups,
        "lr_type": lr_type,
        "lists": lr_type != "shared" and draw(st.booleans()),
        "optimizer": draw(mostly(st.sampled_from(USUAL), st.sampled_from(PLAIN_OPTIMIZERS))),
        "clock": draw(st.sampled_from(["step", "step", "epoch", "micro"])),
        "reverse": is_composite(schedule) and not sound and draw(st.booleans()),
    }
    steppable = not is_composite(schedule) and not isinstance(schedule, ReduceLROnPlateau)
    how = draw(st.sampled_from(["plain", "resume", "jump" if steppable and not sound else "plain"]))
    if how == "resume":
        resume = draw(st.sampled_from(["builtfirst", "schedulerfirst"] if sound else restores(schedule)))
        first = 3 if chosen["clock"] == "epoch" else 1
        cuts = draw(
            st.lists(
                st.integers(first, steps_of(Setup(clock=chosen["clock"])) - 1), min_size=1, max_size=2, unique=True
            )
        )
        chosen |= {"resume": resume, "cuts": tuple(sorted(cuts)), "saved": draw(st.booleans())}
    if how == "jump":
        chosen["jumps"] = tuple(draw(st.lists(st.integers(0, 12), min_size=1, max_size=2)))
        chosen["clock"] = "step"
    return Setup(**chosen)


@functools.cache
def experiments() -> tuple[Setup, ...]:
    """The setups of the catalogue with general actions whose marks describe them.

    They are drawn whole: what an action expects may depend on the number of groups and on the type of the LR.
    Conversions of arguments are left out: not every class has an argument of their kind.
    """
    cases = (case for case in all_cases() if case.setup.actions and not case.setup.numbers)
    setups = {"-".join(case.setup.marks): case.setup for case in cases}
    return tuple(setup for setup in setups.values() if all(a.general and a.mark in actions() for a in setup.actions))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any composition of any schedulers under any setup."""
    # Half of them have no known deviation of their own, which would hide what the setup does to them.
    schedule = draw(st.one_of(sound(), leaves(), compositions(leaves()), plateaus()))
    assume(within_tolerances(schedule))
    own = setups(schedule)
    # Many actions write a second schedule or compare two runs: a plateau has no closed form to do so with.
    plateau = isinstance(schedule, ReduceLROnPlateau)
    setup = draw(own if plateau else mostly(own, st.sampled_from(experiments())))
    return Case("random", schedule, setup, steps_of(setup))


@st.composite
def sound_cases(draw: st.DrawFn) -> Case:
    """A composition and a setup in which nothing is known to deviate."""
    schedule = draw(sound())
    assume(within_tolerances(schedule))
    setup = draw(setups(schedule, sound=True))
    case = Case("random", schedule, setup, steps_of(setup))
    # A chain of CosineAnnealingLRs may lower the LR below 0, as asked.
    assume(not asks_for_negative(case))
    return case
