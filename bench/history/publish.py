"""Writes the results: a page, a picture, tables that pandas reads, and asv's files."""

from __future__ import annotations

import csv
import gzip
import io
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from suite.shared.files import write_whole

from . import asv_files
from .charts import Chart
from .page import charts, context, render
from .rounds import QUIET
from .table import HistoryTable, ReleaseChange, answer, changes, disturbed, label

#: The transitions that somebody asked about, in the sentences at the top of the page.
ASKED = (("2.9.1", "2.10.0"),)


def about(records: Sequence[Mapping[str, Any]], releases: Sequence[str]) -> str:
    """What was measured, where, in one sentence."""
    rounds = 1 + max(int(record["round"]) for record in records)
    machine = asv_files.machine()
    left_out = len(disturbed(records))
    rest = (
        f" {left_out} of {len(records)} measurements, which other programs disturbed, are left out." if left_out else ""
    )
    return (
        f"{len(releases)} releases of torch, {releases[0]} to {releases[-1]}, on a CPU ({machine['cpu']}, "
        f"{machine['num_cpu']} cores, one thread), {rounds} interleaved rounds.{rest * bool(left_out)}"
    )


def busy_words(records: Sequence[Mapping[str, Any]]) -> str:
    """A warning where the measurements had less than a core for themselves; empty otherwise."""
    share = statistics.median(float(record["core"]) for record in records)
    if share >= QUIET:
        return ""
    return f"Other programs ran: a measurement had {share:.0%} of a core. Ratios may be wrong; times are too long."


def sentences(table: HistoryTable, releases: Sequence[str]) -> list[str]:
    """The answers to the questions that were asked of single releases."""
    return [answer(table, *pair) for pair in ASKED if set(pair) <= set(releases)]


def values_csv(table: HistoryTable) -> str:
    """Every measured value: benchmark, combination, release, round, value in asv's unit."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["benchmark", "parameters", "release", "round", "value"])
    for (name, params), rows in table.values.items():
        for arm, row in zip(table.arms, rows, strict=True):
            for number, value in enumerate(row):
                if not np.isnan(value):
                    writer.writerow([name, " ".join(map(str, params)), arm, number, f"{value:.6g}"])
    return buffer.getvalue()


def changes_csv(found: Sequence[ReleaseChange]) -> str:
    """Every release against the one before it: ratio, its 99 % interval, and whether it is clear."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["what", "before", "after", "ratio", "low", "high", "clear"])
    for one in found:
        ratio = [f"{value:.4f}" for value in one.ratio]
        writer.writerow([label(one.key), one.before, one.after, *ratio, int(one.is_clear)])
    return buffer.getvalue()


def draw(shown: Sequence[Chart], path: Path, caption: str) -> None:
    """The picture: the scheduler's step and the whole step, by release."""
    from matplotlib.figure import Figure

    from suite.shared.plots import house_style, save

    chosen = [chart for chart in shown if "scheduler.step" in chart.question][:1]
    chosen += [chart for chart in shown if "by way" in chart.question][:1]
    with house_style():
        figure = Figure(figsize=(9.5, 3.8), layout="constrained")
        for k, chart in enumerate(chosen):
            axes = figure.add_subplot(1, len(chosen), k + 1)
            for line in chart.lines:
                points = [(i, v) for i, v in enumerate(line.values) if v is not None]
                axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=line.label)
            axes.set_xticks(range(len(chart.releases)), chart.releases, rotation=60, fontsize=8)
            axes.set_ylim(bottom=0)
            axes.set_ylabel(chart.unit)
            axes.set_title(chart.question, fontsize=9)
            axes.legend(fontsize=8)
        figure.text(0.01, -0.02, caption, fontsize=7, va="top")
        save(figure, path)


def publish(
    table: HistoryTable,
    records: Sequence[Mapping[str, Any]],
    releases: Sequence[str],
    folder: Path,
    config: Path | None = None,
) -> list[str]:
    """Write everything to `folder`; return the sentences. `config`: where asv's configuration goes."""
    folder.mkdir(parents=True, exist_ok=True)
    said, found = sentences(table, releases), changes(table, releases)
    described = about(records, releases)
    page = render(context(table, releases, described, busy_words(records), said))
    write_whole(folder / "index.html", page.encode())
    write_whole(folder / "values.csv.gz", gzip.compress(values_csv(table).encode(), mtime=0))
    write_whole(folder / "changes.csv", changes_csv(found).encode())
    draw(charts(table, releases), folder / "history.png", described)
    asv_files.write(table, folder, config)
    return said
