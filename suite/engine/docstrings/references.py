"""What a docstring refers to: methods, attributes, classes, links, and names in quotation marks."""

from __future__ import annotations

import builtins
import re
from typing import Any

import torch

from suite.engine.loop import dummy_optimizer
from suite.engine.subject import Subject

from .finding import BASE_LR, DocFinding, make, parameters
from .parse import parse
from .signatures import documented_parts

#: Targets of :meth:, :attr:, :class: and :func:.
ROLE = re.compile(r":(?:meth|attr|class|func):`~?([^`(]+)(?:\(\))?`")
#: A dotted name of torch in single backticks: "see `torch.optim.swa_utils.AveragedModel`".
DOTTED = re.compile(r"(?<!`)`(torch(?:\.\w+)+)`(?!`)")
QUOTED = re.compile(r"'([a-z]+_[a-z_]+)'")
ANY_ROLE = re.compile(r":\w+:`[^`]*`|``[^`]*``")
LINK, TARGET = re.compile(r"`([^`<:][^`<]*)`_(?!_)"), re.compile(r"\.\. _((?:\\:|[^:])+):")


def _resolves(target: str, scheduler: Any, subject: Subject) -> bool:
    """Whether a name exists: on the scheduler, as a builtin type, as a scheduler, or as a path in torch."""
    if not target.startswith("torch."):
        short = target.removeprefix("~").rpartition(".")[2]
        return any(hasattr(owner, short) for owner in (scheduler, builtins, torch, subject.schedulers)) or (
            subject.scheduler_class(short) is not None
        )
    found: Any = torch
    for part in target.split(".")[1:]:
        if isinstance(found, type) and issubclass(found, torch.optim.Optimizer) and not hasattr(found, part):
            found = scheduler.optimizer  # an attribute that instances have
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True


def _look(label: str, target: str) -> str:
    """The text, for a reader to compare."""
    return f"print(inspect.signature({label}), {label}.__doc__)\ndeviates = {target!r} in {label}.__doc__"


def references(subject: Subject, name: str) -> list[DocFinding]:
    """A reference to a method, attribute or class that does not exist, to an argument that it is not, or to no link."""
    scheduler = make(subject, name, dummy_optimizer(BASE_LR))
    findings: list[DocFinding] = []
    for label, owner, docstring in documented_parts(subject, name):
        text = docstring.text
        for target in dict.fromkeys([*ROLE.findall(text), *DOTTED.findall(text)]):
            if not _resolves(target, scheduler, subject):
                # The base class may name what only its subclasses have.
                if name == "LRScheduler" and any(hasattr(c, target) for c in vars(subject.schedulers).values()):
                    continue
                findings.append(
                    DocFinding(
                        "no-such-name",
                        target,
                        f"{label} refers to {target}, which does not exist",
                        _look(label, target),
                    )
                )
        targets = {" ".join(target.replace("\\", "").split()) for target in TARGET.findall(text)}
        links = {" ".join(link.split()) for link in LINK.findall(ANY_ROLE.sub("", text))}
        for link in sorted(links - targets):
            findings.append(
                DocFinding(
                    "no-such-link", label, f'{label} links to "{link}", which has no address', _look(label, link[:40])
                )
            )
        for link in sorted(targets - links):
            findings.append(
                DocFinding(
                    "unused-link",
                    label,
                    f'{label} gives an address of "{link}", which it never uses',
                    _look(label, link[:40]),
                )
            )
        if isinstance(owner, type):
            findings += _quoted(name, owner)
    return findings


def _quoted(name: str, cls: type) -> list[DocFinding]:
    """Names in quotation marks, which are arguments or their values."""
    docstring = parse(cls)
    known = {p.name for p in parameters(cls)} | {c for a in docstring.arguments or () for c in a.choices}
    findings: list[DocFinding] = []
    for argument in docstring.arguments or ():
        for quoted in dict.fromkeys(QUOTED.findall(argument.text)):
            if quoted not in known:
                sentence = (
                    f"{argument.name} of {name} is explained by {quoted!r}, which is not an argument of the class"
                )
                findings.append(DocFinding("no-such-argument", quoted, sentence, _look(name, quoted)))
    return findings
