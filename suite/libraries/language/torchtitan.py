"""torchtitan: one container of LambdaLRs, built from a config; the trainer steps it after each update."""

from __future__ import annotations

from reference import LinearWarmup, Schedule, StableDecay, family
from suite.libraries.core.arguments import Arguments
from suite.libraries.core.library import Library, LibrarySchedule

#: Before 0.3.0 a function read the same config; that of 0.1.0 calls the floor otherwise.
IMPORTS = """
import types
try:
    from torchtitan.components.optimizer.lr_scheduler import LRSchedulersContainer
except ImportError:  # before 0.3.0
    from torchtitan.components.lr_scheduler import build_lr_schedulers
    class LRSchedulersContainer:
        class Config(types.SimpleNamespace):
            total_steps = None
            def build(self, optimizers, training_steps):
                names = build_lr_schedulers.__code__.co_varnames
                if self.total_steps is not None and "total_steps" not in names:  # before 0.2.2
                    raise TypeError("unexpected keyword argument 'total_steps'")
                if "lr_scheduler_config" in names:
                    return build_lr_schedulers(optimizers, self, training_steps)
                self.lr_min = self.min_lr_factor
                training = types.SimpleNamespace(steps=training_steps)
                return build_lr_schedulers(optimizers, types.SimpleNamespace(training=training, lr_scheduler=self))
"""
#: A call without them is another one in each release.
OTHERS = dict.fromkeys(("defaults", "defaults-base3e-4"), "the config has no defaults of its own before 0.3.0")


def _stable(a: Arguments) -> Schedule:
    """Warmup, stable phase and decay; the decay is what is left, or `decay_ratio` of the run if that is less."""
    left = a.decay_steps
    steps = left if a.decay_ratio is None else min(left, round(a.total_steps * a.decay_ratio))
    falling = StableDecay(left - steps, steps, a.decay_type, a.min_lr_factor * a.base_lr)
    return family("B", LinearWarmup(a.warmup_steps), falling)


def _shape(name: str) -> LibrarySchedule:
    return LibrarySchedule(
        name,
        IMPORTS,
        "LRSchedulersContainer.Config(warmup_steps={warmup_steps}, decay_ratio={decay_ratio}, decay_type={decay_type}, "
        "min_lr_factor={min_lr_factor}).build(optimizers=[optimizer], training_steps={total_steps})",
        _stable,
        fields={"decay_type": name, "decay_ratio": None, "min_lr_factor": 0.0},
        variants={
            "floor": {"min_lr_factor": 0.1},
            "stable": {"decay_ratio": 0.25},
            "stable-floor": {"decay_ratio": 0.25, "min_lr_factor": 0.1},
        },
        edges={"longer": {"decay_ratio": 0.9}},
        left_out=OTHERS,
        docs="Config: a decay in the last decay_ratio of the steps, or right after the warmup, to min_lr_factor times "
        "the LR; the warmup reaches the LR at its last step, and one more step keeps it, so that the last is not 0",
        reading="after-total",
    )


LIBRARY = Library(
    "torchtitan",
    project="torchtitan",
    files=("torchtitan/components/lr_scheduler.py", "torchtitan/components/optimizer/lr_scheduler.py"),
    releases=("0.1.0", "0.2.0", "0.2.1", "0.2.2", "0.3.0"),
    schedules=(
        *map(_shape, ("linear", "cosine", "sqrt")),
        LibrarySchedule(
            "linear-total_steps",
            IMPORTS,
            "LRSchedulersContainer.Config(warmup_steps={warmup_steps}, total_steps={total_steps}, decay_ratio=None, "
            "decay_type='linear', min_lr_factor={min_lr_factor})"
            ".build(optimizers=[optimizer], training_steps={total_steps + 4})",
            lambda a: family(
                "B", LinearWarmup(a.warmup_steps), StableDecay(0, a.decay_steps, min_lr=a.min_lr_factor * a.base_lr)
            ),
            fields={"min_lr_factor": 0.1},
            left_out=OTHERS,
            docs="Config: total_steps allows decoupling the LR schedule from the actual training steps",
            reading="after-total",
        ),
    ),
)
