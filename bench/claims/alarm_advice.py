"""The published answer on the advice: does what is recommended hold?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.diverge.recommend import FAMILIES, LONGEST, STEPS, WARMUPS, Advice, TriedChange
from bench.diverge.remedy import CHECK_SEEDS, HOLDS_SHARE, MOST_CHECKS, SEARCH_SEEDS
from bench.diverge.verdict import definitions
from bench.toy.measures import STABLE_LOSS, share
from suite.shared.plots import BLUE, GREY, ORANGE

from .alarm_quality import COMMAND, percent
from .publish import Claim, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What the advice shall reach.
BAR = 0.9
CHANGES = {"longer warmup": BLUE, "lower LR": ORANGE}


def _row(name: str, cases: Sequence[TriedChange]) -> dict[str, object]:
    held = np.array([case.holds for case in cases], dtype=bool)
    learned = np.array([case.loss < STABLE_LOSS for case in cases], dtype=bool)
    shares = [percent(share(flags)) if flags.size else "-" for flags in (held, learned)]
    return {"change": name, "tried": len(cases), "did not fail %": shares[0], "learned the task %": shares[1]}


def answer(advice: Advice) -> list[str]:
    """The measurement in words."""
    held = share(np.array([case.holds for case in advice.cases], dtype=bool))
    learned = share(np.array([case.loss < STABLE_LOSS for case in advice.cases], dtype=bool))
    verdict = "reaches" if held.value >= BAR else "does not reach"
    changes = {kind: sum(case.change == kind for case in advice.cases) for kind in CHANGES}
    first = (
        f"Of {advice.drawn} settings drawn around and above the edge of stability {advice.failed} failed. For them "
        f"{len(advice.cases)} changes were advised ({', '.join(f'{n} x {kind}' for kind, n in changes.items())}) and "
        f"tried, each with a seed that was used for nothing else: {percent(held)} % did not fail, which {verdict} the "
        f"bar of {BAR:.0%}; {percent(learned)} % learned the task within the {STEPS} steps."
    )
    second = (
        f"Where no change of a kind passed the check, none was advised: {advice.failed - changes['longer warmup']} "
        f"times no warmup was long enough, {advice.failed - changes['lower LR']} times no lower LR was found. "
        f"{len({case.seed for case in advice.cases})} of the {advice.failed} settings got at least one."
    )
    return [first, "", second]


def picture(advice: Advice) -> Figure:
    """The losses after the change, by its kind: all settings failed before it."""
    held = sum(case.holds for case in advice.cases)
    caption = f"{len(advice.cases)} changes to settings that failed, each run once with a fresh seed."
    made = figure(3.6, f"After the advised change {held} of {len(advice.cases)} runs did not fail", caption)
    axes = made.subplots()
    for k, (kind, color) in enumerate(CHANGES.items()):
        losses = np.sort([case.loss for case in advice.cases if case.change == kind])
        axes.plot(
            losses, 100 * (np.arange(losses.size) + 1) / max(losses.size, 1), color=color, label=kind, zorder=3 - k
        )
    axes.axvline(1.0, color=GREY, linestyle="--", linewidth=0.8)
    axes.axvline(STABLE_LOSS, color=GREY, linestyle=":", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xlim(right=4)
    axes.set(xlabel="validation loss, nats per token", ylabel="% of changes at or below", ylim=(0, 103))
    axes.annotate("failed above", (1.0, 4), (4, 0), textcoords="offset points", fontsize=9, color=GREY)
    axes.annotate("learned below", (STABLE_LOSS, 4), (4, 0), textcoords="offset points", fontsize=9, color=GREY)
    axes.legend(fontsize=9, loc="upper left")
    return made


def claim(advice: Advice) -> Claim:
    """All of it, ready to be published."""
    import pandas

    rows = [_row(kind, [case for case in advice.cases if case.change == kind]) for kind in CHANGES]
    families = [
        _row(f"either, {family.words}", [case for case in advice.cases if case.family == family.words])
        for family in FAMILIES
    ]
    return Claim(
        "recommendation",
        1,
        "Does the change that is advised for a failed run hold?",
        answer(advice),
        {
            "Settings": "; ".join(
                f"{family.words}, base LR {family.drawn[0]:g} to {family.drawn[1]:g}" for family in FAMILIES
            )
            + f"; linear warmup of 0 to {LONGEST} steps, both drawn at random; {STEPS} steps; one seed each",
            "Advice": "the shortest longer warmup at this LR, and the highest lower LR at this warmup, that held in a "
            f"sweep of {len(SEARCH_SEEDS)} seeds (warmups {', '.join(map(str, WARMUPS))}; LRs half-octaves apart) and "
            f"then, run as advised, with {len(CHECK_SEEDS)} other seeds; of each kind at most {MOST_CHECKS} candidates "
            f"are checked. Held: no run failed and at least {HOLDS_SHARE:.0%} learned the task",
            "Ends": definitions(),
            "Intervals": "95 %, Wilson",
        },
        pandas.DataFrame([_row("either", advice.cases), *rows, *families]),
        lambda: picture(advice),
        "Cumulative share of the validation losses after the advised change, for longer warmups and for lower LRs",
        COMMAND,
    )
