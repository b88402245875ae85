"""A warmup with a decay under a convention: lr(t) = w(t) · D(n).

Slugs: ``linear500+cosine9500`` in the default convention (family A, clamped),
``familyb.linear4+cosine8`` in another family, and all four choices otherwise:
``with_sfirst_eclosed_kmultiplicative_pclamp.linear4+cosine8``.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from .check import Rates, Steps, one_of, plain_repr
from .convention import FAMILIES, Convention, fold
from .decay import Decay
from .schedule import Schedule, arg, schedule
from .slug import SlugError, parse, register, register_pair
from .warmup import Warmup

#: Marks of the four choices in a slug.
_MARKS = {"s": "start", "e": "end", "k": "clock", "p": "past_end"}


@schedule
class WarmupDecay(Schedule):
    """A warmup, then (or times) a decay: lr(t) = w(t) · D(n).

    `warmup`: w, a `Warmup`; `decay`: D, a `Decay`, in the unit of the base LR; `convention`: a `Convention`.
    prefix clock: D = base while t < W, then n = t−W; multiplicative clock: n = t. A closed end adds 1 to n.
    Under the multiplicative clock w(t) multiplies the decay's min_lr too: it is no floor during warmup.
    Untuned warmups keep their own w(t) at every step; W is then their nominal length.

    Raises TypeError for parts of another kind, ValueError for parts that the convention cannot join:
    a start factor above 0 with start='zero', a fractional power with past_end='unbounded'.
    Source: Goyal et al. 2017, section 2.2 (prefix); Ma & Yarats 2021 (multiplicative).

    >>> from reference.timed_decay import CosineDecay
    >>> from reference.warmup import LinearWarmup
    >>> WarmupDecay(LinearWarmup(2), CosineDecay(2))([0, 1, 2, 3, 4]).round(12).tolist()
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    slug_name = "with"
    warmup: Warmup = arg()
    decay: Decay = arg()
    convention: Convention = arg("", default=Convention())

    def _check(self) -> None:
        if not isinstance(self.warmup, Warmup):
            raise TypeError(f"warmup={plain_repr(self.warmup)} must be a warmup such as LinearWarmup(500)")
        if not isinstance(self.decay, Decay):
            raise TypeError(f"decay={plain_repr(self.decay)} must be a decay such as CosineDecay(9500)")
        if not isinstance(self.convention, Convention):
            raise TypeError(f"convention={plain_repr(self.convention)} must be a Convention")
        first = self.warmup.start_factor
        if self.convention.start == "zero" and self.warmup._has_zero and first > 0:
            raise ValueError(f"start_factor={first!r} must be 0 with start='zero'; start='affine' takes any")
        if self.convention.past_end == "unbounded":
            self.decay._check_unbounded()

    def _values(self, t: Steps, base: float) -> Rates:
        choice, length = self.convention, self.decay._length()
        closed = choice.end == "closed"
        weight = self.warmup._weights(t, choice.start)
        if choice.clock == "multiplicative":
            return np.asarray(weight * self.decay._at(fold(t, length, choice.past_end, closed), base))
        steps = self.warmup.warmup_steps
        n = fold(np.maximum(t - steps, 0), length, choice.past_end, closed)
        # Not D(0): a decay of length 0 is over at n = 0, but it has not begun during the warmup.
        return np.asarray(weight * np.where(t < steps, base, self.decay._at(n, base)))

    def _multiplies_until(self) -> float:
        return self.decay._multiplies_until()

    def _render(self) -> str:
        body = f"{self.warmup.slug}+{self.decay.slug}"
        if self.convention == Convention():
            return body
        for letter in "BCDEG":  # A is the default, and F has the choices of E
            if self.convention == FAMILIES[letter] and (letter != "E" or self.warmup.start_factor > 0):
                return f"family{letter.lower()}.{body}"
        spelt = "".join(f"_{mark}{getattr(self.convention, name)}" for mark, name in _MARKS.items())
        return f"{self.slug_name}{spelt}.{body}"

    @classmethod
    def _parse(cls, token: str, tokens: list[str]) -> Schedule:
        """Read ``familyx.pair`` or ``with_….pair``, the first token taken and the pair next in `tokens`."""
        if not tokens or "+" not in tokens[0]:
            raise SlugError(f"slug={token!r} must be followed by a pair such as linear4+cosine8")
        try:
            if token.startswith("family"):
                warmup, decay = _halves(tokens.pop(0))
                return family(token.removeprefix("family"), warmup, decay)
            head, *marks = token.split("_")
            if head != cls.slug_name:
                raise SlugError(f"slug={token!r} must be with_… or familya … familyg")
            choices = {}
            for mark in marks:
                if mark[:1] not in _MARKS:
                    raise SlugError(f"slug={token!r}: {mark!r} is no choice ({', '.join(_MARKS)})")
                choices[_MARKS[mark[0]]] = mark[1:]
            return cls(*_halves(tokens.pop(0)), Convention(**choices))
        except SlugError:
            raise
        except (TypeError, ValueError) as error:
            raise SlugError(f"slug={token!r}: {error}") from None


