"""Each rule about docstrings sees one planted difference, or misses the one that was repaired."""

from __future__ import annotations

from pathlib import Path

import pytest

from reference import StepLR
from suite.cases.experiments.docs import cases
from suite.engine.docstrings.examples import keeps
from suite.engine.docstrings.finding import DocFinding
from suite.engine.docstrings.groups import GROUPS
from suite.engine.docstrings.parse import parse
from suite.engine.docstrings.signatures import annotated_kinds, value_of
from suite.engine.loader import load
from suite.engine.subject import Subject, installed
from suite.engine.verdict import verdict_of
from suite.repro.script import script
from suite.tests.broken import without
from suite.tests.stock import INSTALLED, changed

#: Class, old text, new text, group, rule, argument: the change makes the rule fire.
PLANTED = [
    ("StepLR", "step_size (int):", "steps (int):", "names", "not-an-argument", "steps"),
    ("StepLR", "step_size (int):", "steps (int):", "names", "not-documented", "step_size"),
    ("StepLR", "gamma (float):", "gama (float):", "names", "not-documented", "gamma"),
    ("SequentialLR", '"""Perform a step."""', "", "names", "undocumented", "SequentialLR.step"),
    ("StepLR", "Default: 0.1.", "Default: 0.2.", "defaults", "default-differs", "gamma"),
    ("MultiStepLR", "gamma: float = 0.1", "gamma: float = 0.5", "defaults", "default-differs", "gamma"),
    ("PolynomialLR", "polynomial. Default: 1.0.", "polynomial.", "defaults", "default-unsaid", "power"),
    ("ExponentialLR", "learning rate decay.", "decay. Default: 0.1.", "defaults", "default-required", "gamma"),
    ("PolynomialLR", "power (float)", "degree (float)", "defaults", "default-of-nothing", "degree"),
    ("ExponentialLR", "gamma: float,", "gamma: int,", "annotations", "annotation", "gamma"),
    ("CosineAnnealingWarmRestarts", " or not isinstance(T_0, int)", "", "types", "type-accepted", "T_0"),
    ("CosineAnnealingWarmRestarts", "T_0 <= 0 or not", "not", "ranges", "count-accepted", "T_0"),
    ("OneCycleLR", "(str): {'cos', 'linear'}", "(str): {'cos', 'sine'}", "ranges", "choice-refused", "anneal_strategy"),
    ("ExponentialLR", "learning rate decay.", "decay, 0 <= gamma <= 1.", "ranges", "range-accepted", "gamma"),
    ("ExponentialLR", "decay.\n", "decay.\n\n    This scheduler is not chainable.\n", "ranges", "chainable", ""),
    (
        "ExponentialLR",
        "Example:",
        "Raises:\n        KeyError: For a gamma of 2.5.\n\n    Example:",
        "raises",
        "not-raised",
        "gamma",
    ),
    ("LRScheduler", ".. deprecated:: 1.4", ".. note::", "deprecations", "deprecated-unsaid", "epoch"),
    (
        "LRScheduler",
        "warnings.warn(EPOCH_DEPRECATION_WARNING, UserWarning, stacklevel=2)",
        "...",
        "deprecations",
        "deprecated-silent",
        "epoch",
    ),
    ("StepLR", "0.005    if 30 <=", "0.006    if 30 <=", "examples", "example-differs", "StepLR"),
    ("MultiStepLR", "milestones=[30, 80]", "milestones=[30, 70]", "examples", "example-differs", "MultiStepLR"),
    ("ExponentialLR", "gamma=0.95", "gama=0.95", "examples", "example-fails", "ExponentialLR"),
    ("ExponentialLR", "scheduler.step()", "scheduler.step(epoch)", "examples", "example-warns", "ExponentialLR"),
    (
        "StepLR",
        "self.last_epoch % self.step_size",
        "(self.last_epoch + 1) % self.step_size",
        "statements",
        "statement",
        "",
    ),
    ("OneCycleLR", "max_lrs[idx] / div_factor", "max_lrs[idx] / 2", "statements", "statement", "div_factor"),
    ("ExponentialLR", "When last_epoch", ".. math:: x^2\n\n    When last_epoch", "statements", "formula-unknown", ""),
    ("LRScheduler", 'key != "optimizer"', 'key not in ("optimizer", "base_lrs")', "returns", "state-lacks", "base_lrs"),
    (
        "LambdaLR",
        "if not isinstance(fn, types.FunctionType)",
        "if fn is None",
        "returns",
        "state-function",
        "lr_lambda",
    ),
    ("ExponentialLR", '[group["lr"] *', '[float(group["lr"]) *', "returns", "return-type", "get_lr"),
    ("ExponentialLR", '[group["lr"] * self.gamma', '[group["lr"]', "returns", "alias", "get_lr"),
    ("LRScheduler", ":meth:`get_lr` and", ":meth:`get_rate` and", "references", "no-such-name", "get_rate"),
    ("CyclicLR", "repo: `bckenstler/CLR`_", "repo: `bckenstler/CRL`_", "references", "no-such-link", "CyclicLR"),
    ("CyclicLR", "repo: `bckenstler/CLR`_", "repo", "references", "unused-link", "CyclicLR"),
    (
        "CyclicLR",
        "If specified, then 'mode'",
        "If specified, then 'the_mode'",
        "references",
        "no-such-argument",
        "the_mode",
    ),
]

