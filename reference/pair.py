"""A warmup and a decay joined under a convention: lr(t) = w(t) · D(n).

Slugs: ``linear500+cosine9500`` in the default convention (family A, clamped),
``familyb.linear4+cosine8`` in another family; any other convention spells out its four choices:
``with_sfirst_eclosed_kmultiplicative_pclamp.linear4+cosine8``.
"""

from __future__ import annotations

import dataclasses
import string
from collections.abc import Mapping

import numpy as np

from .check import Rates, Steps, one_of, plain_repr
from .convention import FAMILIES, Convention, fold
from .decay import Decay
from .schedule import Schedule, arg, schedule
from .slug import PLUS, SlugError, parse, register
from .warmup import Warmup

#: Slug letter → field, for the four choices of a convention.
_MARKS = {"s": "start", "e": "end", "k": "clock", "p": "past_end"}


@schedule
class WarmupDecay(Schedule):
    """A warmup followed by a decay, or multiplied with it: lr(t) = w(t) · D(n).

    `warmup`: w, a `Warmup`; `decay`: D, a `Decay`, in the unit of the base LR; `convention`: a `Convention`.
    prefix clock: D = base while t < W, then n = t−W; multiplicative clock: n = t. A closed end adds 1 to n.
    absolute clock: D = base while t < W, then n = t. meeting clock: the same with D(W) for base while t < W, and the
    warmup still starts at the base LR times its start factor.
    Under the multiplicative clock w(t) also scales the decay's min_lr, so the LR can be below it during warmup.
    Untuned warmups apply their own w(t) at every step; W is then their nominal length.

    Raises TypeError for arguments of another kind, ValueError for a combination that the convention excludes:
    a start factor above 0 with start='zero', or a fractional power with past_end='unbounded', and when called with the
    meeting clock and a start of the warmup above the decay at step W.
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
            raise ValueError(f"start_factor={first!r} must be 0 with start='zero'; use start='affine' for others")
        if self.convention.past_end == "unbounded":
            self.decay._check_unbounded()

    def _values(self, t: Steps, base: float) -> Rates:
        choice, warmup, steps = self.convention, self.warmup, self.warmup.warmup_steps
        falling = self._falling(np.maximum(t - steps, 0) if choice.clock == "prefix" else t, base)
        if choice.clock == "multiplicative":
            return np.asarray(warmup._weights(t, choice.start) * falling)
        # The base LR, not D(0): a decay of length 0 is over at n = 0 but has not started during the warmup.
        top = base
        if choice.clock == "meeting":
            top = float(self._falling(np.array([steps]), base)[0])
            warmup = _rising_to(warmup, top, base)
        return np.asarray(warmup._weights(t, choice.start) * np.where(t < steps, top, falling))

    def _falling(self, n: Steps, base: float) -> Rates:
        """D at the clock n of the convention."""
        choice = self.convention
        return self.decay._at(fold(n, self.decay._length(), choice.past_end, choice.end == "closed"), base)

    def _multiplies_until(self) -> float:
        return self.decay._multiplies_until()

    def _render(self) -> str:
        body = f"{self.warmup.slug}+{self.decay.slug}"
        if self.convention == Convention():
            return body
        for letter in "BCDEG":  # A is the default; F has the same convention as E
            if self.convention == FAMILIES[letter] and (letter != "E" or self.warmup.start_factor > 0):
                return f"family{letter.lower()}.{body}"
        choices = "".join(f"_{mark}{getattr(self.convention, name)}" for mark, name in _MARKS.items())
        return f"{self.slug_name}{choices}.{body}"

    @classmethod
    def _parse(cls, token: str, tokens: list[str]) -> Schedule:
        """Parse ``pair``, ``familyx.pair`` or ``with_….pair``: `token` is the first token, `tokens` the rest."""
        if PLUS in token:
            return parse_pair(token)
        if not tokens or PLUS not in tokens[0]:
            raise SlugError(f"slug={token!r} must be followed by a pair such as linear4+cosine8")
        try:
            if token.startswith("family"):
                warmup, decay = _parse_halves(tokens.pop(0))
                return family(token.removeprefix("family"), warmup, decay)
            head, *marks = token.split("_")
            if head != cls.slug_name:
                raise SlugError(f"slug={token!r} must start with with_ or be one of familya … familyg")
            choices = {}
            for mark in marks:
                if mark[:1] not in _MARKS:
                    names = ", ".join(f"{letter} for {name}" for letter, name in _MARKS.items())
                    raise SlugError(f"slug={token!r}: {mark!r} must start with one of {names}")
                choices[_MARKS[mark[0]]] = mark[1:]
            return cls(*_parse_halves(tokens.pop(0)), Convention(**choices))
        except SlugError:
            raise
        except (TypeError, ValueError) as error:
            raise SlugError(f"slug={token!r}: {error}") from None


#: A warmup's name → the decay of the same shape, and the reverse.
DECAY_OF = {"linear": "lineardecay", "cosinewarmup": "cosine", "polynomialwarmup": "polynomial"}
WARMUP_OF = {decay: warmup for warmup, decay in DECAY_OF.items()}


def _meant(token: str, names: Mapping[str, str], example: str) -> str:
    """The token under the name that its shape has on the other side of the plus, or an example.

    >>> _meant("linear900", DECAY_OF, "cosine9500"), _meant("radam", DECAY_OF, "cosine9500")
    ('lineardecay900', 'cosine9500')
    """
    name = token.rstrip(string.digits)
    return names[name] + token[len(name) :] if name in names else example


def _rising_to(warmup: Warmup, top: float, base: float) -> Warmup:
    """The warmup that starts at the same LR and rises to `top` in place of the base LR."""
    names = [f.name for f in dataclasses.fields(warmup)]  # type: ignore[arg-type]  # every Schedule is a dataclass
    first = warmup.start_factor * base
    if "start_factor" not in names or not first:
        return warmup
    if first > top:
        rule = f"must be <= {top / base:.6g}, where the decay is at step {warmup.warmup_steps}"
        raise ValueError(f"start_factor={warmup.start_factor!r} {rule}")
    return dataclasses.replace(warmup, start_factor=first / top)  # type: ignore[type-var]  # as above


def _parse_halves(token: str) -> tuple[Warmup, Decay]:
    """The warmup and the decay on either side of the plus."""
    parts = token.split(PLUS)
    if len(parts) != 2:
        raise SlugError(f"slug={token!r} must have exactly one + between a warmup and a decay")
    warmup, decay = parse(parts[0]), parse(parts[1])
    if not isinstance(warmup, Warmup):
        raise SlugError(
            f"slug={token!r}: {parts[0]!r} must be a warmup such as {_meant(parts[0], WARMUP_OF, 'linear500')}"
        )
    if not isinstance(decay, Decay):
        raise SlugError(
            f"slug={token!r}: {parts[1]!r} must be a decay such as {_meant(parts[1], DECAY_OF, 'cosine9500')}"
        )
    return warmup, decay


def parse_pair(token: str) -> WarmupDecay:
    """The pair, in the default convention, of a slug such as ``linear500+cosine9500``.

    >>> parse_pair("linear500+cosine9500").warmup
    LinearWarmup(warmup_steps=500, start_factor=0.0)
    """
    warmup, decay = _parse_halves(token)
    try:
        return WarmupDecay(warmup, decay)
    except ValueError as error:
        raise SlugError(f"slug={token!r}: {error}") from None


def family(letter: str, warmup: Warmup, decay: Decay) -> WarmupDecay:
    """A warmup and a decay under the convention of one of the families A–G.

    `letter`: A … G in upper or lower case; the table is in the docstring of reference/convention.py.
    E needs a start factor above 0 (with 0 it is A).
    F sets the start factor to 1/(W+1), so leave the warmup's own at its default.
    Raises ValueError for an unknown letter, or a warmup whose start factor the family excludes.
    Source: the libraries' own code, as listed in that table.

    >>> from reference.timed_decay import CosineDecay
    >>> from reference.warmup import LinearWarmup
    >>> family("F", LinearWarmup(4), CosineDecay(8))([0, 3, 4]).round(12).tolist()
    [0.2, 0.8, 1.0]
    """
    name = one_of("family", letter.upper() if isinstance(letter, str) else letter, tuple(FAMILIES))
    if isinstance(warmup, Warmup) and warmup._obeys_start:
        if name == "E" and warmup.start_factor == 0:
            raise ValueError("start_factor=0.0 must be > 0 in family E; for a start at 0 use family A")
        if name == "F":
            warmup = _starting_one_step_in(warmup)
    return WarmupDecay(warmup, decay, FAMILIES[name])


def _starting_one_step_in(warmup: Warmup) -> Warmup:
    """The warmup with start_factor 1/(W+1): step 0 is already one of W+1 equal steps up from 0."""
    defaults = {f.name: f.default for f in dataclasses.fields(warmup)}  # type: ignore[arg-type]  # a dataclass
    if "start_factor" not in defaults:
        raise ValueError(f"warmup={warmup!r} must have a start_factor, which family F sets to 1/(W+1)")
    factor = 1 / (warmup.warmup_steps + 1)
    given = warmup.start_factor
    if given not in (defaults["start_factor"], factor):
        raise ValueError(f"start_factor={given!r} must be left at its default: family F sets it to {factor!r}")
    return dataclasses.replace(warmup, start_factor=factor)  # type: ignore[type-var]  # as above


register(WarmupDecay, names=(PLUS, *(f"family{letter.lower()}" for letter in FAMILIES)))
