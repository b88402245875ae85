"""Closed forms of learning-rate schedules: NumPy only, evaluated directly from the step."""

from .compose import ChainedScheduler, SequentialLR, chain, sequential
from .schedule import Schedule
from .slug import SlugError, parse
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
