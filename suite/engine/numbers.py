"""How the numbers of a case are given: as Python floats and ints, or as what else a user may have at hand.

A conversion is the text of an expression: the suite evaluates it, and `python -m suite repro` prints it.
"""

from __future__ import annotations

import dataclasses
import fractions
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

#: What the texts may use.
MODULES = {"np": np, "torch": torch, "fractions": fractions, "functools": functools}

#: The kinds of values, in words.
KINDS = {
    "lr": "the LR",
    "real": "the real arguments",
    "integer": "the lengths",
    "milestones": "the milestones",
    "parts": "the list of parts",
    "result": "what the functions return",
    "function": "the function",
}


@dataclasses.dataclass(frozen=True)
class Conversion:
    """The values of one kind, each given as `text` with the plain value in place of ``{}``.

    `kind`: lr (that of the optimizer), real, integer and milestones (arguments of these types), parts (the list of a
    composite), result (what a function returns), function (the function itself).  `unit` is a key of
    `tolerances.UNIT`.  `refusal`: why the documentation rules it out; `refusable`: why an exception at construction
    is as good as a right run.
    """

    kind: str = ""
    text: str = "{}"
    unit: str = "float"
    refusal: str = ""
    refusable: str = ""

    def given(self, value: Any) -> Any:
        """The value as it is given."""
        return _function_of(self.text)(value)

    def written(self, value: str) -> str:
        """The same as text; `value` is the text of the plain value."""
        return self.text.format(value)

    @property
    def words(self) -> str:
        """What is given, for people: "the lengths as np.int64(…)"."""
        return f"{KINDS[self.kind]} as {self.text.format('…')}"

    def takes(self, field: dataclasses.Field[Any]) -> bool:
        """Whether this argument of a scheduler is converted."""
        kinds = {"float": "real", "int": "integer", "int | None": "integer", "tuple[int, ...]": "milestones"}
        if field.name == "lr_lambda":
            return self.kind == "function"
        return bool(self.kind) and kinds.get(str(field.type)) == self.kind

    def given_argument(self, field: dataclasses.Field[Any], value: Any) -> Any:
        """An argument as it is given; a list with one value per group is converted item by item."""
        if value is None or not self.takes(field):
            return value
        if isinstance(value, list) and self.kind == "real":
            return [self.given(item) for item in value]
        return self.given(value)

    def given_function(self, function: Callable[[float], float]) -> Callable[[float], Any]:
        """A function whose results are converted, if results are what is converted."""
        return (lambda epoch: self.given(function(epoch))) if self.kind == "result" else function


@functools.cache
def _function_of(text: str) -> Callable[[Any], Any]:
    function: Callable[[Any], Any] = eval(f"lambda value: {text.format('value')}", dict(MODULES))
    return function


_NO_NUMBER = "a text is not a number"
_NOT_AN_INT = "the documentation calls the length an int"
_NOT_A_FLOAT = "the documentation calls the argument a float"
_NOT_A_LIST = "the documentation asks for a list"

