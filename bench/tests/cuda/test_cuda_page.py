"""The page about a GPU: verdicts of the bars, ways side by side, what is missing; and measuring in turns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cuda.page import best, page, speeds
from bench.cuda.parts import GpuPart
from bench.cuda.sizes import BARS
from bench.cuda.speed import COMPILED, EAGER, GRAPH, PLAIN, PLAIN_GRAPH, PRODUCTS, Row, difference, replicas_of
from bench.cuda.store import FinishedPart, Store
from bench.cuda.turns import in_turns

ABOUT = {"card": "a card", "torch": "2.0", "cuda": "1", "triton": "1", "numpy": "1", "python": "3", "cpu": "a CPU"}


def speed(config: str, count: int, way: str, rate: float) -> Row:
    """A row of the batched speed."""
    return {"config": config, "replicas": count, "way": way, "per_second": rate, "low": rate, "high": rate}


ROWS = [
    speed("small16", 1, PLAIN, 100.0),
    speed("small16", 1, PLAIN_GRAPH, 1000.0),
    speed("small16", 1024, EAGER, 80_000.0),
    speed("small16", 1024, GRAPH, 150_000.0),
    speed("small16", 1024, PRODUCTS, 760_000.0),
    speed("small16", 4096, COMPILED, 385_000.0),
    speed("small16", 4096, PRODUCTS, 700_000.0),
    speed("small64", 256, GRAPH, 35_000.0),
    speed("small64", 256, PRODUCTS, 80_000.0),
]


def page_of(folder: Path) -> str:
    """The page of a finished and a missing part."""
    store = Store(folder, ABOUT)
    store.add("batched x", FinishedPart("batched", ROWS, 12.0, "2026-01-02"))
    listed = [GpuPart("batched", "batched x", 0, list), GpuPart("suite", "suite", 0, list)]
    return page(store, listed, {"suite": "no time left"}, "python -m bench cuda")


def test_bars_have_verdicts(tmp_path: Path) -> None:
    """Each bar is met, missed or not measured at the best number of replicas, and so is half of the products."""
    lines = {line.split(" | ")[0]: line for line in page_of(tmp_path).splitlines() if line.count(" | ") == 6}
    assert lines["| small16"].startswith(
        "| small16 | 350 000 | 385 000 (one graph, compiled pass, K = 4096) | met (×1.1)"
    )
    assert lines["| small16"].endswith("| met (×1.1) | ×3 850 | ×385 |")
    assert "| missed (×0.5) | missed (×0.875) |" in lines["| small64"]
    assert lines["| tutorial"].count("not measured") == 2
    assert set(BARS) <= {key.removeprefix("| ") for key in lines}


def test_page_names_the_run(tmp_path: Path) -> None:
    """Versions, card, command, date and what is missing stand at its top."""
    text = page_of(tmp_path)
    for part in ("a card", "torch 2.0", "`python -m bench cuda`, 12 s", "2026-01-02", "1 of 2 parts finished"):
        assert part in text
    assert "not measured: suite: no time left" in text


def test_busy_machine_is_marked(tmp_path: Path) -> None:
    """A part measured beside other programs, on the host or on the card, marks the page."""
    store = Store(tmp_path, ABOUT)
    store.add("a 1", FinishedPart("a", [], 1.0, "2026-01-02", {"host_free": 1.0, "card_used_gib": 0.6}))
    assert "BUSY" not in page(store, [], {}, "")
    store.add("a 2", FinishedPart("a", [], 1.0, "2026-01-02", {"host_free": 0.4, "card_used_gib": 12.0}))
    text = page(Store(tmp_path, ABOUT), [], {}, "")
    assert "BUSY: other programs left 40% of the host's cores" in text
    assert "BUSY: other programs held 12.0 GiB of the card's memory" in text


def test_ways_stand_side_by_side() -> None:
    """Each number of replicas is a row in which the plain loop of the model stands too."""
    rows = [line.strip("| ").split(" | ") for line in speeds(ROWS).splitlines() if line.startswith("| small16")]
    assert rows == [
        ["small16, K = 1024", "100", "1 000", "80 000", "150 000", "–", "760 000", "–"],
        ["small16, K = 4096", "100", "1 000", "–", "–", "385 000", "700 000", "–"],
    ]


def test_best_is_a_batched_way() -> None:
    """The products alone are no way to train."""
    assert best(ROWS, "small16") == ROWS[5]
    assert best(ROWS, "tutorial") is None


def test_functions_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds alternate; a function's calls follow from its speed; the median does not see one slow round."""
    now, calls, extra = [0.0], [], [0.0] * 100
    extra[20] = 50.0
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    def taking(name: str, seconds: float) -> Callable[[], Any]:
        def call() -> None:
            calls.append(name)
            now[0] += seconds + extra[len(calls)]

        return call

    rates = in_turns({"a": taking("a", 0.25), "b": taking("b", 0.5)}, 3, 1.0, "cpu", 1000)
    assert "".join(calls) == "aaaaaabbbbbb" + 3 * "aaaabb"
    assert (rates["a"].median, rates["b"].median) == (4.0, 2.0)
    calls.clear()
    in_turns({"a": taking("a", 0.25)}, 3, 1.0, "cpu", 12)
    assert len(calls) == 12


def test_difference_of_losses_is_seen() -> None:
    """Runs that agree differ by nothing; another LR shows."""
    one, same, other = (replicas_of("small16", 2, "cpu", execution="resident") for _ in range(3))
    other.parameters.mul_(1.01)
    for runs in (one, same, other):
        runs.run(3)
    assert difference(one, same) == 0
    assert difference(one, other) > 1e-4
