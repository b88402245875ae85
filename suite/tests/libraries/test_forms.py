"""Formulas written beside a declaration, the stand-ins for modules of other libraries, and scripts of two objects."""

from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest

from reference import CosineDecay, ExponentialDecay, LinearDecay, StableDecay
from suite.libraries.core.case import LibraryCase, cases_of
from suite.libraries.core.formula import Formula, ShapedDecay, rising_from, then
from suite.libraries.core.library import Library, LibrarySchedule
from suite.libraries.core.program import script_of
from suite.libraries.judge import judge_library
from suite.libraries.sandbox.child import LibraryRun, Load, run_script
from suite.libraries.sandbox.packaging_version import Version
from suite.libraries.sandbox.paddle_lr import LambdaDecay
from suite.libraries.sandbox.sandbox import Sandbox

#: Two ways to write a formula may differ by a few roundings.
REL_TOL = 1e-14
#: A scheduler that steps another one: what the warmups of pytorch-warmup and others do.
TWO_OBJECTS = LibrarySchedule(
    "two",
    "import torch",
    "Outer(inner)",
    lambda a: ExponentialDecay(gamma=0.5),
    setup="inner = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)\n"
    "class Outer:\n    def __init__(self, inner): self.inner = inner\n    def step(self): self.inner.step()",
    step="scheduler.step()\nassert inner is scheduler.inner and inner.optimizer is optimizer",
    state=("inner.state_dict()", "inner.load_state_dict(saved)"),
    optimizer="torch.optim.AdamW({groups}, lr={lr}, betas=(0.9, {beta2}))",
    fields={"beta2": 0.75},
)


def two(axis: str) -> LibraryCase:
    """A case of the scheduler that steps another one."""
    own = Library("two", "", (), ("1",), (TWO_OBJECTS,))
    return next(case for case in cases_of(own) if case.axis == axis)


@pytest.mark.parametrize("name", ["arguments", "formula", "version"])
def test_examples_of_the_core(name: str) -> None:
    """Every doctest gives what it shows, and there is at least one."""
    outcome = doctest.testmod(importlib.import_module(f"suite.libraries.core.{name}"))
    assert outcome.failed == 0
    assert outcome.attempted > 0


@pytest.mark.parametrize("floor", [0.0, 0.1])
def test_a_shaped_decay_agrees_with_the_reference(floor: float) -> None:
    """Curves that the reference has too, with a plateau and a floor."""
    t = np.arange(20)
    ours = ShapedDecay(8, lambda p: 0.5 * (1.0 + np.cos(np.pi * p)), floor, stable_steps=3)
    assert ours(t) == pytest.approx(StableDecay(3, 8, "cosine", floor)(t), rel=REL_TOL, abs=REL_TOL)
    assert ShapedDecay(8, lambda p: 1.0 - p, floor)(t) == pytest.approx(LinearDecay(8, floor)(t), rel=REL_TOL)


def test_a_floor_above_the_base_lr_is_excluded() -> None:
    """As in the decays of the reference, which share the check."""
    with pytest.raises(ValueError, match=r"min_lr=0\.5 must be <= base_lr=0\.1"):
        ShapedDecay(8, lambda p: 1.0 - p, 0.5)(0, base_lr=0.1)


def test_phases_have_clocks_of_their_own() -> None:
    """The second phase starts at its own step 0, and a start LR is an LR, not a factor."""
    wave = CosineDecay(4)
    joined = then(Formula(lambda t, base: np.full(t.shape, base)), 3, wave)
    assert joined(np.arange(3, 8), 0.2).tolist() == wave(np.arange(5), 0.2).tolist()
    assert rising_from(0.01, 0.2, 4, wave)([0, 4], 0.2) == pytest.approx([0.01, 0.2], rel=REL_TOL)


@pytest.mark.parametrize("axis", ["plain", "groups", "resume7"])
def test_what_a_setup_builds_is_at_hand_after_a_resume(axis: str) -> None:
    """The other object is the new one too; and the optimizer's text may hold arguments."""
    script = script_of(two(axis))
    assert "betas=(0.9, 0.75))" in script.body
    assert ("global inner" in script.body) == (axis == "resume7")
    done = run_script(script.imports, script.body)
    assert (done.stage, done.message) == ("done", "")
    assert judge_library(two(axis), done).follows


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("f() got an unexpected keyword argument 'cooldown_type'", "absent"),
        ("f() takes 1 positional argument but 2 were given", "absent"),
        ("unsupported operand type(s) for +: 'int' and 'str'", "deviates"),
    ],
)
def test_a_call_that_a_release_does_not_take_is_absent_there(message: str, kind: str) -> None:
    """Another release has the argument; a TypeError about anything else is the library's own."""
    assert judge_library(two("plain"), LibraryRun("construction", (), "TypeError", message)).kind == kind


def test_a_stand_in_is_found_as_an_attribute() -> None:
    """Also where its package is a stub: jax.tree, of which optax uses map alone."""
    files = {"fn/a.py": b"import jax\ndef f(t): return list(jax.tree.map(float, (t, 2)))"}
    with Sandbox(Load(files, (), {"jax.tree": "builtins"})) as box:
        assert box.run("from fn.a import f", "lrs = [f(1)]").lrs == ((1.0, 2.0),)


def test_the_stand_ins_of_our_own() -> None:
    """Releases of torch compare as in packaging, and Paddle's schedulers make their first step when they are built."""
    assert Version("2.13.0+cpu") >= Version("2.0.0") > Version("1.13.1")
    scheduler = LambdaDecay(0.5, lambda step: 1.0 / (step + 1))
    assert scheduler() == 0.5
    scheduler.step()
    assert (scheduler(), scheduler.last_epoch) == (0.25, 1)
    scheduler.step(4)
    assert scheduler() == pytest.approx(0.1, rel=REL_TOL)
