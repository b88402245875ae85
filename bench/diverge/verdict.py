"""The verdict on the runs of one schedule: which failed, how, the early warnings, and what would have prevented it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.diagnose.fit.describe import in_words
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

NO_LENGTH = " This schedule has no warmup length that can be chosen."


@dataclasses.dataclass(frozen=True, eq=False)
class StabilityVerdict:
    """The runs of one setup, one per seed, with their outcomes; `remedy` if any failed."""

    setup: TrainingSetup
    seeds: tuple[int, ...]
    records: Records
    outcomes: tuple[Outcome, ...]
    remedy: Remedy | None

    @property
    def failed(self) -> NDArray[np.intp]:
        """The indices of the runs that failed."""
        return np.flatnonzero([ending.failed for ending in self.outcomes])

    def first_steps(self, alarm: AlarmRule) -> Steps:
        """The step of the alarm in each run; −1 where there is none."""
        return alarm.first(self.records)

    def leads(self, alarm: AlarmRule) -> dict[int, int]:
        """Failed run (by index) → steps from the alarm to the failure, for the runs with an alarm in time."""
        first = self.first_steps(alarm)
        steps = {int(i): self.outcomes[i].step for i in self.failed}
        ahead = {i: step - int(first[i]) for i, step in steps.items() if step is not None and first[i] >= 0}
        return {i: lead for i, lead in ahead.items() if lead >= 1}

    def warned(self) -> AlarmRule | None:
        """The rule that warned in time in most failed runs, on a tie the earliest; None if none did."""
        ahead = {alarm: self.leads(alarm) for alarm in WATCHED}
        known = [alarm for alarm in WATCHED if ahead[alarm]]
        return max(known, key=lambda alarm: (len(ahead[alarm]), np.median([*ahead[alarm].values()])), default=None)

    def when(self, alarm: AlarmRule) -> str:
        """At which step, and in how many failed runs, a rule warned in time, as text."""
        first, ahead = self.first_steps(alarm), self.leads(alarm)
        step = np.median([int(first[i]) for i in ahead])
        return f"at step {step:.0f} in {len(ahead)} of {self.failed.size} failed runs"


def judged(
    setup: TrainingSetup,
    seeds: Sequence[int],
    trainer: Trainer,
    rows: list[Mapping[str, Any]] | None = None,
    advise: bool = True,
) -> StabilityVerdict:
    """Train a setup with these seeds and, if any run fails, find what would have prevented it.

    `rows`: the table of a sweep, used instead of a search (see `sweep_table.from_table`). Without `advise` there is no
    search, and the step by which a good run has learned is taken from these runs alone.
    """
    records = trainer(setup.plans(seeds))
    by = learned_by(records, np.arange(len(seeds)))
    outcomes = _outcomes(records, by)
    remedy = None
    if advise and any(ending.failed for ending in outcomes):
        remedy = search(setup, trainer) if rows is None else from_table(setup, rows, trainer)
        outcomes = _outcomes(records, remedy.learned_by if by is None else by)
        if remedy.faster is not None:
            outcomes = [Outcome(TOO_SLOW, None) if ending.kind == NEVER else ending for ending in outcomes]
    return StabilityVerdict(setup, tuple(seeds), records, tuple(outcomes), remedy)


def _outcomes(records: Records, by: int | None) -> list[Outcome]:
    return [outcome(losses, float(final), by) for losses, final in zip(records.losses, records.final, strict=True)]


def name(setup: TrainingSetup) -> str:
    """The schedule in words, with its slug in brackets."""
    return f"{in_words(parse(setup.schedule), setup.base_lr)} [{setup.schedule}]"


def sentence(verdict: StabilityVerdict) -> str:
    """The whole verdict as text: the outcomes, the first warning, what would have prevented the failure."""
    return " ".join(paragraphs(verdict))


def paragraphs(verdict: StabilityVerdict) -> list[str]:
    """The parts of `sentence`, one per line of output."""
    return [part for part in (headline(verdict), warning(verdict), advice(verdict)) if part]


def headline(verdict: StabilityVerdict) -> str:
    """How many runs failed, and how."""
    count, broken = len(verdict.seeds), len(verdict.failed)
    kinds = Counter(ending.kind for ending in verdict.outcomes)
    endings = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
    losses = verdict.records.final
    spread = f"validation loss {losses.min():.2g}" + (f" to {losses.max():.2g}" if count > 1 else "")
    result = f"{broken} of {count} runs failed"
    if kinds[TOO_SLOW] and not broken:
        result = f"{kinds[TOO_SLOW]} of {count} runs did not learn the task"
    words = name(verdict.setup)
    return f"{words[0].upper()}{words[1:]}: {result} ({endings}; {spread} after {verdict.setup.steps} steps)."


def warning(verdict: StabilityVerdict) -> str:
    """What warned first, and how far ahead of the failure."""
    if not verdict.failed.size:
        alarms = [alarm.words for alarm in WATCHED if (verdict.first_steps(alarm) >= 0).any()]
        return f"There were false alarms: {'; '.join(alarms)}." if alarms else ""
    failure_steps = [step for i in verdict.failed if (step := verdict.outcomes[i].step) is not None]
    failure = f"the loss shows the failure at step {np.median(failure_steps):.0f}"
    alarm = verdict.warned()
    if alarm is None:
        return f"There was no warning before {failure}."
    lead = float(np.median([*verdict.leads(alarm).values()]))
    steps = "step" if lead == 1 else "steps"
    text = f"First warning: {alarm.words}, {verdict.when(alarm)}; {failure}, {lead:.0f} {steps} later"
    if verdict.failed.size > 1:
        text += " (medians)"
    if alarm != DEFAULT and verdict.leads(DEFAULT):
        text += f". Most reliable warning: {DEFAULT.words}, {verdict.when(DEFAULT)}"
    return f"{text}."


def advice(verdict: StabilityVerdict) -> str:
    """What would have prevented the failure."""
    remedy = verdict.remedy
    if remedy is None:
        return ""
    if remedy.faster is not None:
        return (
            f"Training was too slow, not unstable: no lower LR or longer warmup learned the task, but a base LR of "
            f"{remedy.faster.base_lr:g} did ({_share(remedy.faster)})."
        )
    changes = []
    if remedy.warmup is not None:
        length = warmup_length(parse(remedy.warmup.schedule))
        changes.append(
            f"a warmup of {length} steps at the same base LR [{remedy.warmup.schedule}] ({_share(remedy.warmup)})"
        )
    if remedy.lr is not None:
        changes.append(f"a base LR of {remedy.lr.base_lr:g} with the same warmup ({_share(remedy.lr)})")
    if changes:
        text = f"What would have prevented it: {'; or '.join(changes)}."
    else:
        text = "None of the changes that were tried is stable: lower the LR further."
    if remedy.warmup is None:
        longer = warmup_length(parse(verdict.setup.schedule)) is not None
        most = max((warmup_length(parse(trial.schedule)) or 0 for trial in remedy.tried), default=0)
        text += f" No warmup up to {most} steps is long enough at this LR." if longer else NO_LENGTH
    if remedy.lr is None and changes:
        text += " No lower LR is stable with this warmup."
    return text


def _share(trial: Trial) -> str:
    return f"{trial.learned} of {trial.runs} fresh seeds learned the task, {trial.failed} failed"


def to_json(verdict: StabilityVerdict) -> dict[str, Any]:
    """The verdict as JSON-compatible data."""
    remedy = verdict.remedy
    finals = [float(loss) if np.isfinite(loss) else None for loss in verdict.records.final]
    runs = [
        {
            "seed": seed,
            "outcome": ending.kind,
            "failure_step": ending.step,
            "validation_loss": loss,
            "alarms": {
                alarm.text: int(at) if (at := verdict.first_steps(alarm)[i]) >= 0 else None for alarm in WATCHED
            },
        }
        for i, (seed, ending, loss) in enumerate(zip(verdict.seeds, verdict.outcomes, finals, strict=True))
    ]
    remedies = {} if remedy is None else {key: getattr(remedy, key) for key in ("warmup", "lr", "faster")}
    return {
        **verdict.setup._asdict(),
        "failed": int(verdict.failed.size),
        "sentence": sentence(verdict),
        "runs": runs,
        "holds": {key: None if trial is None else trial._asdict() for key, trial in remedies.items()},
        "tried": [] if remedy is None else [trial._asdict() for trial in remedy.tried],
    }


def definitions() -> str:
    """The definitions of the outcomes, in one line."""
    return (
        f"learned: validation loss below {STABLE_LOSS:g} nats per token; failed: above {FAILED_LOSS:g} or not finite; "
        "unfinished: between the two"
    )
