"""The changes between two releases as a reader sees them: learning rates first, warnings in one line."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from reference import Schedule, SequentialLR
from suite.engine.axes import Setup
from suite.engine.case import Case
from suite.engine.optimizers import OPTIMIZERS
from suite.engine.verdict import close
from suite.shared.console import finite, plain_table

from .atlas_page import theme_of
from .changes import EFFECTS, Change

#: Compositions of one group that are listed; the others are counted.
LISTED = 3
#: Rows of a trace that are shown for a group, and for a single composition.
ROWS_OF_GROUP, ROWS = 8, 24
#: Kinds of change in the order of the report.
KINDS = {
    "lrs": "learning rates",
    "momenta": "momenta",
    "last_lrs": "get_last_lr()",
    "error": "errors",
    "warnings": "warnings only",
}
#: What each effect is called at the head of a group, and after a number of compositions.
HEADS = {
    "broken": ("new deviation", "newly deviate"),
    "altered": ("still deviates, differently", "still deviate, differently"),
    "removed": ("removed", "removed"),
    "fixed": ("fixed", "fixed"),
    "added": ("added", "added"),
    "equivalent": ("follows the documentation in both releases", "follow the documentation in both releases"),
}
#: How a run is restored, in words; the keys are those of `loop.RESTORES`.
RESTORED = {
    "builtfirst": "restored at {}",
    "schedulerfirst": "restored at {} with the scheduler's state loaded first",
    "optimizerfirst": "restored at {} with the optimizer's state loaded before the schedulers are built",
    "loadedtwice": "restored at {} with both states loaded twice",
    "lastepoch": "restarted at {} with last_epoch",
    "lastepochouter": "restarted at {} with last_epoch for the outermost scheduler only",
}

#: From a case to the releases that change it, in words.
ChangedIn = Callable[[Case], list[str]]


def composition(schedule: Schedule) -> str:
    """The composition by its class names, and its milestones.

    >>> from reference import parse
    >>> composition(parse("seq2_m6.linearlr6.chain2.steplr3.exponentiallr0p9"))
    'SequentialLR[LinearLR, ChainedScheduler[StepLR, ExponentialLR]](milestones=[6])'
    """
    parts = ", ".join(composition(part) for part in getattr(schedule, "schedulers", ()))
    name = type(schedule).__name__ + (f"[{parts}]" if parts else "")
    milestones = ", ".join(map(str, schedule.milestones)) if isinstance(schedule, SequentialLR) else ""
    return f"{name}(milestones=[{milestones}])" if milestones else name


def _optimizer(name: str) -> str:
    """An optimizer of OPTIMIZERS with the arguments that its name tells of: "Adam, amsgrad=True"."""
    cls, options = OPTIMIZERS[name]
    return ", ".join([cls.__name__, *(f"{key}={value}" for key, value in options.items())])


def loop_in_words(setup: Setup) -> str:
    """What is special about the loop, after a comma each; empty for the plain loop."""
    words = [f"{setup.groups} parameter groups"] if setup.groups > 1 else []
    words += ["per-group arguments"] if setup.lists else []
    words += {"float": [], "tensor": ["tensor LR"], "shared": ["one tensor LR for all groups"]}[setup.lr_type]
    words += [setup.conversion.words] if setup.numbers else []
    words += [_optimizer(setup.optimizer)] if setup.optimizer != "sgd" else []
    words += {"step": [], "epoch": ["stepped every third update"], "micro": ["stepped twice per update"]}[setup.clock]
    words += ["parts built in reverse order"] if setup.reverse else []
    if setup.resume:
        words.append(RESTORED[setup.resume].format(f"step {' and '.join(map(str, setup.cuts))}"))
    words += ["through torch.save"] if setup.saved else []
    words += [f"step(epoch={', '.join(map(str, setup.jumps))})"] if setup.jumps else []
    words += [action.words for action in setup.actions]
    words += [setup.device] if setup.device != "cpu" else []
    return "".join(f", {text}" for text in words)


def phase(change: Change) -> str:
    """The phase of a SequentialLR in which the change starts, or nothing."""
    schedule = change.case.schedule
    if change.step is None or change.case.setup.marks or not isinstance(schedule, SequentialLR):
        return ""
    index = min(sum(change.step >= milestone for milestone in schedule.milestones), len(schedule.schedulers) - 1)
    return f", in phase {index + 1} ({type(schedule.schedulers[index]).__name__})"


def advice(change: Change) -> str:
    """What the user should do about this change."""
    entry = change.entry
    if change.what == "warnings":
        if change.words.startswith("no longer"):
            return "Nothing: the learning rates are the same. If you filter this warning, remove the filter."
        after = change.entry_after
        known = after is not None and after.shapes == ("warns",)
        more = after.workaround if after and known else "Read the message: a later release may act on it."
        return f"The learning rates are the same. {more}"
    if change.effect == "fixed":
        text = "Nothing for new runs. A run that must keep its old values has to stay on the old release."
        return f"{text} No longer needed: {entry.workaround}" if entry else text
    if change.effect == "added":
        return "Only the newer release has this class: avoid it in code that must run on both."
    if change.effect == "removed":
        return "The newer release does not have this class: use another one, or stay on the old release."
    if change.effect == "equivalent":
        return "Both releases follow the documentation: adapt code that relies on the exact value or error class."
    return entry.workaround if entry else "Not a known deviation: compare both traces, then report it."


def as_record(change: Change) -> dict[str, Any]:
    """The change as plain data for JSON."""
    return {
        "case": change.case.id,
        "theme": theme_of(change.case),
        "what": change.what,
        "effect": change.effect,
        "step": change.step,
        "words": change.words,
        "before": finite(change.before),
        "after": finite(change.after),
        "known_before": change.entry_before.id if change.entry_before else None,
        "known_after": change.entry_after.id if change.entry_after else None,
        "advice": advice(change),
    }


def side_by_side(before: list[float], after: list[float], kind: str = "float", rows: int = ROWS) -> Table:
    """Both traces at the steps where they differ, and one step before and after."""
    size = max(len(before), len(after))
    shared = min(len(before), len(after))
    same = close(np.array(after[:shared]).reshape(-1, 1), np.array(before[:shared]).reshape(-1, 1), kind)[:, 0]
    return two_traces(before, after, {t for t in range(size) if t >= shared or not same[t]}, rows)


def two_traces(before: list[float], after: list[float], differing: set[int], rows: int = ROWS) -> Table:
    """Both traces at the steps `differing`, and one step before and after."""
    size = max(len(before), len(after))
    shown = sorted(t for t in range(size) if {t - 1, t, t + 1} & differing)[:rows]
    table = plain_table()
    for name in ("step", "before", "after"):
        table.add_column(name, justify="right")
    for t in shown:
        cells = (f"{side[t]:.6g}" if t < len(side) else "–" for side in (before, after))
        table.add_row(str(t), *cells, style="bold" if t in differing else "")
    return table


def print_changes(console: Console, changes: list[Change], total: int, names: str, changed_in: ChangedIn) -> None:
    """Print how many compositions change, then each group with examples and advice; `names`: "from A to B"."""
    counts = Counter(change.what for change in changes)
    if total == 1:
        console.print(f"the composition changes {names}")
    elif set(counts) == {"warnings"}:
        console.print(f"learning rates, momenta and errors are the same {names}; only warnings change")
    else:
        console.print(f"{len(changes) - counts['warnings']} of {total} compositions change {names}")
        for what in (what for what in KINDS if counts[what]):
            console.print(f"  {KINDS[what]:16}{counts[what]:5}  {_effects(changes, what)}")
    groups: dict[tuple[str, str, str], list[Change]] = defaultdict(list)
    for change in changes:
        if change.what != "warnings":
            groups[change.what, change.effect, _title(change)].append(change)
    what_order, effect_order = list(KINDS), list(EFFECTS)
    for (what, effect, title), group in sorted(
        groups.items(), key=lambda item: (what_order.index(item[0][0]), effect_order.index(item[0][1]), -len(item[1]))
    ):
        group.sort(key=_simplest)
        since = ", ".join(changed_in(group[0].case))
        inside = f"{KINDS[what]}, {_number(group)}" + (f", changed in torch {since}" if since else "")
        console.print(f"\n{HEADS[effect][0]}: {title} ({inside})")
        _print_group(console, group, ROWS if total == 1 else ROWS_OF_GROUP)
    _print_warnings(console, [change for change in changes if change.what == "warnings"])


def _effects(changes: list[Change], what: str) -> str:
    if what == "warnings":
        return "the same learning rates, momenta and errors"
    counts = Counter(change.effect for change in changes if change.what == what)
    return "; ".join(f"{counts[effect]} {HEADS[effect][1]}" for effect in EFFECTS if counts[effect])


def _title(change: Change) -> str:
    """The head of the change's group: the class that one release does not have, or the known deviation."""
    for verdict in (change.verdict_before, change.verdict_after):
        if verdict.kind == "absent":
            return verdict.detail.split()[0]
    return change.entry.title if change.entry else "not a known deviation"


