"""Which cases the entries of numbers.toml can affect: how their numbers are given, or which numbers they are."""

from __future__ import annotations

import math

from reference import (
    SWALR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
)
from suite.cases.experiments.numbers import Inspected, KeptCallable
from suite.cases.experiments.objects.copied import StateTaken
from suite.engine.case import Case
from suite.known.entries.places import Predicate, acted, both, contains, has_tensor_lr, places

#: The arguments that are lengths.
LENGTHS = ("total_iters", "T_max", "step_size", "anneal_epochs", "step_size_up", "step_size_down")
#: Tensors with one element that are not scalars.
ELEMENTS = ("lr_element", "lr_matrix", "real_element", "integer_element", "result_element")


def given(library: str, *kinds: str) -> Predicate:
    """Numbers of these kinds are given as objects of the library: np, torch or fractions."""
    return lambda case: case.setup.conversion.kind in kinds and f"{library}." in case.setup.conversion.text


def named(*names: str) -> Predicate:
    """The numbers are given in one of these ways."""
    return lambda case: case.setup.numbers in names


def _loads_by_default(case: Case) -> bool:
    """The state passes through torch.load as it is, or through JSON."""
    saved = (StateTaken("file"), StateTaken("json"), StateTaken("pickled"))
    return acted(Inspected)(case) or any(action in saved for action in case.setup.actions)


def _cools_down(case: Case) -> bool:
    return any(isinstance(s, ReduceLROnPlateau) and s.cooldown for s, _ in places(case.schedule))


def _negative_length(case: Case) -> bool:
    for schedule, _ in places(case.schedule):
        lengths = [getattr(schedule, name, None) for name in LENGTHS]
        lengths += schedule.milestones if isinstance(schedule, MultiStepLR) else ()
        if any(isinstance(length, int) and length < 0 for length in lengths):
            return True
    return False


def _nan_factor(case: Case) -> bool:
    names = ("factor", "start_factor", "end_factor", "pct_start")
    return any(
        isinstance(value := getattr(s, name, None), float) and math.isnan(value)
        for s, _ in places(case.schedule)
        for name in names
    )


#: Classes that test their lengths with isinstance(…, int).
TESTED = (CosineAnnealingWarmRestarts, OneCycleLR, SWALR)
ARGUMENTS = ("real", "integer", "result")

#: Entry → the cases that it can affect.
PREDICATES: dict[str, Predicate] = {
    "numpy-lr-in-group": given("np", *ARGUMENTS),
    "numpy-in-state": given("np", *ARGUMENTS, "milestones"),
    "tensor-lr-in-group": given("torch", *ARGUMENTS),
    "fraction-in-state": given("fractions", *ARGUMENTS),
    "fraction-times-tensor": both(given("fractions", "real", "result"), has_tensor_lr),
    "tensor-milestones-never-match": both(given("torch", "milestones"), contains(MultiStepLR)),
    "cyclic-tensor-shared": both(given("torch", "real"), contains(CyclicLR)),
    "cooldown-counts-itself-down": both(named("integer_array", "integer_tensor", "integer_element"), _cools_down),
    "integer-tensor-lr": named("lr_int64"),
    "tensor-lr-replaced": has_tensor_lr,
    "tensor-lr-of-one-element": named(*ELEMENTS),
    "tensor-lr-requires-grad": named("lr_grad"),
    "numpy-number-refused": both(named("integer_np64", "integer_np32", "real_np32"), contains(*TESTED)),
    "text-as-number": lambda case: case.setup.conversion.text == "str({})" or named("milestones_texts")(case),
    "function-in-state": both(_loads_by_default, contains(OneCycleLR, SWALR, CyclicLR)),
    "milestones-not-indexed": both(named("milestones_set", "milestones_tensor"), contains(SequentialLR)),
    "callable-not-restored": lambda case: any(
        isinstance(action, KeptCallable) and action.kind != "object" for action in case.setup.actions
    ),
    "negative-length": _negative_length,
    "nan-in-range": _nan_factor,
}
