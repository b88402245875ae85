"""The language: two interleaved Markov chains with Zipf's frequencies, their entropy, and sequences drawn from them."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import torch
from torch import Tensor

from reference.check import Rates, integer, real

#: Words of the language. A prime of the form 4k + 1, so that the neighbours below are mutual.
WORD_COUNT = 29
#: Words are neighbours if their difference is a residue of this power: each has (29 − 1)/7 = 4 of them.
POWER = 7
#: The share of words drawn by frequency alone, so that every word may follow every other.
MIXED = 0.05
#: A word depends on the word this many places before it.
LAG = 2


def zipf(words: int) -> Rates:
    """Zipf's frequencies: π_i ∝ 1/(i + 1) for i = 0 … V − 1, Σπ = 1.

    >>> zipf(2).tolist()
    [0.6666666666666666, 0.3333333333333333]
    """
    shares = 1 / np.arange(1, integer("words", words, 1) + 1)
    return np.asarray(shares / shares.sum())


def neighbours(words: int, power: int) -> Rates:
    """Which words are neighbours: 1 where i − j is a nonzero residue of a power modulo V, else 0, [V, V].

    i − j is one if (i − j)^((V−1)/power) = 1 mod V; each word has (V−1)/power neighbours. No random number is used.
    V must be a prime; (V−1)/power must be an even integer, as −1 is such a residue then: ValueError otherwise.
    Source: Euler's criterion; a generalised Paley graph, Lim & Praeger 2009.

    >>> neighbours(5, 2)[0].tolist()
    [0.0, 1.0, 0.0, 0.0, 1.0]
    """
    degree, rest = divmod(integer("words", words, 3) - 1, integer("power", power, 1))
    if any(words % factor == 0 for factor in range(2, int(words**0.5) + 1)):
        raise ValueError(f"words={words} must be a prime")
    if rest or degree % 2:
        raise ValueError(f"power={power} must divide words - 1 = {words - 1} into an even number")
    residue = np.array([float(pow(i, degree, words) == 1) for i in range(words)])
    return np.asarray(residue[np.subtract.outer(np.arange(words), np.arange(words)) % words])


@dataclasses.dataclass(frozen=True)
class MarkovChain:
    """A reversible Markov chain: `shares` π [V], and `transitions` P [V, V], P_ij from word i to word j.

    A neighbour j of i is proposed in proportion to π_j and accepted as Metropolis and Hastings do, else i stays:
    with s_i = Σ_k A_ik·π_k, M_ij = A_ij·π_j/max(s_i, s_j) for i ≠ j and M_ii = 1 − Σ_j M_ij; P = (1−ε)·M + ε·1·πᵀ.
    π_i·P_ij is symmetric in i and j, so Σ_i π_i·P_ij = π_j: π is stationary.
    Source: Hastings 1970.
    """

    shares: Rates
    transitions: Rates

    @classmethod
    def make(cls, words: int = WORD_COUNT, power: int = POWER, mixed: float = MIXED) -> MarkovChain:
        """The chain of V words; `mixed`: ε, above 0 and at most 1. Raises ValueError for values out of range.

        >>> chain = MarkovChain.make()
        >>> float(abs(chain.shares @ chain.transitions - chain.shares).max()) < 1e-15
        True
        """
        share, edges = real("mixed", mixed, above=0.0), neighbours(words, power)
        if share > 1:
            raise ValueError(f"mixed={mixed:g} must be <= 1")
        shares = zipf(words)
        reached = edges @ shares
        moves = edges * shares / np.maximum.outer(reached, reached)
        moves += np.diag(1 - moves.sum(1))
        return cls(shares, (1 - share) * moves + share * shares)

    @property
    def entropy(self) -> float:
        """H(π) = −Σ_i π_i·ln π_i, in nats: the loss of a model that knows the frequencies alone."""
        return float(-(self.shares * np.log(self.shares)).sum())

    @property
    def entropy_rate(self) -> float:
        """H(P) = −Σ_i π_i·Σ_j P_ij·ln P_ij, in nats: the loss of a model that knows the chain.

        Source: Shannon 1948, section 7; Cover & Thomas 2006, theorem 4.2.4.
        """
        return float(-(self.shares[:, None] * self.transitions * np.log(self.transitions)).sum())

    def floor(self, length: int) -> float:
        """The least expected loss over sequences of n words: (2·H(π) + (n−2)·H(P))/n, in nats per word.

        The first two words follow π, the others P from the word two places before. ValueError unless n >= 2.

        >>> chain = MarkovChain.make()
        >>> chain.floor(2) == chain.entropy
        True
        """
        free = integer("length", length, LAG)
        return (LAG * self.entropy + (free - LAG) * self.entropy_rate) / free

    def draw(self, count: int, length: int, seed: int) -> Tensor:
        """Sequences of words, uint8 [count, length]; more sequences of a seed begin with the fewer.

        Each word is the inverse of the cumulative distribution at a uniform number of 53 bits. A negative seed is
        one like any other. ValueError for a length below 1.
        """
        generator = torch.Generator().manual_seed(seed)
        shape = integer("count", count), integer("length", length, 1)
        uniform = torch.rand(shape, generator=generator, dtype=torch.float64)
        first, after = (torch.from_numpy(each.cumsum(-1)) for each in (self.shares, self.transitions))
        words = torch.empty(shape, dtype=torch.int64)
        for t in range(length):
            below = first.expand(count, -1) if t < LAG else after[words[:, t - LAG]]
            place = torch.searchsorted(below.contiguous(), uniform[:, t, None].contiguous(), right=True)[:, 0]
            words[:, t] = place.clamp_(max=len(first) - 1)  # the last sum may be rounded below 1
        return words.to(torch.uint8)


@functools.cache
def language() -> MarkovChain:
    """The language of the toy trainers: 29 words with 4 neighbours each."""
    return MarkovChain.make()
