"""The atlas as a picture and as a page: themes and known deviations against releases."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from reference import ChainedScheduler, SequentialLR
from suite.engine.case import Case
from suite.known.deviations import Known, readings, table

from .same_result import SHOWN

if TYPE_CHECKING:
    from .atlas import AtlasRow

TEMPLATE = Path(__file__).with_name("atlas.html.j2")


@dataclasses.dataclass(frozen=True)
class Theme:
    """What a group of cases is about: something that a reader may want to compose or do."""

    name: str
    includes: Callable[[Case], bool]


def _nested(kind: type, inner: type, later: bool | None = None) -> Callable[[Case], bool]:
    """A `kind` with an `inner` among its parts (the first, a later one, or any)."""

    def includes(case: Case) -> bool:
        if not isinstance(case.schedule, kind):
            return False
        parts = case.schedule.schedulers  # type: ignore[attr-defined]  # both composites have it
        chosen = parts if later is None else parts[1:] if later else parts[:1]
        return any(isinstance(part, inner) for part in chosen)

    return includes


_COMPOSITES = (SequentialLR, ChainedScheduler)

_BUILT_FIRST = ("builtfirst", "schedulerfirst", "loadedtwice")

#: A case belongs to the first theme that includes it: what the loop does comes before what the composition is.
THEMES = (
    Theme("restored, schedulers built before loading", lambda c: c.setup.resume in _BUILT_FIRST),
    Theme("restored, optimizer loaded before building", lambda c: c.setup.resume == "optimizerfirst"),
    Theme("restarted with last_epoch=N", lambda c: c.setup.resume.startswith("lastepoch")),
    Theme("step(epoch=N)", lambda c: bool(c.setup.jumps)),
    Theme("tensor LR", lambda c: c.setup.lr_type != "float"),
    Theme("invalid arguments", lambda c: c.family == "refused"),
    Theme("docstrings", lambda c: c.family == "docs"),
    Theme("groups added, removed, reordered or changed", lambda c: c.family == "groups"),
    Theme("past the end, long runs", lambda c: c.family == "ends"),
    Theme("step() in the wrong order, skipped updates", lambda c: c.family == "order"),
    Theme("states loaded into another run, kept or edited", lambda c: c.family == "loading"),
    Theme("two schedulers beside each other", lambda c: c.family == "beside"),
    Theme("a second scheduler, and unused ones", lambda c: c.family == "again"),
    Theme("one object twice, two optimizers", lambda c: c.family == "shared"),
    Theme("numbers of other types, and out of range", lambda c: c.family == "numbers"),
    Theme("reports, states, copies and attributes", lambda c: c.family == "objects"),
    Theme("momentum cycled in composites", lambda c: c.family == "momenta"),
    Theme("the LR that an update used, every optimizer", lambda c: c.family == "applied"),
    Theme("lengths of 0 and other edge cases", lambda c: c.family == "edge"),
    Theme("milestones at the edges, equal or invalid", lambda c: c.family == "milestones"),
    Theme("SequentialLR as first phase of SequentialLR", _nested(SequentialLR, SequentialLR, later=False)),
    Theme("ChainedScheduler as first phase of SequentialLR", _nested(SequentialLR, ChainedScheduler, later=False)),
    Theme(
        "composite as later phase of SequentialLR",
        _nested(SequentialLR, _COMPOSITES, later=True),  # type: ignore[arg-type]
    ),
    Theme("SequentialLR inside ChainedScheduler", _nested(ChainedScheduler, SequentialLR)),
    Theme("ChainedScheduler inside ChainedScheduler", _nested(ChainedScheduler, ChainedScheduler)),
    Theme("SequentialLR of single schedulers", lambda c: isinstance(c.schedule, SequentialLR)),
    Theme("ChainedScheduler of single schedulers", lambda c: isinstance(c.schedule, ChainedScheduler)),
    Theme("single scheduler", lambda c: True),
)


def theme_of(case: Case) -> str:
    """The theme of a case."""
    return next(theme.name for theme in THEMES if theme.includes(case))


@dataclasses.dataclass(frozen=True)
class Cell:
    """One theme in one release."""

    deviating: int  # another learning rate or momentum, an error, or a wrong argument that is accepted
    warned: int  # the right learning rates, but a warning about a correct loop
    absent: int
    cases: int

    @property
    def share(self) -> float:
        """The share of the cases that exist in this release and deviate."""
        return self.deviating / max(1, self.cases - self.absent)


def cells(rows: dict[str, list[AtlasRow]]) -> dict[str, dict[str, Cell]]:
    """Theme → release → counts."""
    themes = {row.case.id: theme_of(row.case) for row in next(iter(rows.values()))}
    grid: dict[str, dict[str, Cell]] = {theme.name: {} for theme in reversed(THEMES)}
    for release, group in rows.items():
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for row in group:
            kind = "warned" if row.verdict.shape == "warns" else row.verdict.kind
            counts[themes[row.case.id]][kind] += 1
        for name, count in counts.items():
            grid[name][release] = Cell(count["deviates"], count["warned"], count["absent"], count.total())
    return grid


def entry_counts(rows: dict[str, list[AtlasRow]]) -> dict[str, dict[str, int]]:
    """Entry → release → number of cases that show it."""
    counts = {name: dict.fromkeys(rows, 0) for name in table()}
    for release, group in rows.items():
        for row in group:
            for entry in row.entries:
                counts[entry.id][release] += 1
    return counts


def picture(rows: dict[str, list[AtlasRow]], labels: dict[str, str]) -> bytes:
    """Themes × releases as a PNG: the share of cases that deviate, with their number."""
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    grid = cells(rows)
    names, shown = list(grid), list(rows)
    figure = Figure(figsize=(13, 7), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    colours = colormaps["YlOrRd"]
    shares = [[grid[n][r].share for r in shown] for n in names]
    axes.imshow(shares, cmap=colours, vmin=0, vmax=1, aspect="auto")
    for i, name in enumerate(names):
        for j, release in enumerate(shown):
            cell = grid[name][release]
            ink = "white" if cell.share > 0.6 else "black" if cell.deviating else "#999999"
            axes.text(j, i, str(cell.deviating) if cell.deviating else "·", ha="center", va="center", color=ink, size=9)
    axes.set_xticks(range(len(shown)), [labels[r] for r in shown], rotation=45, ha="right")
    totals = [next(iter(grid[n].values())).cases for n in names]
    axes.set_yticks(range(len(names)), [f"{n} ({total})" for n, total in zip(names, totals, strict=True)])
    axes.set_xlabel("torch release")
    latest = shown[-1]
    wrong = sum(grid[n][latest].deviating for n in names)
    every = sum(totals)
    axes.set_title(
        f"{wrong} of {every} cases deviate from the documentation in torch {labels[latest]}\n"
        "number of deviating cases, not counting those that only warn; darker: a larger share of the row",
        loc="left",
    )
    axes.spines[:].set_visible(False)
    axes.set_xticks([j - 0.5 for j in range(1, len(shown))], minor=True)
    axes.set_yticks([i - 0.5 for i in range(1, len(names))], minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="both", length=0)
    out = io.BytesIO()
    digest = hashlib.sha256(repr((grid, shown, names, labels)).encode()).hexdigest()
    figure.savefig(out, format="png", dpi=110, metadata={"Software": None, SHOWN: digest})
    return out.getvalue()


def page(rows: dict[str, list[AtlasRow]], labels: dict[str, str]) -> bytes:
    """The whole atlas as one self-contained HTML page."""
    from jinja2 import Environment, StrictUndefined

    counts, releases = entry_counts(rows), list(rows)

    def last_shown(entry: Known) -> tuple[int, int]:
        """The newest release that shows the entry, and by how many cases."""
        return max((releases.index(r), count) for r, count in counts[entry.id].items() if count or r == releases[0])

    ordered = sorted(table().values(), key=last_shown, reverse=True)
    entries = [{"known": entry, "counts": counts[entry.id], "example": _example(rows, entry)} for entry in ordered]
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        releases=releases,
        labels=labels,
        grid=cells(rows),
        shade=_shade,
        entries=entries,
        readings=readings(),
        cases=len(next(iter(rows.values()))),
    )
    return text.encode()


def _shade(share: float) -> str:
    """The colour of a cell of which this share deviates; translucent, so that it suits dark pages too."""
    return f"rgba(214, 60, 20, {0.12 + 0.6 * share:.2f})"


def _example(rows: dict[str, list[AtlasRow]], entry: Known) -> AtlasRow | None:
    """The shortest case that shows the entry, in the newest release that has one."""
    for group in reversed(rows.values()):
        own = [row for row in group if entry in row.entries]
        if own:
            return min(own, key=lambda row: (len(row.case.id), row.case.id))
    return None
