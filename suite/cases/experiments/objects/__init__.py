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

from .copied import CopyBeside, StateTaken

#: The warning that get_lr() is documented to give outside step().
ASKED = "To get the last learning rate computed by the scheduler"


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
report = getattr(scheduler, "get_last_lr", list)()  # old plateaus have none
reports.append(report)
copies.append([float(lr) for lr in report])"""
    finish = """\
now = [[float(lr) for lr in report] for report in reports]
changed = [i for i in range(len(now)) if now[i] != copies[i]]"""
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
        edit = "given[:] = [0.0] * len(given)"
        if self.inside:
            edit = "for lr in given:\n    if torch.is_tensor(lr):\n        lr.zero_()"
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
    pairs = zip(one, other)
    return all(math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-6) for a, b in pairs)


neither = []
for i, given in enumerate(asked):
    if not any(close(given, lrs) for lrs in present[i : i + 2]):
        neither.append(i)"""
    checks = (
        Check("type", "the list of other types in get_lr()", "sorted(a for a, b in kinds if a != b)", "[]"),
        Check("objects", "the steps with a wrong get_lr()", "neither", "[]"),
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
documented = {"initial_lr", "max_lr", "min_lr", "swa_lr"}
documented |= {"base_momentum", "max_momentum"}
groups = optimizer.param_groups
foreign = [sorted(set(g) - k - documented) for g, k in zip(groups, keys)]
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
