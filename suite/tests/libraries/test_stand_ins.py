"""The stand-ins for Keras's backend and fastai's star import, and schedules that act before the update."""

from __future__ import annotations

import pytest
import torch

from reference import CosineDecay, ExponentialDecay
from suite.libraries.core.case import LibraryCase, cases_of
from suite.libraries.core.library import Library, LibrarySchedule
from suite.libraries.core.program import script_of
from suite.libraries.judge import judge_library
from suite.libraries.sandbox import keras_ops
from suite.libraries.sandbox.child import Load, run_script
from suite.libraries.sandbox.sandbox import Sandbox
from suite.libraries.translate.signatures import Signatures
from suite.libraries.translate.writing import lines_of

#: One rounding in float32.
REL_TOL = 2.0**-23
#: A handler that sets the LR of the update that comes next, as ignite's do.
HANDLER = LibrarySchedule(
    "handler",
    "import torch",
    "Handler(optimizer, {base_lr})",
    lambda a: ExponentialDecay(gamma=0.5),
    setup="""
class Handler:
    def __init__(self, optimizer, top):
        self.optimizer, self.top, self.t = optimizer, top, 0
    def __call__(self):
        for group in self.optimizer.param_groups:
            group["lr"] = self.top * 0.5**self.t
        self.t += 1
""",
    before="scheduler()",
    step="",
    state=("scheduler.t", "setattr(scheduler, 't', saved)"),
    left_out={"groups": "it sets one LR for all"},
)
OWN = Library("handler", "", (), ("1",), (HANDLER,))


def handled() -> list[LibraryCase]:
    """The cases of the handler."""
    return list(cases_of(OWN))


@pytest.mark.parametrize("case", handled(), ids=lambda case: case.axis)
def test_a_handler_is_called_before_each_update(case: LibraryCase) -> None:
    """Its first call is before the first update, and a checkpoint is saved before the call of the next one."""
    script = script_of(case)
    done = run_script(script.imports, script.body)
    assert judge_library(case, done).follows, done


def test_the_call_before_an_update_is_written_out() -> None:
    """A translation tells when to call it, and names no call after the update where there is none."""
    lines = lines_of(HANDLER, handled()[0].arguments, "Handler(optimizer, 1.0)", Signatures(OWN, {}))
    assert lines[-1] == "scheduler()  # before update t, from 0"


def test_numbers_of_keras_have_the_types_of_its_torch_backend() -> None:
    """A Python float is float32, and an integer stays one: what is cast to its type loses its fraction."""
    assert keras_ops.convert_to_tensor(0.1).dtype == torch.float32
    assert keras_ops.cast(0.9, keras_ops.convert_to_tensor(0).dtype).item() == 0
    assert keras_ops.divide(1, 3).item() == pytest.approx(1 / 3, rel=REL_TOL)
    assert keras_ops.cond(keras_ops.equal(2.0, 2), lambda: "then", lambda: "otherwise") == "then"
    assert keras_ops.where(keras_ops.equal(0, 0), 1.0, keras_ops.array(5.0)).item() == 1.0
    with keras_ops.name_scope("any"):
        assert keras_ops.minimum(3, keras_ops.array(2.0)).item() == 2


def test_a_star_import_gets_the_stand_in_for_fastai() -> None:
    """Decorators leave functions as they are, and a class made by name is at hand in the module that asked for it."""
    text = """
from ..basics import *
@docs
class Schedule(Callback):
    def __init__(self, start, end): store_attr('start,end')
    def __call__(self, p): return self.end + (self.start - self.end) * (1 + math.cos(math.pi * p)) / 2
@patch
@delegates(Learner.fit)
def fit(self: Learner): pass
@log_args(but_as=Learner.fit)
def rest(): return tensor([0] + L([1.5]))
mk_class("Names", Fit=fit)
assert Names.Fit is fit and rest().tolist() == [0.0, 1.5]
"""
    load = Load({"fa/callback/a.py": text.encode()}, (), {"fa.basics": "suite.libraries.sandbox.fastai_basics"})
    with Sandbox(load) as box:
        run = box.run("from fa.callback.a import Schedule", "lrs = [[Schedule(1.0, 0.0)(t / 4)] for t in range(5)]")
    assert (run.stage, run.message) == ("done", "")
    assert [row[0] for row in run.lrs] == pytest.approx(CosineDecay(4).trace(5).tolist(), rel=REL_TOL, abs=REL_TOL)