def _simplest(change: Change) -> tuple[int, int, str]:
    return len(change.case.setup.marks), len(change.case.id), change.case.id


def _number(group: list[Change]) -> str:
    return f"{len(group)} composition{'s' if len(group) > 1 else ''}"


def _print_group(console: Console, group: list[Change], rows: int) -> None:
    first = group[0]
    for change in group[:LISTED]:
        loop = loop_in_words(change.case.setup)
        console.print(f"  {composition(change.case.schedule)}{loop}: {change.words}{phase(change)} [{change.case.id}]")
    if len(group) > LISTED:
        console.print(f"  … and {len(group) - LISTED} more (--json lists all)")
    if first.what == "lrs":
        console.print(side_by_side(first.before, first.after, first.case.setup.precision, rows))
    console.print(f"  what to do: {advice(first)}")
    if first.entry and first.effect not in ("added", "removed"):
        threads = "".join(f", {link}" for link in first.entry.links)
        console.print(f"  more: results/atlas/index.html#{first.entry.id}{threads}")


def _print_warnings(console: Console, changes: list[Change]) -> None:
    """One line for each warning that comes or goes, and what to do about it."""
    groups: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        groups[change.words].append(change)
    for words, group in sorted(groups.items(), key=lambda item: -len(item[1])):
        plural = words.replace("warns", "warn", 1) if len(group) > 1 else words
        what_to_do = Counter(map(advice, group)).most_common(1)[0][0]
        console.print(f"\n{_number(group)} {plural}\n  what to do: {what_to_do}")
