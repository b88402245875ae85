"""The table of statements that can be evaluated: a text of the docstring, and the check of what it says."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Callable

from suite.engine.subject import Subject

from . import cyclic_formulas as c
from . import formulas as f
from . import plateau_formulas as p
from .finding import METHODS, DocFinding, construction
from .parse import parse


@dataclasses.dataclass(frozen=True)
class Statement:
    """What a docstring says about an argument: its text (white space and case apart), a check, a script's lines.

    The check returns "" where the statement is true, else how the class differs; `code` shows it with torch alone.
    """

    owner: str
    argument: str
    text: str
    check: Callable[[Subject], str]
    code: str = ""
    rule: str = "statement"


#: A loop that records what is in force, for the scripts.
LOOP = """
lrs = []
for step in range(12):
    lrs.append(optimizer.param_groups[0]["lr"])
    optimizer.step()
    scheduler.step({})
print(lrs)
deviates = {}"""
#: The LR after five batches, and that of a scheduler built with last_epoch=5.
AGAIN = """lrs = []
for epoch in (-1, 5):
    scheduler = {}(optimizer, {}, cycle_momentum=False, last_epoch=epoch)
    for _ in range(5 if epoch == -1 else 0):
        optimizer.step()
        scheduler.step()
    lrs.append(optimizer.param_groups[0]["lr"])
print(lrs)
deviates = abs(lrs[0] - lrs[1]) > 1e-9"""
VERBOSE = """output = io.StringIO()
with contextlib.redirect_stdout(output):
{}
    optimizer.step()
    scheduler.step({})
