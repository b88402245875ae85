"""The page about one GPU: versions, card, command, date, the bars with their verdicts, and a table per section."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from bench.toy.processor import QUIET
from suite.shared.markdown import markdown_table

from .parts import GpuPart
from .sizes import BARS, OF_PRODUCTS
from .speed import COMPILED, EAGER, GRAPH, PLAIN, PLAIN_GRAPH, PRODUCTS, Row
from .store import Store

COMMAND = "python -m bench cuda"
WAYS = (PLAIN, PLAIN_GRAPH, EAGER, GRAPH, COMPILED, PRODUCTS)
UNKNOWN = "–"
#: GiB on the card that our own process may hold beside torch's tensors.
OURS_GIB = 1.5
_FASTER = "faster on a quiet one"
_HOW = (
    "Medians over rounds in which all ways of one model take turns. The plain loop is nn.Transformer with fused Adam, "
    "and reads its loss at every step; its graph is one CUDA graph of forward pass, backward pass and update."
)
_OVER = ("over the plain loop", "over that loop in a graph")


def _number(row: Row | None, name: str) -> float | None:
    value = None if row is None else row.get(name)
    return None if value is None else float(value)


def _short(value: float | None, form: str = ".3g") -> str:
    """A number to three digits, with thousands apart; a dash for None."""
    if value is None:
        return UNKNOWN
    return f"{value:,.0f}".replace(",", " ") if abs(value) >= 100 else f"{value:{form}}"


def _rates(rows: Sequence[Row]) -> dict[tuple[str, int, str], Row]:
    """The rows of the batched speed by model, number of replicas and way; of two, the later one."""
    return {(str(row["config"]), int(row["replicas"] or 0), str(row["way"])): row for row in rows}


def best(rows: Sequence[Row], config: str) -> Row | None:
    """The row with the most replica steps per second of a model, of the ways that train many replicas."""
    ours = [row for row in rows if row["config"] == config and row["way"] in (EAGER, GRAPH, COMPILED)]
    return max(ours, key=lambda row: float(row["per_second"] or 0), default=None)


def verdict(value: float | None, bar: float) -> str:
    """Met or missed, by how much.

    >>> verdict(90.0, 100.0), verdict(100.0, 100.0), verdict(None, 1.0)
    ('missed (×0.9)', 'met (×1)', 'not measured')
    """
    if value is None:
        return "not measured"
    return f"{'met' if value >= bar else 'missed'} (×{value / bar:.3g})"


def bars(rows: Sequence[Row]) -> str:
    """The table of the bars, one row for each."""
    rates, lines = _rates(rows), []
    for config, bar in BARS.items():
        row = best(rows, config)
        value = _number(row, "per_second")
        count = int(row["replicas"] or 0) if row else 0
        products = _number(rates.get((config, count, PRODUCTS)), "per_second")
        how = f"{_short(value)} ({row['way']}, K = {count})" if row else UNKNOWN
        others = [_number(rates.get((config, 1, way)), "per_second") for way in (PLAIN, PLAIN_GRAPH)]
        ratios = [f"×{_short(value / other)}" if value and other else UNKNOWN for other in others]
        half = verdict(value, OF_PRODUCTS * products) if products else "not measured"
        lines.append((config, _short(bar), how, verdict(value, bar), half, *ratios))
    header = ("model", "bar", "best, replica steps/s", "verdict", "half of the matrix products", *_OVER)
    return markdown_table(header, lines)


def speeds(rows: Sequence[Row]) -> str:
    """Replica steps per second of every way, side by side, one row per model and number of replicas."""
    rates = _rates(rows)
    groups = list(dict.fromkeys((config, count) for config, count, _ in rates if count > 1))
    lines = []
    for config, count in groups:
        cells = [rates.get((config, 1 if way in (PLAIN, PLAIN_GRAPH) else count, way)) for way in WAYS]
        memory = [_number(rates.get((config, count, way)), "peak_gib") for way in (GRAPH, EAGER)]
        peak = next((each for each in memory if each is not None), None)
        lines.append((f"{config}, K = {count}", *(_short(_number(each, "per_second")) for each in cells), _short(peak)))
    table = markdown_table(("replica steps/s", *WAYS, "peak memory, GiB"), lines)
    apart = [each for row in rows if (each := _number(row, "loss_difference")) is not None]
    return f"{table}\n\nThe first losses of all ways agree to {max(apart, default=0):.1g}. {_HOW}"


def _table(rows: Sequence[Row], columns: Mapping[str, str]) -> str:
    """Some columns of rows, by name → heading."""
    lines = []
    for row in rows:
        cells = [row.get(name) for name in columns]
        lines.append(tuple(_short(cell) if isinstance(cell, float) else str(cell or UNKNOWN) for cell in cells))
    return markdown_table(tuple(columns.values()), lines)


def step_times(rows: Sequence[Row]) -> str:
    """Milliseconds of a step under each warmup, and in each way, one column per model."""
    names = list(dict.fromkeys((str(row["axis"]), str(row["name"])) for row in rows))
    models = list(dict.fromkeys(str(row["config"]) for row in rows))
    by_key = {(row["axis"], row["name"], row["config"]): row for row in rows}
    lines = []
    for axis, name in names:
        rates = [_number(by_key.get((axis, name, model)), "per_second") for model in models]
        lines.append((axis, name, *(UNKNOWN if not rate else _short(1000 / rate) for rate in rates)))
    return markdown_table(("", "name", *(f"{model}, ms" for model in models)), lines)


def tests(rows: Sequence[Row]) -> str:
    """How many tests had which outcome, and the failed ones."""
    counts = Counter(str(row["outcome"]) for row in rows)
    text = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) + "."
    failed = [f"* `{row['test']}`: {row['message']}" for row in rows if row["outcome"] == "failed"]
    return "\n".join([text, *failed])


def suite(rows: Sequence[Row]) -> str:
    """The counts of the scheduler suite on the device."""
    names = {name: name.replace("_", " ") for row in rows for name in row}
    return _table(rows, names)


def update(rows: Sequence[Row]) -> str:
    """The update of all rows by each way."""
    return _table(
        rows, {"way": "way", "replicas": "K", "seconds": "seconds", "gb_per_second": "GB/s if it moved 28·P bytes"}
    )


def stability(rows: Sequence[Row]) -> str:
    """Edge and sensitivity under each warmup, by width."""
    lines = [
        (
            str(row["width"]),
            str(row["warmup"]),
            f"{float(row['edge'] or 0):.4g} ± {float(row['edge_error'] or 0):.2g}",
            f"×{float(row['edge_over_none'] or 0):.2f}",
            f"{float(row['lr_sensitivity'] or 0):.3f} ± {float(row['lr_sensitivity_error'] or 0):.3f}",
            str(row["seeds"]),
        )
        for row in rows
    ]
    header = ("width", "warmup", "edge of stability, LR", "over no warmup", "LR sensitivity, nats", "seeds")
    runs = rows[0]
    return (
        f"{markdown_table(header, lines)}\n\nW = {runs['warmup_steps']} of {runs['steps']} steps, then a cosine; "
        f"{runs['lrs']} peak LRs from a quarter to four times an LR near the edge of the width, seeds paired; "
        "± one standard error over seeds. The edge is where the final loss crosses 0.5 nats."
    )


SECTIONS = {
    "tests": ("Tests that need the GPU", tests),
    "batched": ("Speed of the trainers", speeds),
    "setup": (
        "Set-up of many replicas, a seed each",
        lambda rows: _table(
            rows,
            {"config": "model", "replicas": "K", "steps": "steps", "seconds": "seconds", "cpu_seconds": "CPU seconds"},
        ),
    ),
    "update": ("Adam's update of all rows, small16", update),
    "stability": ("Stability under each warmup", stability),
    "steps": ("Step time of the plain loop", step_times),
    "capture": (
        "The plain loop by kind of LR",
        lambda rows: _table(rows, {"config": "model", "kind": "kind", "per_second": "steps/s"}),
    ),
    "suite": ("The scheduler suite with everything on the GPU", suite),
}


def busy(loads: Sequence[Mapping[str, float]]) -> list[str]:
    """A line for each way in which other programs disturbed the measurement.

    >>> print(*busy([{"host_free": 0.95, "card_used_gib": 0.6}, {"host_free": 0.5}]))
    * BUSY: other programs left 50% of the host's cores: the plain loop would be faster on a quiet one
    """
    free = min((load.get("host_free", 1.0) for load in loads), default=1.0)
    used = max((load.get("card_used_gib", 0.0) for load in loads), default=0.0)
    lines = []
    if free < QUIET:
        lines.append(f"* BUSY: other programs left {free:.0%} of the host's cores: the plain loop would be {_FASTER}")
    if used > OURS_GIB:
        lines.append(f"* BUSY: other programs held {used:.1f} GiB of the card's memory: every speed would be {_FASTER}")
    return lines


def page(store: Store, listed: Sequence[GpuPart], missing: Mapping[str, str], command: str) -> str:
    """The page as Markdown; parts that are missing are named with the reason."""
    about = store.about
    dates = sorted({part.date for part in store.parts.values()})
    took = sum(part.seconds for part in store.parts.values())
    versions = ", ".join(f"{name} {about[name]}" for name in ("torch", "cuda", "triton", "numpy", "python"))
    lines = [
        "# Training with a warmup on a GPU",
        "",
        f"* card: {about['card']}",
        f"* {versions}",
        f"* host: {about['cpu']}",
        f"* command: `{command}`, {took:.0f} s in all; date: {', '.join(dates)}",
        f"* {sum(part.name in store.parts for part in listed)} of {len(listed)} parts finished",
    ]
    lines += busy([part.load for part in store.parts.values()])
    for part in listed:
        if part.name not in store.parts:
            lines.append(f"* not measured: {part.name}: {missing.get(part.name, 'not yet')}")
    if store.rows("batched"):
        lines += ["", "## Bars", "", bars(store.rows("batched"))]
    for section, (title, text) in SECTIONS.items():
        if rows := store.rows(section):
            lines += ["", f"## {title}", "", text(rows), "", f"All numbers: `{section}.csv`."]
    return "\n".join(lines) + "\n"
