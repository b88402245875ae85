"""The numbers that a printed line of a training script names: learning rates, steps, epochs, batches.

The forms are those of public logs: Megatron, fairseq, DeepSpeed, detectron2, mmengine and mmcv, timm, DINO, Swin,
torchvision's references, the Trainer's printed dicts and whatever builds on it, torchtitan, torchtune, OpenNMT,
Composer, OLMo, llm.c, YOLOX, PaddleOCR, icefall, Caffe, and progress bars of tqdm.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import NamedTuple

from .columns import SETTINGS, STEP_NAMES, names_lr, plain

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|[-+]?(?:nan|inf)\b"
ONE = re.compile(NUMBER)
#: Between a name and its number. A comma is none: it separates cells.
SEPARATOR = r"(?:[\"']?[ \t]*(?:=|:|\bis\b)[ \t]*[\"']?|[ \t]+)"
#: The end of a learning rate's name, and its number or list; lines are searched in lower case.
LR = re.compile(rf"((?:learning[ _-]?rate|lr)[\w./-]*){SEPARATOR}(?:tensor\()?(\[[^\]\n]*\]|{NUMBER})(?![\w%]|\.\d)")
#: torch's schedulers with verbose=True.
GROUP = re.compile(rf"learning rate of (?:parameter )?group (\d+) to ({NUMBER})")
#: The end of a step's name, its number, and how many there are.
STEP = re.compile(
    r"((?:step|iteration|iter|update|batch|epoch|sample|token)s?)[\"']?(?:\(\w+\))?"
    r"\s*[:=#]?\s*[\"'\[]?\s*(\d+(?:\.\d+)?)(?:\s*/\s*(\d+))?(?![\w%]|\.\d)"
)
#: Words before the end of a step's name, as in `global_step`; `sec/step` is another quantity.
STEP_WORDS = {"", "train", "trainer", "global", "optimizer", "update", "num", "acc", "current", "consumed", "seen"}
#: `Epoch [3][50/2500]`, `Train: 0 [  50/1251 (  4%)]`, `epoch 010:  2000 / 8223`: an epoch and a batch of it.
EPOCH_BATCH = re.compile(
    r"(?:epoch|train)(?:\(\w+\))?[:\s]*\[?\s*(\d+)\b(?:\s*/\s*\d+)?\s*\]?(?:\s*\(\s*\d+%\))?[:,\s]*"
    r"(?:\[\s*(\d+)\s*/\s*(\d+)|(\d+)\s*/\s*(\d+))"
)
BAR = re.compile(r"\|\s*(\d+)/(\d+)\s*\[")


class NamedNumber(NamedTuple):
    """A number of a line by its place, `start` to `end`, and its name; `said`: where the digits belong to the name."""

    name: str
    start: int
    end: int
    said: tuple[int, int] = (0, 0)


def learning_rates(line: str) -> list[NamedNumber]:
    """The learning rates that a line names, each name once; settings such as `min_lr` are left out.

    >>> [(lr.name, "step 3 lr=[0.1, 0.2]"[lr.start : lr.end]) for lr in learning_rates("step 3 lr=[0.1, 0.2]")]
    [('lr group 0', '0.1'), ('lr group 1', '0.2')]
    """
    lowered = lowercase(line)
    if "lr" not in lowered and "learning" not in lowered:
        return []
    groups = [
        NamedNumber(f"lr group {found[1]}", *found.span(2), (found.start(), found.start(2)))
        for found in GROUP.finditer(lowered)
    ]
    if groups:
        return _once(groups[::-1])[::-1]
    lrs = []
    for found in LR.finditer(lowered):
        start = _start_of_word(lowered, found.start())
        name = line[start : found.end(1)].lstrip("./-")
        if not _is_lr(name):
            continue
        listed = found[2][0] == "["
        values = [match.span() for match in ONE.finditer(lowered, *found.span(2))] if listed else [found.span(2)]
        for i, span in enumerate(values):
            lrs.append(NamedNumber(name if len(values) == 1 else f"{name} group {i}", *span, (start, found.end(1))))
    return _once(lrs)


def steps(line: str) -> list[NamedNumber]:
    """The numbers of the step, the epoch and the batch that a line names, each name once.

    >>> [(step.name, step.start) for step in steps("iter 5/90 loss 2.1")]
    [('batches', 7), ('iter', 5)]
    """
    lowered = lowercase(line)
    found = []
    both = EPOCH_BATCH.search(lowered) if "epoch" in lowered or "train" in lowered else None
    if both:
        batch = 2 if both[2] is not None else 4
        spans = {"epoch": both.span(1), "batch": both.span(batch), "batches": both.span(batch + 1)}
        found = [NamedNumber(name, *span) for name, span in spans.items()]
    for match in STEP.finditer(lowered):
        start = _start_of_word(lowered, match.start())
        if not set(re.split(r"[_/]", lowered[start : match.start()])) <= STEP_WORDS:
            continue
        key = plain(lowered[start : match.end(1)])
        if "." in match[2] and key != "epoch":
            continue
        if match[3] and key != "epoch":
            found.append(NamedNumber("batches", *match.span(3)))
        found.append(NamedNumber(key, *match.span(2)))
    found = _once(found)
    bar = BAR.search(lowered) if "|" in lowered else None
    if bar and not has_step([number.name for number in found]):
        found = [number for number in found if number.name not in ("batch", "batches")]
        found += [NamedNumber("batch", *bar.span(1)), NamedNumber("batches", *bar.span(2))]
    return found


def has_step(names: Iterable[str]) -> bool:
    """Whether one of the names is that of a step or of a batch."""
    return not {*STEP_NAMES, "batch"}.isdisjoint(names)


def _once(numbers: list[NamedNumber]) -> list[NamedNumber]:
    """The first number of each name."""
    first: dict[str, NamedNumber] = {}
    for number in numbers:
        first.setdefault(number.name, number)
    return list(first.values())


@functools.lru_cache(maxsize=1024)
def _is_lr(name: str) -> bool:
    """Whether a name is that of a learning rate in use, not of a setting."""
    return names_lr(name) and not SETTINGS.search(name.lower())


def lowercase(line: str) -> str:
    """The line in lower case, character by character the same."""
    lowered = line.lower()
    return lowered if len(lowered) == len(line) else line


def _start_of_word(line: str, at: int) -> int:
    """Where the word that continues at a position starts."""
    while at and (line[at - 1].isalnum() or line[at - 1] in "_./-"):
        at -= 1
    return at
