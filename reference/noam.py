"""The schedule of the Transformer paper, with the three step counts in use."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from .check import Rates, Steps, integer, one_of, real
from .schedule import Schedule, arg, schedule
from .slug import register
from .warmup import step_count

COUNTS = ("from_one", "max_one", "from_zero")


@schedule
class Noam(Schedule):
    """Linear warmup, then 1/√s: lr = base·factor·d^(−½)·min(s^(−½), s·W^(−3/2)).

    W: `warmup_steps`, d: `d_model` >= 1, `factor` > 0; `count` defines s:

    * ``from_one``: s = t+1, the paper's step_num; the LR is 1/W of the peak at t = 0 and peaks at t = W−1;
    * ``max_one``: s = max(t, 1), as in The Annotated Transformer with LambdaLR; steps 0 and 1 have the same LR;
    * ``from_zero``: s = t, so the LR is 0 at t = 0; a class stepped after the update, on an optimizer with lr=0.

    The values are learning rates, not factors; the base LR of a call multiplies them and defaults to 1.
    With W = 0 the warmup is over before it starts, leaving s^(−½).
    Raises TypeError or ValueError outside these ranges.
    Source: Vaswani et al. 2017, section 5.3, equation 3; The Annotated Transformer; fairseq2 NoamLR.

    >>> Noam(4, 4)([0, 3, 15]).tolist()
    [0.0625, 0.25, 0.125]
    >>> [Noam(4, 4, count=c)([0, 1, 4]).tolist() for c in ("max_one", "from_zero")]
    [[0.0625, 0.0625, 0.25], [0.0, 0.0625, 0.25]]
    """

    slug_name = "noam"
    words: ClassVar[tuple[str, ...]] = COUNTS
    warmup_steps: int = arg()
    d_model: int = arg("d")
    factor: float = arg("f", default=1.0)
    count: str = arg("c", default="from_one")

    def _check(self) -> None:
        self._set("warmup_steps", step_count("warmup_steps", self.warmup_steps))
        self._set("d_model", integer("d_model", self.d_model, 1))
        self._set("factor", real("factor", self.factor, above=0.0))
        one_of("count", self.count, COUNTS)

    @property
    def peak_lr(self) -> float:
        """The highest LR, factor/√(d·W), reached at s = W (at s = 1 for W = 0).

        >>> round(Noam(4000, 512).peak_lr, 9)
        0.000698771
        """
        return self.factor / math.sqrt(self.d_model * max(self.warmup_steps, 1))

    def _values(self, t: Steps, base: float) -> Rates:
        s = t.astype(np.float64)
        s = s + 1.0 if self.count == "from_one" else np.maximum(s, 1.0)
        w = float(self.warmup_steps)
        # s·W^(−3/2) as (s/W)/√W, and one common root for both branches: few roundings, and equal at s = W.
        scale = base * self.factor / math.sqrt(self.d_model)
        values = scale * np.where(s < w, s / max(w, 1.0), 1.0) / np.sqrt(np.maximum(s, w))
        return np.where(t == 0, 0.0, values) if self.count == "from_zero" else values


register(Noam)
