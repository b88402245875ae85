"""Libraries × questions: how many schedules deviate, as counts and as a picture."""

from __future__ import annotations

import dataclasses
import fnmatch
import io
import math
from collections.abc import Sequence

from suite.libraries.findings import LibraryFinding

#: What a reader asks → the axes that answer it, and the channel where it is a channel of its own.
QUESTIONS: dict[str, tuple[str, ...]] = {
    "the usual call": ("plain",),
    "another base LR": ("base3e-4", "*-base3e-4", "integer-lr"),
    "an LR below the floor": ("below-*",),
    "two groups": ("groups", "*-groups"),
    "a tensor LR": ("tensor", "*-tensor"),
    "W = 0": ("w0",),
    "W = 1": ("w1",),
    "W = T − 1": ("w11",),
    "W = T": ("w12",),
    "W > T": ("w14",),
    "a fraction for W": ("w4.5",),
    "floors, cycles, shapes": ("variant",),
    "lengths that contradict": ("edge",),
    "resumed": ("resume*",),
    "optimizer loaded first": ("optimizerfirst*",),
}
AFTER_THE_END = "after the last step"


@dataclasses.dataclass(frozen=True)
class MatrixCell:
    """How many of a library's schedules deviate in the cases of one question."""

    deviating: int
    schedules: int

    @property
    def share(self) -> float:
        """The share that deviates."""
        return self.deviating / self.schedules if self.schedules else 0.0


def question_of(found: LibraryFinding) -> str:
    """The question that the axis of a case answers."""
    case = found.case
    for question, patterns in QUESTIONS.items():
        if any(fnmatch.fnmatchcase(case.axis, pattern) for pattern in patterns):
            return question
    return "lengths that contradict" if case.axis in case.schedule.edges else "floors, cycles, shapes"


def matrix(findings: Sequence[LibraryFinding]) -> dict[str, dict[str, MatrixCell]]:
    """Library → question → counts; what happens after the end is a question of its own."""
    asked: dict[tuple[str, str], set[str]] = {}
    wrong: dict[tuple[str, str], set[str]] = {}
    for found in findings:
        if found.verdict.kind == "absent":
            continue
        library, schedule = found.case.library.name, found.case.schedule.name
        place = (library, question_of(found))
        asked.setdefault(place, set()).add(schedule)
        if any(deviation.channel != "after-end" for deviation in found.verdict.deviations):
            wrong.setdefault(place, set()).add(schedule)
        if found.case.axis == "plain":
            asked.setdefault((library, AFTER_THE_END), set()).add(schedule)
            if any(deviation.channel == "after-end" for deviation in found.verdict.deviations):
                wrong.setdefault((library, AFTER_THE_END), set()).add(schedule)
    names = dict.fromkeys(library for library, _ in asked)
    return {
        name: {
            question: MatrixCell(len(wrong.get((name, question), ())), len(asked.get((name, question), ())))
            for question in (*QUESTIONS, AFTER_THE_END)
        }
        for name in names
    }


def picture(findings: Sequence[LibraryFinding], title: str) -> bytes:
    """The matrix as a PNG: the number of schedules that deviate; darker: a larger share of the library's."""
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    grid = matrix(findings)
    questions = [*QUESTIONS, AFTER_THE_END]
    releases = {found.case.library.name: found.release for found in findings}
    figure = Figure(figsize=(12, 1.9 + 0.33 * len(grid)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    shares = [[grid[name][q].share if grid[name][q].schedules else math.nan for q in questions] for name in grid]
    axes.imshow(shares, cmap=colormaps["YlOrRd"].with_extremes(bad="#F2F2F2"), vmin=0, vmax=1, aspect="auto")
    for i, name in enumerate(grid):
        for j, question in enumerate(questions):
            cell = grid[name][question]
            ink = "white" if cell.share > 0.6 else "black" if cell.deviating else "#999999"
            text = str(cell.deviating) if cell.deviating else "·" if cell.schedules else ""
            axes.text(j, i, text, ha="center", va="center", color=ink, size=9)
    axes.set_xticks(range(len(questions)), questions, rotation=40, ha="right")
    rows = [f"{name} {releases[name]} ({max(cell.schedules for cell in grid[name].values())})" for name in grid]
    axes.set_yticks(range(len(grid)), rows)
    axes.set_title(title, loc="left", fontsize=12)
    axes.spines[:].set_visible(False)
    axes.set_xticks([j - 0.5 for j in range(1, len(questions))], minor=True)
    axes.set_yticks([i - 0.5 for i in range(1, len(grid))], minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="both", length=0)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110, metadata={"Software": None})
    return out.getvalue()
