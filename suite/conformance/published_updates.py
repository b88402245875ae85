"""The update of each optimizer as its documentation writes it, for one number: plain Python, no code of torch.

A rule takes the parameter, its gradient, the LR, the number of the update from 1, and its memory; the keywords are the
documented arguments with their documented defaults.  It returns the new parameter.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

Memory = dict[str, float]
Rule = Callable[..., float]


def sgd(
    x: float,
    g: float,
    lr: float,
    t: int,
    kept: Memory,
    momentum: float = 0,
    dampening: float = 0,
    nesterov: bool = False,
) -> float:
    """Momentum of the gradients; the first is taken in full."""
    if momentum:
        kept["b"] = momentum * kept["b"] + (1 - dampening) * g if t > 1 else g
        g = g + momentum * kept["b"] if nesterov else kept["b"]
    return x - lr * g


def _mean(kept: Memory, name: str, beta: float, value: float) -> float:
    kept[name] = beta * kept.get(name, 0.0) + (1 - beta) * value
    return kept[name]


def adam(
    x: float,
    g: float,
    lr: float,
    t: int,
    kept: Memory,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    amsgrad: bool = False,
) -> float:
    """Both means corrected for their start; amsgrad keeps the largest second mean."""
    mean, square = _mean(kept, "m", betas[0], g), _mean(kept, "v", betas[1], g * g)
    if amsgrad:
        square = kept["largest"] = max(kept.get("largest", 0.0), square)
    return x - lr * mean / (1 - betas[0] ** t) / (math.sqrt(square / (1 - betas[1] ** t)) + eps)


def nadam(
    x: float,
    g: float,
    lr: float,
    t: int,
    kept: Memory,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    momentum_decay: float = 4e-3,
) -> float:
    """Adam with Nesterov's momentum, whose weight rises with the updates."""
    now, then = (betas[0] * (1 - math.pow(0.96, n * momentum_decay) / 2) for n in (t, t + 1))
    product = kept["product"] = kept.get("product", 1.0) * now
    mean, square = _mean(kept, "m", betas[0], g), _mean(kept, "v", betas[1], g * g)
    ahead = then * mean / (1 - product * then) + (1 - now) * g / (1 - product)
    return x - lr * ahead / (math.sqrt(square / (1 - betas[1] ** t)) + eps)


def radam(
    x: float, g: float, lr: float, t: int, kept: Memory, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
) -> float:
    """Momentum alone while the variance has too few samples, then Adam with a rectification."""
    mean, square = _mean(kept, "m", betas[0], g) / (1 - betas[0] ** t), _mean(kept, "v", betas[1], g * g)
    most = 2 / (1 - betas[1]) - 1
    length = most - 2 * t * betas[1] ** t / (1 - betas[1] ** t)
    if length <= 5:
        return x - lr * mean
    rectified = math.sqrt((length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length))
    return x - lr * mean * rectified * math.sqrt(1 - betas[1] ** t) / (math.sqrt(square) + eps)


def adamax(
    x: float, g: float, lr: float, t: int, kept: Memory, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
) -> float:
    """The largest recent gradient in place of the second mean."""
    mean = _mean(kept, "m", betas[0], g)
    largest = kept["largest"] = max(betas[1] * kept.get("largest", 0.0), abs(g) + eps)
    return x - lr / (1 - betas[0] ** t) * mean / largest


def adagrad(
    x: float,
    g: float,
    lr: float,
    t: int,
    kept: Memory,
    lr_decay: float = 0,
    initial_accumulator_value: float = 0,
    eps: float = 1e-10,
) -> float:
    """Divided by the root of the sum of the squares; lr_decay lowers the LR on top."""
    kept["sum"] = kept.get("sum", initial_accumulator_value) + g * g
    return x - lr / (1 + (t - 1) * lr_decay) * g / (math.sqrt(kept["sum"]) + eps)


def adadelta(x: float, g: float, lr: float, t: int, kept: Memory, rho: float = 0.9, eps: float = 1e-6) -> float:
    """The quotient of two running roots in place of a step size; the LR scales it."""
    delta = math.sqrt(kept.get("u", 0.0) + eps) / math.sqrt(_mean(kept, "v", rho, g * g) + eps) * g
    _mean(kept, "u", rho, delta * delta)
    return x - lr * delta


def rmsprop(
    x: float,
    g: float,
    lr: float,
    t: int,
    kept: Memory,
    alpha: float = 0.99,
    eps: float = 1e-8,
    momentum: float = 0,
    centered: bool = False,
) -> float:
    """Divided by the root of the mean square, of the variance if centered."""
    square = _mean(kept, "v", alpha, g * g)
    if centered:
        square -= _mean(kept, "g", alpha, g) ** 2
    kept["b"] = momentum * kept.get("b", 0.0) + g / (math.sqrt(square) + eps)
    return x - lr * kept["b"]


def asgd(
    x: float, g: float, lr: float, t: int, kept: Memory, lambd: float = 1e-4, alpha: float = 0.75, t0: float = 1e6
) -> float:
    """A step size that falls with lambd, computed at the end of the update before: `asgd-one-step-late`."""
    eta = kept.get("eta", lr)
    x -= eta * (g + lambd * x)
    kept["average"] = kept.get("average", 0.0) + kept.get("mu", 1.0) * (x - kept.get("average", 0.0))
    kept["eta"], kept["mu"] = lr / (1 + lambd * lr * t) ** alpha, 1 / max(1, t - t0)
    return x


#: Class of torch.optim → its rule.  The others are not products of an LR and a direction of their own.
RULES: dict[str, Rule] = {
    "SGD": sgd,
    "Adam": adam,
    "AdamW": adam,
    "NAdam": nadam,
    "RAdam": radam,
    "Adamax": adamax,
    "Adagrad": adagrad,
    "Adadelta": adadelta,
    "RMSprop": rmsprop,
    "ASGD": asgd,
}


def published(name: str, **options: Any) -> Callable[[float, float, float, int, Memory], float]:
    """The rule of a class with these options; weight decay and maximize mean the same for all."""
    maximize, decay = options.pop("maximize", False), options.pop("weight_decay", 1e-2 if name == "AdamW" else 0.0)
    decoupled = options.pop("decoupled_weight_decay", name == "AdamW")
    rule = functools.partial(RULES[name], **options)
    inspect.signature(rule).bind(0.0, 0.0, 0.0, 1, {})  # an option that the rule lacks fails here

    def update(x: float, g: float, lr: float, t: int, kept: Memory) -> float:
        """One update: the sign, the decay, then the rule."""
        g = -g if maximize else g
        if decoupled:
            return rule(x * (1 - lr * decay), g, lr, t, kept)
        return rule(x, g + decay * x, lr, t, kept)

    return update
