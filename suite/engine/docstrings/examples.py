"""The examples of the docstrings, run: do they work, and are the LRs those that their comments promise?"""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import torch

from suite.engine import tolerances
from suite.engine.loop import dummy_optimizer
from suite.engine.subject import Subject

from .finding import METHODS, DocFinding
from .parse import parse

ASSUMED = re.compile(r"Assuming optimizer uses lr = ([\d.e-]+)")
GROUPS = re.compile(r"Assuming optimizer has (two|three) groups")
PROMISED = re.compile(r"# lr = ([\d.e-]+)\s+if (.+)")
#: Significant digits from which on a promised value counts as rounded; a shorter one is exact.
ROUNDED = 3
BATCHES = 3


def promises(source: str) -> list[tuple[str, str]]:
    """The LRs that the comments promise, each with its condition on the epoch."""
    return [(value, condition.strip()) for value, condition in PROMISED.findall(source)]


def keeps(actual: float, text: str, steps: int) -> bool:
    """Whether an LR is the promised one: exact, or the same to the last digit where three or more are given."""
    value = float(text)
    if abs(actual - value) <= tolerances.relative(steps) * max(abs(value), abs(actual)):
        return True
    digits = re.sub(r"e.*", "", text)
    significant = digits.replace(".", "").lstrip("0")
    decimals = len(digits.partition(".")[2])
    # Truncated and rounded values both occur, so the last digit may be off by one.
    return len(significant) >= ROUNDED and abs(actual - value) <= 10.0**-decimals * (1 + tolerances.relative(steps))


class ExampleRun:
    """One example on a dummy model: the LRs at each training call, what it raised and warned.

    `repaired` defines `opt` and `self.opt`, which some examples use without saying so.
    """

    def __init__(self, subject: Subject, source: str, repaired: bool = False) -> None:
        self.subject, self.source = subject, source
        self.lrs: list[list[float]] = []
        self.warned: list[str] = []
        self.error: Exception | None = None
        assumed, groups = ASSUMED.search(source), GROUPS.search(source)
        self.optimizers: list[torch.optim.Optimizer] = []
        self.names = self._names(float(assumed[1]) if assumed else 0.05, 2 if groups and groups[1] == "two" else 1)
        if repaired:
            self.names |= {"opt": self.optimizers[0], "self": SimpleNamespace(opt=self.optimizers[0])}
        self._run()

    def _optimizer(self, *args: Any, **kwargs: Any) -> torch.optim.Optimizer:
        made = torch.optim.SGD(*args, **kwargs)
        self.optimizers.append(made)
        return made

    def _train(self, *_: Any) -> None:
        optimizer = self.optimizers[-1]
        self.lrs.append([float(group["lr"]) for group in optimizer.param_groups])
        optimizer.step()

    def _names(self, lr: float, groups: int) -> dict[str, Any]:
        """Everything that the examples use without defining it."""
        schedulers, model = self.subject.schedulers, torch.nn.Linear(1, 1)
        optimizer = dummy_optimizer(lr)
        for _ in range(groups - 1):
            optimizer.add_param_group({"params": [torch.zeros(1)]})
        self.optimizers.append(optimizer)
        batch = {"inputs": torch.ones(1), "labels": torch.ones(1)}
        loader = [batch] * BATCHES
        optim = SimpleNamespace(SGD=self._optimizer, lr_scheduler=schedulers, swa_utils=self.subject.averaging)
        utils = SimpleNamespace(data=SimpleNamespace(DataLoader=lambda *_: loader))
        loss = torch.nn.functional.mse_loss
        names: dict[str, Any] = {n: getattr(schedulers, n) for n in schedulers.__all__}
        names |= {"torch": SimpleNamespace(optim=optim, utils=utils), "optimizer": optimizer, "model": model}
        names |= {"train": self._train, "train_batch": self._train, "validate": lambda *_: 1.0}
        names |= {"net": model, "criterion": loss, "loss_fn": loss, "dataloader": loader, "T_0": 4, "T_mult": 1}
        return names | {"loader": [(torch.ones(1), torch.ones(1))] * BATCHES}

    def _run(self) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                tree = ast.parse(self.source)
                # ``loader, optimizer, model = ...`` says that the names are the reader's own.
                tree.body = [node for node in tree.body if not _is_placeholder(node)]
                exec(compile(tree, "<example>", "exec"), self.names)
            except Exception as error:  # noqa: BLE001 - an example that fails is the finding
                self.error = error
        self.warned = [str(w.message).splitlines()[0] for w in caught]


def _is_placeholder(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and node.value.value is Ellipsis


def examples(subject: Subject, name: str) -> list[DocFinding]:
    """Examples that fail or warn, and LRs that differ from those that the comments promise."""
    cls = subject.scheduler_class(name)
    findings: list[DocFinding] = []
    owners = [(name, cls), *((f"{name}.{m}", vars(cls)[m]) for m in METHODS if m in vars(cls))]
    for label, owner in owners:
        for source in parse(owner).examples:
            findings += _of_example(subject, label, source)
    return findings


def _of_example(subject: Subject, label: str, source: str) -> Iterator[DocFinding]:
    run = ExampleRun(subject, source)
    if run.error is not None:
        sentence = f"the example of {label} fails: {type(run.error).__name__}: {run.error}"
        yield DocFinding("example-fails", label, sentence, _script(source, "error is not None"))
        run = ExampleRun(subject, source, repaired=True)
    for message in dict.fromkeys(run.warned):
        yield DocFinding(
            "example-warns", label, f"the example of {label} warns: {message}", _script(source, "bool(caught)")
        )
    broken: list[str] = []
    shown = ""
    for text, condition in promises(source):
        test = compile(condition, "<condition>", "eval")
        for epoch, lrs in enumerate(run.lrs):
            if eval(test, {"epoch": epoch}) and not all(keeps(lr, text, len(run.lrs)) for lr in lrs):
                broken.append(f"lr = {text} if {condition}, but at epoch {epoch} it is {lrs[0]:.6g}")
                shown = shown or f"abs(lrs[{epoch}] - {text}) > {abs(lrs[0] - float(text)) / 2:.1g}"
                break
    if broken:
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        yield DocFinding(
            "example-differs", label, f"the example of {label} promises {broken[0]}{more}", _script(source, shown)
        )


def _script(source: str, deviates: str) -> str:
    """The example as a part of a script: what it leaves out is defined before it."""
    assumed = ASSUMED.search(source)
    given = f'optimizer.param_groups[0]["lr"] = {float(assumed[1]) if assumed else 0.05}'
    example = textwrap.indent(source, " " * 8)
    return SCRIPT.format(given=given, example=example, deviates=deviates)


SCRIPT = """{given}
model = torch.nn.Linear(1, 1)
lrs, error = [], None


def train(*_):
    lrs.append(optimizer.param_groups[0]["lr"])
    optimizer.step()


train_batch = train
validate = lambda *_: 1.0

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    try:  # the example of the documentation
{example}
    except Exception as raised:
        error = raised
print(lrs[:4], error, *(warning.message for warning in caught))
deviates = {deviates}"""