deviates = not output.getvalue()"""

STATEMENTS: tuple[Statement, ...] = (
    Statement(
        "LambdaLR",
        "",
        "Sets the initial learning rate.",
        f.only_initial,
        "scheduler = LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))" + LOOP.format("", "lrs[1] != lrs[0]"),
        "lambda-summary",
    ),
    Statement("LambdaLR", "lr_lambda", "times a given function", f.lambda_product),
    Statement("LambdaLR", "lr_lambda", "given an integer parameter epoch", f.integer_epochs),
    Statement("StepLR", "", "by gamma every step_size epochs", f.step),
    Statement("MultiStepLR", "", "once the number of epoch reaches one of the milestones", f.multi_step),
    Statement("MultiStepLR", "milestones", "appears in :attr:`milestones` ``n`` times", f.repeated_milestone),
    Statement(
        "ConstantLR", "total_iters", "The number we multiply learning rate until the milestone", f.constant_steps
    ),
    Statement(
        "LinearLR",
        "total_iters",
        "The number of iterations that multiplicative factor reaches to 1",
        f.linear_reaches_one,
        "scheduler = LinearLR(optimizer, 0.25, end_factor=0.5, total_iters=4)"
        + LOOP.format("", "abs(lrs[4] - 0.3) > 1e-9"),
        "linear-text",
    ),
    Statement("LinearLR", "", "The number we multiply learning rate in the first epoch", f.first_and_last_factor),
    Statement("ExponentialLR", "", "by gamma every epoch", f.exponential),
    Statement("PolynomialLR", "", "The power of the polynomial", f.polynomial),
    Statement("CosineAnnealingLR", "", r"\eta_{t+1} = \eta_{\min} + (\eta_t - \eta_{\min}) \cdot", f.recursive_cosine),
    Statement(
        "CosineAnnealingLR", "", r"\eta_t = \eta_{\min} + \frac{1}{2}(\eta_{\max} - \eta_{\min})", f.closed_cosine
    ),
    Statement("CosineAnnealingLR", "", r"\eta_t = \eta_{min} + \frac{1}{2}(\eta_{max} - \eta_{min})", f.closed_cosine),
    Statement("CosineAnnealingLR", "", r"& T_{cur} = (2k+1)T_{max}", f.piecewise_cosine),
    Statement("CosineAnnealingWarmRestarts", "", r"\cos\left(\frac{T_{cur}}{T_{i}}\pi\right)", f.restarts),
    Statement(
        "CosineAnnealingWarmRestarts",
        "eta_min",
        r"When :math:`T_{cur}=T_{i}`, set :math:`\eta_t = \eta_{min}`",
        f.restart_minimum,
        "scheduler = CosineAnnealingWarmRestarts(optimizer, T_0=5, eta_min=0.01)"
        + LOOP.format("", "min(lrs) > 0.0100001"),
        "restart-minimum",
    ),
    Statement("CosineAnnealingWarmRestarts", "T_mult", "after a restart. Default: 1", f.growing_restarts),
    Statement("CosineAnnealingWarmRestarts", "", "scheduler.step(27), instead of scheduler(20)", f.restarts_example),
    Statement("OneCycleLR", "div_factor", "initial_lr = max_lr/div_factor", c.first_rate),
    Statement("OneCycleLR", "final_div_factor", "min_lr = initial_lr/final_div_factor", c.last_rate),
    Statement("OneCycleLR", "epochs", "total_steps = epochs * steps_per_epoch", c.product_of_epochs),
    Statement("OneCycleLR", "total_steps", "listed in order of precedence", c.precedence),
    Statement("OneCycleLR", "total_steps", "You must either provide a value for total_steps or", c.either_length),
    Statement("OneCycleLR", "three_phase", "symmetrical about the step indicated by", c.symmetric_phases),
    Statement(
        "OneCycleLR",
        "base_momentum",
        "at the peak of a cycle, momentum is 'base_momentum'",
        c.momentum_at_peak("OneCycleLR"),
    ),
    Statement(
        "CyclicLR",
        "base_momentum",
        "at the peak of a cycle, momentum is 'base_momentum'",
        c.momentum_at_peak("CyclicLR"),
    ),
    Statement(
        "CyclicLR",
        "scale_mode",
        "cycle iterations (training iterations since start of cycle)",
        c.cycle_iterations,
        "seen = []\nscale_fn = lambda x: seen.append(x) or 1.0\n"
        'scheduler = CyclicLR(\n    optimizer, 0.1, 0.5, 2, scale_fn=scale_fn, scale_mode="iterations"\n)'
        + LOOP.format("", "max(seen) >= 4  # a cycle has 4 iterations"),
        "cycle-iterations",
    ),
    Statement(
        "CyclicLR",
        "gamma",
        "gamma**(cycle iterations)",
        c.exp_range,
        'scheduler = CyclicLR(optimizer, 0.1, 0.5, 3, mode="exp_range", gamma=0.9)'
        + LOOP.format("", "abs(lrs[7] - (0.1 + 0.4 / 3 * 0.9)) > 1e-9"),
        "cycle-iterations",
    ),
    Statement("CyclicLR", "mode", "triangular cycle without amplitude scaling", c.triangular),
    Statement("CyclicLR", "mode", "scales initial amplitude by half each cycle", c.triangular2),
    Statement("CyclicLR", "mode", "If specified, then 'mode' is ignored", c.mode_ignored),
    Statement("CyclicLR", "step_size_down", "it is set to step_size_up", c.fall_like_rise),
    Statement("ReduceLROnPlateau", "factor", "new_lr = lr * factor", p.factor),
    Statement("ReduceLROnPlateau", "threshold", "best * (1 + threshold)", p.threshold("max", "rel")),
    Statement("ReduceLROnPlateau", "threshold", "best * (1 - threshold)", p.threshold("min", "rel")),
    Statement("ReduceLROnPlateau", "threshold", "best + threshold", p.threshold("max", "abs")),
    Statement("ReduceLROnPlateau", "threshold", "best - threshold", p.threshold("min", "abs")),
    Statement(
        "ReduceLROnPlateau",
        "patience",
        "If the performance improves or remains the same",
        p.remains_the_same,
        "scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=0)" + LOOP.format("1.0", "lrs[2] < lrs[1]"),
        "patience-same",
    ),
    Statement("ReduceLROnPlateau", "patience", "we will ignore the first 2 epochs", p.patience),
    Statement(
        "ReduceLROnPlateau", "patience", "the learning rate continues to be reduced at the end of each", p.no_patience
    ),
    Statement("ReduceLROnPlateau", "cooldown", "to wait before resuming normal operation", p.cooldown),
    Statement(
        "ReduceLROnPlateau",
        "eps",
        "smaller than eps, the update is ignored",
        p.smallest_change,
        'optimizer.param_groups[0]["lr"] = 0.5\n'
        "scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=0, eps=0.25)"
        + LOOP.format("step", "lrs[-1] == 0.5"),
        "eps-equal",
    ),
    Statement("SWALR", "", '"linear" for linear annealing', f.annealed),
    Statement("SWALR", "", '"cos" for cosine annealing', f.annealed_cosine),
    Statement(
        "LinearLR",
        "",
        "Decays the learning rate of each parameter group by linearly changing",
        f.decays,
        "scheduler = LinearLR(optimizer)" + LOOP.format("", "lrs[1] > lrs[0]"),
        "linear-text",
    ),
    Statement(
        "OneCycleLR",
        "last_epoch",
        "represents the total number of *batches* computed",
        c.batches_computed("OneCycleLR"),
        AGAIN.format("OneCycleLR", "0.5, 20"),
        "batches-computed",
    ),
    Statement(
        "CyclicLR",
        "last_epoch",
        "represents the total number of *batches* computed",
        c.batches_computed("CyclicLR"),
        AGAIN.format("CyclicLR", "0.1, 0.5, 3"),
        "batches-computed",
    ),
    Statement(
        "ReduceLROnPlateau",
        "patience",
        "for a 'patience' number of epochs, the learning rate is reduced",
        p.number_of_bad_epochs,
        "scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=2)" + LOOP.format("1.0", "lrs[3] == lrs[0]"),
        "patience-count",
    ),
)


def _squeezed(text: str) -> str:
    return "".join(text.split()).lower()


def statements(subject: Subject, name: str) -> list[DocFinding]:
    """Each statement of the table that a docstring of the class makes, checked; and formulas that are not in it."""
    cls = subject.scheduler_class(name)
    owners = [cls, *(vars(cls)[method] for method in METHODS if method in vars(cls))]
    text = _squeezed(" ".join(parse(owner).text for owner in owners))
    findings = []
    metric = "1.0" if name == "ReduceLROnPlateau" else ""
    printing = VERBOSE.format(textwrap.indent(construction(name, "", verbose=True), "    "), metric)
    updates = f.printed_updates(name)
    every_class = (
        Statement(name, "", "initial lr as lr", f.initial_rate(name)),
        Statement(name, "verbose", "prints a message to stdout for each update", updates, printing, "verbose-silent"),
    )
    known = [row for row in (*STATEMENTS, *every_class) if row.owner == name and _squeezed(row.text) in text]
    for row in known:
        try:
            difference = row.check(subject)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            difference = f"{type(error).__name__}: {error}"
        if difference:
            findings.append(DocFinding(row.rule, row.argument, f'{name}: "{row.text}", but {difference}', row.code))
    if parse(cls).text.count(".. math::") > sum("_{" in row.text for row in known):
        findings.append(DocFinding("formula-unknown", "", f"{name} has a formula that no check of the suite knows"))
    return findings