#: The same, but the change makes a rule fall silent that fires on the installed torch.
REPAIRED = [
    (
        "PolynomialLR",
        "power (float)",
        "last_epoch (int): As ever. Default: -1.\n        power (float)",
        "names",
        "not-documented",
        "last_epoch",
    ),
    ("OneCycleLR", "'pct_start').", "'pct_start'). Default: False", "defaults", "default-unsaid", "three_phase"),
    (
        "CyclicLR",
        "base_momentum: float =",
        "base_momentum: float | list =",
        "annotations",
        "annotation",
        "base_momentum",
    ),
    ("CosineAnnealingLR", "self.T_max = T_max", "self.T_max = T_max + 0 - 0", "types", "type-late", "T_max"),
    ("ExponentialLR", "self.gamma = gamma", "self.gamma = float(gamma)", "types", "type-late", "gamma"),
    ("MultiStepLR", "Must be increasing.", "", "ranges", "order-accepted", "milestones"),
    ("StepLR", "Period of", "About the", "ranges", "count-accepted", "step_size"),
    ("ConstantLR", "until the milestone.", "until the milestone, between 0 and 1.", "ranges", "range-unsaid", "factor"),
    ("OneCycleLR", "The percentage of", "The share of", "ranges", "percentage", "pct_start"),
    ("OneCycleLR", "This scheduler is not chainable.", "", "ranges", "chainable", ""),
    ("CosineAnnealingLR", "Minimum learning rate.", "Last learning rate.", "ranges", "bound", "eta_min"),
    ("CyclicLR", "{'cycle', 'iterations'}.", "A word.", "ranges", "choice-accepted", "scale_mode"),
    ("LambdaLR", "Sets the initial learning rate.", "Sets the learning rate.", "statements", "lambda-summary", ""),
    ("OneCycleLR", "Wrapped optimizer.", "Wrapped optimizer with momentum.", "ranges", "range-unsaid", "optimizer"),
    ("OneCycleLR", "The total number of steps", "No more than this number of steps", "raises", "end-unsaid", "step"),
    ("LRScheduler", "with entries", "with one entry", "returns", "return-count", "get_last_lr"),
    ("LambdaLR", "LambdaLR(opt,", "LambdaLR(optimizer,", "examples", "example-fails", "LambdaLR"),
    ("CyclicLR", "iterations since start of cycle", "iterations", "statements", "cycle-iterations", "scale_mode"),
]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for changed copies of the installed file."""
    return tmp_path_factory.mktemp("docstrings")


def planted(folder: Path, owner: str, old: str, new: str) -> Subject:
    """The installed schedulers with one text of one class changed."""
    path = folder / "lr_scheduler.py"
    path.write_text(changed(INSTALLED, owner, old, new), encoding="utf-8")
    return load(path)


def fires(subject: Subject, owner: str, group: str, rule: str, argument: str) -> list[DocFinding]:
    """The findings of one rule about one argument."""
    return [f for f in GROUPS[group](subject, owner) if (f.rule, f.argument) == (rule, argument)]


@pytest.mark.parametrize(
    ("owner", "old", "new", "group", "rule", "argument"),
    PLANTED,
    ids=[f"{row[4]}-{row[0]}-{row[5]}" for row in PLANTED],
)
def test_a_planted_difference_is_found(
    sources: Path, owner: str, old: str, new: str, group: str, rule: str, argument: str
) -> None:
    """The rule fires with the change, not without it, and its sentence names the class or method."""
    findings = fires(planted(sources, owner, old, new), owner, group, rule, argument)
    assert findings
    assert owner in findings[0].sentence
    assert fires(installed(), owner, group, rule, argument) == []


@pytest.mark.parametrize(
    ("owner", "old", "new", "group", "rule", "argument"),
    REPAIRED,
    ids=[f"{row[4]}-{row[0]}-{row[5]}" for row in REPAIRED],
)
def test_a_repaired_difference_is_gone(
    sources: Path, owner: str, old: str, new: str, group: str, rule: str, argument: str
) -> None:
    """The rule fires on a torch of today, and not where text and class agree."""
    assert fires(planted(sources, owner, old, new), owner, group, rule, argument) == []
    assert fires(installed(), owner, group, rule, argument)


def test_a_case_says_each_difference_in_its_channel(sources: Path) -> None:
    """A case of the catalogue deviates once for each difference; its script names it with torch alone."""
    case = next(case for case in cases() if case.id.endswith("-docs.defaults") and isinstance(case.schedule, StepLR))
    assert verdict_of(case, installed()).follows
    subject = planted(sources, "StepLR", "gamma: float = 0.1", "gamma: float = 0.5")
    deviations = verdict_of(case, subject).deviations
    assert [(verdict.channel, verdict.label) for verdict in deviations] == [("docs", "default-differs")]
    assert script(case).endswith('print(f"first deviation: {found[0]}" if found else "no deviation")\n')


def test_a_class_that_a_release_lacks_is_absent() -> None:
    """No docstring is examined where there is no class."""
    case = next(case for case in cases() if isinstance(case.schedule, StepLR))
    assert verdict_of(case, without("StepLR")).kind == "absent"


def test_a_class_that_cannot_be_built_is_a_deviation(sources: Path) -> None:
    """What the class raises while it is examined is in the verdict."""
    case = next(c for c in cases() if c.id.endswith("-docs.references") and isinstance(c.schedule, StepLR))
    verdict = verdict_of(case, planted(sources, "StepLR", "self.step_size = step_size", "raise OSError('no')"))
    assert (verdict.channel, verdict.label, verdict.detail) == ("docs", "error", "OSError: no")


def test_every_class_is_examined_by_every_group() -> None:
    """The public classes of the installed torch times the groups of rules."""
    examined = {(type(case.schedule).__name__, case.setup.marks[0]) for case in cases()}
    assert examined == {(name, f"docs.{group}") for name in installed().public_names() for group in GROUPS}


def test_docstrings_are_read_in_parts() -> None:
    """Arguments with types and texts over several lines, defaults, choices, examples, exceptions."""

    def function() -> None:
        """Do it.

        Args:
            first (int | None): Some {'a', 'b'}
                words. Default: 1./3.
            second: More. .. note:: Default: 5

        Raises:
            ValueError: If first
                is negative.

        Example:
            >>> for a in b:
            ...     print(a)
            c
        """

    docstring = parse(function)
    first, second = docstring.arguments or ()
    assert (first.name, first.default, first.choices) == ("first", "1./3.", ("a", "b"))
    assert (first.kinds, second.kinds) == (frozenset({"int", "None"}), frozenset())
    assert (second.name, second.default, second.choices) == ("second", None, ())
    assert docstring.raises == [("ValueError", "If first is negative.")]
    assert docstring.examples == ("for a in b:\n    print(a)",)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1./3.", 1 / 3), ("0.1.", 0.1), ("``False``.", False), ("'rel'.", "rel"), ("-1", -1), ("1e-8.", 1e-8)],
)
def test_documented_defaults_are_literals(text: str, value: object) -> None:
    """The full stop of a sentence is no part of the value."""
    assert value_of(text) == value


@pytest.mark.parametrize(
    ("annotation", "kinds"),
    [
        ("float | list[float] | None", {"float", "list"}),
        ("Union[Callable[[int], float], List[int]]", {"callable", "list"}),
        ("Literal['cos', 'linear']", {"str"}),
        ("Optional[int]", {"int"}),
        (int, {"int"}),
    ],
)
def test_annotations_become_kinds(annotation: object, kinds: set[str]) -> None:
    """The outer types of every spelling, None apart."""
    assert annotated_kinds(annotation) == kinds


@pytest.mark.parametrize(
    ("actual", "text", "kept"),
    [
        (0.05, "0.05", True),
        (0.0500001, "0.05", False),
        (0.0060625, "0.006062", True),
        (0.006064, "0.006062", False),
        (0.0, "0.0", True),
        (0.01, "0.0", False),
    ],
)
def test_promised_rates_are_kept_to_their_last_digit(actual: float, text: str, kept: bool) -> None:
    """Three significant digits or more may be rounded or cut; fewer are exact."""
    assert keeps(actual, text, 1) is kept
