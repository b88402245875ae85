"""A claim beside the same claim on fresh seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.toy.measures import Estimate
from suite.shared.markdown import markdown_table

from .publish import Claim, Headline, interval

REPLICATED = "replicated"


def effect(headline: Headline) -> int:
    """1 or −1 if the whole interval is above or below the value without an effect, else 0.

    >>> effect(Headline("factor", Estimate(1.5, 1.2, 1.9))), effect(Headline("factor", Estimate(1.1, 0.9, 1.3)))
    (1, 0)
    """
    _, low, high = headline.estimate
    return int(low > headline.neutral) - int(high < headline.neutral)


def agree(published: Headline, fresh: Headline) -> bool:
    """Whether two independent estimates differ by no more than √(h₁² + h₂²), h the half-widths of their intervals.

    About one in twenty pairs of estimates of the same number does not agree. Factors are compared by their logarithms.
    """
    (x, low, high), (y, fresh_low, fresh_high) = (
        Estimate(*map(math.log, item.estimate)) if item.neutral == 1 else item.estimate for item in (published, fresh)
    )
    return abs(x - y) <= math.hypot((high - low) / 2, (fresh_high - fresh_low) / 2)


def verdict(published: Headline, fresh: Headline) -> str:
    """``replicated``, or what differs.

    >>> number = Headline("factor", Estimate(1.5, 1.2, 1.9))
    >>> verdict(number, Headline("factor", Estimate(1.3, 1.1, 1.5)))
    'replicated'
    >>> verdict(number, Headline("factor", Estimate(1.2, 0.9, 1.6)))
    'not replicated: agrees, but the effect is not measurable by itself'
    """
    if not agree(published, fresh):
        return "not replicated: the two differ"
    if effect(fresh) != effect(published):
        return f"not replicated: agrees, but the effect is {'' if effect(fresh) else 'not '}measurable by itself"
    return REPLICATED


def verdicts(published: Sequence[Headline], fresh: Sequence[Headline]) -> list[str]:
    """The verdict on each number; ValueError if the two lists are not about the same numbers."""
    if [item.words for item in published] != [item.words for item in fresh]:
        raise ValueError("fresh=the numbers of another claim must be those of the published one")
    return [verdict(before, now) for before, now in zip(published, fresh, strict=True)]


def section(published: Claim, fresh: Claim, both: Claim, seeds: Sequence[int]) -> list[str]:
    """The lines of a page that compare the published numbers with those of fresh seeds, and with all seeds together."""
    judged = verdicts(published.headlines, fresh.headlines)
    rows = [
        (before.words, *(interval(item.estimate) for item in (before, now, all_seeds)), word)
        for before, now, all_seeds, word in zip(
            published.headlines, fresh.headlines, both.headlines, judged, strict=True
        )
    ]
    first = (
        f"Replication on seeds {seeds[0]} to {seeds[-1]}, used for nothing else: "
        f"{judged.count(REPLICATED)} of {len(judged)} numbers are replicated, which means that both intervals exclude "
        "no effect on the same side, or neither does, and that the two agree: they differ by no more than the "
        "interval of their difference, as 19 of 20 pairs of measurements of the same number do."
    )
    command = f"`{fresh.runs_command(f'--seeds {fresh.seeds} --first-seed {seeds[0]}')}`"
    return [
        first,
        "",
        markdown_table(("number", "published", "on fresh seeds", "both together", "verdict"), rows),
        "",
        f"* **Replication**: {command}, measured on {fresh.source}",
    ]
