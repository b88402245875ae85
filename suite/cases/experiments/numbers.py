"""Numbers that are not Python floats and ints: the LRs, their types, and whether the states can be loaded."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from reference import (
    SWALR,
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    Schedule,
    SequentialLR,
    StepLR,
)
from suite.cases.schedules.compositions import METRICS
from suite.cases.schedules.sample import crossed, parts
from suite.engine.action import Action, Check
from suite.engine.axes import Setup
from suite.engine.build import arguments, unvalidated
from suite.engine.case import Case, is_composite
from suite.engine.numbers import CONVERSIONS, Conversion
from suite.engine.tolerances import HALF

#: One of how many crossed composites is given each conversion; prime, so that the choice varies.
STRIDE = 3
#: The factor of a callable that is restored.
KEPT = 0.83
#: A half type rounds each LR in its third digit, so its tolerance must not grow for long.
STEPS_OF_HALF = 8


@dataclasses.dataclass(frozen=True)
class Inspected(Action):
    """The types in the groups after the last update, and whether torch.load takes the states as they are."""

    loads: bool = True
    # A tensor that requires a gradient is read with float().
    may_warn = ("Converting a tensor with requires_grad=True",)

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return "inspected" if self.loads else "typed"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return f"with the types {'and the states' if self.loads else 'in the groups'} compared"

    prepare = """\
given = [dict(group) for group in optimizer.param_groups]
before = [group["lr"] for group in given if torch.is_tensor(group["lr"])]
shapes = [(tuple(lr.shape), str(lr.dtype)) for lr in before]"""

    @property
    def finish(self) -> str:
        """What has changed its type; the states, saved and loaded with the defaults of torch.load."""
        types = """\
lrs = [group["lr"] for group in optimizer.param_groups]
after = [torch.as_tensor(lr) for lr in lrs] if before else []
reported = scheduler.get_last_lr() if hasattr(scheduler, "get_last_lr") else lrs
changed = []
for new, old in zip(optimizer.param_groups, given):
    for name, value in old.items():
        if type(new[name]) not in (type(value), float):
            changed.append(f"{name}: {type(new[name]).__name__}")"""
        state = """
file = io.BytesIO()
try:
    torch.save((optimizer.state_dict(), scheduler.state_dict()), file)
    file.seek(0)
    torch.load(file)
    loaded = "yes"
except Exception as error:
    loaded = type(error).__name__"""
        return types + (state if self.loads else "")

    @property
    def checks(self) -> tuple[Check, ...]:
        """Types, identity of tensors, state."""
        names = "[type(lr).__name__ for lr in %s]"
        checks = [
            Check("type", "the list of settings of another type", "changed", "[]"),
            Check(
                "type",
                "the list of shapes of the LRs",
                "[(tuple(lr.shape), str(lr.dtype)) for lr in after]",
                "shapes",
            ),
            Check("type", "the list of types in get_last_lr()", names % "reported", names % "lrs"),
            Check(
                "objects",
                "whether each tensor is the one given",
                "[new is old for new, old in zip(lrs, before)]",
                "[True for lr in before]",
            ),
        ]
        if self.loads:
            checks.append(Check("state", "whether torch.load takes the states", "loaded", "'yes'"))
        return tuple(checks)


@dataclasses.dataclass(frozen=True)
class KeptCallable(Action):
    """A callable with a factor of its own, restored into a scheduler whose callable has another factor."""

    general = False

    kind: str

    prepare = """\
class Factor:
    def __init__(self, gamma):
        self.gamma = gamma

    def __call__(self, epoch):
        return self.gamma**epoch

    def of(self, epoch):
        return self.gamma**epoch"""

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"callable{self.kind}"

    @property
    def words(self) -> str:
        """What the loop does, for people."""
        return f"with a {self.kind} as function, restored from the state"

    def build(self, gamma: float) -> str:
        """The statement that builds the scheduler."""
        texts = {"object": "Factor({})", "method": "Factor({}).of", "partial": "functools.partial(pow, {})"}
        return f"scheduler = type(scheduler)(optimizer, {texts[self.kind].format(gamma)})"

    @property
    def built(self) -> str:
        """In place of the function of the case: the same factors."""
        return self.build(KEPT)

    @property
    def before(self) -> str:
        """Resume from the states."""
        return f"""\
