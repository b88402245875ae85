"""The specification of a sweep: a grid of settings, and the list of runs that it expands to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

from bench.toy.config import Config
from bench.toy.measures import STABLE_LOSS
from reference import LinearWarmup, effective_period
from reference.check import flag, integer, one_of, real

from .schedules import DECAYS, KINDS, NONE, matching_length, pair

NORMS = ("post", "pre")
#: At equal length in steps, and at equal effective period.
MATCHES = ("steps", "period")
DTYPES = ("float32", "float64")


class Setting(NamedTuple):
    """What a sweep compares: a run without its LR and seed. `effective_period`: Σ(1−w(t)) in steps."""

    schedule: str
    kind: str
    warmup_steps: int
    effective_period: float
    decay: str
    norm: str


class Run(NamedTuple):
    """One run: the fields of its setting, a base LR and a seed."""

    schedule: str
    kind: str
    warmup_steps: int
    effective_period: float
    decay: str
    norm: str
    lr: float
    seed: int

    @property
    def setting(self) -> Setting:
        """The setting of this run."""
        return Setting(*self[:6])


@dataclasses.dataclass(frozen=True)
class Spec:
    """The grid norms × decays × kinds × lengths × LRs × seeds, each run `steps` optimizer steps long.

    * `name`: the name of `config` in tables; its `norm_first` is overridden by `norms`, post or pre;
    * `warmups`: lengths W in steps; with ``"period"`` in `match` every kind other than linear also runs (or,
      without ``"steps"``, only runs) at the length with the effective period of a linear warmup of W steps;
    * `lrs`: base LRs, ascending; `seeds`: draw the weights and the order of the batches;
    * `target`: a training loss whose first step is recorded; `instruments`: record the largest attention logit etc.;
    * `dtype`: float32 or float64; `device`: cpu, cuda …; `compiled`: use torch.compile;
      `native`: the pass in C, for float32 on a CPU.

    Raises TypeError or ValueError for values out of range, and for duplicates.

    >>> tiny = Config(d_model=16, feed_forward=4, heads=1, layers=1, limit=10, batch_size=3)
    >>> spec = Spec(tiny, "tiny", steps=10, warmups=(0, 5), kinds=("linear", "cosine"), lrs=(0.01, 0.1), seeds=(0, 1))
    >>> [setting.schedule for setting in spec.settings()]
    ['linear0+cosine10', 'linear5+cosine5', 'cosinewarmup5+cosine5']
    >>> len(spec.runs())
    12
    """

    config: Config
    name: str
    steps: int
    warmups: tuple[int, ...]
    lrs: tuple[float, ...]
    seeds: tuple[int, ...]
    kinds: tuple[str, ...] = ("linear",)
    decays: tuple[str, ...] = ("cosine",)
    norms: tuple[str, ...] = ("post",)
    match: tuple[str, ...] = MATCHES
    target: float = STABLE_LOSS
    instruments: bool = False
    dtype: str = "float32"
    device: str = "cpu"
    compiled: bool = False
    native: bool = False

    def __post_init__(self) -> None:
        integer("steps", self.steps, 1)
        self._all("warmups", lambda name, value: integer(name, value))
        for steps in self.warmups:
            if steps > self.steps:
                raise ValueError(f"warmups={steps} must be <= steps={self.steps}")
        self._all("lrs", lambda name, value: real(name, value, above=0.0))
        if list(self.lrs) != sorted(self.lrs):
            raise ValueError(f"lrs={self.lrs[0]:g} … {self.lrs[-1]:g} must be in ascending order")
        self._all("seeds", lambda name, value: integer(name, value))
        for field, choices in (("kinds", KINDS), ("decays", DECAYS), ("norms", NORMS), ("match", MATCHES)):
            self._all(field, partial(_chosen, tuple(choices)))
        real("target", self.target, low=0.0)
        flag("instruments", self.instruments)
        flag("compiled", self.compiled)
        one_of("dtype", self.dtype, DTYPES)
        if flag("native", self.native):
            if self.config.task != "numbers":
                raise ValueError(f"task={self.config.task} must be numbers with native=True")
            for name, needed in (("dtype", "float32"), ("device", "cpu"), ("compiled", False)):
                if getattr(self, name) != needed:
                    raise ValueError(f"{name}={getattr(self, name)} must be {needed} with native=True")

    def _all(self, field: str, check: Callable[[str, Any], object]) -> None:
        values = getattr(self, field)
        if not values:
            raise ValueError(f"{field}=() must contain at least one value")
        for value in values:
            check(field, value)
        if len(set(values)) < len(values):
            twice = next(value for value in values if values.count(value) > 1)
            raise ValueError(f"{field}={twice} must be given only once")

    def length(self, kind: str, warmup_steps: int, match: str) -> int:
        """The length of a warmup of `kind` in the row W = `warmup_steps` of a comparison.

        >>> tiny = Config(d_model=16, feed_forward=4)
        >>> Spec(tiny, "tiny", 200, (100,), (0.1,), (0,)).length("exponential", 100, "period")
        64
        """
        if one_of("match", match, MATCHES) == "steps":
            return 0 if kind == NONE else warmup_steps
        return matching_length(kind, effective_period(LinearWarmup(warmup_steps)), self.steps)

    def setting(self, norm: str, decay: str, kind: str, warmup_steps: int) -> Setting:
        """A setting of the grid; at length 0 every kind becomes `none`."""
        steps = 0 if kind == NONE else warmup_steps
        schedule = pair(kind, steps, decay, self.steps)
        return Setting(schedule.slug, kind if steps else NONE, steps, effective_period(schedule.warmup), decay, norm)

    def matched(self, norm: str, decay: str, match: str) -> dict[int, list[Setting]]:
        """The settings compared with each other, by W: one for each kind."""
        by_length: dict[int, list[Setting]] = {}
        for steps in self.warmups:
            lengths = [(kind, self.length(kind, steps, match)) for kind in self.kinds]
            by_length[steps] = _distinct(self.setting(norm, decay, kind, length) for kind, length in lengths)
        return by_length

    def settings(self) -> list[Setting]:
        """All distinct settings, in the order of the grid."""
        return _distinct(
            setting
            for norm in self.norms
            for decay in self.decays
            for match in self.match
            for row in self.matched(norm, decay, match).values()
            for setting in row
        )

    def runs(self) -> list[Run]:
        """All distinct runs, in the order of the grid: by setting, LR and seed."""
        return [Run(*setting, lr, seed) for setting in self.settings() for lr in self.lrs for seed in self.seeds]


def _chosen(choices: tuple[str, ...], name: str, value: str) -> None:
    one_of(name, value, choices)


def _distinct(settings: Iterable[Setting]) -> list[Setting]:
    return list(dict.fromkeys(settings))