#: The value of `Setup.numbers` → what it means.
CONVERSIONS = {
    "": Conversion(),
    # The LR of the optimizer: numbers,
    "lr_int": Conversion("lr", "1"),
    "lr_bool": Conversion("lr", "True"),
    "lr_np64": Conversion("lr", "np.float64({})"),
    "lr_np32": Conversion("lr", "np.float32({})", "float32"),
    "lr_fraction": Conversion("lr", "fractions.Fraction({})"),
    "lr_zero": Conversion("lr", "0.0"),
    "lr_tiny": Conversion("lr", "1e-30"),
    "lr_huge": Conversion("lr", "1e30"),
    # and tensors.
    "lr_float64": Conversion("lr", "torch.tensor({}, dtype=torch.float64)"),
    "lr_float16": Conversion("lr", "torch.tensor({}, dtype=torch.float16)", "float16"),
    "lr_bfloat16": Conversion("lr", "torch.tensor({}, dtype=torch.bfloat16)", "bfloat16"),
    "lr_int64": Conversion("lr", "torch.tensor(1)", "float32"),
    "lr_element": Conversion("lr", "torch.tensor([{}])", "float32"),
    "lr_matrix": Conversion("lr", "torch.tensor([[{}]])", "float32"),
    "lr_grad": Conversion("lr", "torch.tensor({}, requires_grad=True)", "float32"),
    # Arguments that are real numbers.
    "real_np64": Conversion("real", "np.float64({})"),
    "real_np32": Conversion("real", "np.float32({})", "float32"),
    "real_fraction": Conversion("real", "fractions.Fraction({})", refusable=_NOT_A_FLOAT),
    "real_array": Conversion("real", "np.array({})", refusable=_NOT_A_FLOAT),
    "real_tensor": Conversion("real", "torch.tensor({})", "float32", refusable=_NOT_A_FLOAT),
    "real_float64": Conversion("real", "torch.tensor({}, dtype=torch.float64)", refusable=_NOT_A_FLOAT),
    "real_element": Conversion("real", "torch.tensor([{}])", "float32", refusable=_NOT_A_FLOAT),
    "real_text": Conversion("real", "str({})", refusal=_NO_NUMBER),
    # Arguments that are lengths.
    "integer_np64": Conversion("integer", "np.int64({})"),
    "integer_np32": Conversion("integer", "np.int32({})"),
    "integer_bool": Conversion("integer", "bool({})", refusable=_NOT_AN_INT),
    "integer_float": Conversion("integer", "float({})", refusable=_NOT_AN_INT),
    "integer_fraction": Conversion("integer", "fractions.Fraction({})", refusable=_NOT_AN_INT),
    "integer_array": Conversion("integer", "np.array({})", refusable=_NOT_AN_INT),
    "integer_tensor": Conversion("integer", "torch.tensor({})", "float32", refusable=_NOT_AN_INT),
    "integer_element": Conversion("integer", "torch.tensor([{}])", "float32", refusable=_NOT_AN_INT),
    "integer_text": Conversion("integer", "str({})", refusal=_NO_NUMBER),
    # Milestones.
    "milestones_tuple": Conversion("milestones", "tuple({})"),
    "milestones_set": Conversion("milestones", "set({})", refusable=_NOT_A_LIST),
    "milestones_iter": Conversion("milestones", "iter({})", refusable=_NOT_A_LIST),
    "milestones_np": Conversion("milestones", "[np.int64(m) for m in {}]"),
    "milestones_array": Conversion("milestones", "np.array({})", refusable=_NOT_A_LIST),
    "milestones_tensor": Conversion("milestones", "torch.tensor({})", refusable=_NOT_A_LIST),
    "milestones_tensors": Conversion("milestones", "[torch.tensor(m) for m in {}]", refusable=_NOT_AN_INT),
    "milestones_floats": Conversion("milestones", "[float(m) for m in {}]", refusable=_NOT_AN_INT),
    "milestones_int": Conversion("milestones", "{}[0]", refusal="milestones is one number, not a list"),
    "milestones_texts": Conversion("milestones", "[str(m) for m in {}]", refusal=_NO_NUMBER),
    "milestones_falling": Conversion("milestones", "{}[::-1]", refusable="the milestones must be increasing"),
    # The parts of a composite.
    "parts_tuple": Conversion("parts", "tuple({})"),
    "parts_iter": Conversion("parts", "iter({})", refusable=_NOT_A_LIST),
    # What functions return, and the functions.
    "result_np64": Conversion("result", "np.float64({})"),
    "result_np32": Conversion("result", "np.float32({})", "float32"),
    "result_fraction": Conversion("result", "fractions.Fraction({})"),
    "result_array": Conversion("result", "np.array({})"),
    "result_tensor": Conversion("result", "torch.tensor({})", "float32"),
    "result_float64": Conversion("result", "torch.tensor({}, dtype=torch.float64)"),
    "result_element": Conversion("result", "torch.tensor([{}])", "float32"),
    "function_partial": Conversion("function", "functools.partial({})"),
    "function_list": Conversion("function", "[{}]"),
    "function_tuple": Conversion("function", "({},)"),
}
