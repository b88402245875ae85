"""The atlas as a picture and as a page: themes and known deviations against releases."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reference import ChainedScheduler, SequentialLR
from suite.engine.case import Case
from suite.known.deviations import Known, readings, table

from .same_result import SHOWN

if TYPE_CHECKING:
    from .atlas import AtlasRow

TEMPLATE = Path(__file__).with_name("atlas.html.j2")


@dataclasses.dataclass(frozen=True)
class Theme:
    """A question that a reader has, and the cases that answer it."""

    name: str
    holds: Callable[[Case], bool]


def _nested(kind: type, inner: type, later: bool | None = None) -> Callable[[Case], bool]:
    """A `kind` with an `inner` among its parts (the first, a later one, or any)."""

    def holds(case: Case) -> bool:
        if not isinstance(case.schedule, kind):
            return False
        parts = case.schedule.schedulers  # type: ignore[attr-defined]  # both composites have it
        chosen = parts if later is None else parts[1:] if later else parts[:1]
        return any(isinstance(part, inner) for part in chosen)

    return holds


_COMPOSITES = (SequentialLR, ChainedScheduler)

_BUILT_FIRST = ("builtfirst", "schedulerfirst", "loadedtwice")

#: A case belongs to the first theme that holds: what the loop does stands before what the composition is.
THEMES = (
    Theme("restored: scheduler built first", lambda c: c.setup.resume in _BUILT_FIRST),
    Theme("restored: optimizer loaded first", lambda c: c.setup.resume == "optimizerfirst"),
    Theme("restarted with last_epoch", lambda c: c.setup.resume.startswith("lastepoch")),
    Theme("step(epoch)", lambda c: bool(c.setup.jumps)),
    Theme("tensor learning rates", lambda c: c.setup.lr_type != "float"),
    Theme("wrong arguments", lambda c: c.family == "refused"),
    Theme("lengths of 0 and other ends", lambda c: c.family == "edge"),
    Theme("milestones 0, equal, last, wrong", lambda c: c.family == "milestones"),
    Theme("Sequential inside Sequential, first", _nested(SequentialLR, SequentialLR, later=False)),
    Theme("Chained inside Sequential, first", _nested(SequentialLR, ChainedScheduler, later=False)),
    Theme("composite as a later phase", _nested(SequentialLR, _COMPOSITES, later=True)),  # type: ignore[arg-type]
    Theme("Sequential inside Chained", _nested(ChainedScheduler, SequentialLR)),
    Theme("Chained inside Chained", _nested(ChainedScheduler, ChainedScheduler)),
    Theme("SequentialLR of simple parts", lambda c: isinstance(c.schedule, SequentialLR)),
    Theme("ChainedScheduler of simple parts", lambda c: isinstance(c.schedule, ChainedScheduler)),
    Theme("one scheduler alone", lambda c: True),
)


def theme_of(case: Case) -> str:
    """The theme of a case."""
    return next(theme.name for theme in THEMES if theme.holds(case))


@dataclasses.dataclass(frozen=True)
class Cell:
    """One theme in one release."""

    deviating: int  # other learning rates, an error, or no refusal
    warned: int  # right learning rates, but a correct loop is warned
    absent: int
    cases: int

    @property
    def share(self) -> float:
        """The share of the cases that exist in this release and deviate."""
        return self.deviating / max(1, self.cases - self.absent)


def cells(rows: dict[str, list[AtlasRow]]) -> dict[str, dict[str, Cell]]:
    """Theme → release → counts."""
    themes = {row.case.id: theme_of(row.case) for row in next(iter(rows.values()))}
    found: dict[str, dict[str, Cell]] = {theme.name: {} for theme in reversed(THEMES)}
    for release, group in rows.items():
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for row in group:
            kind = "warned" if row.verdict.shape == "warns" else row.verdict.kind
            counts[themes[row.case.id]][kind] += 1
        for name, count in counts.items():
            found[name][release] = Cell(count["deviates"], count["warned"], count["absent"], count.total())
    return found


def entry_counts(rows: dict[str, list[AtlasRow]]) -> dict[str, dict[str, int]]:
    """Entry of known.toml → release → number of cases that show it."""
    found = {name: dict.fromkeys(rows, 0) for name in table()}
    for release, group in rows.items():
        for row in group:
            if row.entry is not None:
                found[row.entry.id][release] += 1
    return found


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
        f"{wrong} of {every} cases do not give the documented learning rates in torch {labels[latest]}\n"
        "number of such cases, mere warnings left out; darker: a larger share of the theme",
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

    grid, counts = cells(rows), entry_counts(rows)
    entries: list[dict[str, Any]] = []
    for entry in table().values():
        example = _example(rows, entry)
        entries.append({"known": entry, "counts": counts[entry.id], "example": example})
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        releases=list(rows),
        labels=labels,
        grid=grid,
        entries=entries,
        readings=readings(),
        cases=len(next(iter(rows.values()))),
    )
    return text.encode()


def _example(rows: dict[str, list[AtlasRow]], entry: Known) -> AtlasRow | None:
    """The shortest case that shows the entry, in the newest release that has one."""
    for group in reversed(rows.values()):
        own = [row for row in group if row.entry is entry]
        if own:
            return min(own, key=lambda row: (len(row.case.id), row.case.id))
    return None
