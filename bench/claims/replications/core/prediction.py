"""What a paper predicts, as a number with bounds, and the verdict that an interval gives."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

from bench.toy.measures import Estimate

#: Verdicts on a prediction.
REPLICATED, NOT_REPLICATED, UNDECIDED, NOT_TESTABLE = (
    "replicated",
    "not replicated",
    "undecided",
    "not testable here",
)
#: What a prediction is about, per arm, warmup and seed: log2 of the interpolated edge, log2 of the lowest loss over
#: the LRs, and the LR sensitivity in nats.
EDGE, BEST, SENSITIVITY = "log2 edge", "log2 best loss", "LR sensitivity"
OCTAVES, NATS = "octaves", "nats"
#: The smallest effect that counts where a paper predicts a sign, in octaves: a factor of 1.15 on the peak LR.
#: The same for every paper.
SMALLEST = 0.2
#: The margin where a paper predicts no effect, in octaves: a factor of 1.25, as in `warmup_length`.
SAME = math.log2(1.25)


class Term(NamedTuple):
    """One term of a contrast: the measure of an arm at a warmup of `warmup` steps, times `weight`."""

    arm: str
    warmup: int
    weight: float


@dataclasses.dataclass(frozen=True)
class Prediction:
    """A contrast of arms, and where a paper says that it is.

    * `words`: what the contrast is; `terms`: it is the sum of weight × measure over these, for each seed;
    * `low`, `high`: the prediction is right if the contrast is between them (±inf: one-sided);
    * `size`: how large the paper, or what is known of it, lets one expect the contrast to be;
    * `measure`: `EDGE`, `BEST` or `SENSITIVITY`; `unit`: of the contrast; in `OCTAVES` 1 is a factor of 2.
    """

    words: str
    terms: tuple[Term, ...]
    low: float
    high: float
    size: tuple[float, float]
    measure: str = EDGE
    unit: str = OCTAVES

    def bounds(self) -> str:
        """The bounds as text.

        >>> Prediction("", (), 0.2, math.inf, (0.2, 1.0)).bounds(), Prediction("", (), -0.3, 0.3, (0, 0)).bounds()
        ('at least 0.2', 'between -0.3 and 0.3')
        """
        if math.isinf(self.high):
            return f"at least {self.low:.2g}"
        if math.isinf(self.low):
            return f"at most {self.high:.2g}"
        return f"between {self.low:.2g} and {self.high:.2g}"

    def falsified(self) -> str:
        """What would falsify it, as text: the whole interval on the other side of a bound."""
        sides = [f"below {self.low:.2g}"] * math.isfinite(self.low) + [f"above {self.high:.2g}"] * math.isfinite(
            self.high
        )
        return f"an interval that is wholly {' or '.join(sides)}"


def factor(arm: str, warmup: int, weight: float = 1.0) -> tuple[Term, Term]:
    """log2 of the factor on the edge that a warmup allows in an arm, as terms: that with it minus that without.

    >>> factor("post-LN", 40)
    (Term(arm='post-LN', warmup=40, weight=1.0), Term(arm='post-LN', warmup=0, weight=-1.0))
    """
    return Term(arm, warmup, weight), Term(arm, 0, -weight)


def judge(prediction: Prediction, interval: Estimate) -> str:
    """The verdict of an interval: replicated if it is within the bounds, not replicated if it is outside, else open.

    >>> at_least = Prediction("", (), 0.2, math.inf, (0.2, 1.0))
    >>> [judge(at_least, Estimate(0.0, low, high)) for low, high in ((0.3, 0.9), (-0.1, 0.1), (0.1, 0.3))]
    ['replicated', 'not replicated', 'undecided']
    """
    if prediction.low <= interval.low and interval.high <= prediction.high:
        return REPLICATED
    return NOT_REPLICATED if interval.high < prediction.low or interval.low > prediction.high else UNDECIDED


def counted(verdicts: Sequence[str]) -> str:
    """How many predictions have each verdict, as text.

    >>> counted(["replicated", "undecided", "replicated"]), counted(["not replicated"])
    ('2 of 3 predictions are replicated, 1 is undecided', '1 of 1 predictions is not replicated')
    """
    numbers = [(word, verdicts.count(word)) for word in (REPLICATED, NOT_REPLICATED, UNDECIDED, NOT_TESTABLE)]
    parts = [f"{number} {'is' if number == 1 else 'are'} {word}" for word, number in numbers if number]
    first, *others = parts
    number, _, words = first.partition(" ")
    return ", ".join([f"{number} of {len(verdicts)} predictions {words}", *others])
