"""What the rows of a log are counted in, and the optimizer step of each: steps, batches of epochs, tokens or epochs."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from reference.check import Rates, Steps, integer

from .columns import STEP_NAMES, Table, plain

#: Columns that count what the updates consumed, the most reliable first.
CONSUMED_NAMES = (
    *("consumed_samples", "consumed_train_samples", "samples_seen", "num_samples", "train_samples", "samples"),
    *("examples_seen", "num_examples", "consumed_tokens", "tokens_seen", "num_tokens", "train_tokens"),
    *("total_tokens", "n_tokens", "num_input_tokens_seen", "tokens"),
)
#: Relative distance of a multiple of --tokens-per-step from an integer number of steps.
WHOLE = 1e-3
#: Epochs are printed with two decimals or more: each is within this of the true one.
EPOCH_ROUNDING = 0.00501

Numbers = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Units:
    """What the user knows about the run: optimizer steps of an epoch, tokens (or samples) of a step, steps in all.

    Raises TypeError or ValueError unless each is a positive integer or None.
    """

    steps_per_epoch: int | None = None
    tokens_per_step: int | None = None
    total_steps: int | None = None

    def __post_init__(self) -> None:
        for name in ("steps_per_epoch", "tokens_per_step"):
            if getattr(self, name) is not None:
                integer(name, getattr(self, name), 1)


@dataclasses.dataclass(frozen=True)
class Axis:
    """The column that tells the steps (None: the rows are numbered), and of which kind it is."""

    name: str | None
    kind: str = "step"


def axis_of(table: Table) -> Axis:
    """The most reliable column of steps.

    >>> columns = {"epoch": np.arange(2), "global_step": np.arange(2), "lr": np.ones(2)}
    >>> axis_of(Table(tuple(columns), columns.__getitem__, str))
    Axis(name='global_step', kind='step')
    """
    names = {plain(name): name for name in reversed(table.names)}
    for known in STEP_NAMES:
        if known in names:
            return Axis(names[known])
    if "batch" in names:
        return Axis(names["batch"], "batch")
    for known in CONSUMED_NAMES:
        if known in names:
            return Axis(names[known], "consumed")
    return Axis(names["epoch"], "epoch") if "epoch" in names else Axis(None, "row")


def steps_at(table: Table, axis: Axis, rows: Steps, units: Units) -> tuple[Steps, tuple[str, ...]]:
    """The optimizer step of each of the given rows, and remarks on how it was found.

    Raises ValueError, ``name=value`` first, for values that are no steps, and where a number of the user's is needed.
    """
    if axis.name is None:
        note = "There is no step column; the rows are numbered from 0."
        return rows, (note,) if len(table.names) > 1 else ()
    values = _filled(table, axis.name, rows)
    if axis.kind == "epoch":
        return _from_epochs(table, axis.name, rows, values, units)
    steps = _integers(table, axis.name, rows, values)
    if axis.kind == "consumed":
        return _from_consumed(axis.name, steps, units)
    return _from_batches(table, axis, rows, steps, units)


def _filled(table: Table, name: str, rows: Steps) -> Rates:
    filled, values = table.numbers(name, rows)
    if filled.size != rows.size:
        at = int(np.setdiff1d(rows, filled)[0])
        raise ValueError(f"{name}='' in {table.where(at)} must be a number")
    return values


def _integers(table: Table, name: str, rows: Steps, values: Numbers) -> Steps:
    wrong = np.flatnonzero((values != np.rint(values)) | (values < 0) | (values > 2.0**53))
    if wrong.size:
        at = int(wrong[0])
        raise ValueError(f"{name}={values[at]:g} in {table.where(int(rows[at]))} must be an integer >= 0")
    return values.astype(np.int64)


def _from_batches(table: Table, axis: Axis, rows: Steps, steps: Steps, units: Units) -> tuple[Steps, tuple[str, ...]]:
    """Steps that may start again with every epoch.

    They do if they fall where the epoch rises and nowhere else. The length of an epoch is the user's, or the number
    of batches that the log names beside each one.
    """
    names = {plain(name): name for name in reversed(table.names)}
    epoch_name, batches_name = names.get("epoch"), names.get("batches")
    if epoch_name is None or (axis.kind == "step" and not (np.diff(steps) < 0).any()):
        return steps, ()
    filled, epochs = table.numbers(epoch_name, rows)
    falls = np.flatnonzero(np.diff(steps) < 0)
    counted = axis.kind == "batch" and batches_name is not None
    if filled.size != rows.size or not (counted or falls.size):
        return steps, ()
    if not np.all(np.diff(epochs)[falls] > 0) or (epochs != np.floor(epochs)).any():
        return steps, ()
    length: int | None = units.steps_per_epoch
    if length is None and batches_name is not None:
        length = int(table.numbers(batches_name, rows)[1].max())
    if length is None:
        raise ValueError(
            f"{axis.name}={steps[falls[0] + 1]} in {table.where(int(rows[falls[0] + 1]))} must be >= {steps[falls[0]]},"
            f" the step before it, or be counted in its epoch: give --steps-per-epoch"
        )
    from_one = epochs.min() == 1 or (epochs.min() > 1 and steps.min() > 0 and steps.max() == length)
    note = f"{axis.name} is counted in each {epoch_name} of {length} steps."
    return steps + (epochs.astype(np.int64) - from_one) * length, (note,)


def _from_consumed(name: str, consumed: Steps, units: Units) -> tuple[Steps, tuple[str, ...]]:
    """Steps from the tokens or samples that they consumed; without the user's number, from their common divisor."""
    each = units.tokens_per_step
    if each is not None:
        steps = np.rint(consumed / each)
        far = np.flatnonzero(np.abs(consumed / each - steps) > WHOLE)
        if far.size:
            raise ValueError(f"tokens_per_step={each} must divide every {name}, such as {consumed[far[0]]}")
        return steps.astype(np.int64), ()
    common = int(np.gcd.reduce(consumed)) or 1
    last = int(consumed.max())
    if units.total_steps is not None and last:
        divisors = [d for d in _divisors(common) if last <= d * units.total_steps]
        if divisors:
            each = divisors[0]
            note = f"{name} is read as {each} a step: then the log ends at step {last // each} of {units.total_steps}."
            return consumed // each, (f"{note} Use --tokens-per-step for another number.",)
    note = f"There is no step column; {name} is counted in units of {common}."
    return consumed // common, (f"{note} Use --tokens-per-step N for steps.",)


