"""What a scheduler hands out and leaves behind: reports, states, copies, get_lr(), attributes, keys of groups."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from reference import CyclicLR, LambdaLR, MultiplicativeLR, ReduceLROnPlateau, Schedule
from suite.cases.schedules.compositions import singles
from suite.cases.schedules.sample import crossed, parts
from suite.engine.action import Action, Check
from suite.engine.axes import Setup
from suite.engine.case import Case, is_composite

#: The update before which a state is taken or a copy is made: before any milestone.
AT = 1
#: The warning that get_lr() is documented to give outside step().
ASKED = "To get the last learning rate computed by the scheduler"


def _at(*lines: str) -> str:
    """Lines for one update."""
    return "\n".join([f"if step == {AT}:", *(f"    {line}" for line in "\n".join(lines).splitlines())])


@dataclasses.dataclass(frozen=True)
class KeptReports(Action):
    """Every get_last_lr() is kept; what was reported does not change afterwards, nor do base_lrs."""

    mark = "keptreports"
    words = "with each get_last_lr() kept"
    built = """\
reports, copies = [], []
bases = getattr(scheduler, "base_lrs", [])
first_bases = [float(lr) for lr in bases]"""
    after = """\
reports.append(scheduler.get_last_lr() if hasattr(scheduler, "get_last_lr") else [])
copies.append([float(lr) for lr in reports[-1]])"""
    finish = "changed = [i for i, lrs in enumerate(reports) if [float(lr) for lr in lrs] != copies[i]]"
    checks = (
        Check("objects", "the list of reports that changed later", "changed", "[]"),
        Check("bookkeeping", "the list of base LRs at the end", "[float(lr) for lr in bases]", "first_bases"),
    )


@dataclasses.dataclass(frozen=True)
class EditedReport(Action):
    """What get_last_lr() or get_lr() gives is overwritten: the list, or the tensors in it; nothing else changes."""

    method: str  # get_last_lr | get_lr
    inside: bool  # the tensors in the list, not the list
    may_warn = (ASKED,)

    @property
    def before(self) -> str:
        """Edit it before each update."""
        edit = "for lr in given:\n    if torch.is_tensor(lr):\n        lr.zero_()" if self.inside else "given[:] = []"
        ask = f"try:\n    given = scheduler.{self.method}()\nexcept (AttributeError, NotImplementedError):\n"
        ask += "    given = []"
        return f"{ask}  # composites and old plateaus have none\n{edit}"

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"edited_{self.method}" + ("_inside" if self.inside else "")

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        what = "the tensors in the result of" if self.inside else "the result of"
        return f"with {what} {self.method}() overwritten before each update"


@dataclasses.dataclass(frozen=True)
class AskedRates(Action):
    """get_lr() is asked before each update: its types, and whether it is the LR in force or the next one."""

    may_warn = (ASKED,)
    general = False  # a composite has no get_lr()
    mark = "asked"
    words = "with get_lr() read before each update"
    built = "asked, kinds, present = [], set(), []"
    before = """\
given = scheduler.get_lr()
lrs = [group["lr"] for group in optimizer.param_groups]
kinds |= {(type(a).__name__, type(b).__name__) for a, b in zip(given, lrs)}
asked.append([float(lr) for lr in given])
present.append([float(lr) for lr in lrs])"""
    finish = """\
present.append([float(group["lr"]) for group in optimizer.param_groups])


def close(one, other):
    return all(math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-6) for a, b in zip(one, other))


neither = [i for i in range(len(asked)) if not any(close(asked[i], row) for row in present[i : i + 2])]"""
    checks = (
        Check("type", "the list of other types in get_lr()", "sorted(a for a, b in kinds if a != b)", "[]"),
        Check("objects", "the list of steps at which get_lr() is neither the present LR nor the next", "neither", "[]"),
    )


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
    for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
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
        _at("scheduler.load_state_dict(pickle.loads(pickle.dumps(scheduler.state_dict())))"),
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


@dataclasses.dataclass(frozen=True)
class LeftBehind(Action):
    """What the constructor and the steps leave in the groups, in the optimizer's defaults, and as text."""

    mark = "leftbehind"
    words = "with the keys of the groups and the defaults compared"
    prepare = """\
keys = [set(group) for group in optimizer.param_groups]
defaults = str(optimizer.defaults)"""
    finish = """\
documented = {"initial_lr", "max_lr", "min_lr", "swa_lr", "base_momentum", "max_momentum"}
foreign = [sorted(set(g) - k - documented) for g, k in zip(optimizer.param_groups, keys)]
texts = [repr(scheduler), str(scheduler)]"""
    checks = (
        Check("settings", "the list of keys that no documentation names", "foreign", "[[] for _ in keys]"),
        Check("objects", "the defaults of the optimizer", "str(optimizer.defaults)", "defaults"),
        Check("docs", "whether repr() and str() are texts", "all(texts)", "True"),
    )


@dataclasses.dataclass(frozen=True)
class CountedSteps(Action):
    """last_epoch after each step, as every scheduler of the documentation has it."""

    mark = "counted"
    words = "with last_epoch read after each step"
    built = "epochs = [scheduler.last_epoch]"
    after = "epochs.append(scheduler.last_epoch)"
    checks = (Check("bookkeeping", "the list of last_epoch", "epochs", "list(range(len(epochs)))"),)


def _actions(schedule: Schedule) -> Iterator[Action]:
    """What each composition is crossed with, whatever the type of its LR."""
    yield from (KeptReports(), EditedReport("get_last_lr", False), EditedReport("get_lr", False), LeftBehind())
    yield from (StateTaken(what) for what in ("kept", "edited", "reloaded", "file"))
    yield CopyBeside("deepcopy", _metric(schedule))
    if not is_composite(schedule) and not isinstance(schedule, ReduceLROnPlateau):
        yield AskedRates()


def _of_floats(schedule: Schedule) -> Iterator[Action]:
    """What depends on the type of the LR in nothing, or needs plain numbers."""
    yield from (CountedSteps(), StateTaken("json"), StateTaken("pickled"))
    if not has_function(schedule):
        yield CopyBeside("pickle", _metric(schedule))


def _metric(schedule: Schedule) -> str:
    return "METRICS[step]" if isinstance(schedule, ReduceLROnPlateau) else ""


def has_function(schedule: Schedule) -> bool:
    """Whether it, or a part of it, is given a function, which cannot be pickled."""
    own = isinstance(schedule, LambdaLR | MultiplicativeLR) or getattr(schedule, "scale_fn", None) is not None
    return own or any(map(has_function, getattr(schedule, "schedulers", ())))


def cases() -> Iterator[Case]:
    """Every class alone, and composites, with a float and with a tensor as LR."""
    functions = [s for s in singles() if isinstance(s, CyclicLR) and s.scale_fn is not None]
    for schedule in (*parts(), *functions[:1], *crossed()[1::3]):
        for action in (*_actions(schedule), *_of_floats(schedule)):
            yield Case("objects", schedule, Setup(actions=(action,)))
        for action in (*_actions(schedule), *(EditedReport(name, True) for name in ("get_last_lr", "get_lr"))):
            yield Case("objects", schedule, Setup(lr_type="tensor", actions=(action,)))
        yield Case("objects", schedule, Setup(groups=2, lr_type="shared", actions=(KeptReports(),)))
