"""What a library declares: its wheel, its files, its schedules, and what each of them promises."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from reference import Schedule

from .arguments import Arguments, places

#: What a call needs beside warmup and total, and the names of the values that it is tried with.
Numbers = Mapping[str, object]


@dataclasses.dataclass(frozen=True)
class LibrarySchedule:
    """One schedule of a library: how to call it, and the closed form that its documentation promises.

    Every text is Python, with the arguments in braces, and is run as it is written: the script that reproduces a case
    is made of the same lines.  In scope: `torch`, `optimizer`, `scheduler` (what `call` returned), and t, the number
    of the update, from 0.

    * `imports`: lines that import what the other texts use, from the module that defines it.
    * `setup`: lines before the call.  `call`: the expression that builds the scheduler, or the function, and is what
      a user writes.  `first`: lines after it, before the first update.  `before`: lines before each update t, where the
      library sets the LR then.  `step`: lines after update t.
    * `rate`: for a library whose schedules are functions: the expression of the LR at update t; there is no optimizer.
    * `reference`: arguments → the documented schedule for one parameter group, whose LR is ``arguments.base_lr``.
    * `fields`: the arguments beside warmup_steps, total_steps and base_lr, with their usual values.
    * `variants`: other values, each by a name; the reference must hold for them too.
    * `edges`: values that contradict each other, such as a warmup and a decay longer than the run: there a clear
      refusal is right, and so is any LR within bounds.
    * `state`: how its state is saved and loaded, as two expressions (the second with `saved`); empty where it has none.
      `resumed`: lines after a state was loaded, before update t.
    * `optimizer`: the expression that builds it; `groups` and `lr` are filled in, as are the arguments.
    * `precision`: ``float32`` where the library computes LRs in it, whatever the LR of the optimizer is.
    * `peak`: the highest LR that is asked for, in units of the base LR.
    * `left_out`: axes that say nothing about it → why.
    * `reading`: the entry of known/readings.toml with the argument for the reference, where the documentation leaves a
      choice.  `docs`: where the documentation says what the reference is: a docstring, a page, a paper.
    """

    name: str
    imports: str
    call: str
    reference: Callable[[Arguments], Schedule]
    _: dataclasses.KW_ONLY
    rate: str = ""
    setup: str = ""
    first: str = ""
    before: str = ""
    step: str = "scheduler.step()"
    resumed: str = ""
    state: tuple[str, str] | tuple[()] = ("scheduler.state_dict()", "scheduler.load_state_dict(saved)")
    optimizer: str = "torch.optim.SGD({groups}, lr={lr})"
    fields: Numbers = dataclasses.field(default_factory=dict)
    variants: Mapping[str, Numbers] = dataclasses.field(default_factory=dict)
    edges: Mapping[str, Numbers] = dataclasses.field(default_factory=dict)
    left_out: Mapping[str, str] = dataclasses.field(default_factory=dict)
    precision: str = "float"
    peak: float = 1.0
    reading: str = ""
    docs: str = ""

    @property
    def takes(self) -> set[str]:
        """The arguments that its texts use."""
        texts = (self.setup, self.call, self.first, self.before, self.step, self.rate, self.resumed)
        return {name for text in texts for name in places(text)}


@dataclasses.dataclass(frozen=True)
class Library:
    """A library: where its code is, which releases are compared, and its schedules.

    * `project`: its name on the package index; empty where the code is written out by us.
    * `files`: patterns of the files in its wheel, or its source archive, that are run; every other module that they
      import is a stub, but for torch, NumPy, the standard library and `real`.  A pattern that matches nothing in a
      release is skipped; a package's own ``__init__.py`` is run only where it is named.
    * `stand_ins`: modules that another one stands for: ``{"jax.numpy": "numpy"}``.
    * `releases`: those that are compared, oldest first; the last is the one that is checked by default.
    * `sdist`: there is no wheel; the source archive is read.
    * `needs`: requirements beside its own that a real install needs to import these files.
    """

    name: str
    project: str
    files: tuple[str, ...]
    releases: tuple[str, ...]
    schedules: tuple[LibrarySchedule, ...]
    _: dataclasses.KW_ONLY
    real: tuple[str, ...] = ()
    stand_ins: Mapping[str, str] = dataclasses.field(default_factory=dict)
    sdist: bool = False
    needs: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> LibrarySchedule:
        return next(schedule for schedule in self.schedules if schedule.name == name)
