"""asv: does every optimizer step get the learning rate that its warmup promises?

No training: the optimizer's LR is read at each of 200 steps and compared with the formulas of `bench.toy.promised`.
The answer does not depend on the machine: 1 means that no step is off.
"""

from __future__ import annotations

from bench.toy.promised import PEAK_LR, SOURCES, TOTAL_STEPS, TRACKED, WARMUP_STEPS, steps_off


class LearningRates:
    """The LRs of a linear, cosine … warmup of 20 of 200 steps, as torch and as the reference give them."""

    param_names = ("warmup", "source")
    params = (list(TRACKED), list(SOURCES))

    def track_steps_off(self, warmup: str, source: str) -> int:
        """1 + the number of steps whose LR is not the promised one."""
        lrs = SOURCES[source](warmup, WARMUP_STEPS, TOTAL_STEPS, PEAK_LR)
        return steps_off(lrs, warmup, WARMUP_STEPS, TOTAL_STEPS, PEAK_LR)

    track_steps_off.unit = "1 + steps"  # type: ignore[attr-defined]
    track_steps_off.version = "1"  # type: ignore[attr-defined]
