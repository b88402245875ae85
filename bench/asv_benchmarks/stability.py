"""asv: the stability of training under each warmup: the edge of stability, and the cost of a wrong peak LR.

All runs train once, together, in `setup_cache`; the benchmarks read their numbers from there.
The numbers are losses, not times: other programs on the machine make the run longer and change nothing.
On one CPU model with one torch release they are identical to the last bit in every run of a commit. Another CPU or
release rounds differently, and near the edge rounding decides some runs: `regressions_thresholds` in asv.conf.json
are 4 standard deviations of that, measured by `python -m bench stability --faults`, which also says which faults of
a schedule the numbers report. `python -m bench stability --compare OLD NEW` applies both rules.
Every number is finite and above 0, and smaller is better, as asv compares ratios.

What has no power is not tracked: the share of failed runs, the largest LR of the grid that learned, and the lowest
loss (with 3 seeds, a warmup of 40 steps against one of 10 is 1.3 to 1.5 standard errors in each), and the untuned
warmups, which never reach their peak LR in 200 steps.
"""

from __future__ import annotations

import os

from bench.toy.batched.stability import FULL, QUICK, Numbers, numbers_of, schedules, train
from bench.toy.config import named
from bench.toy.processor import platform_checksum
from bench.toy.promised import TOTAL_STEPS, TRACKED, WARMUP_STEPS

#: 4 seeds and 5 LRs, to see that it runs: another version, which asv does not compare with the full one.
PROFILE = QUICK if os.environ.get("WARMUP_BENCH_STABILITY") == "quick" else FULL


class Platform:
    """What decides how the numbers round: where it is the same, an unchanged training gives the same bits."""

    def track_checksum(self) -> int:
        """Checksum of the CPU's model, the instructions that torch uses on it, and the versions: not a quality."""
        return platform_checksum()

    track_checksum.unit = "checksum"  # type: ignore[attr-defined]
    track_checksum.version = "1"  # type: ignore[attr-defined]


class Stability:
    """Post-LN at width 16, 200 steps, warmup 20 steps, then a cosine; 16 seeds × 9 peak LRs from 0.0075 to 0.12."""

    param_names = ("warmup",)
    params = (list(TRACKED),)
    timeout = 1200

    def setup_cache(self) -> dict[str, Numbers]:
        """Train all runs, once."""
        runs = train(named("small16"), schedules(), PROFILE)
        return {name: numbers_of(runs[name], name, PROFILE, WARMUP_STEPS, TOTAL_STEPS) for name in TRACKED}

    setup_cache.timeout = 1200  # type: ignore[attr-defined]

    def track_lr_sensitivity(self, numbers: dict[str, Numbers], warmup: str) -> float:
        """Mean over the LRs of min(loss, untrained loss) - best loss."""
        return numbers[warmup]["lr_sensitivity"]

    track_lr_sensitivity.unit = "nats per token"  # type: ignore[attr-defined]

    def track_lr_sensitivity_error(self, numbers: dict[str, Numbers], warmup: str) -> float:
        """1 + the standard error of the LR sensitivity over seeds, as a share of it."""
        return numbers[warmup]["lr_sensitivity_error"]

    track_lr_sensitivity_error.unit = "1 + share"  # type: ignore[attr-defined]

    def track_inverse_edge(self, numbers: dict[str, Numbers], warmup: str) -> float:
        """1 / the edge of stability: the peak LR at which the final loss crosses 0.5 nats, interpolated."""
        return numbers[warmup]["inverse_edge"]

    track_inverse_edge.unit = "1 / LR"  # type: ignore[attr-defined]

    def track_inverse_edge_error(self, numbers: dict[str, Numbers], warmup: str) -> float:
        """1 + the standard error of the edge over seeds, as a share of it."""
        return numbers[warmup]["inverse_edge_error"]

    track_inverse_edge_error.unit = "1 + share"  # type: ignore[attr-defined]

    def track_early_loss(self, numbers: dict[str, Numbers], warmup: str) -> float:
        """Training loss before update 10 at the smallest peak LR: the same on every CPU up to rounding."""
        return numbers[warmup]["early_loss"]

    track_early_loss.unit = "nats per token"  # type: ignore[attr-defined]

    def track_steps_off(self, numbers: dict[str, Numbers], warmup: str) -> float:
        """1 + the number of steps at which the trainer used another LR than the promised one."""
        return numbers[warmup]["steps_off"]

    track_steps_off.unit = "1 + steps"  # type: ignore[attr-defined]


for _name in (
    "lr_sensitivity",
    "lr_sensitivity_error",
    "inverse_edge",
    "inverse_edge_error",
    "early_loss",
    "steps_off",
):
    vars(Stability)[f"track_{_name}"].version = PROFILE.version
