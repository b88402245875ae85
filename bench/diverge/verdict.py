"""What happened in the runs of one schedule: which failed, how, what warned, and what would have held."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.toy.measures import FAILED_LOSS, STABLE_LOSS
from reference import parse
from reference.check import Steps

from .alarm_rules import DEFAULT, WATCHED, AlarmRule
from .change import warmup_length
from .outcome import NEVER, TOO_SLOW, Outcome, outcome
from .populations import learned_by
from .remedy import Remedy, Trainer, TrainingSetup, Trial, search
from .runs import Records
from .sweep_table import from_table

NO_LENGTH = " Its warmup has no length that can be chosen."


@dataclasses.dataclass(frozen=True, eq=False)
class StabilityVerdict:
    """The runs of one setting, one for each seed, and what is known of each; `remedy` where one failed."""

    setting: TrainingSetup
    seeds: tuple[int, ...]
    records: Records
    outcomes: tuple[Outcome, ...]
    remedy: Remedy | None

    @property
    def failed(self) -> NDArray[np.intp]:
        """The indices of the runs that failed."""
        return np.flatnonzero([found.failed for found in self.outcomes])

    def first_steps(self, alarm: AlarmRule) -> Steps:
        """Where an alarm goes off in each run; −1 where it does not."""
        return alarm.first(self.records)

    def leads(self, alarm: AlarmRule) -> dict[int, int]:
        """By index of a failed run: the steps from the alarm to the failure, where it goes off in time."""
        first = self.first_steps(alarm)
        steps = {int(i): self.outcomes[i].step for i in self.failed}
        ahead = {i: step - int(first[i]) for i, step in steps.items() if step is not None and first[i] >= 0}
        return {i: lead for i, lead in ahead.items() if lead >= 1}

    def warned(self) -> AlarmRule | None:
        """The alarm that is in time in most failed runs, of several the one that is furthest ahead; None without."""
        ahead = {alarm: self.leads(alarm) for alarm in WATCHED}
        known = [alarm for alarm in WATCHED if ahead[alarm]]
        return max(known, key=lambda alarm: (len(ahead[alarm]), np.median([*ahead[alarm].values()])), default=None)

    def when(self, alarm: AlarmRule) -> str:
        """In how many failed runs an alarm was in time, and at which step, in words."""
        first, ahead = self.first_steps(alarm), self.leads(alarm)
        at = np.median([int(first[i]) for i in ahead])
        return f"in {len(ahead)} of {self.failed.size} failed runs at step {at:.0f}"


def judged(
    setting: TrainingSetup,
    seeds: Sequence[int],
    trainer: Trainer,
    rows: list[Mapping[str, Any]] | None = None,
    advise: bool = True,
) -> StabilityVerdict:
    """Train a setting with these seeds, and where one fails find what would have held.

    `rows`: the table of a sweep in place of a search (see `table.from_table`); without `advise` nothing is looked for,
    and the step by which a good run has learned is known from these runs alone.
    """
    records = trainer(setting.plans(seeds))
    by = learned_by(records, np.arange(len(seeds)))
    found = _outcomes(records, by)
    remedy = None
    if advise and any(one.failed for one in found):
        remedy = search(setting, trainer) if rows is None else from_table(setting, rows, trainer)
        found = _outcomes(records, remedy.learned_by if by is None else by)
        if remedy.faster is not None:
            found = [Outcome(TOO_SLOW, None) if one.kind == NEVER else one for one in found]
    return StabilityVerdict(setting, tuple(seeds), records, tuple(found), remedy)


def _outcomes(records: Records, by: int | None) -> list[Outcome]:
    return [outcome(losses, float(final), by) for losses, final in zip(records.losses, records.final, strict=True)]


def name(setting: TrainingSetup) -> str:
    """A setting in words."""
    return f"{setting.schedule} at base LR {setting.base_lr:g}"


def sentence(verdict: StabilityVerdict) -> str:
    """All of it in words: the verdict, the first warning, what would have held."""
    return " ".join(part for part in (headline(verdict), warning(verdict), advice(verdict)) if part)


def headline(verdict: StabilityVerdict) -> str:
    """Which runs failed, and how."""
    count, broken = len(verdict.seeds), len(verdict.failed)
    kinds = Counter(found.kind for found in verdict.outcomes)
    said = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
    losses = verdict.records.final
    spread = f"validation loss {losses.min():.2g}" + (f" to {losses.max():.2g}" if count > 1 else "")
    word = f"failed with {broken} of {count} seeds" if broken else f"did not fail with any of {count} seeds"
    if kinds[TOO_SLOW] and not broken:
        word = f"did not learn the task with {kinds[TOO_SLOW]} of {count} seeds"
    return f"{name(verdict.setting)} {word} ({said}; {spread} after {verdict.setting.steps} steps)."


def warning(verdict: StabilityVerdict) -> str:
    """What warned first, and how far ahead of the failure."""
    if not verdict.failed.size:
        rung = [alarm.text for alarm in WATCHED if (verdict.first_steps(alarm) >= 0).any()]
        return f"Yet there were alarms: {'; '.join(rung)}." if rung else ""
    shown = [step for i in verdict.failed if (step := verdict.outcomes[i].step) is not None]
    ends = f"the loss shows it at step {np.median(shown):.0f}"
    alarm = verdict.warned()
    if alarm is None:
        return f"Nothing warned before {ends}."
    lead = float(np.median([*verdict.leads(alarm).values()]))
    steps = "step" if lead == 1 else "steps"
    said = f"The first warning: {alarm.text}, {verdict.when(alarm)}; {ends}, {lead:.0f} {steps} later"
    if verdict.failed.size > 1:
        said += " (medians)"
    if alarm != DEFAULT and verdict.leads(DEFAULT):
        said += f". The most reliable one: {DEFAULT.text}, {verdict.when(DEFAULT)}"
    return f"{said}."


def advice(verdict: StabilityVerdict) -> str:
    """What would have held."""
    remedy = verdict.remedy
    if remedy is None:
        return ""
    if remedy.faster is not None:
        return (
            f"It was too slow, not unstable: no lower LR and no longer warmup learned the task, but a base LR of "
            f"{remedy.faster.base_lr:g} did ({_share(remedy.faster)})."
        )
    found = []
    if remedy.warmup is not None:
        found.append(f"a longer warmup at this LR, {remedy.warmup.schedule} ({_share(remedy.warmup)})")
    if remedy.lr is not None:
        found.append(f"a lower LR with this warmup, {remedy.lr.base_lr:g} ({_share(remedy.lr)})")
    text = f"What holds: {'; or '.join(found)}." if found else "Nothing that was tried holds: lower the LR further."
    if remedy.warmup is None:
        longer = warmup_length(parse(verdict.setting.schedule)) is not None
        most = max((warmup_length(parse(one.schedule)) or 0 for one in remedy.tried), default=0)
        text += f" No warmup up to {most} steps is long enough at this LR." if longer else NO_LENGTH
    if remedy.lr is None and found:
        text += " No lower LR held with this warmup."
    return text


def _share(found: Trial) -> str:
    return f"{found.learned} of {found.runs} fresh seeds learned the task, {found.failed} failed"


def to_json(verdict: StabilityVerdict) -> dict[str, Any]:
    """The verdict as JSON can hold it."""
    remedy = verdict.remedy
    finals = [float(loss) if np.isfinite(loss) else None for loss in verdict.records.final]
    runs = [
        {
            "seed": seed,
            "outcome": found.kind,
            "failure_step": found.step,
            "validation_loss": loss,
            "alarms": {
                alarm.text: int(at) if (at := verdict.first_steps(alarm)[i]) >= 0 else None for alarm in WATCHED
            },
        }
        for i, (seed, found, loss) in enumerate(zip(verdict.seeds, verdict.outcomes, finals, strict=True))
    ]
    found = {} if remedy is None else {key: getattr(remedy, key) for key in ("warmup", "lr", "faster")}
    return {
        **verdict.setting._asdict(),
        "failed": int(verdict.failed.size),
        "sentence": sentence(verdict),
        "runs": runs,
        "holds": {key: None if one is None else one._asdict() for key, one in found.items()},
        "tried": [] if remedy is None else [one._asdict() for one in remedy.tried],
    }


def definitions() -> str:
    """What the words mean, in one line."""
    return (
        f"learned: validation loss below {STABLE_LOSS:g} nats per token; failed: above {FAILED_LOSS:g} or not finite; "
        "unfinished: between the two"
    )
