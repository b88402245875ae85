"""What is measured in each release: benchmarks of asv, with the values of their parameters, and when each was released.

Only names and numbers: the releases' own environments import this module too.
"""

from __future__ import annotations

import dataclasses

#: When the first wheel of each release was uploaded. The last of each minor release, from the first on that all of
#: this runs on.
DATES = {
    "2.1.2": "2023-12-14",
    "2.2.2": "2024-03-27",
    "2.3.1": "2024-06-05",
    "2.4.1": "2024-09-04",
    "2.5.1": "2024-10-29",
    "2.6.0": "2025-01-29",
    "2.7.1": "2025-06-04",
    "2.8.0": "2025-08-06",
    "2.9.1": "2025-11-12",
    "2.10.0": "2026-01-21",
    "2.11.0": "2026-03-23",
    "2.12.1": "2026-06-17",
    "2.13.0": "2026-07-08",
    "2.14.1": "2026-09-30",
    "2.15.0": "2026-10-28",
}
#: 2.1 is measured on request.
DEFAULT = tuple(release for release in DATES if not release.startswith("2.1."))
ROUNDS = 5


@dataclasses.dataclass(frozen=True)
class Tracked:
    """One benchmark of asv, measured for some values of its parameters.

    * `name`: asv's, module.Class.method; `axes`: the values, one tuple for each parameter, None for all of them;
    * `title`, `unit`: of its graph; `scale`: the graph's numbers are the measured ones times this;
    * `once`: a number that does not depend on the machine's load is measured in the first round only;
    * `split`: the parameter whose values are the lines; the others distinguish graphs.
    """

    name: str
    axes: tuple[tuple[object, ...] | None, ...]
    title: str
    unit: str
    scale: float
    once: bool = False
    split: int = 0


SMALL = (("small16",), ("cpu",))
MEASURED = (
    Tracked(
        "scheduler_step.SchedulerStep.time_step",
        (None, (1, 100), ("float", "tensor")),
        "What does one scheduler.step() cost?",
        "µs",
        1e6,
    ),
    Tracked("training.WayStep.time_step", (None, *SMALL), "What does a step cost, by way of the warmup?", "ms", 1e3),
    Tracked("training.WarmupStep.time_step", (None, *SMALL), "What does a step cost under each warmup?", "ms", 1e3),
    Tracked(
        "training.Replicas.track_batched_over_sequential",
        SMALL,
        "How much of a plain step does a replica in a batch of 64 take?",
        "%",
        100.0,
    ),
    Tracked("training.HostMemory.peakmem_train", (None, ("small16",)), "How much memory does a run take?", "MB", 1e-6),
    Tracked(
        "stability.Stability.track_lr_sensitivity",
        (None,),
        "How much does a wrong peak LR cost under each warmup?",
        "nats",
        1.0,
        once=True,
    ),
)


def is_memory(name: str) -> bool:
    """Whether a benchmark is one of memory, which needs a process that has done nothing else."""
    return name.rpartition(".")[2].startswith("peakmem_")
