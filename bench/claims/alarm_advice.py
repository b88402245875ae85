"""The published answer on the advice: does the recommended change prevent the failure?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.diverge.recommend import FAMILIES, LONGEST, STEPS, WARMUPS, Advice, TriedChange
from bench.diverge.remedy import CHECK_SEEDS, LEARNED_SHARE, MOST_CHECKS, SEARCH_SEEDS
from bench.diverge.verdict import definitions
from bench.toy.measures import STABLE_LOSS, share
from suite.shared.plots import BLUE, GREY, ORANGE

from .alarm_quality import COMMAND, percent
from .core.publish import Claim, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The share of changed runs that must not fail.
TARGET = 0.9
CHANGES = {"longer warmup": BLUE, "lower LR": ORANGE}


def _row(name: str, cases: Sequence[TriedChange]) -> dict[str, object]:
    succeeded = np.array([case.succeeded for case in cases], dtype=bool)
    learned = np.array([case.loss < STABLE_LOSS for case in cases], dtype=bool)
    shares = [percent(share(flags)) if flags.size else "-" for flags in (succeeded, learned)]
    return {"change": name, "tried": len(cases), "did not fail %": shares[0], "learned the task %": shares[1]}


def answer(advice: Advice) -> list[str]:
    """The result as text."""
    succeeded = share(np.array([case.succeeded for case in advice.cases], dtype=bool))
    learned = share(np.array([case.loss < STABLE_LOSS for case in advice.cases], dtype=bool))
    meets = "meets" if succeeded.value >= TARGET else "does not meet"
    changes = {kind: sum(case.change == kind for case in advice.cases) for kind in CHANGES}
    first = (
        f"Of {advice.drawn} setups drawn near and above the edge of stability, {advice.failed} failed. For them "
        f"{len(advice.cases)} changes were advised ({', '.join(f'{n} x {kind}' for kind, n in changes.items())}) and "
        f"tried, each with a seed used for nothing else: {percent(succeeded)}% did not fail, which {meets} the target "
        f"of {TARGET:.0%}; {percent(learned)}% learned the task within {STEPS} steps."
    )
    second = (
        "A change is advised only if it passes the check: in "
        f"{advice.failed - changes['longer warmup']} cases no warmup was long enough, in "
        f"{advice.failed - changes['lower LR']} cases no LR was low enough. At least one change was advised for "
        f"{len({case.seed for case in advice.cases})} of the {advice.failed} setups."
    )
    return [first, "", second]


def picture(advice: Advice) -> Figure:
    """The losses after the change, by its kind; all setups failed before it."""
    succeeded = sum(case.succeeded for case in advice.cases)
    caption = f"{len(advice.cases)} changes to settings that failed, each run once with a fresh seed."
    drawing = figure(3.6, f"After the advised change {succeeded} of {len(advice.cases)} runs did not fail", caption)
    axes = drawing.subplots()
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
    return drawing


def claim(advice: Advice) -> Claim:
    """The claim, ready to be published."""
    import pandas

    rows = [_row(kind, [case for case in advice.cases if case.change == kind]) for kind in CHANGES]
    families = [
        _row(f"either, {family.words}", [case for case in advice.cases if case.family == family.words])
        for family in FAMILIES
    ]
    return Claim(
        "recommendation",
        1,
        "Does the change advised for a failed run prevent the failure?",
        answer(advice),
        {
            "Setups": "; ".join(
                f"{family.words}, base LR {family.drawn[0]:g} to {family.drawn[1]:g}" for family in FAMILIES
            )
            + f"; linear warmup of 0 to {LONGEST} steps, both drawn at random; {STEPS} steps; one seed each",
            "Advice": "the shortest longer warmup at this LR and the highest lower LR at this warmup that were stable "
            f"in a sweep with {len(SEARCH_SEEDS)} seeds (warmups {', '.join(map(str, WARMUPS))}; LRs half an octave "
            f"apart) and then, run exactly as advised, with {len(CHECK_SEEDS)} other seeds; at most {MOST_CHECKS} "
            "candidates of each kind are checked. Stable: no run failed and at least "
            f"{LEARNED_SHARE:.0%} learned the task",
            "Outcomes": definitions(),
            "Intervals": "95%, Wilson",
        },
        pandas.DataFrame([_row("either", advice.cases), *rows, *families]),
        lambda: picture(advice),
        "Cumulative share of the validation losses after the advised change, for longer warmups and for lower LRs",
        COMMAND,
    )
