"""Speed and memory of the trainers on a device: step times of the plain one, replica steps of the batched one."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from bench.toy.batched.adam import RowAdam
from bench.toy.batched.batched import Batched
from bench.toy.batched.row_kernel import available
from bench.toy.batched.speed import WIDTHS, products_of
from bench.toy.captured import KINDS, Captured, TensorLoop
from bench.toy.config import Config, named
from bench.toy.devices import settle
from bench.toy.rates import grid
from bench.toy.rules import WARMUPS, WAYS, by_warmup, by_way
from reference import parse

from .sizes import CudaSizes
from .turns import Rate, in_turns

Row = dict[str, str | float | int | None]

PLAIN, PLAIN_GRAPH = "plain loop", "plain loop in a graph"
EAGER, GRAPH, COMPILED, PRODUCTS = "batched", "batched, one graph", "one graph, compiled pass", "matrix products alone"
#: Length of the schedules: no measurement takes more steps.
STEPS = 4000
#: Distinct seeds among the replicas: the orders of the batches take memory.
SEEDS = 8
#: Steps whose losses are compared between the ways of one number of replicas.
COMPARED = 3
WARMUP = 1000


def _model(name: str) -> Config:
    """A model without dropout, which replicas cannot have."""
    return WIDTHS[name][0]


def _row(first: Row, rate: Rate, scale: float = 1.0) -> Row:
    """A row with a rate, times a number."""
    return {**first, "per_second": scale * rate.median, "low": scale * rate.low, "high": scale * rate.high}


def step_times(config: str, sizes: CudaSizes, device: str) -> list[Row]:
    """Steps per second of the plain trainer under each warmup, and under the same warmup in each way."""
    model = named(config)
    rules = {("warmup", name): by_warmup(name, model, WARMUP, 10 * WARMUP) for name in WARMUPS}
    rules |= {("way", name): by_way(name, model, WARMUP, 10 * WARMUP) for name in WAYS}
    loops = {key: rule.loop(model, STEPS, device) for key, rule in rules.items()}
    steps = {" ".join(key): loop.step for key, loop in loops.items()}
    rates = in_turns(steps, sizes.rounds, sizes.seconds, device, STEPS)
    return [_row({"config": config, "axis": axis, "name": name}, rates[f"{axis} {name}"]) for axis, name in loops]


def capture(config: str, sizes: CudaSizes, device: str) -> list[Row]:
    """Steps per second of the plain trainer with each kind of LR, in a graph as well."""
    model = named(config)
    rule = by_way("sequential", model, WARMUP, 10 * WARMUP)
    kinds = KINDS if device == "cuda" else KINDS[:2]
    loops = {kind: TensorLoop(kind, model, rule, STEPS, device) for kind in kinds}
    rates = in_turns({kind: loop.step for kind, loop in loops.items()}, sizes.rounds, sizes.seconds, device, STEPS)
    return [_row({"config": config, "kind": kind}, rates[kind]) for kind in kinds]


class Peak:
    """The most memory that torch allocates on a GPU inside the block, in GiB beyond what it had; None on a CPU."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.gib: float | None = None

    def __enter__(self) -> Peak:
        settle(self.device)
        if self.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            self.before = torch.cuda.memory_allocated()
        return self

    def __exit__(self, *error: object) -> None:
        if self.device == "cuda":
            settle(self.device)
            self.gib = (torch.cuda.max_memory_allocated() - self.before) / 2**30


def replicas_of(name: str, count: int, device: str, *, execution: str, compiled: bool = False) -> Batched:
    """Replicas under one schedule, before their first step."""
    rates = grid([parse("linear20+hold")], [1e-3], STEPS).expand(count, -1)
    seeds = [k % SEEDS for k in range(count)]
    return Batched(_model(name), rates, seeds, device=device, execution=execution, compiled=compiled)


def started(name: str, count: int, device: str, *, execution: str, compiled: bool = False) -> tuple[Batched, Row]:
    """Replicas after the steps whose losses are compared; the memory they took and the seconds to the first step."""
    with Peak(device) as peak:
        start = time.perf_counter()
        runs = replicas_of(name, count, device, execution=execution, compiled=compiled)
        runs.run(1)
        settle(device)
        seconds = time.perf_counter() - start
        runs.run(COMPARED - 1)
    return runs, {"peak_gib": peak.gib, "seconds_to_first_step": seconds}


def difference(runs: Batched, other: Batched) -> float:
    """The largest relative difference of the first losses."""
    first, second = runs.losses[:, :COMPARED], other.losses[:, :COMPARED]
    return float(((first - second).abs() / second).max())


