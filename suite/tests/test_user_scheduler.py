"""`--factory`: every form that a factory may have and return, and every quantity and group that is compared."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from suite.__main__ import main
from suite.releases import cache
from suite.tests import stock

OLD, NEW = "9.0.0", "9.1.0"
#: A factory's own optimizer has the LR 0.5, and the one that it may be given has 0.25.
OWN, GIVEN = 0.5, 0.25
FORMS = f"""
import functools
import torch
from torch.optim.lr_scheduler import ExponentialLR

def own(**more):
    return torch.optim.SGD([torch.zeros(1)], lr={OWN}, **more)

class Net(torch.nn.Linear):
    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr={OWN})
        scheduler = ExponentialLR(optimizer, 0.9)
        return {{"optimizer": optimizer, "lr_scheduler": {{"scheduler": scheduler, "interval": "epoch"}}}}

class Tenth(ExponentialLR):
    def __init__(self, optimizer, gamma=0.9):
        super().__init__(optimizer, gamma)

class Composite:
    def __init__(self, part):
        self._schedulers = [part]
    def step(self):
        self._schedulers[0].step()

class Bare:
    def __init__(self, part):
        self.call = part.step
    def step(self):
        self.call()

def pair():
    optimizer = own()
    return optimizer, ExponentialLR(optimizer, 0.9)

def gamma_needed(optimizer, gamma):
    return ExponentialLR(optimizer, gamma)

def ignores_it(optimizer):
    return ExponentialLR(own(), 0.9)

def bare_pair():
    optimizer, scheduler = pair()
    return optimizer, Bare(scheduler)

takes_none = lambda: ExponentialLR(own(), 0.9)
takes_it = lambda optimizer: ExponentialLR(optimizer, 0.9)
may_take_it = lambda optimizer=None: ExponentialLR(optimizer or own(), 0.9)
bound = functools.partial(gamma_needed, gamma=0.9)
reversed_pair = lambda: pair()[::-1]
lists = lambda: ([pair()[0]], [{{"scheduler": pair()[1], "interval": "step"}}])
short_dict = lambda: dict(zip(("optimizer", "lr_scheduler"), pair()))
composite = lambda: Composite(pair()[1])
bare_given = lambda optimizer: Bare(ExponentialLR(optimizer, 0.9))
net = Net(1, 1)
made = ExponentialLR(own(), 0.9)

bare = lambda: bare_pair()[1]
two = lambda: [pair(), pair()]
only_optimizer = lambda: own()
with_epoch = lambda: type("Timm", (), {{"optimizer": own(), "step": lambda self, epoch: None}})()
plateau = lambda optimizer: torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
"""
#: Form → the LR that its schedule starts from.
STARTS = {
    **dict.fromkeys(("takes_none", "may_take_it", "ignores_it", "pair", "reversed_pair", "lists", "short_dict"), OWN),
    **dict.fromkeys(("net.configure_optimizers", "made", "composite", "bare_pair"), OWN),
    **dict.fromkeys(("takes_it", "bound", "Tenth", "bare_given"), GIVEN),
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's project folder to run in, and two releases: the second has a wrong ExponentialLR at step 3."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    stock.put(OLD)
    stock.put(NEW, stock.WRONG_EXPONENTIAL)
    (tmp_path / "forms.py").write_text(FORMS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def upgrade(spec: str, *words: str) -> int:
    """Run the command on both releases."""
    return main(["upgrade", OLD, NEW, "--offline", "--factory", spec, *words])


@pytest.mark.parametrize("form", STARTS)
def test_every_form_is_followed(capsys: pytest.CaptureFixture[str], form: str) -> None:
    """The optimizer that the scheduler drives is read: the factory's own LR where it builds one, else ours."""
    assert upgrade(f"forms:{form}", "--lr", str(GIVEN), "--steps", "5", "--json") == 1
    result = json.loads(capsys.readouterr().out)
    expected = [STARTS[form] * 0.9**t for t in range(5)]
    assert result["before"]["values"]["LR"] == [pytest.approx(expected, rel=1e-12)]
    assert result["after"]["values"]["LR"][0][3] == pytest.approx(expected[3] * 1.01, rel=1e-12)
    assert [(change["what"], change["group"], change["step"]) for change in result["changes"][:1]] == [("LR", 0, 3)]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("bare", "must return (optimizer, scheduler), because the scheduler has no attribute 'optimizer'"),
        ("two", "must return one scheduler, but returned 2: ExponentialLR, ExponentialLR"),
        ("only_optimizer", "must return a scheduler, but returned SGD ("),
        ("with_epoch", "must return a scheduler whose step() takes no argument, but Timm.step() takes epoch"),
        ("plateau", "must have metrics, because ReduceLROnPlateau.step() needs them: give --metrics FILE"),
        ("gamma_needed", "must take an optimizer or nothing (functools.partial sets the rest), but takes optimizer, "),
        ("Net.configure_optimizers", "must name the method of an object, such as train:model.configure_optimizers"),
        ("net.absent", "must name something in forms, but it has no net.absent"),
    ],
)
def test_a_form_that_cannot_be_used_is_one_line(capsys: pytest.CaptureFixture[str], form: str, words: str) -> None:
    """Each rule has one line, for both commands."""
    for command in (["upgrade", OLD, NEW], ["bisect"]):
        assert main([*command, "--offline", "--factory", f"forms:{form}"]) == 2
        output = capsys.readouterr()
        (line,) = output.err.splitlines()
        assert (output.out, line.startswith(f"factory='forms:{form}' {words}")) == ("", True)


