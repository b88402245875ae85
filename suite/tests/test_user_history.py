"""`bisect --factory`: in which releases a user's own scheduler does what, on made-up and on real releases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from suite.__main__ import main
from suite.releases import cache
from suite.tests import stock

#: A scheduler of each kind, with the LR 0.5 in an optimizer of the factory.
TRAIN = """
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, LinearLR, SequentialLR, StepLR

def own(lr=0.5):
    return torch.optim.SGD([torch.zeros(1)], lr=lr)

def exponential():
    return ExponentialLR(own(), 0.9)

def step():
    return StepLR(own(), 3)

def newer():
    from torch.optim.lr_scheduler import NewLR
    return NewLR(own(), 0.9)

def hopeless():
    raise RuntimeError("always")

def tensor_lr():
    optimizer = own(torch.tensor(0.1))
    return SequentialLR(optimizer, [LinearLR(optimizer, 0.1, total_iters=5), CosineAnnealingLR(optimizer, 20)], [5])
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's project folder to run in."""
    (tmp_path / "train.py").write_text(TRAIN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four releases: the second and the third are broken, and the first and the last have the same code."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    for release, planted in (("9.0.0", ""), ("9.1.0", stock.WRONG_EXPONENTIAL), ("9.10.0", "")):
        stock.put(release, planted)
    stock.put("9.2.0", stock.WRONG_EXPONENTIAL + "_other = 'code, but the same learning rates'\n")


def bisect(name: str, *words: str) -> int:
    """Run the command."""
    return main(["bisect", "--offline", "--factory", f"train:{name}", *words])


def test_a_fault_comes_and_goes(made_up: None, capsys: pytest.CaptureFixture[str]) -> None:
    """0.5 * 0.9³ = 0.3645 is 1.01 times too high in the two releases in the middle, from step 3 on."""
    assert bisect("exponential") == 1
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "train:exponential"
    assert [line.split() for line in lines if " – " in line] == [["9.1.0", "–", "9.2.0", "0.368145", "64", "steps"]]
    assert lines[-6:] == [
        "changed in 9.1.0",
        "  step 3: LR 0.3645 becomes 0.368145",
        "  step 3: get_last_lr() 0.3645 becomes 0.368145",
        "changed in 9.10.0",
        "  step 3: LR 0.368145 becomes 0.3645",
        "  step 3: get_last_lr() 0.368145 becomes 0.3645",
    ]


def test_json_has_every_stretch(made_up: None, capsys: pytest.CaptureFixture[str]) -> None:
    """The releases of each stretch, its values, and what changed."""
    assert bisect("exponential", "--json", "--steps", "4") == 1
    history = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert [(row["first"], row["last"]) for row in history] == [
        ("9.0.0", "9.0.0"),
        ("9.1.0", "9.2.0"),
        ("9.10.0", "9.10.0"),
    ]
    right = [0.5 * 0.9**t for t in range(4)]
    for row, last in zip(history, (1.0, 1.01, 1.0), strict=True):
        expected = [*right[:3], right[3] * last]
        assert row["values"]["LR"] == [pytest.approx(expected, rel=1e-12)]
    assert [[change["step"] for change in row["changes"]] for row in history] == [[], [3, 3], [3, 3]]


def test_the_same_everywhere_is_a_sentence(made_up: None, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0."""
    assert bisect("step", "--steps", "7") == 0
    assert capsys.readouterr().out == "train:step does the same in 7 steps from torch 9.0.0 to 9.10.0\n"


def test_an_error_in_some_releases_is_a_stretch(made_up: None, capsys: pytest.CaptureFixture[str]) -> None:
    """A class that only one release has: the others fail at construction."""
    stock.put("9.3.0", "NewLR = ExponentialLR\n")
    assert bisect("newer") == 1
    lines = capsys.readouterr().out.splitlines()
    error = "ImportError at construction: cannot import name 'NewLR'"
    assert [line for line in lines if line.startswith("changed")] == ["changed in 9.3.0", "changed in 9.10.0"]
    (gained,) = [line for line in lines if line.startswith(f"  {error}")]
    assert gained.endswith(" becomes no error")
    (lost,) = [line for line in lines if line.startswith("  no error becomes ")]
    assert lost.startswith(f"  no error becomes {error}")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--factory", "train:hopeless"], "factory='train:hopeless' must build a scheduler, but raises RuntimeError"),
        (["--factory", "train"], "factory='train' must be module:factory, a function that builds a scheduler"),
        (["--factory", ""], "factory='' must be module:factory, a function that builds a scheduler"),
        (["--factory", "train:step", "--steps", "0"], "steps=0 must be >= 1"),
        (["--factory", "train:step", "--lr", "nan"], "lr=nan must be finite and >= 0"),
        (["linearlr", "--factory", "train:step"], "case='linearlr' must not be given beside --factory"),
        ([], "case=None must be a case id, or --factory must be given"),
    ],
)
def test_bad_input_is_one_line(made_up: None, capsys: pytest.CaptureFixture[str], words: list[str], line: str) -> None:
    """Exit code 2, and nothing on standard output."""
    assert main(["bisect", "--offline", *words]) == 2
    output = capsys.readouterr()
    assert (output.out, output.err.count("\n"), output.err.startswith(line)) == ("", 1, True)


@pytest.mark.slow
def test_a_tensor_lr_on_real_releases(capsys: pytest.CaptureFixture[str]) -> None:
    """torch 2.4 to 2.9 do not reach the cosine's first LR, 0.1, where the LR is a tensor (see torch's changes of 2.10).

    By hand: LinearLR(0.1) over 5 steps is at 0.1 + 0.9 * 4/5 = 0.82 of 0.1 in its last step.
    """
    missing = {"2.3.1", "2.4.0", "2.9.1", "2.10.0"} - set(cache.cached())
    if missing:
        pytest.skip(f"releases {' '.join(sorted(missing))} are not cached: python -m suite fetch")
    assert bisect("tensor_lr") == 1
    lines = capsys.readouterr().out.splitlines()
    changed = [line for line in lines if line.startswith("changed")]
    assert changed == ["changed in 2.4.0", "changed in 2.10.0"]
    assert "  step 5: LR 0.1 becomes 0.082" in lines[lines.index(changed[0]) : lines.index(changed[1])]
    assert "  step 5: LR 0.082 becomes 0.1" in lines[lines.index(changed[1]) :]
