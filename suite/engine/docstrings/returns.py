"""What the docstrings say about returned values and states: types, copies, entries; and about deprecated arguments."""

from __future__ import annotations

import contextlib
import inspect
import io
import re
import textwrap
import warnings
from collections.abc import Iterator
from typing import Any

import torch

from suite.engine.subject import Subject

from .finding import BASE_LR, DocFinding, construction, make, parameters
from .signatures import documented_parts

DEPRECATION = ".. deprecated::"


def _tensor_optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1)], lr=torch.tensor(BASE_LR), momentum=0.9)


def _advance(scheduler: Any, name: str) -> None:
    scheduler.optimizer.step()
    scheduler.step(*[1.0] if name == "ReduceLROnPlateau" else [])


def returns(subject: Subject, name: str) -> list[DocFinding]:
    """Returned LRs that are not of the documented type or not copies; states without a documented entry."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [*_rates(subject, name), *_counts(subject, name), *_state(subject, name), *_functions(subject, name)]


def _rates(subject: Subject, name: str) -> Iterator[DocFinding]:
    cls = subject.scheduler_class(name)
    for method in ("get_last_lr", "get_lr") if name != "LRScheduler" else ("get_last_lr",):  # get_lr is abstract there
        says = " ".join((inspect.getdoc(getattr(cls, method, None)) or "").split())
        if "same types as their" not in says and "never alias" not in says:
            continue
        optimizer = _tensor_optimizer()
        scheduler = make(subject, name, optimizer)
        tensor = "optimizer = torch.optim.SGD([torch.zeros(1)], lr=torch.tensor(0.3), momentum=0.9)"
        code = f"{tensor}\n{construction(name)}\nactual = scheduler.{method}()[0]\nprint(actual)"
        other_type = f"{code}\ndeviates = not isinstance(actual, torch.Tensor)"
        same = f"{code}\ndeviates = actual is optimizer.param_groups[0]['lr']"
        for step in range(3):
            try:
                rate = getattr(scheduler, method)()[0]
            except NotImplementedError:  # a composite has none
                break
            lr = optimizer.param_groups[0]["lr"]
            if type(rate) is not type(lr) and "same types as their" in says:
                kinds = f"{type(rate).__name__}, not the {type(lr).__name__} of the group"
                yield DocFinding(
                    "return-type", method, f"{name}.{method}() returns a {kinds} (step {step})", other_type
                )
                break
            if rate is lr and "never alias" in says:
                yield DocFinding(
                    "alias", method, f"{name}.{method}() returns the group's own tensor (step {step})", same
                )
                break
            _advance(scheduler, name)


def _counts(subject: Subject, name: str) -> Iterator[DocFinding]:
    """An entry for each parameter group, also where one was added since the last step."""
    says = " ".join((inspect.getdoc(getattr(subject.scheduler_class(name), "get_last_lr", None)) or "").split())
    if "with entries for each of the optimizer's" not in says:
        return
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=BASE_LR, momentum=0.9)
    scheduler = make(subject, name, optimizer)
    optimizer.add_param_group({"params": [torch.zeros(1)]})
    count, groups = len(scheduler.get_last_lr()), len(optimizer.param_groups)
    if count != groups:
        sentence = f"{name}.get_last_lr() has an entry for each group, but {count} of {groups} after add_param_group()"
        added = 'optimizer.add_param_group({"params": [torch.zeros(1)]})'
        code = f"{construction(name)}\n{added}\nactual = scheduler.get_last_lr()\nprint(actual)"
        code += "\ndeviates = len(actual) != len(optimizer.param_groups)"
        yield DocFinding("return-count", "get_last_lr", sentence, code)


def _state(subject: Subject, name: str) -> Iterator[DocFinding]:
    cls = subject.scheduler_class(name)
    says = " ".join((inspect.getdoc(getattr(cls, "state_dict", None)) or "").split())
    if "entry for every variable in" not in says:
        return
    scheduler = make(subject, name, torch.optim.SGD([torch.zeros(1)], lr=BASE_LR, momentum=0.9))
    _advance(scheduler, name)
    excepted = set(re.split(r"\W+", says.partition("which is not the")[2].partition(".")[0]))
    state, variables = set(scheduler.state_dict()), set(vars(scheduler)) - excepted
    for variable in sorted(variables - state):
        sentence = f"{name}.state_dict() has no entry for {variable}, although it says to have one for every variable"
        code = f"{construction(name)}\nmissing = set(vars(scheduler)) - set(scheduler.state_dict())"
        code += f"\nprint(missing)\ndeviates = {variable!r} in missing"
        yield DocFinding("state-lacks", variable, sentence, code)


class HalvingFactor:
    """A callable object with a state, as the docstrings of LambdaLR and MultiplicativeLR describe."""

    def __init__(self) -> None:
        self.base = 0.5

    def __call__(self, epoch: float) -> float:
        return float(self.base**epoch)


def _functions(subject: Subject, name: str) -> Iterator[DocFinding]:
    cls = subject.scheduler_class(name)
    says = inspect.getdoc(getattr(cls, "state_dict", None)) or ""
    argument = "scale_fn" if name == "CyclicLR" else "lr_lambda"
    if "callable objects" not in says or argument not in inspect.signature(cls.__init__).parameters:
        return
    pairs: tuple[tuple[Any, bool], ...] = ((HalvingFactor(), True), (lambda epoch: 0.5**epoch, False))
    for factor, saved in pairs:
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=BASE_LR, momentum=0.9)
        state = make(subject, name, optimizer, argument, **{argument: factor}).state_dict()
        has = _holds(state, factor)
        if has != saved:
            kind = "a callable object" if saved else "a lambda"
            sentence = f"{name}.state_dict() {'saves' if has else 'does not save'} {kind} given as {argument}"
            yield DocFinding("state-function", argument, f"{sentence}, against its documentation")


def _holds(value: Any, factor: Any) -> bool:
    """Whether a state contains the function or the state of the callable object."""
    if value is factor or (isinstance(factor, HalvingFactor) and value == vars(factor)):
        return True
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return any(_holds(part, factor) for part in parts)


def deprecations(subject: Subject, name: str) -> list[DocFinding]:
    """A deprecated argument that gives no warning, or one that warns although its text says nothing."""
    findings: list[DocFinding] = []
    for label, owner, docstring in documented_parts(subject, name):
        documented = {argument.name: argument for argument in docstring.arguments or ()}
        taken = {p.name for p in parameters(owner)}
        for argument, value in (("verbose", True), ("epoch", 1)):
            if argument not in taken or (argument == "verbose") != isinstance(owner, type):
                continue
            says = argument in documented and DEPRECATION in documented[argument].text
            warns = _warning(subject, name, argument, value)
            if says and not warns:
                findings.append(
                    DocFinding(
                        "deprecated-silent", argument, f"{argument} of {label}() is deprecated, but does not warn"
                    )
                )
            if warns and not says:
                sentence = f"{argument} of {label}() warns, but is not documented as deprecated: {warns}"
                findings.append(DocFinding("deprecated-unsaid", argument, sentence, _deprecated(name, argument)))
        if DEPRECATION in docstring.text.split("Args:")[0] and not isinstance(owner, type):
            findings += _method(subject, name, label)
    return findings


def _deprecated(name: str, argument: str) -> str:
    """The statements that use the argument and record the warnings, for a script."""
    metric = "1.0, " if name == "ReduceLROnPlateau" else ""
    use = construction(name, "", verbose=True)
    if argument == "epoch":
        use = f"{construction(name)}\noptimizer.step()\nscheduler.step({metric}epoch=1)"
    body = textwrap.indent(f'warnings.simplefilter("always")\n{use}', "    ")
    report = "for warning in caught:\n    print(warning.message)\ndeviates = bool(caught)"
    return f"with warnings.catch_warnings(record=True) as caught:\n{body}\n{report}"


def _warning(subject: Subject, name: str, argument: str, value: Any) -> str:
    """The first warning that the argument alone causes."""
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("always")
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=BASE_LR, momentum=0.9)
        if argument == "verbose":
            make(subject, name, optimizer, verbose=value)
        else:
            scheduler = make(subject, name, optimizer)
            optimizer.step()
            scheduler.step(*[1.0] if name == "ReduceLROnPlateau" else [], **{argument: value})
    return str(caught[0].message).splitlines()[0][:100] if caught else ""


def _method(subject: Subject, name: str, label: str) -> Iterator[DocFinding]:
    """A method that is documented as deprecated must say so when it is called."""
    method = label.partition(".")[2]
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=BASE_LR, momentum=0.9)
    scheduler = make(subject, name, optimizer)
    given = {"print_lr": (False, 0, BASE_LR)}.get(method, ())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        getattr(scheduler, method)(*given)
    if not caught:
        yield DocFinding("deprecated-silent", method, f"{label}() is documented as deprecated, but does not warn")
