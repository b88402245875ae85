"""Steps in the hundred thousands and millions: loaded from a checkpoint, jumped to, or taken one by one."""

from __future__ import annotations

import dataclasses
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
    Schedule,
    SequentialLR,
    StepLR,
)
from suite.engine import tolerances
from suite.engine.action import Action, Check
from suite.engine.axes import Setup
from suite.engine.case import Case, is_composite

#: Step numbers of long runs: neither is a multiple of a length below.
FAR = (100_003, 2_000_003)
#: The first cycle in which CyclicLR's 2.0 ** (cycle - 1) is too large for a float.
LAST_CYCLE = 1025


@dataclasses.dataclass(frozen=True)
class Checkpoint(Action):
    """The state that a run of this many steps would have saved is loaded, and the LR that it would have reached."""

    general = False

    step: int
    lines: str

    @property
    def offset(self) -> int:
        """The step at which the loop starts."""
        return self.step

    @property
    def built(self) -> str:
        """The state."""
        return self.lines

    @property
    def words(self) -> str:
        """What the loop does, in words."""
        return f"from a checkpoint after {self.step} steps"

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"from{self.step}"


@dataclasses.dataclass(frozen=True)
class Stepped(Action):
    """After the loop, many steps of the scheduler in a row; then the LR is compared with the documented one."""

    general = False

    steps: int
    exact: float  # the documented LR after all of them
    allowed: float  # the relative error

    @property
    def finish(self) -> str:
        """The steps."""
        return (
            f"import math\n\nfor _ in range({self.steps}):\n    scheduler.step()\n"
            f"lr, documented = float(optimizer.param_groups[0]['lr']), {self.exact!r}\n"
            f"lr = documented if math.isclose(lr, documented, rel_tol={self.allowed:.2g}) else lr"
        )

    @property
    def checks(self) -> tuple[Check, ...]:
        """The LR."""
        return (Check("lr", f"the LR after {self.steps} more steps", "lr", "documented", "drifts"),)

    @property
    def words(self) -> str:
        """What the loop does, in words."""
        return f"then {self.steps} more steps"

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"stepped{self.steps}"


def checkpoint(schedule: Schedule, at: int, setup: Setup) -> Checkpoint:
    """The lines that continue the schedule at this step."""
    rates = [float(schedule(at, base)) for base in setup.base_lrs()]
    tensor = setup.lr_type != "float"
    values = [f"torch.tensor({rate!r})" if tensor else repr(rate) for rate in rates]
    lines = ["state = scheduler.state_dict()", f"lrs = [{', '.join(values)}]", *_entries(schedule, at, "state")]
    lines += ["scheduler.load_state_dict(state)", "for group, lr in zip(optimizer.param_groups, lrs):"]
    lines += ['    group["lr"] = lr.clone()' if tensor else '    group["lr"] = lr']
    if isinstance(schedule, CyclicLR | OneCycleLR) and schedule.cycle_momentum:
        lines += [f'    group["momentum"] = {float(schedule.momentum(at))!r}']
    return Checkpoint(at, "\n".join(lines))


def _entries(schedule: Schedule, at: int, state: str) -> Iterator[str]:
    """Lines that set the state's entries to those of step `at`, for the scheduler and the parts that still run."""
    if isinstance(schedule, ChainedScheduler):
        for i, part in enumerate(schedule.schedulers):
            yield from _entries(part, at, f'{state}["_schedulers"][{i}]')
        yield f'{state}["_last_lr"] = lrs'
        return
    values = {"last_epoch": at, "_step_count": at + 1}
    if isinstance(schedule, CosineAnnealingWarmRestarts):
        del values["_step_count"]  # its step() does not count
        since, length = at, schedule.T_0
        while since >= length:
            since, length = since - length, length * schedule.T_mult
        values |= {"T_cur": since, "T_i": length}
    yield f"{state}.update({', '.join(f'{name}={value}' for name, value in values.items())}, _last_lr=lrs)"
    if isinstance(schedule, SequentialLR):
        running = sum(milestone <= at for milestone in schedule.milestones)
        start = (0, *schedule.milestones)[running]
        yield from _entries(schedule.schedulers[running], at - start, f'{state}["_schedulers"][{running}]')


