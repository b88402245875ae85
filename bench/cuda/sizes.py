"""How much is measured: the full run for the published tables, a quick one, and what tests make of it."""

from __future__ import annotations

import dataclasses

#: Replica steps per second that the batched trainer must reach at its best number of replicas, on an H100 or H200.
BARS = {"small16": 350_000.0, "small64": 70_000.0, "tutorial": 10_000.0}
#: And then this share of what the matrix products alone allow.
OF_PRODUCTS = 0.5
#: Where the tests that need a GPU are.
TESTS = ("bench/tests/toy", "bench/tests/watch", "bench/tests/asv")


@dataclasses.dataclass(frozen=True)
class CudaSizes:
    """The sizes of every part; rounds take turns between all that is compared, and the median is reported.

    * `rounds`, `seconds`: rounds of each comparison, and seconds of one measurement in a round;
    * `step_configs`: the models of the plain trainer's step times;
    * `replicas`: models and numbers of replicas of the batched speed; `compiled`: those to compile, a minute each;
    * `setup`: replicas and steps of the set-up, small16; `update`: replicas of the update alone, small16;
    * `widths`, `seeds`, `lrs`: the stability under each warmup;
    * `tests`, `compiled_tests`, `suite`: arguments of pytest, and of ``python -m suite check``.
    """

    name: str
    rounds: int = 5
    seconds: float = 0.25
    step_configs: tuple[str, ...] = ("small16", "small64")
    replicas: tuple[tuple[str, tuple[int, ...]], ...] = (
        ("small16", (1024, 4096)),
        ("small64", (256, 1024)),
        ("tutorial", (64,)),
        ("small32", (1024,)),
    )
    compiled: tuple[tuple[str, int], ...] = (("small16", 4096), ("small64", 1024), ("tutorial", 64))
    setup: tuple[int, int] = (10_000, 200)
    update: int = 4096
    widths: tuple[int, ...] = (16, 64, 128)
    seeds: int = 16
    lrs: int = 9
    tests: tuple[str, ...] = ("-m", "gpu and not slow", *TESTS)
    compiled_tests: tuple[str, ...] = ("-m", "gpu and slow", *TESTS)
    suite: tuple[str, ...] = ()


FULL = CudaSizes("full")
QUICK = CudaSizes(
    "quick",
    rounds=3,
    seconds=0.1,
    step_configs=("small16",),
    replicas=(("small16", (1024,)), ("small64", (256,)), ("tutorial", (64,))),
    compiled=(),
    setup=(1_000, 200),
    update=1024,
    widths=(16,),
    seeds=4,
    lrs=5,
    compiled_tests=(),
    suite=("--only", "sequential"),
)
