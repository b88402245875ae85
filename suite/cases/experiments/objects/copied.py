"""A state that is taken in the middle of a run and used, and a copy of optimizer and scheduler beside them."""

from __future__ import annotations

import dataclasses

from suite.engine.action import Action, Check

#: The update before which a state is taken or a copy is made: before any milestone.
AT = 1


def _at(*lines: str) -> str:
    """Lines for one update."""
    return "\n".join([f"if step == {AT}:", *(f"    {line}" for line in "\n".join(lines).splitlines())])


@dataclasses.dataclass(frozen=True)
class StateTaken(Action):
    """A state is taken during the run and used, after which the run continues as before."""

    what: str  # a key of STATES

    @property
    def before(self) -> str:
        """Take it, and use it."""
        return STATES[self.what].lines

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"state_{self.what}"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return STATES[self.what].words

    @property
    def checks(self) -> tuple[Check, ...]:
        """What must be equal at the end."""
        return STATES[self.what].checks


@dataclasses.dataclass(frozen=True)
class Taken:
    """What is done with a state."""

    words: str
    lines: str
    checks: tuple[Check, ...] = ()


SPOIL = """\
def spoil(value):
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(items):
        if isinstance(item, (dict, list)):
            spoil(item)
        elif isinstance(item, (int, float)):
            value[key] = 0


spoil(scheduler.state_dict())"""
#: What is done with a state.
STATES = {
    "kept": Taken(
        "with a state kept during training",
        _at("state = scheduler.state_dict()", "text = str(state)"),
        (Check("state", "the kept state at the end", "str(state)", "text"),),
    ),
    "edited": Taken("with the numbers of a state overwritten", _at(*SPOIL.splitlines())),
    "reloaded": Taken(
        "with a state loaded into its own scheduler",
        _at("state = scheduler.state_dict()", "text = str(state)", "scheduler.load_state_dict(state)")
        + "\n    loaded, given = str(scheduler.state_dict()), str(state)",
        (
            Check("state", "the state that was loaded, after loading", "given", "text"),
            Check("objects", "the scheduler's state after that", "loaded", "text"),
        ),
    ),
    "json": Taken(
        "with its state saved as JSON and loaded",
        _at("scheduler.load_state_dict(json.loads(json.dumps(scheduler.state_dict())))"),
    ),
    "file": Taken(
        "with the states saved, and loaded with the defaults of torch.load",
        _at(
            "file = io.BytesIO()",
            "torch.save((optimizer.state_dict(), scheduler.state_dict()), file)",
            "file.seek(0)",
            "states = torch.load(file)",
            "optimizer.load_state_dict(states[0])",
            "scheduler.load_state_dict(states[1])",
        ),
    ),
    "pickled": Taken(
        "with its state pickled and loaded",
        _at("state = pickle.dumps(scheduler.state_dict())", "scheduler.load_state_dict(pickle.loads(state))"),
    ),
}
#: How a copy of optimizer and scheduler is made.
COPIES = {
    "deepcopy": "copy.deepcopy((optimizer, scheduler))",
    "pickle": "pickle.loads(pickle.dumps((optimizer, scheduler)))",
}


@dataclasses.dataclass(frozen=True)
class CopyBeside(Action):
    """A copy of optimizer and scheduler trains on beside them: neither changes the other, and their LRs are equal."""

    by: str  # a key of COPIES
    #: What the copy's step() is given: the metric of a plateau.
    argument: str = ""
    # A function cannot be pickled, and METRICS belong to one composition.
    general = False

    @property
    def before(self) -> str:
        """Make the copy."""
        return _at(f"other, beside = {COPIES[self.by]}")

    @property
    def after(self) -> str:
        """Step the copy first, so that what it changes in the original would be seen."""
        return f"if step >= {AT}:\n    other.step()\n    beside.step({self.argument})"

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"{self.by}beside"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return f"with a copy by {self.by} trained beside it"

    @property
    def checks(self) -> tuple[Check, ...]:
        """The copy has the LRs of the original, and its own optimizer."""
        lrs = '[float(group["lr"]) for group in %s.param_groups]'
        return (
            Check("objects", "the list of LRs of the copied optimizer", lrs % "other", lrs % "optimizer"),
            Check("reported", "get_last_lr() of the copy", "[float(lr) for lr in beside.get_last_lr()]", lrs % "other"),
        )