if step == 3:
    saved = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))
    {self.build(0.5)}
    optimizer.load_state_dict(saved[0])
    scheduler.load_state_dict(saved[1])"""


def extreme() -> Iterator[Schedule]:
    """Valid values that few would write."""
    huge, warmup = 2**40, LinearLR(0.13, 1.0, 6)
    yield from (StepLR(huge, 0.7), MultiStepLR((3, huge), 0.7), ConstantLR(0.37, huge), LinearLR(0.13, 0.97, huge))
    yield from (PolynomialLR(huge, 1.7), CosineAnnealingLR(huge, 1e-3), CosineAnnealingWarmRestarts(huge))
    yield from (CosineAnnealingWarmRestarts(2, huge), OneCycleLR(0.23, huge), SWALR(0.023, huge))
    yield from (CyclicLR(0.017, 0.19, huge), SequentialLR((warmup, ExponentialLR(0.89)), (huge,)))
    for gamma in (1.9, 0.0, -0.7, 1e-30):
        yield from (StepLR(3, gamma), MultiStepLR((2, 5), gamma), ExponentialLR(gamma))
        yield CyclicLR(0.017, 0.19, 3, mode="exp_range", gamma=gamma, cycle_momentum=False)
        yield from (LambdaLR(ExponentialLR(gamma)), MultiplicativeLR(StepLR(2, gamma)))
    yield from (CosineAnnealingLR(7, -0.1), CosineAnnealingLR(7, 1e-30), CosineAnnealingLR(7, 30.0))
    yield from (CosineAnnealingWarmRestarts(3, 2, -0.1), SWALR(0.0, 4), SWALR(-0.1, 4), OneCycleLR(0.0, 20))
    yield from (CyclicLR(0.19, 0.017, 3), CyclicLR(0.0, 0.19, 3), CyclicLR(-0.1, 0.19, 3))
    yield from (SequentialLR((warmup, ExponentialLR(-0.7)), (6,)), SequentialLR((StepLR(2, -0.7), warmup), (6,)))
    yield from (ChainedScheduler((warmup, StepLR(3, -0.7))), OneCycleLR(-0.23, 20))
    yield from (PolynomialLR(5, 1e-3), PolynomialLR(5, 40.0), LinearLR(1e-30, 1.0, 5), ConstantLR(1e-30, 3))
    yield from (OneCycleLR(0.23, 20, div_factor=1e-3), OneCycleLR(0.23, 20, div_factor=1e30, final_div_factor=1e30))


def forbidden() -> Iterator[Schedule]:
    """Values that the documentation forbids, by a range or because a length cannot be negative."""
    yield from (unvalidated(StepLR, step_size=-3), unvalidated(MultiStepLR, milestones=(-2, 5)))
    yield from (unvalidated(ConstantLR, total_iters=-3), unvalidated(LinearLR, total_iters=-3))
    yield from (unvalidated(PolynomialLR, total_iters=-3), unvalidated(CosineAnnealingLR, T_max=-3))
    yield from (unvalidated(CosineAnnealingWarmRestarts, T_0=-3), unvalidated(SWALR, swa_lr=0.1, anneal_epochs=-3))
    yield from (
        unvalidated(OneCycleLR, max_lr=0.1, total_steps=-20),
        unvalidated(CyclicLR, base_lr=0.1, max_lr=0.2, step_size_up=-3),
    )
    yield from (
        unvalidated(CosineAnnealingWarmRestarts, T_0=3, T_mult=0),
        unvalidated(CosineAnnealingWarmRestarts, T_0=3, T_mult=-2),
    )
    yield unvalidated(CyclicLR, base_lr=0.1, max_lr=0.2, step_size_up=3, step_size_down=-2)
    yield unvalidated(ReduceLROnPlateau, metrics=METRICS, patience=-1)
    yield unvalidated(ReduceLROnPlateau, metrics=METRICS, cooldown=-1)
    yield unvalidated(ReduceLROnPlateau, metrics=METRICS, factor=1.5)
    yield unvalidated(ReduceLROnPlateau, metrics=METRICS, factor=-0.5)
    for number in (math.nan, math.inf):
        yield from (unvalidated(ConstantLR, factor=number), unvalidated(LinearLR, start_factor=number))
        yield unvalidated(LinearLR, end_factor=number)
        yield unvalidated(OneCycleLR, max_lr=0.1, total_steps=20, pct_start=number)


def _of_length_one() -> tuple[Schedule, ...]:
    """Schedules whose lengths are all 1, to be given as True."""
    factors = (ConstantLR(0.37, 1), LinearLR(0.13, 0.97, 1), PolynomialLR(1), StepLR(1, 0.7))
    return (*factors, CosineAnnealingLR(1), CosineAnnealingWarmRestarts(1), SWALR(0.023, 1))


def converted(schedule: Schedule, conversion: Conversion) -> bool:
    """Whether the conversion finds anything to convert in the composition."""
    if conversion.kind == "lr":
        return True
    inner = getattr(schedule, "schedulers", ())
    if conversion.kind == "parts":
        return bool(inner)
    given = arguments(schedule, 1, False)
    fields = [field for field in dataclasses.fields(schedule) if field.name in given]  # type: ignore[arg-type]
    if conversion.kind == "result" and any(field.name in ("lr_lambda", "scale_fn") for field in fields):
        return True
    return any(map(conversion.takes, fields)) or any(converted(part, conversion) for part in inner)


def _singles() -> Iterator[Schedule]:
    """Every class, with every argument that a conversion may change."""
    yield from parts()
    yield OneCycleLR(0.23, 20, div_factor=7.0, final_div_factor=30.0, base_momentum=0.81, max_momentum=0.93)
    yield OneCycleLR(0.23, epochs=5, steps_per_epoch=4, pct_start=0.4)
    yield CyclicLR(0.017, 0.19, 3, 4, mode="exp_range", gamma=0.93, base_momentum=0.71, max_momentum=0.83)
    yield CyclicLR(0.017, 0.19, 3, 4, scale_fn=ExponentialLR(0.83), cycle_momentum=False)
    yield ReduceLROnPlateau(METRICS, factor=0.7, patience=1, cooldown=2, min_lr=0.05)


def _composites(number: int) -> Iterator[Schedule]:
    """Some of the crossed composites, others for each conversion, and one with two milestones."""
    yield from crossed()[number % STRIDE :: STRIDE]
    yield SequentialLR((LinearLR(0.13, 1.0, 6), ConstantLR(1.0, 3), ExponentialLR(0.89)), (3, 7))


def _setups(name: str, conversion: Conversion, schedule: Schedule) -> Iterator[Setup]:
    # The states of whoever gives a NumPy number as LR contain that number before any scheduler writes to them.
    composite = is_composite(schedule)
    plain = conversion.kind != "lr" or not conversion.text.startswith(("np", "fractions"))
    yield Setup(numbers=name, actions=(Inspected(plain and not composite),))
    # NumPy's arrays and tensors mix by rules of their own.
    array = conversion.text.startswith("np.array")
    if composite or array or conversion.refusal or conversion.kind in ("lr", "parts"):
        return
    yield Setup(numbers=name, lr_type="tensor", actions=(Inspected(False),))
    if conversion.kind == "real" and any(f.metadata.get("per_group") for f in dataclasses.fields(schedule)):  # type: ignore[arg-type]
        yield Setup(groups=3, lists=True, numbers=name, actions=(Inspected(False),))


def _conversions() -> Iterator[Case]:
    for number, (name, conversion) in enumerate(CONVERSIONS.items()):
        half = conversion.unit in HALF
        for schedule in _of_length_one() if name == "integer_bool" else (*_singles(), *_composites(number)):
            # The bound of a half type is that of one scheduler.
            if half and is_composite(schedule):
                continue
            # Falling milestones are for MultiStepLR, which counts them; those of a SequentialLR are in "milestones".
            falling = name == "milestones_falling" and isinstance(schedule, SequentialLR)
            if converted(schedule, conversion) and not falling:
                for setup in _setups(name, conversion, schedule):
                    yield Case("numbers", schedule, setup, STEPS_OF_HALF if half else 16)


def cases() -> Iterator[Case]:
    """Every conversion crossed with every schedule that has something to convert; extreme and forbidden values."""
    for schedule in [*parts(), *crossed()]:
        yield Case("numbers", schedule, Setup(actions=(Inspected(),)))
        yield Case("numbers", schedule, Setup(lr_type="tensor", actions=(Inspected(),)))
        yield Case("numbers", schedule, Setup(groups=2, lr_type="shared", actions=(Inspected(False),)))
    yield from _conversions()
    for kind in ("object", "method", "partial"):
        for of_epoch in (LambdaLR(ExponentialLR(KEPT)), MultiplicativeLR(ExponentialLR(KEPT))):
            yield Case("numbers", of_epoch, Setup(actions=(KeptCallable(kind),)))
    for schedule in extreme():
        for setup in (Setup(), Setup(groups=3), Setup(lr_type="tensor")):
            yield Case("numbers", schedule, setup)
    for schedule in forbidden():
        yield Case("numbers", schedule)
