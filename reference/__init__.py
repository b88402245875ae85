"""Learning-rate schedules in closed form: NumPy only, each value computed directly from its step."""

from .clock import Clocked, Delayed, per_epoch, per_micro_batch, per_process
from .compose import ChainedScheduler, SequentialLR, chain, sequential
from .convention import FAMILIES, Convention
from .decay import ConstantDecay, Decay, ExponentialDecay, InverseSqrtDecay, MultiStepDecay, PiecewiseDecay, StepDecay
from .hyperparameters import CosineWeightDecay, TeacherTemperature
from .noam import Noam
from .pair import WarmupDecay, family
from .recipes import RECIPES, Recipe
from .restarts import CosineRestartsDecay, WarmRestartsDecay
from .schedule import Schedule
from .slug import SlugError, parse
from .timed_decay import CosineDecay, LinearDecay, PolynomialDecay, StableDecay, TanhDecay
from .torch_cosine import SWALR, CosineAnnealingLR, CosineAnnealingWarmRestarts
from .torch_cyclic import CyclicLR, OneCycleLR
from .torch_factor import (
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from .torch_plateau import ReduceLROnPlateau
from .untuned import RAdamWarmup, UntunedExponentialWarmup, UntunedLinearWarmup, UntunedWarmup
from .warmup import (
    ConstantWarmup,
    CosineWarmup,
    ExponentialWarmup,
    LinearWarmup,
    LogWarmup,
    PolynomialWarmup,
    StepWarmup,
    Warmup,
    effective_period,
)

__all__ = [
    "FAMILIES",
    "RECIPES",
    "SWALR",
    "ChainedScheduler",
    "Clocked",
    "ConstantDecay",
    "ConstantLR",
    "ConstantWarmup",
    "Convention",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CosineDecay",
    "CosineRestartsDecay",
    "CosineWarmup",
    "CosineWeightDecay",
    "CyclicLR",
    "Decay",
    "Delayed",
    "ExponentialDecay",
    "ExponentialLR",
    "ExponentialWarmup",
    "InverseSqrtDecay",
    "LRScheduler",
    "LambdaLR",
    "LinearDecay",
    "LinearLR",
    "LinearWarmup",
    "LogWarmup",
    "MultiStepDecay",
    "MultiStepLR",
    "MultiplicativeLR",
    "Noam",
    "OneCycleLR",
    "PiecewiseDecay",
    "PolynomialDecay",
    "PolynomialLR",
    "PolynomialWarmup",
    "RAdamWarmup",
    "Recipe",
    "ReduceLROnPlateau",
    "Schedule",
    "SequentialLR",
    "SlugError",
    "StableDecay",
    "StepDecay",
    "StepLR",
    "StepWarmup",
    "TanhDecay",
    "TeacherTemperature",
    "UntunedExponentialWarmup",
    "UntunedLinearWarmup",
    "UntunedWarmup",
    "WarmRestartsDecay",
    "Warmup",
    "WarmupDecay",
    "chain",
    "effective_period",
    "family",
    "parse",
    "per_epoch",
    "per_micro_batch",
    "per_process",
    "sequential",
]