def long_singles(at: int) -> Iterator[Schedule]:
    """Every class with lengths around `at`, and with short ones that have been over for long."""
    slow = 1 - 1e-6
    if at == FAR[0]:  # at the other the tables of the functions would be too long
        yield from (LambdaLR(ExponentialLR(slow)), MultiplicativeLR(LinearLR(0.99, 1.0, 7)))
        yield from (StepLR(3, 0.7), ExponentialLR(0.89))  # which are 0 by then
    yield from (
        ExponentialLR(slow),
        StepLR(30_011, 0.7),
        StepLR(3, 0.7),
        MultiStepLR((50_021, at + 4, at + 4), 0.7),
        ExponentialLR(0.89),
    )
    yield from (ConstantLR(0.37, at + 3), ConstantLR(0.37, 3), LinearLR(0.13, 0.97, at + 5))
    yield from (PolynomialLR(at + 7, 1.7), PolynomialLR(2 * at), PolynomialLR(11, 1.7))
    yield from (CosineAnnealingLR(at + 5, 1e-3), CosineAnnealingLR(at // 2), CosineAnnealingLR(13, 1e-3))
    yield from (CosineAnnealingWarmRestarts(3, 2, 1e-3), CosineAnnealingWarmRestarts(at + 4), OneCycleLR(0.23, at + 40))
    yield from (CyclicLR(0.017, 0.19, 3, 5, cycle_momentum=False), CyclicLR(0.017, 0.19, at // 7, at // 5))
    yield from (CyclicLR(0.017, 0.19, 3, mode="exp_range", gamma=slow), SWALR(0.023, at + 6), SWALR(0.1, 4, "linear"))


def long_composites(at: int) -> Iterator[Schedule]:
    """A warmup, then each class; a switch shortly ahead; chains whose parts only multiply."""
    warmup, slow = LinearLR(0.13, 1.0, 1000), ExponentialLR(1 - 1e-6)
    for last in (slow, CosineAnnealingLR(at + 5, 1e-3), StepLR(30_011, 0.7), PolynomialLR(at + 7, 1.7)):
        yield SequentialLR((warmup, last), (1000,))
    for first in (LinearLR(0.13, 1.0, at), slow, ConstantLR(0.37, at)):
        yield SequentialLR((first, CosineAnnealingLR(13, 1e-3)), (at + 4,))
    yield SequentialLR((warmup, ConstantLR(1.0, at), slow), (1000, at + 4))
    yield ChainedScheduler((LinearLR(0.13, 1.0, at + 5), slow))
    yield ChainedScheduler((ConstantLR(0.37, at + 4), StepLR(30_011, 0.7), slow))


def restarts() -> Iterator[tuple[CosineAnnealingWarmRestarts, int]]:
    """Every restart up to two million steps, for various first lengths and factors."""
    for factor in (2, 3, 5, 7, 10):
        for first in (1, 3, 10):
            step, length = 0, first
            while step + length <= FAR[-1]:
                step, length = step + length, length * factor
                yield CosineAnnealingWarmRestarts(first, factor, 1e-3), step


def halvings() -> Iterator[tuple[Schedule, int]]:
    """CyclicLR in the mode that halves its height, and the first step of the cycle that torch cannot compute."""
    for up, down in ((1, 1), (3, 5), (2000, 2000)):
        wave = CyclicLR(0.017, 0.19, up, down, mode="triangular2", cycle_momentum=False)
        yield wave, (LAST_CYCLE - 1) * (up + down)


def cases() -> Iterator[Case]:
    """Every long schedule from a checkpoint and by step(epoch), as float and as tensor; restarts; drift."""
    for at in FAR:
        for lr_type in ("float", "tensor"):
            setup = Setup(lr_type=lr_type)
            for schedule in (*long_singles(at), *long_composites(at)):
                yield _from(schedule, at, setup)
                if not is_composite(schedule):
                    yield Case("ends", schedule, dataclasses.replace(setup, jumps=(at,)), 8)
    for i, (restarting, first) in enumerate(restarts()):
        yield Case("ends", restarting, Setup(jumps=(first,)), 6)
        if i % 7 == 0:
            yield Case("ends", restarting, Setup(jumps=(first - 1,)), 6)
            yield _from(restarting, max(first - 2, 0), Setup())
    for wave, first in halvings():
        for lr_type in ("float", "tensor"):
            yield _from(wave, first - 3, Setup(lr_type=lr_type))
        yield Case("ends", wave, Setup(jumps=(first,)), 6)
        yield _from(SequentialLR((LinearLR(0.13, 1.0, 6), wave), (6,)), first + 3, Setup())
    yield from _drifting()
    yield from _rounding()


def _from(schedule: Schedule, at: int, setup: Setup, *more: Action, steps: int = 8) -> Case:
    """The schedule from a checkpoint."""
    actions = (checkpoint(schedule, at, setup), *more)
    return Case("ends", schedule, dataclasses.replace(setup, actions=actions), steps)


def _drifting() -> Iterator[Case]:
    """The classes that compute each LR from the last one, over many steps."""
    for lr_type, steps in (("float", 50_000), ("tensor", 20_000)):
        setup = Setup(lr_type=lr_type)
        yield _stepping(ExponentialLR(1 - 1 / (2 * steps)), setup, steps)
        yield _stepping(LinearLR(0.13, 0.97, 2 * steps), setup, steps)
        yield _stepping(CosineAnnealingLR(2 * steps, 1e-3), setup, steps // 2)
    # Over the minimum, where it has to rise again.
    for lr_type, length, floor, steps in (
        ("tensor", 20_000, 1e-3, 4000),
        ("tensor", 200_000, 1e-3, 5000),
        ("float", 20_000, 0.0, 5000),
        ("float", FAR[1], 0.0, 5000),
    ):
        setup, cosine = Setup(lr_type=lr_type), CosineAnnealingLR(length, floor)
        yield _from(cosine, length - 1, setup, _stepped(cosine, setup, length + 1, steps), steps=2)


def _slow(unit: float) -> Iterator[Schedule]:
    """Classes that multiply, and some that compute each LR from the step, whose changes are a share of the unit."""
    factor, length = 1 - unit / 4, round(4 / unit)
    yield from (ExponentialLR(factor), StepLR(1, factor), MultiplicativeLR(ConstantLR(factor, 0)), PolynomialLR(length))
    yield from (LinearLR(0.5, 1.0, length), LinearLR(1.0, 0.1, length), CosineAnnealingLR(length, 1e-3))
    yield from (SWALR(0.023, length, "linear"), ChainedScheduler((ExponentialLR(factor), ConstantLR(0.37, 3))))
    yield SequentialLR((LinearLR(0.13, 1.0, 6), ExponentialLR(factor)), (6,))
    yield from (LambdaLR(ExponentialLR(factor)), CosineAnnealingWarmRestarts(length), OneCycleLR(0.23, length))


def _rounding() -> Iterator[Case]:
    """Factors that are closer to 1 than the LR's type can tell, for as many steps as change the LR visibly."""
    for kind in tolerances.HALF:
        setup, unit = Setup(numbers=f"lr_{kind}"), tolerances.UNIT[kind]
        for schedule in _slow(unit):
            yield _stepping(schedule, setup, 400)
    yield _stepping(ExponentialLR(1 - tolerances.UNIT["float32"] / 4), Setup(lr_type="tensor"), 20_000)


def _stepping(schedule: Schedule, setup: Setup, steps: int) -> Case:
    action = _stepped(schedule, setup, 2, steps)
    return Case("ends", schedule, dataclasses.replace(setup, actions=(action,)), 2)


def _stepped(schedule: Schedule, setup: Setup, start: int, steps: int) -> Stepped:
    exact = float(schedule(start + steps, setup.base_lrs()[0]))
    return Stepped(steps, exact, tolerances.after(steps, setup.precision))
