"""A library of our own in place of a wheel: right schedules, and schedules with one fault each."""

from __future__ import annotations

from reference import CosineDecay, LinearDecay, LinearWarmup, family
from suite.libraries.core.library import Library, LibrarySchedule

#: What the wheel would hold; the imports beside torch are of modules that do not exist.
FILES = {
    "warmlib/__init__.py": b"raise RuntimeError('a package is never loaded')",
    "warmlib/schedules.py": b'''
import math
from torch.optim.lr_scheduler import LambdaLR
import absent_package
from absent_package.sub import Base, decorate
from warmlib.other import Config
from .shared import ramp

class Uses(Base):
    """A class on a stub."""

@decorate
def linear(optimizer, warmup, total, last_epoch=-1):
    def factor(t):
        if t < warmup:
            return ramp(t, warmup)
        return max(0.0, (total - t) / max(1, total - warmup))
    return LambdaLR(optimizer, factor, last_epoch)

def late(optimizer, warmup, total):
    def factor(t):
        t = max(t - 1, 0)
        return ramp(t, warmup) if t < warmup else max(0.0, (total - t) / max(1, total - warmup))
    return LambdaLR(optimizer, factor)

def below_zero(optimizer, warmup, total):
    def factor(t):
        return ramp(t, warmup) if t < warmup else (total - t) / max(1, total - warmup)
    return LambdaLR(optimizer, factor)

def divides(optimizer, warmup, total):
    def factor(t):
        return t / warmup if t < warmup else max(0.0, (total - t) / (total - warmup))
    return LambdaLR(optimizer, factor)

class FirstGroup:
    def __init__(self, optimizer, warmup, total):
        self.optimizer, self.warmup, self.total, self.t = optimizer, warmup, total, 0
        self.base = optimizer.param_groups[0]["lr"]
        self.set()
    def set(self):
        t, w = self.t, self.warmup
        share = t / w if t < w else max(0.0, (self.total - t) / max(1, self.total - w))
        for group in self.optimizer.param_groups:
            group["lr"] = self.base * share
    def step(self):
        self.t += 1
        self.set()
    def state_dict(self):
        return {}
    def load_state_dict(self, state):
        pass

def hangs(optimizer, warmup, total):
    while True:
        pass

def dies(optimizer, warmup, total):
    import os
    os._exit(3)

def writes(optimizer, warmup, total):
    open("made_by_a_schedule.txt", "w")

def calls_home(optimizer, warmup, total):
    import socket
    socket.create_connection(("127.0.0.1", 9))

def runs_a_program(optimizer, warmup, total):
    import subprocess
    subprocess.run(["true"])

def cosine(step, warmup, total, base):
    if step < warmup:
        return base * step / warmup
    return base * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))
''',
    "warmlib/shared.py": b"def ramp(t, warmup):\n    return t / max(1, warmup)\n",
}


def _schedule(name: str) -> LibrarySchedule:
    return LibrarySchedule(
        name.lower(),
        f"from warmlib.schedules import {name}",
        f"{name}(optimizer, {{warmup_steps}}, {{total_steps}})",
        lambda a: family("A", LinearWarmup(a.warmup_steps), LinearDecay(a.decay_steps)),
    )


FUNCTIONS = ("linear", "late", "below_zero", "divides", "FirstGroup")
LIBRARY = Library(
    "warmlib",
    project="warmlib",
    files=("warmlib/*.py",),
    releases=("1.0", "2.0"),
    schedules=(
        *map(_schedule, FUNCTIONS),
        LibrarySchedule(
            "cosine",
            "from warmlib.schedules import cosine",
            "cosine",
            lambda a: family("A", LinearWarmup(a.warmup_steps), CosineDecay(a.decay_steps)),
            rate="scheduler(t, {warmup_steps}, {total_steps}, {base_lr})",
        ),
    ),
)
#: Its package file would raise, so only those that are listed are handed over.
LISTED = {path: content for path, content in FILES.items() if not path.endswith("__init__.py")}
