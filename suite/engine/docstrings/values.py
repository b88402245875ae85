"""Documented types, choices and ranges against what the constructor does with a value outside them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import torch

from suite.engine.loop import REFUSALS, dummy_optimizer
from suite.engine.subject import Subject

from .finding import BASE_LR, NEEDED, DocFinding, DocTrial, attempt, construction, make, parameters, shown, trial
from .parse import DocumentedArgument, parse

#: Documented types → values that are none of them. An int passes for a float, and a bool for an int.
WRONG: tuple[tuple[frozenset[str], tuple[Any, ...]], ...] = (
    (frozenset({"int"}), (2.5, "3")),
    (frozenset({"float"}), ("0.5", None)),
    (frozenset({"str"}), (3,)),
    (frozenset({"bool"}), ("no",)),
    (frozenset({"callable"}), (0.9,)),
    (frozenset({"list"}), (0.5,)),
    (frozenset({"float", "list"}), ("0.5",)),
    (frozenset({"callable", "list"}), (0.9,)),
    (frozenset({"Optimizer"}), ("sgd",)),
)
#: Values for arguments of "Raises:", of which at least one should be refused.
BAD: tuple[Any, ...] = (-3, 0, 2.5, "nonsense", None)
#: Longer than any schedule of `NEEDED`.
MANY_STEPS = 40
#: How the text of an int says that it counts something, so that -3 makes no sense.
COUNTS = re.compile(r"(?:(?:the )?(?:total |maximum |allowed )*number of|period of|maximum number)", re.IGNORECASE)
#: How a text says a numeric range, in words or as a comparison.
SAYS_A_RANGE = re.compile(r"<|>|between|must be|positive|in the range|at least|at most", re.IGNORECASE)
#: ``0 <= scale_fn(x) <= 1`` or ``0 < factor < 1``.
COMPARISON = re.compile(r"(-?[\d.]+) *(<=?) *(\w+)(?:\(\w*\))? *(<=?) *(-?[\d.]+)")
#: Bounds of a cycle: the first is documented as the lower one.
BOUNDS = (("base_lr", "max_lr", (0.5, 0.1)), ("base_momentum", "max_momentum", (0.9, 0.5)))


def _twice(x: float) -> float:
    """Above every documented maximum of a scale."""
    return 2.0


def _with(subject: Subject, name: str, argument: str, value: Any) -> DocTrial:
    """A trial with one value."""
    changes: dict[str, Any] = {argument: value}
    return trial(subject, name, argument, **changes)


def _taken(subject: Subject, name: str) -> Iterator[tuple[DocumentedArgument, Any]]:
    """The documented arguments that the constructor takes, with their default."""
    cls = subject.scheduler_class(name)
    own = {p.name: p.default for p in parameters(cls)}
    for argument in parse(cls).arguments or ():
        if argument.name in own:
            yield argument, own[argument.name]


def types(subject: Subject, name: str) -> list[DocFinding]:
    """A value of another type than the documented one is accepted, or fails only in a later step."""
    findings: list[DocFinding] = []
    for argument, default in _taken(subject, name):
        wrong = next((values for kinds, values in WRONG if kinds == argument.kinds), ())
        for value in wrong:
            if value is None and default is None:
                continue
            findings += _unchecked(subject, name, argument.name, value, "type", f"documented as {argument.type_text}")
    return findings


def _unchecked(
    subject: Subject, name: str, argument: str, value: Any, rule: str, documented: str, **changes: Any
) -> Iterator[DocFinding]:
    """A finding where the constructor takes the value: `rule`-accepted, or `rule`-late where a later step fails."""
    outcome = trial(subject, name, argument, **{argument: value, **changes})
    statements = construction(name, argument, **{argument: value, **changes})
    if argument == "last_epoch":  # the groups need what an earlier scheduler left there
        statements = f"{construction(name)}\n{statements}"
    code = attempt(statements, "refused")
    if outcome.error is None:
        unusual = next((lr for lr in outcome.lrs if not math.isfinite(lr) or lr < 0), None)
        effect = "" if unusual is None else f", and an LR becomes {unusual:.6g}"
        sentence = f"{argument} of {name} is {documented}, but {shown(value)} is accepted{effect}"
        yield DocFinding(f"{rule}-accepted", argument, sentence, code)
    elif outcome.step > 0:
        problem = f"{type(outcome.error).__name__} in step {outcome.step}"
        sentence = f"{argument} of {name} is {documented}, but {shown(value)} is accepted and fails later: {problem}"
        yield DocFinding(f"{rule}-late", argument, sentence, code)


def ranges(subject: Subject, name: str) -> list[DocFinding]:
    """A documented choice, order, count or range is not checked; or one is enforced that is not documented."""
    findings: list[DocFinding] = []
    for argument, default in _taken(subject, name):
        for check in (_choices, _lists, _counts, _comparisons, _unsaid, _percentage, _minimum):
            findings += check(subject, name, argument, default)
    findings += _bounds(subject, name)
    findings += _chainable(subject, name)
    findings += _optimizers(subject, name)
    return findings


def _choices(subject: Subject, name: str, argument: DocumentedArgument, default: Any) -> Iterator[DocFinding]:
    if not argument.choices:
        return
    listed = f"one of {', '.join(argument.choices)} in the documentation"
    yield from _unchecked(subject, name, argument.name, "nonsense", "choice", listed)
    for choice in argument.choices:
        outcome = _with(subject, name, argument.name, choice)
        if outcome.error is not None:
            sentence = f"{argument.name}={choice!r} of {name} is documented, but fails: {outcome.error}"
            code = attempt(construction(name, argument.name, **{argument.name: choice}), "accepted")
            yield DocFinding("choice-refused", argument.name, sentence, code)


def _lists(subject: Subject, name: str, argument: DocumentedArgument, default: Any) -> Iterator[DocFinding]:
    if "list" not in argument.kinds:
        return
    if "increasing" in argument.text:
        yield from _unchecked(subject, name, argument.name, [6, 3], "order", "a list that must be increasing")
    if re.search(r"list of (?:integers|epoch indices)", argument.text, re.IGNORECASE):
        for value in [[2.5], [-3]]:
            yield from _unchecked(subject, name, argument.name, value, "items", f"a {_first(argument.text)}")
    if len(argument.kinds) > 1 and name != "SequentialLR":
        cls_default = default if default is not None and not isinstance(default, type) else None
        single = NEEDED.get(name, {}).get(argument.name, cls_default)
        yield from _unchecked(subject, name, argument.name, [single] * 2, "length", "a list of one value per group")
        outcome = _with(subject, name, argument.name, [single])
        if outcome.error is not None:
            sentence = (
                f"{argument.name} of {name} is documented as {argument.type_text}, but a list fails: {outcome.error}"
            )
            yield DocFinding(
                "list-refused", argument.name, sentence, construction(name, argument.name, **{argument.name: [single]})
            )


def _first(text: str) -> str:
    """The first sentence, as a part of another."""
    sentence = re.split(r"\.\s|\.$|,", text)[0]
    return sentence[0].lower() + sentence[1:]


def _counts(subject: Subject, name: str, argument: DocumentedArgument, default: Any) -> Iterator[DocFinding]:
    if argument.kinds == {"int"} and COUNTS.match(argument.text):
        yield from _unchecked(subject, name, argument.name, -3, "count", f"documented as {_first(argument.text)}")


def _comparisons(subject: Subject, name: str, argument: DocumentedArgument, default: Any) -> Iterator[DocFinding]:
    for _, _, target, _, high in COMPARISON.findall(argument.text):
        if target == argument.name:
            value: Any = _twice if "callable" in argument.kinds else float(high) + 1.0
            yield from _unchecked(subject, name, argument.name, value, "range", f"at most {high} in the documentation")


def _unsaid(subject: Subject, name: str, argument: DocumentedArgument, default: Any) -> Iterator[DocFinding]:
    """A float that is refused although the text says no range."""
    if argument.kinds != {"float"} or SAYS_A_RANGE.search(argument.text):
        return
    for value in (2.0, 0.0, -0.5):
        outcome = _with(subject, name, argument.name, value)
        if isinstance(outcome.error, ValueError) and outcome.step == 0:
            sentence = f"{argument.name} of {name} has no documented range, but {value} is refused: {outcome.error}"
            code = attempt(construction(name, argument.name, **{argument.name: value}), "accepted")
            yield DocFinding("range-unsaid", argument.name, sentence, code)
            return


def _percentage(subject: Subject, name: str, argument: DocumentedArgument, default: Any) -> Iterator[DocFinding]:
    if "percentage" in argument.text.lower() and isinstance(default, float) and default <= 1:
        outcome = _with(subject, name, argument.name, 100 * default)
        if outcome.error is not None:
            value = f"{100 * default:g}"
            sentence = (
                f"{argument.name} of {name} is documented as a percentage, but {value} is refused: a fraction is meant"
            )
            code = attempt(construction(name, argument.name, **{argument.name: 100 * default}), "accepted")
            yield DocFinding("percentage", argument.name, sentence, code)


def _minimum(subject: Subject, name: str, argument: DocumentedArgument, default: Any) -> Iterator[DocFinding]:
    """A lower bound of the LR that is above the base LR is neither refused nor kept."""
    if not re.search(r"minimum learning rate|lower bound on the learning rate", argument.text, re.IGNORECASE):
        return
    if "float" not in argument.kinds or argument.name not in ("eta_min", "min_lr"):
        return
    bound = 2 * BASE_LR
    outcome = _with(subject, name, argument.name, bound)
    if outcome.error is None and min(outcome.lrs) < bound:
        sentence = (
            f"{argument.name} of {name} is documented as the lowest LR, but {bound} is accepted for a base LR of "
            f"{BASE_LR}, and an LR of {min(outcome.lrs):.6g} is used"
        )
        code = construction(name, argument.name, **{argument.name: bound})
        code += f"\nprint(optimizer.param_groups)\ndeviates = optimizer.param_groups[0]['lr'] < {bound}"
        yield DocFinding("bound", argument.name, sentence, code)


def _bounds(subject: Subject, name: str) -> Iterator[DocFinding]:
    documented = {argument.name: argument for argument, _ in _taken(subject, name)}
    for low, high, values in BOUNDS:
        if low in documented and high in documented and "lower" in documented[low].text.lower():
            changes: dict[str, Any] = dict(zip((low, high), values, strict=True))
            outcome = trial(subject, name, **changes)
            if outcome.error is None:
                sentence = f"{low} of {name} is documented as the lower bound, but may be above {high}"
                yield DocFinding("bound", low, sentence, attempt(construction(name, "", **changes), "refused"))


def _chainable(subject: Subject, name: str) -> Iterator[DocFinding]:
    """The text says that the class cannot be chained; ChainedScheduler must refuse it then."""
    if "not chainable" not in parse(subject.scheduler_class(name)).flat:
        return
    scheduler = make(subject, name, dummy_optimizer(BASE_LR))
    try:
        subject.scheduler_class("ChainedScheduler")([scheduler])
    except REFUSALS:
        return
    sentence = f"{name} is documented as not chainable, but ChainedScheduler accepts it"
    yield DocFinding(
        "chainable", "", sentence, attempt(f"{construction(name)}\nChainedScheduler([scheduler])", "refused")
    )


def _optimizers(subject: Subject, name: str) -> Iterator[DocFinding]:
    """With its default arguments, the class refuses an optimizer that has no momentum, and no text says so."""
    documented = next((a for a, _ in _taken(subject, name) if a.name == "optimizer"), None)
    if documented is None or "momentum" in documented.text or name in ("SequentialLR", "ChainedScheduler"):
        return
    try:
        make(subject, name, torch.optim.Adagrad([torch.zeros(1)], lr=BASE_LR))
    except REFUSALS as error:
        sentence = f"optimizer of {name} is documented as any Optimizer, but Adagrad is refused: {error}"
        adagrad = "optimizer = torch.optim.Adagrad([torch.zeros(1)], lr=0.3)"
        code = f"{adagrad}\n{attempt(construction(name), 'accepted')}"
        yield DocFinding("range-unsaid", "optimizer", sentence, code)


def _ends(subject: Subject, name: str) -> Iterator[DocFinding]:
    """A step that is refused after a number of others, although no text says that the schedule ends."""
    outcome = trial(subject, name, updates=MANY_STEPS)
    if outcome.error is not None:
        sentence = f"{name}.step() fails at call {outcome.step}, and its docstring names no end: {outcome.error}"
        steps = f"for _ in range({MANY_STEPS}):\n    optimizer.step()\n    scheduler.step()"
        code = f"{construction(name)}\n{attempt(steps, 'accepted')}"
        yield DocFinding("end-unsaid", "step", sentence, code)


def raises(subject: Subject, name: str) -> list[DocFinding]:
    """An exception of "Raises:" that no bad value of the named argument causes."""
    cls = subject.scheduler_class(name)
    findings: list[DocFinding] = []
    for exception, text in parse(cls).raises:
        named = [p.name for p in parameters(cls) if re.search(rf"\b{p.name}\b", text)]
        outcomes = [trial(subject, name, a, **{a: value}) for a in named for value in BAD]
        if not any(type(outcome.error).__name__ == exception for outcome in outcomes):
            sentence = f"{name} is documented to raise {exception} ({text}), but accepts {', '.join(map(repr, BAD))}"
            findings.append(DocFinding("not-raised", ", ".join(named), sentence))
    if not re.search(r"exceed|no more than|at most", parse(cls).flat, re.IGNORECASE):
        findings += _ends(subject, name)
    return findings