def _halves(token: str) -> tuple[Warmup, Decay]:
    parts = token.split("+")
    if len(parts) != 2:
        raise SlugError(f"slug={token!r} must hold one + between a warmup and a decay")
    warmup, decay = parse(parts[0]), parse(parts[1])
    if not isinstance(warmup, Warmup):
        raise SlugError(f"slug={token!r}: {parts[0]!r} must be a warmup such as linear500")
    if not isinstance(decay, Decay):
        raise SlugError(f"slug={token!r}: {parts[1]!r} must be a decay such as cosine9500")
    return warmup, decay


def parse_pair(token: str) -> WarmupDecay:
    """The pair in the default convention that a token with a plus names.

    >>> parse_pair("linear500+cosine9500").warmup
    LinearWarmup(warmup_steps=500, start_factor=0.0)
    """
    warmup, decay = _halves(token)
    try:
        return WarmupDecay(warmup, decay)
    except ValueError as error:
        raise SlugError(f"slug={token!r}: {error}") from None


def family(letter: str, warmup: Warmup, decay: Decay) -> WarmupDecay:
    """The pair in one of the families A–G (upper or lower case).

    E asks for a start factor above 0 (with 0 it is A).
    F sets the start factor to 1/(W+1), so it takes a warmup whose start factor is left at its default.
    Raises ValueError for an unknown letter or a warmup that the family cannot start.
    Source: the libraries' own code, table of families in the README.

    >>> from reference.timed_decay import CosineDecay
    >>> from reference.warmup import LinearWarmup
    >>> family("F", LinearWarmup(4), CosineDecay(8))([0, 3, 4]).round(12).tolist()
    [0.2, 0.8, 1.0]
    """
    name = one_of("family", letter.upper() if isinstance(letter, str) else letter, tuple(FAMILIES))
    if isinstance(warmup, Warmup) and warmup._obeys_start:
        if name == "E" and warmup.start_factor == 0:
            raise ValueError("start_factor=0.0 must be > 0 in family E; family A is the same with 0")
        if name == "F":
            warmup = _one_step_in(warmup)
    return WarmupDecay(warmup, decay, FAMILIES[name])


def _one_step_in(warmup: Warmup) -> Warmup:
    """The warmup with start_factor 1/(W+1): it starts where t/(W+1) is at t = 1."""
    own = {f.name: f.default for f in dataclasses.fields(warmup)}  # type: ignore[arg-type]  # every kind is one
    if "start_factor" not in own:
        raise ValueError(f"warmup={warmup!r} must have a start_factor, which family F sets to 1/(W+1)")
    factor = 1 / (warmup.warmup_steps + 1)
    given = warmup.start_factor
    if given not in (own["start_factor"], factor):
        raise ValueError(f"start_factor={given!r} must be left out: family F sets it to {factor!r}")
    return dataclasses.replace(warmup, start_factor=factor)  # type: ignore[type-var]  # as above


register_pair(parse_pair)
register(WarmupDecay, names=tuple(f"family{letter.lower()}" for letter in FAMILIES))
