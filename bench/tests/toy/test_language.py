"""The language: its closed forms, its sequences, and that a model that knows it is at the floor."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch

from bench.toy.batched.batched import Batched
from bench.toy.config import named
from bench.toy.language.markov import LAG, MIXED, POWER, WORD_COUNT, MarkovChain, language, neighbours
from bench.toy.plain import divergence
from bench.toy.task import FIRST_WORD, HELD_SEQUENCES, SOS, contexts, prepared, target_length

#: Sums of fewer than 1000 positive numbers near 1, each rounded a few times.
SAME = 1000 * np.finfo(float).eps
#: A frequency this many standard errors off would be seen once in 10⁸ looks, were it normal.
ERRORS = 6.0
LENGTH = target_length(named("language16"))


def exact() -> tuple[list[mpmath.mpf], list[list[mpmath.mpf]]]:
    """Frequencies and transitions with 50 digits, from the definitions word by word."""
    words, mixed = range(WORD_COUNT), mpmath.mpf(MIXED)
    total = mpmath.fsum(mpmath.mpf(1) / (i + 1) for i in words)
    shares = [1 / (i + 1) / total for i in map(mpmath.mpf, words)]
    powers = {pow(x, POWER, WORD_COUNT) for x in range(1, WORD_COUNT)}
    near = [[(i - j) % WORD_COUNT in powers for j in words] for i in words]
    reached = [mpmath.fsum(shares[j] for j in words if near[i][j]) for i in words]
    rows = []
    for i in words:
        proposed = [shares[j] / reached[i] if near[i][j] else mpmath.mpf(0) for j in words]
        accepted = [p * min(1, reached[i] / reached[j]) for j, p in enumerate(proposed)]  # Metropolis and Hastings
        accepted[i] = 1 - mpmath.fsum(accepted)
        rows.append([(1 - mixed) * p + mixed * shares[j] for j, p in enumerate(accepted)])
    return shares, rows


def test_closed_forms_have_their_exact_values() -> None:
    """Frequencies, transitions, both entropies and the floor agree with sums of 50 digits."""
    with mpmath.workdps(50):
        shares, rows = exact()
        entropy = -mpmath.fsum(p * mpmath.log(p) for p in shares)
        rate = -mpmath.fsum(p * q * mpmath.log(q) for p, row in zip(shares, rows, strict=True) for q in row)
        floor = (2 * entropy + 10 * rate) / 12
    source = language()
    np.testing.assert_allclose(source.shares, [float(p) for p in shares], rtol=SAME)
    np.testing.assert_allclose(source.transitions, [[float(q) for q in row] for row in rows], rtol=SAME)
    ours = [source.entropy, source.entropy_rate, source.floor(12)]
    assert ours == pytest.approx([float(entropy), float(rate), float(floor)], rel=SAME)


def test_frequencies_are_stationary() -> None:
    """πP = π and the chain is reversible, every transition is possible, and rows sum to 1."""
    source = language()
    flow = source.shares[:, None] * source.transitions
    np.testing.assert_allclose(flow, flow.T, rtol=SAME)
    np.testing.assert_allclose(source.shares @ source.transitions, source.shares, rtol=SAME)
    np.testing.assert_allclose(source.transitions.sum(1), 1, rtol=SAME)
    assert source.transitions.min() > 0
    assert (neighbours(WORD_COUNT, POWER).sum(0) == 4).all()


def test_a_model_that_knows_frequencies_alone_fails() -> None:
    """Between the frequencies and the floor are 1 to 2 nats: such a model is above the limit of failed runs."""
    source = language()
    assert 1 < source.entropy - source.floor(LENGTH) < 2


def test_sequences_have_the_frequencies_of_the_closed_forms() -> None:
    """Among 20 000 sequences every word, and every pair of words two places apart, is as frequent as it should be."""
    source, count = language(), 20_000
    words = source.draw(count, LENGTH, seed=1).numpy().astype(int)
    for place in (0, 1, 5, LENGTH - 1):
        share = np.bincount(words[:, place], minlength=WORD_COUNT) / count
        assert (abs(share - source.shares) < ERRORS * np.sqrt(source.shares / count)).all()
    for place in (0, LENGTH - 1 - LAG):
        expected = source.shares[:, None] * source.transitions
        pairs = np.zeros_like(expected)
        np.add.at(pairs, (words[:, place], words[:, place + LAG]), 1)
        # + 1/n: the rarest pairs are expected less than once, where a count is not nearly normal
        assert (abs(pairs / count - expected) < ERRORS * np.sqrt(expected / count) + ERRORS / count).all()


def test_sampled_losses_average_to_the_floor() -> None:
    """−ln p of the words drawn, under the true probabilities, has the floor as its mean, within its error."""
    source, count = language(), 20_000
    words = source.draw(count, LENGTH, seed=2).numpy().astype(int)
    first = -np.log(source.shares[words[:, :LAG]])
    after = -np.log(source.transitions[words[:, :-LAG], words[:, LAG:]])
    losses = np.concatenate([first, after], 1).mean(1)
    assert abs(losses.mean() - source.floor(LENGTH)) < ERRORS * losses.std() / math.sqrt(count)


def test_a_broken_source_is_seen() -> None:
    """Transitions that forget to accept change the frequencies; one place too near is another language."""
    source = language()
    edges = neighbours(WORD_COUNT, POWER)
    proposed = edges * source.shares / (edges @ source.shares)[:, None]
    assert abs(source.shares @ proposed - source.shares).max() > 1e-3
    words = source.draw(20_000, LENGTH, seed=2).numpy().astype(int)
    near = -np.log(source.transitions[words[:, :-1], words[:, 1:]]).mean()
    assert near > source.entropy


def test_batches_never_repeat_and_longer_runs_begin_alike() -> None:
    """Training never meets a sequence again, nor one of those held out, and seeds differ."""
    config = named("language16")
    task, orders = prepared(config, [0, 3], 40)
    rows = task.pairs.target[:, 1:]
    assert (
        len(torch.unique(rows, dim=0)) >= len(rows) - 2
    )  # two short sequences may be equal by chance, at about 1e-7 each
    assert orders.shape == (2, 40, config.batch_size)
    assert not set(orders.flatten().tolist()) & set(task.validation.tolist())
    longer, more = prepared(config, [3], 50)
    assert torch.equal(longer.pairs.take(more[0, :40]).target, task.pairs.take(orders[1]).target)
    assert torch.equal(longer.pairs.take(longer.validation).target, task.pairs.take(task.validation).target)
    assert len(task.validation) == HELD_SEQUENCES


def test_true_probabilities_are_at_the_floor() -> None:
    """With the true log-probabilities as logits the loss above the floor is 0; frequencies alone give H(π) − floor."""
    config = named("language16")
    task, _ = prepared(config, [0], 100)
    assert task.truth is not None
    pairs = task.pairs.take(torch.cat([task.train, task.validation]))
    truth = task.truth
    certain = truth.clamp(min=1e-300).log()  # 0·(−∞) is not a number
    logits = certain[contexts(pairs.target_in)]
    assert bool((truth[SOS:].sum(1)[[0, *range(2, 31)]] > 0.999).all())
    assert abs(float(divergence(logits, pairs, truth))) < SAME
    alone = divergence(certain[SOS].expand_as(logits), pairs, truth)
    spread = 3 / math.sqrt(len(pairs.target))  # one term is below 3 nats, and terms of a sequence are not independent
    assert abs(float(alone) - (language().entropy - task.floor)) < ERRORS * spread


def test_truth_is_that_of_the_next_word() -> None:
    """The context of label t is the word two places before it."""
    task, orders = prepared(named("language16"), [5], 1)
    pairs = task.pairs.take(orders[0, 0])
    context = contexts(pairs.target_in)
    assert bool((context[:, :LAG] == SOS).all())
    assert torch.equal(context[:, LAG:], pairs.target_out[:, :-LAG])
    assert int(pairs.target_out.min()) >= FIRST_WORD


def test_numbers_have_a_floor_of_zero() -> None:
    """Nothing is subtracted from the losses of the numbers."""
    task, _ = prepared(named("small16"), [0], 1)
    assert (task.floor, task.truth) == (0.0, None)
    runs = Batched(named("small16"), torch.zeros(1, 1), [0])
    assert (runs.floor, runs.truth) == (0.0, None)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: neighbours(9, 2), "words=9 must be a prime"),
        (lambda: neighbours(29, 3), "power=3 must divide words - 1 = 28 into an even number"),
        (lambda: neighbours(29, 4), "power=4 must divide words - 1 = 28 into an even number"),
        (lambda: MarkovChain.make(mixed=0.0), "mixed=0.0 must be > 0"),
        (lambda: MarkovChain.make(mixed=1.5), "mixed=1.5 must be <= 1"),
        (lambda: language().floor(1), "length=1 must be >= 2"),
        (lambda: named("language16", sequence=2), "sequence=2 must be >= 3"),
        (lambda: named("small16", task="poems"), "task='poems' must be one of numbers, language"),
        (lambda: prepared(named("language16"), [-1], 3), "seed=-1 must be >= 0"),
    ],
)
def test_bad_arguments_are_named(call, message: str) -> None:  # type: ignore[no-untyped-def]
    """A bad argument is refused with its name, its value and the rule."""
    with pytest.raises(ValueError, match="must") as raised:
        call()
    assert str(raised.value) == message
