"""Published warmup settings, converted from epochs or fractions to steps."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from .check import integer, one_of, real
from .noam import Noam
from .pair import WarmupDecay
from .schedule import Schedule
from .timed_decay import CosineDecay, LinearDecay
from .warmup import LinearWarmup


@dataclass(frozen=True)
class Recipe:
    """A published setting: length of the warmup, base LR, and decay.

    `base_lr`: lowest and highest base LR; `warmup`: shortest and longest warmup, in `unit`
    (``fraction`` of all steps, ``epochs`` or ``steps``); `min_lr`: a learning rate, the end of the decay;
    `decay`: ``cosine``, ``linear`` or ``noam``; `source`: publication.
    `d_model`, `factor` and `total_steps` (of the published run) apply to ``noam`` only and are 0, 1 and 0 elsewhere;
    the base LR of ``noam`` is 1 because its values are learning rates already.

    Raises ValueError for an unknown unit or decay. Source: ViT warmup tutorial, section 5.

    >>> RECIPES["vit-small"].warmup_steps(total_epochs=100, steps_per_epoch=50)
    250
    >>> RECIPES["vit-small"].schedule(total_epochs=100, steps_per_epoch=50).slug
    'linear250+cosine4750_m1em06'
    """

    name: str
    base_lr: tuple[float, float]
    warmup: tuple[float, float]
    unit: str
    min_lr: float
    decay: str
    source: str
    d_model: int = 0
    factor: float = 1.0
    total_steps: int = 0

    def __post_init__(self) -> None:
        one_of("unit", self.unit, ("fraction", "epochs", "steps"))
        one_of("decay", self.decay, ("cosine", "linear", "noam"))

    def warmup_steps(self, total_epochs: int, steps_per_epoch: int, position: float = 0.0) -> int:
        """The number of warmup steps, computed exactly and rounded half up.

        `position`: place in the published range, from 0 (shortest) to 1 (longest).
        Raises TypeError or ValueError for bad numbers, and for a warmup longer than the training run.

        >>> RECIPES["vit-imagenet"].warmup_steps(300, 1251, position=1.0)
        25020
        """
        epochs = integer("total_epochs", total_epochs, 1)
        per_epoch = integer("steps_per_epoch", steps_per_epoch, 1)
        share = Fraction(repr(real("position", position, 0.0, 1.0)))
        low, high = (Fraction(repr(end)) for end in self.warmup)  # 0.05 means 1/20, not the nearest binary fraction
        amount = low + (high - low) * share
        steps = amount * {"fraction": epochs * per_epoch, "epochs": per_epoch, "steps": 1}[self.unit]
        rounded = int(steps + Fraction(1, 2))
        if rounded > epochs * per_epoch:
            raise ValueError(
                f"total_epochs={epochs} must be >= the warmup of {self.name}, {float(amount):g} {self.unit}"
            )
        return rounded

    def schedule(self, total_epochs: int, steps_per_epoch: int, position: float = 0.0) -> Schedule:
        """The recipe as a schedule in steps, to be called with a base LR from `base_lr`.

        The decay ends with the run (family A). Noam has no end, so `total_epochs` only limits its warmup.
        Raises the same errors as `warmup_steps`.

        >>> RECIPES["transformer-base"].schedule(10, 10000).slug
        'noam4000_d512'
        """
        steps = self.warmup_steps(total_epochs, steps_per_epoch, position)
        if self.decay == "noam":
            return Noam(steps, self.d_model, self.factor)
        decay_steps = total_epochs * steps_per_epoch - steps
        decay = CosineDecay if self.decay == "cosine" else LinearDecay
        return WarmupDecay(LinearWarmup(steps), decay(decay_steps, min_lr=self.min_lr))


#: The recipes by name: the settings table of the ViT warmup tutorial (section 5) and the Transformer base model.
RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "vit-small", (1e-4, 3e-4), (0.05, 0.05), "fraction", 1e-6, "cosine",
            "ViT on small datasets; Steiner et al. 2021",
        ),
        Recipe(
            "vit-imagenet", (3e-3, 5e-3), (10, 20), "epochs", 1e-5, "cosine",
            "ViT on ImageNet; Dosovitskiy et al. 2020",
        ),
        Recipe(
            "vit-self-supervised", (5e-4, 5e-4), (0.1, 0.1), "fraction", 1e-6, "cosine",
            "Self-supervised ViT; Caron et al. 2021",
        ),
        Recipe(
            "vit-fine-tuning", (1e-5, 5e-5), (0.02, 0.05), "fraction", 1e-7, "linear",
            "Fine-tuning pretrained ViT; Touvron et al. 2021",
        ),
        Recipe(
            "transformer-base", (1.0, 1.0), (4000, 4000), "steps", 0.0, "noam",
            "Transformer base model; Vaswani et al. 2017, section 5.3",
            d_model=512, factor=1.0, total_steps=100_000,
        ),
    )
}  # fmt: skip