def _divisors(number: int) -> list[int]:
    small = [d for d in range(1, math.isqrt(number) + 1) if number % d == 0] if number < 10**12 else [1]
    return sorted({*small, *(number // d for d in small)})


def _from_epochs(table: Table, name: str, rows: Steps, epochs: Numbers, units: Units) -> tuple[Steps, tuple[str, ...]]:
    """Steps from epochs or fractions of one; evenly spaced fractions of unknown length number the rows."""
    if (epochs < 0).any():
        at = int(np.flatnonzero(epochs < 0)[0])
        raise ValueError(f"{name}={epochs[at]:g} in {table.where(int(rows[at]))} must be >= 0")
    length, notes = units.steps_per_epoch, []
    whole = bool((epochs == np.floor(epochs)).all())
    if length is None and not whole and units.total_steps is not None:
        last = _last_epoch(table, name)
        if last is not None and units.total_steps % last == 0:
            length = units.total_steps // last
            notes = [f"{units.total_steps} steps in {last} epochs are read as {length} steps an epoch."]
    if length is not None:
        return _evened(epochs, length), tuple(notes)
    if whole:
        return epochs.astype(np.int64), (f"There is no step column; {name} is used instead.",)
    gaps = np.diff(epochs)
    if np.abs(gaps - np.median(gaps)).max(initial=0.0) > 2 * EPOCH_ROUNDING:
        at = int(np.argmax(np.abs(gaps - np.median(gaps)))) + 1
        raise ValueError(
            f"{name}={epochs[at]:g} in {table.where(int(rows[at]))} must become an optimizer step: give"
            " --steps-per-epoch"
        )
    note = f"There is no step column; the rows are numbered from 0. Use --steps-per-epoch N to read {name} as steps."
    return np.arange(rows.size), (note,)


def _last_epoch(table: Table, name: str) -> int | None:
    """The number of epochs in all, if the last row of the log ends one."""
    values = table.numbers(name)[1]
    last = float(values[-1])
    return int(last) if last > 0 and last == math.floor(last) else None


def _evened(epochs: Numbers, length: int) -> Steps:
    """The nearest steps; where all fit one distance within the rounding of the epochs, that distance."""
    nearest = np.rint(epochs * length)
    if epochs.size > 2:
        each = np.rint((epochs[-1] - epochs[0]) * length / (epochs.size - 1))
        even = np.rint(epochs[0] * length / each) * each + each * np.arange(epochs.size) if each else nearest
        if np.abs(even - epochs * length).max() <= 0.5 + EPOCH_ROUNDING * length:
            nearest = even
    return nearest.astype(np.int64)