def products(name: str, runs: Batched, device: str) -> Callable[[], object]:
    """The matrix products of a step alone; on a GPU in a graph too, so that they wait for no launch."""
    multiply = products_of(_model(name), runs)
    nothing = torch.zeros(1, device=device)

    def work() -> Tensor:
        multiply()
        return nothing

    return Captured(work) if device == "cuda" else work


def plain(name: str, sizes: CudaSizes, device: str) -> list[Row]:
    """Steps per second of the plain loop, as users write it, and of the same captured in a graph; memory."""
    model = _model(name)
    rows, ways = [], {PLAIN: by_way("closed", model, WARMUP, 10 * WARMUP)}
    if device == "cuda":
        ways[PLAIN_GRAPH] = by_way("sequential", model, WARMUP, 10 * WARMUP)
    loops: dict[str, Callable[[], float]] = {}
    peaks: dict[str, float | None] = {}
    for way, rule in ways.items():
        with Peak(device) as peak:
            loop = rule.loop(model, STEPS, device) if way == PLAIN else TensorLoop("graph", model, rule, STEPS, device)
            for _ in range(COMPARED):
                loop.step()
        loops[way], peaks[way] = loop.step, peak.gib
    rates = in_turns(loops, sizes.rounds, sizes.seconds, device, STEPS - COMPARED)
    for way in ways:
        rows.append(_row({"config": name, "replicas": 1, "way": way}, rates[way]) | {"peak_gib": peaks[way]})
    return rows


def batched(name: str, count: int, sizes: CudaSizes, device: str, *, compiled: bool = False) -> list[Row]:
    """Replica steps per second of the ways to take a step of all replicas, and of the matrix products alone."""
    ways = {EAGER: ("resident", False), GRAPH: ("graph", False), COMPILED: ("graph", True)}
    if device != "cuda":
        ways = {EAGER: ("resident", False), COMPILED: ("resident", True)}
    if compiled:
        torch._dynamo.reset()  # else it gives up after eight models
    else:
        del ways[COMPILED]
    runs, facts = {}, {}
    for way, (execution, through_compiler) in ways.items():
        runs[way], facts[way] = started(name, count, device, execution=execution, compiled=through_compiler)
        facts[way]["loss_difference"] = difference(runs[way], runs[EAGER])
    functions: dict[str, Callable[[], object]] = {way: each.advance for way, each in runs.items()}
    functions[PRODUCTS] = products(name, runs[EAGER], device)
    rates = in_turns(functions, sizes.rounds, sizes.seconds, device, STEPS - COMPARED)
    rows = [_row({"config": name, "replicas": count, "way": way}, rates[way], count) for way in functions]
    return [row | facts.get(str(row["way"]), {}) for row in rows]


def setup(sizes: CudaSizes, device: str) -> list[Row]:
    """Seconds to set up many replicas with a seed each, and CPU seconds of it; the first call is not timed."""
    count, steps = sizes.setup
    rates = grid([parse("linear20+hold")], [1e-3], steps).expand(count, -1)
    Batched(_model("small16"), rates[:1], [0], device=device)
    settle(device)
    wall, cpu = time.perf_counter(), time.process_time()
    runs = Batched(_model("small16"), rates, range(count), device=device)
    settle(device)
    seconds = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    return [{"config": "small16", "replicas": len(runs.alive), "steps": steps, **seconds}]


def update(sizes: CudaSizes, device: str) -> list[Row]:
    """Seconds of Adam's update of all rows, by the kernel and by operations, and bytes per second if it moved 28·P."""
    runs = replicas_of("small16", sizes.update, device, execution="resident")
    runs.run(1)
    resident, adam = runs.resident, runs.optimizer
    assert resident is not None
    assert isinstance(adam, RowAdam)
    steps, everyone = resident.steps, slice(None)

    def by_operations() -> None:
        adam.update(runs.parameters, runs.gradients, steps.sizes[0], steps.roots[0], everyone)

    def by_kernel() -> None:
        adam.step_on_device(runs.parameters, runs.gradients, steps, resident.step)

    functions: dict[str, Callable[[], object]] = {"operations": by_operations}
    if device == "cuda" and available():
        functions["kernel"] = by_kernel
    moved = 28 * runs.parameters.numel()
    rows: list[Row] = []
    for way, rate in in_turns(functions, sizes.rounds, sizes.seconds, device, STEPS).items():
        first: Row = {"config": "small16", "replicas": sizes.update, "way": way}
        rows.append({**first, "seconds": 1 / rate.median, "gb_per_second": moved * rate.median / 1e9})
    return rows