#: SequentialLR does not reach the new phase's first value where the LR is a tensor: what releases 2.4 to 2.9 do.
ALIASED = """
import torch
_kept = SequentialLR.step
def _planted(self):
    lr = self.optimizer.param_groups[0]["lr"].clone()
    _kept(self)
    if self.last_epoch in self._milestones:
        self.optimizer.param_groups[0]["lr"].copy_(lr)
SequentialLR.step = _planted
"""
TENSOR_LR = """
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

def make(_=None):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=torch.tensor(0.1))
    return SequentialLR(optimizer, [LinearLR(optimizer, 0.1, total_iters=5), CosineAnnealingLR(optimizer, 20)], [5])
"""
#: By hand: LinearLR(0.1) over 5 steps is at 0.1 + 0.9 * 4/5 = 0.82 of 0.1 in its last step, and the cosine starts at 1.
LAST_OF_WARMUP, FIRST_OF_COSINE = 0.082, 0.1


def test_a_tensor_lr_of_the_factorys_own_optimizer(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first LR of the cosine is 0.1 or, where the tensor was not updated, still 0.082."""
    (project / "tensor_lr.py").write_text(TENSOR_LR)
    stock.put("9.2.0", ALIASED)
    assert main(["upgrade", "9.2.0", OLD, "--offline", "--factory", "tensor_lr:make"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == f"  step 5: LR {LAST_OF_WARMUP} becomes {FIRST_OF_COSINE}"
    assert ["4", "0.082", "0.082"] in [line.split() for line in lines]


#: Factor on every LR that torch computes, kind of LR → whether it is a change: rounding is 2⁻²⁴ of a float32.
FACTORS = {
    (1 + 1e-7, "0.5"): True,
    (1 + 1e-7, "torch.tensor(0.5)"): False,
    (1 + 1e-3, "torch.tensor(0.5)"): True,
    (1 + 1e-15, "0.5"): False,
}


@pytest.mark.parametrize(("factor", "lr"), FACTORS)
def test_rounding_is_no_change(project: Path, capsys: pytest.CaptureFixture[str], factor: float, lr: str) -> None:
    """What a tensor rounds to is no change, what a float would show is one, and so is a thousandth of a tensor."""
    stock.put(NEW, f"_kept = StepLR.get_lr\nStepLR.get_lr = lambda self: [lr * {factor!r} for lr in _kept(self)]\n")
    make = f"torch.optim.lr_scheduler.StepLR(torch.optim.SGD([torch.zeros(1)], lr={lr}), 99)"
    (project / "rounding.py").write_text(f"import torch\ndef make():\n    return {make}\n")
    assert upgrade("rounding:make", "--steps", "4") == FACTORS[factor, lr]
    digits = {1 + 1e-7: "0.50000005", 1 + 1e-3: "0.5005"}[factor] if FACTORS[factor, lr] else ""
    assert (f"  step 0: LR 0.5 becomes {digits}\n" in capsys.readouterr().out) == FACTORS[factor, lr]


#: Weight decay, beta1 and beta2 follow the LR of their group, by different factors.
COUPLED = """
import torch
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR

class Coupled(ExponentialLR):
    def step(self):
        super().step()
        for group in self.optimizer.param_groups:
            group["weight_decay"], group["betas"] = group["lr"] / 10, (1 - group["lr"], 1 - group["lr"] / 2)

def groups(*lrs):
    return [{"params": [torch.zeros(1)], "lr": lr} for lr in lrs]

def coupled():
    return Coupled(torch.optim.AdamW(groups(0.5, 0.02)), 0.9)

def second_group():
    optimizer = torch.optim.SGD(groups(0.5, 0.02, 0.3), momentum=0.9)
    faulty = hasattr(ExponentialLR, "planted")
    def factors(wrong):
        return lambda t: 1.5 if wrong and t >= 2 else 1.0
    return LambdaLR(optimizer, [factors(False), factors(faulty), factors(False)])

def more_groups():
    scheduler = Coupled(torch.optim.AdamW(groups(0.5)), 1.0)
    if hasattr(ExponentialLR, "planted"):
        scheduler.optimizer.add_param_group({"params": [torch.ones(1)], "lr": 0.25})
    return scheduler
"""


def changes(capsys: pytest.CaptureFixture[str], spec: str) -> list[str]:
    """What the command says has changed."""
    assert upgrade(spec, "--json") == 1
    return [change["words"] for change in json.loads(capsys.readouterr().out)["changes"]]


def test_each_group_and_quantity_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """LR, weight decay and both betas change in both groups at step 3, by hand from lr = 0.5 * 0.9³ and 0.02 * 0.9³."""
    (project / "coupled.py").write_text(COUPLED)
    before = [0.5 * 0.9**3, 0.02 * 0.9**3]
    expected = []
    forms = {"LR": (0, 1), "beta1": (1, -1), "beta2": (1, -0.5), "weight decay": (0, 0.1), "get_last_lr()": (0, 1)}
    for what, (constant, slope) in forms.items():
        for group, lr in enumerate(before):
            numbers = " becomes ".join(f"{constant + slope * rate:.6g}" for rate in (lr, 1.01 * lr))
            expected.append(f"step 3: {what} {numbers} (group {group})")
    assert sorted(changes(capsys, "coupled:coupled")) == sorted(expected)
    assert upgrade("coupled:coupled") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:3] == [f"  {line}" for line in expected[:2]]
    assert lines[7] == "  … and 4 more (--json lists all)"


def test_only_the_group_that_changes_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second of three groups changes from step 2 on: its number, its step and its trace."""
    stock.put(NEW, "ExponentialLR.planted = True\n")
    (project / "coupled.py").write_text(COUPLED)
    words = "0.02 becomes 0.03 (group 1)"
    assert changes(capsys, "coupled:second_group") == [f"step 2: LR {words}", f"step 2: get_last_lr() {words}"]
    assert upgrade("coupled:second_group", "--steps", "4") == 1
    assert ["2", "0.02", "0.03"] in [line.split() for line in capsys.readouterr().out.splitlines()]


def test_a_group_that_one_release_lacks_is_a_change(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another number of groups is no crash."""
    stock.put(NEW, "ExponentialLR.planted = True\n")
    (project / "coupled.py").write_text(COUPLED)
    assert changes(capsys, "coupled:more_groups")[0] == "step 0: LR nothing becomes 0.25 (group 1)"


def test_metrics_drive_the_plateau(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With patience 0 each metric that is no improvement halves the LR: after the second, third and fifth here."""
    (project / "losses.txt").write_text("1.0 1.5\n1.5\n0.5 0.7 0.1\n")
    assert upgrade("forms:plateau", "--metrics", "losses.txt", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["after"]["values"]["LR"] == [[0.1, 0.1, 0.05, 0.025, 0.025, 0.0125]]
    assert math.isclose(result["after"]["values"]["momentum"][0][0], 0.9)


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("", [], "metrics='losses.txt' must hold numbers, but is empty"),
        ("1 2 x", [], "metrics='losses.txt' must hold numbers, but: could not convert string to float: 'x'"),
        ("1 2", ["--steps", "3"], "steps=3 must be <= 2, the numbers in metrics='losses.txt'"),
    ],
)
def test_bad_metrics_are_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], text: str, words: list[str], line: str
) -> None:
    """Exit code 2."""
    (project / "losses.txt").write_text(text)
    assert upgrade("forms:plateau", "--metrics", "losses.txt", *words) == 2
    assert capsys.readouterr().err.splitlines() == [line]
