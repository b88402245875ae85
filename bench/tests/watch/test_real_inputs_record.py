"""Scripts as people write them, from the script to the lines of the report: two optimizers, scalers, own steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.tests.watch.test_recorder_script import folder, record  # noqa: F401  # a fixture

HEAD = """
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LinearLR, SequentialLR
torch.manual_seed(0)
one, two = torch.nn.Linear(6, 6), torch.nn.Linear(6, 1)
def loss():
    return two(one(torch.randn(4, 6))).square().mean()
def warm(optimizer):
    return LambdaLR(optimizer, lambda t: min(1.0, (t + 1) / 15))
"""
#: Kind → script, options, exit code, and words that the report must and must not have.
SCRIPTS: dict[str, tuple[str, tuple[str, ...], int, tuple[str, ...], tuple[str, ...]]] = {
    "a scheduler that is built and never stepped": (
        """
a, b = torch.optim.Adam(one.parameters(), 3e-4), torch.optim.Adam(two.parameters(), 6e-4)
first, forgotten = warm(a), warm(b)
for step in range(60):
    loss().backward(); a.step(); b.step(); a.zero_grad(); b.zero_grad(); first.step()
""",
        (),
        1,
        ("Adam-2: The scheduler was built but never stepped", "4e-05", "0.0006"),
        ("linear warmup of 19",),
    ),
    "micro-batches": (
        """
a = torch.optim.AdamW([*one.parameters(), *two.parameters()], 2e-3)
s = SequentialLR(a, [LinearLR(a, 0.01, total_iters=12), CosineAnnealingLR(a, 108)], [12])
for i in range(360):
    (loss() / 3).backward()
    if (i + 1) % 3 == 0: a.step(); a.zero_grad()
    s.step()
""",
        ("--base-lr", "2e-3", "--warmup-steps", "12", "--total-steps", "120"),
        1,
        ("3 times per update, once per micro-batch", "step the scheduler only where the optimizer steps"),
        (),
    ),
    "a scaler that leaves updates out": (
        """
a = torch.optim.SGD([*one.parameters(), *two.parameters()], 0.05)
s = SequentialLR(a, [LinearLR(a, 0.1, total_iters=10), CosineAnnealingLR(a, 70)], [10])
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
for i in range(80):
    a.zero_grad(); scaler.scale(loss() * (float("inf") if i in (0, 1, 30) else 1.0)).backward()
    scaler.step(a); scaler.update(); s.step()
""",
        ("--expect", "seq2_m10.linearlr10_s0p1.cosineannealinglr70", "--base-lr", "0.05"),
        1,
        ("The gradient scaler left out 3 updates", "get_scale()"),
        (),
    ),
    "one scheduler for two optimizers, and no base LR": (
        """
a, b = torch.optim.SGD(one.parameters(), 1e-2), torch.optim.AdamW(two.parameters(), 5e-4)
s = SequentialLR(a, [LinearLR(a, 0.1, total_iters=8), CosineAnnealingLR(a, 72)], [8])
for i in range(80):
    loss().backward(); a.step(); b.step(); a.zero_grad(); b.zero_grad(); s.step()
""",
        ("--expect", "seq2_m8.linearlr8_s0p1.cosineannealinglr72"),
        1,
        ("SGD: The learning rate is as expected", "AdamW: No scheduler moves this optimizer", "0.0005"),
        ("0.02 times",),
    ),
    "an optimizer that sets its LR inside step()": (
        """
class Shrinking(torch.optim.SGD):
    def step(self, closure=None):
        for group in self.param_groups: group["lr"] *= 0.8
        return super().step(closure)
a = Shrinking([*one.parameters(), *two.parameters()], 0.5)
for i in range(6):
    loss().backward(); a.step(); a.zero_grad()
""",
        (),
        0,
        ("Shrinking: 6 steps",),
        ("These fit equally well",),
    ),
    "a backward pass before the loop": (
        """
a = torch.optim.SGD([*one.parameters(), *two.parameters()], 0.2)
s = CosineAnnealingLR(a, 40)
loss().backward()
for i in range(40):
    a.zero_grad(); loss().backward(); a.step(); s.step()
""",
        (),
        0,
        ("SGD: 40 steps",),
        ("micro-batch", "backward passes"),
    ),
    "a correct resume in one process": (
        """
def build():
    a = torch.optim.AdamW([*one.parameters(), *two.parameters()], 2e-3)
    return a, SequentialLR(a, [LinearLR(a, 0.01, total_iters=12), CosineAnnealingLR(a, 108)], [12])
def run(a, s):
    for i in range(60):
        a.zero_grad(); loss().backward(); a.step(); s.step()
first = build(); run(*first)
second = build()
for new, old in zip(second, first): new.load_state_dict(old.state_dict())
run(*second)
""",
        (),
        0,
        ("AdamW, then AdamW-2",),
        ("fix:",),
    ),
}


@pytest.mark.parametrize("kind", SCRIPTS)
def test_the_report_of_a_real_script_is_right(
    kind: str,
    folder: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
) -> None:
    """Exit code, cause and numbers are those of the script; a sound one has nothing to change."""
    script, options, code, words, not_words = SCRIPTS[kind]
    assert record(folder, HEAD + script, options=options) == code
    report = capsys.readouterr().err
    assert [word for word in words if word not in report] == []
    assert [word for word in not_words if word in report] == []
