"""The published answer on the advice: does the recommended change prevent the failure, and does the run learn then?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.diverge.recommend import (
    DRAWN,
    FAMILIES,
    LONGER,
    LONGEST,
    LOWER,
    STEPS,
    WARMUPS,
    DrawnSetup,
    TriedChange,
)
from bench.diverge.remedy import CHECK_SEEDS, LEARNED_SHARE, MOST_CHECKS, SEARCH_SEEDS, TrainingSetup
from bench.diverge.verdict import definitions
from bench.toy.measures import FAILED_LOSS, STABLE_LOSS, Estimate, share
from suite.shared.plots import BLUE, GREY, ORANGE

from .alarm_quality import COMMAND, percent
from .core.publish import Claim, figure
from .core.runs import source_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

#: The share of changed runs that must learn the task.
TARGET = 0.9
CHANGES = {LONGER: BLUE, LOWER: ORANGE}
#: Of the table of runs: one row per drawn setup, with the two changes and their losses, empty where there is none.
COLUMNS = [
    *("family", "config", "norm", "steps", "schedule", "base_lr", "seed", "loss"),
    *("longer_schedule", "longer_loss", "lower_lr", "lower_loss"),
]


def runs_table(setups: Sequence[DrawnSetup]) -> DataFrame:
    """One row per drawn setup."""
    import pandas

    rows = []
    for item in setups:
        longer = (None, None) if item.longer is None else (item.longer.schedule, item.longer.loss)
        lower = (None, None) if item.lower is None else (item.lower.base_lr, item.lower.loss)
        rows.append((item.family, *item.setup, item.seed, item.loss, *longer, *lower))
    return pandas.DataFrame(rows, columns=COLUMNS)


def from_table(table: DataFrame) -> list[DrawnSetup]:
    """The drawn setups out of a table."""
    setups = []
    for family, *plan, seed, loss, slug, longer_loss, lr, lower_loss in zip(
        *(table[name].tolist() for name in COLUMNS), strict=True
    ):
        setup = TrainingSetup(*plan)
        longer = TriedChange(slug, setup.base_lr, longer_loss) if isinstance(slug, str) and slug else None
        lower = None if lr is None or math.isnan(lr) else TriedChange(setup.schedule, lr, lower_loss)
        setups.append(DrawnSetup(family, setup, seed, loss, longer, lower))
    return setups


def learned(changes: Sequence[TriedChange]) -> Estimate:
    """The share of changed runs that learned the task."""
    return share(np.array([change.loss < STABLE_LOSS for change in changes], dtype=bool))


def did_not_fail(changes: Sequence[TriedChange]) -> Estimate:
    """The share of changed runs that did not fail."""
    return share(np.array([change.loss <= FAILED_LOSS for change in changes], dtype=bool))


def changes_of(setups: Sequence[DrawnSetup], *kinds: str) -> list[TriedChange]:
    """The changes of these kinds."""
    return [change for item in setups for kind, change in item.changes.items() if kind in kinds]


def meets(setups: Sequence[DrawnSetup]) -> bool:
    """Whether the target is met."""
    return learned(changes_of(setups, *CHANGES)).value >= TARGET


def answer(setups: Sequence[DrawnSetup]) -> list[str]:
    """The result as text."""
    failed = [item for item in setups if item.failed]
    by_kind = {kind: changes_of(setups, kind) for kind in CHANGES}
    everything = changes_of(setups, *CHANGES)
    found, verb = learned(everything), "meets" if meets(setups) else "does not meet"
    each = " and ".join(
        f"{percent(learned(changes))}% of {len(changes)} after a {kind}" for kind, changes in by_kind.items() if changes
    )
    first = (
        f"**A longer warmup rescued {len(by_kind[LONGER])} of {len(failed)} failing settings, a lower LR "
        f"{len(by_kind[LOWER])}.** For the other {len(failed) - len(by_kind[LONGER])} no warmup up to "
        f"{max(WARMUPS)} of {STEPS} steps was stable at their LR. So lower the peak first."
    )
    second = (
        f"The settings are {len(setups)} setups drawn near and above the edge of stability, of which {len(failed)} "
        f"failed. Each change that was advised was run once more with a seed used for nothing else: {percent(found)}% "
        f"of the {len(everything)} runs learned the task within {STEPS} steps ({each}), which {verb} the target of "
        f"{TARGET:.0%}; {percent(did_not_fail(everything))}% did not fail."
    )
    return [first, "", second]


def _row(name: str, changes: Sequence[TriedChange]) -> dict[str, object]:
    shares = [percent(measure(changes)) if changes else "-" for measure in (learned, did_not_fail)]
    return {"change": name, "tried": len(changes), "learned the task %": shares[0], "did not fail %": shares[1]}


def picture(setups: Sequence[DrawnSetup]) -> Figure:
    """The losses after the change, by its kind; all setups failed before it."""
    failed = sum(item.failed for item in setups)
    counts = [len(changes_of(setups, kind)) for kind in (LONGER, LOWER)]
    caption = f"{sum(counts)} changes to settings that failed, each run once with a fresh seed."
    title = f"A longer warmup rescued {counts[0]} of {failed} failing settings, a lower LR {counts[1]}"
    drawing = figure(3.6, title, caption)
    axes = drawing.subplots()
    for k, (kind, color) in enumerate(CHANGES.items()):
        losses = np.sort([change.loss for change in changes_of(setups, kind)])
        axes.plot(losses, 100 * (np.arange(losses.size) + 1) / max(failed, 1), color=color, label=kind, zorder=3 - k)
    axes.axvline(FAILED_LOSS, color=GREY, linestyle="--", linewidth=0.8)
    axes.axvline(STABLE_LOSS, color=GREY, linestyle=":", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xlim(right=4)
    axes.set(xlabel="validation loss after the change, nats per token", ylabel="% of failing settings", ylim=(0, 103))
    axes.annotate("failed above", (FAILED_LOSS, 4), (4, 0), textcoords="offset points", fontsize=9, color=GREY)
    axes.annotate("learned below", (STABLE_LOSS, 4), (4, 0), textcoords="offset points", fontsize=9, color=GREY)
    axes.legend(fontsize=9, loc="upper left")
    return drawing


def claim(runs: DataFrame) -> Claim:
    """The claim, from its runs."""
    import pandas

    setups = from_table(runs)
    rows = [_row(kind, changes_of(setups, kind)) for kind in CHANGES]
    families = [
        _row(
            f"either, {family.words}",
            changes_of([item for item in setups if item.family == family.words], *CHANGES),
        )
        for family in FAMILIES
    ]
    return Claim(
        "recommendation",
        1,
        "What rescues a run that failed: a longer warmup or a lower LR?",
        answer(setups),
        {
            "Setups": "; ".join(
                f"{family.words}, base LR {family.drawn[0]:g} to {family.drawn[1]:g}" for family in FAMILIES
            )
            + f"; linear warmup of 0 to {LONGEST} steps, both drawn at random; {STEPS} steps; {DRAWN} of each, one "
            "seed each. How often a longer warmup is enough depends on how far above the edge these are",
            "Rescued": "the shortest longer warmup at this LR and the highest lower LR at this warmup that were stable "
            f"in a sweep with {len(SEARCH_SEEDS)} seeds (warmups {', '.join(map(str, WARMUPS))}; LRs half an octave "
            f"apart) and then, run exactly as advised, with {len(CHECK_SEEDS)} other seeds; at most {MOST_CHECKS} "
            "candidates of each kind are checked. Stable: no run failed and at least "
            f"{LEARNED_SHARE:.0%} learned the task",
            "Outcomes": definitions(),
            "Intervals": "95%, Wilson; the two changes of one setting count as independent",
        },
        pandas.DataFrame([_row("either", changes_of(setups, *CHANGES)), *rows, *families]),
        lambda: picture(setups),
        "Share of the failing settings whose validation loss after the change is at or below a value, for longer "
        "warmups and for lower LRs",
        f"{COMMAND} recommendation",
        source=source_of(runs),
        again=f"{COMMAND} recommendation --from results/alarms/recommendation.runs.csv.gz",
    )
