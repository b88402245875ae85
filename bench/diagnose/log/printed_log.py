"""Learning rates in the printed lines of a training script, found by their names.

The forms are those of public logs: Megatron, fairseq, DeepSpeed, detectron2, mmengine and mmcv, timm, DINO, Swin,
torchvision's references, the Trainer's printed dicts and whatever builds on it, torchtitan, torchtune, OpenNMT,
Composer, OLMo, llm.c, YOLOX, PaddleOCR, icefall, Caffe, and progress bars of tqdm.
"""

from __future__ import annotations

import collections
import functools
import re
from collections.abc import Iterator

import numpy as np

from .columns import SETTINGS, STEP_NAMES, Table, Values, names_lr, plain
from .source import Source

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|[-+]?(?:nan|inf)\b"
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
COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
#: Characters at both ends of a text in which printed learning rates are looked for.
LOOKED_AT = 2**20

Record = dict[str, float]


def is_printed(text: str) -> bool:
    """Whether lines name a learning rate and its number; the first line may be the header of a table.

    >>> is_printed("start\\nstep 1 lr 0.1\\nstep 2 lr 0.2\\n"), is_printed("step lr\\n1 0.1\\n2 0.2\\n")
    (True, False)
    """
    body = text.lstrip().partition("\n")[2] or text.lstrip().partition("\r")[2]
    parts = [body] if len(body) <= 2 * LOOKED_AT else [body[:LOOKED_AT], body[-LOOKED_AT:]]
    return any(_lrs(line) for part in parts for _, line in _lines(part) if not line.lstrip().startswith("#"))


def read_printed(source: Source, text: str) -> Table:
    """The table of the printed lines that name a learning rate, with the steps that they or the lines before name.

    Raises ValueError if no line names a learning rate.
    """
    own: list[tuple[int, Record]] = []
    carried: list[tuple[int, Record]] = []
    steps: Record = {}
    for number, line in _lines(text):
        lrs, found = _lrs(line), _steps(line)
        if lrs:
            (own if found else carried).append((number, {**(found or steps), **lrs}))
        elif found:
            steps = found
    rows = own if len(own) >= len(carried) else [row for row in carried if _has_step(row[1])] or carried
    if not rows:
        raise ValueError(f"{source.shown} must have lines that name a learning rate and its number")
    rows = _with_the_usual_step(_merged(rows))
    names = list(dict.fromkeys(name for _, row in rows for name in row))

    def load(name: str) -> Values:
        column = np.empty(len(rows), dtype=object)
        column[:] = [row.get(name) for _, row in rows]
        return column

    return Table(names, load, lambda row: f"line {rows[row][0]}", unfinished=not text.endswith(("\n", "\r")))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines with their numbers; a carriage return, as progress bars print it, starts a line too."""
    for number, line in enumerate(text.split("\n"), 1):
        for part in line.split("\r"):
            if part:
                yield number, COLOURS.sub("", part) if "\x1b" in part else part


@functools.lru_cache(maxsize=1024)
def _is_lr(name: str) -> bool:
    """Whether a name is that of a learning rate in use, not of a setting."""
    return names_lr(name) and not SETTINGS.search(name.lower())


def _lrs(line: str) -> Record:
    lowered = _lowered(line)
    if "lr" not in lowered and "learning" not in lowered:
        return {}
    groups = {f"lr group {group}": float(value) for group, value in GROUP.findall(lowered)}
    if groups:
        return groups
    lrs: Record = {}
    for found in LR.finditer(lowered):
        start = _start_of_word(lowered, found.start())
        name, value = line[start : found.end(1)].lstrip("./-"), found[2]
        if not _is_lr(name):
            continue
        values = re.findall(NUMBER, value) if value[0] == "[" else [value]
        for i, one in enumerate(values):
            lrs.setdefault(name if len(values) == 1 else f"{name} group {i}", float(one))
    return lrs


def _steps(line: str) -> Record:
    """The numbers of the step, the epoch and the batch that a line names."""
    lowered = _lowered(line)
    steps: Record = {}
    both = EPOCH_BATCH.search(lowered) if "epoch" in lowered or "train" in lowered else None
    if both:
        batch, batches = (both[2], both[3]) if both[2] is not None else (both[4], both[5])
        steps = {"epoch": float(both[1]), "batch": float(batch), "batches": float(batches)}
    for found in STEP.finditer(lowered):
        start = _start_of_word(lowered, found.start())
        if not set(re.split(r"[_/]", lowered[start : found.start()])) <= STEP_WORDS:
            continue
        key, value, total = plain(lowered[start : found.end(1)]), found[2], found[3]
        if "." in value and key != "epoch":
            continue
        if total and key != "epoch":
            steps.setdefault("batches", float(total))
        steps.setdefault(key, float(value))
    bar = BAR.search(lowered) if "|" in lowered else None
    if bar and not _has_step(steps):
        steps |= {"batch": float(bar[1]), "batches": float(bar[2])}
    return steps


def _lowered(line: str) -> str:
    """The line in lower case, character by character the same."""
    lowered = line.lower()
    return lowered if len(lowered) == len(line) else line


def _start_of_word(line: str, at: int) -> int:
    """Where the word that continues at a position starts."""
    while at and (line[at - 1].isalnum() or line[at - 1] in "_./-"):
        at -= 1
    return at


def _has_step(row: Record) -> bool:
    return any(name in row for name in (*STEP_NAMES, "batch"))


def _merged(rows: list[tuple[int, Record]]) -> list[tuple[int, Record]]:
    """The rows, where those that follow each other with the same step and other learning rates are one."""
    merged: list[tuple[int, Record]] = []
    for number, row in rows:
        before = merged[-1][1] if merged else {}
        steps = {name: value for name, value in row.items() if not names_lr(name)}
        lrs = [name for name in row if names_lr(name)]
        same = steps and steps == {name: value for name, value in before.items() if not names_lr(name)}
        if same and not any(name in before for name in lrs):
            before.update(row)
        else:
            merged.append((number, dict(row)))
    return merged


def _with_the_usual_step(rows: list[tuple[int, Record]]) -> list[tuple[int, Record]]:
    """The rows that have the kind of step that most rows have: a setting printed at the start has none."""
    counts = collections.Counter(name for _, row in rows for name in row if not names_lr(name))
    for name in (*STEP_NAMES, "batch", "epoch"):
        if counts[name] > len(rows) / 2:
            return [row for row in rows if name in row[1]]
    return rows
