"""The toy task: digits and words, padding, split, and the order of the batches."""

from __future__ import annotations

import pytest
import torch

from bench.toy.config import CONFIGS, Config, named
from bench.toy.task import (
    EOS,
    FIRST_DIGIT,
    PAD,
    SOS,
    VOCABULARY,
    WORDS,
    Task,
    batch_order,
    decode,
    encode,
    split,
    steps_per_epoch,
)

ALL = torch.arange(1000)


def test_words_of_every_number_are_right() -> None:
    """The target of each of the 1000 numbers reads as its digits in words, the source as its digits."""
    pairs = encode(ALL, 3)
    assert [decode(row) for row in pairs.target] == [" ".join(WORDS[int(c)] for c in str(n)) for n in range(1000)]
    assert [decode(row).replace(" ", "") for row in pairs.source] == [str(n) for n in range(1000)]


def test_padding_is_on_the_right() -> None:
    """A row is its tokens followed by padding to the full length."""
    pairs = encode(ALL, 3)
    length = torch.tensor([len(str(n)) for n in range(1000)])
    assert torch.equal(pairs.source != PAD, torch.arange(3) < length[:, None])
    assert torch.equal(pairs.target != PAD, torch.arange(5) < length[:, None] + 2)
    assert bool((pairs.target[:, 0] == SOS).all())
    assert torch.equal((pairs.target == EOS).int().argmax(1), length + 1)


def test_labels_are_the_decoder_input_shifted_by_one() -> None:
    """The decoder's input and its labels are the same row, shifted by one."""
    pairs = encode(ALL, 3)
    assert torch.equal(pairs.target_in[:, 1:], pairs.target_out[:, :-1])
    assert decode(pairs.target_out[123]) == "one two three"


def test_vocabulary_has_each_token_once() -> None:
    """Ten digits, ten words and three special tokens, all different; the digits come last and in order."""
    assert len(set(VOCABULARY)) == len(VOCABULARY) == 23
    assert "".join(VOCABULARY[FIRST_DIGIT:]) == "0123456789"


def test_other_ranges_are_encoded() -> None:
    """The range is a parameter: a limit of 10 has one digit, of 10001 five."""
    assert Task.make(10, 0.2, 0).pairs.source.shape == (10, 1)
    assert decode(Task.make(10001, 0.1, 0).pairs.target[10000]) == "one zero zero zero zero"


def test_empty_pair_is_never_scored() -> None:
    """The padding pair has no labels, but a token to attend to."""
    pairs = encode(ALL, 3).with_empty()
    assert bool((pairs.target_out[1000] == PAD).all())
    assert pairs.source[1000, 0] != PAD
    assert torch.equal(pairs.target[:1000], encode(ALL, 3).target)


def test_split_parts_are_disjoint_and_complete() -> None:
    """Every number is in exactly one part, and the seed decides which."""
    train, held = split(1000, 0.1, seed=3)
    assert torch.equal(torch.cat([train, held]).sort().values, ALL)
    assert torch.equal(held, split(1000, 0.1, seed=3)[1])
    assert not torch.equal(held, split(1000, 0.1, seed=4)[1])


def test_no_number_comes_twice_in_an_epoch() -> None:
    """An epoch draws without replacement from the training part; the next epoch has another order."""
    train, _ = split(1000, 0.1, seed=0)
    order = batch_order(train, 32, 56, seed=1)
    first, second = order[:28].flatten(), order[28:].flatten()
    assert len(set(first.tolist())) == len(set(second.tolist())) == 28 * 32
    assert set(order.flatten().tolist()) <= set(train.tolist())
    assert not torch.equal(first, second)


def test_longer_run_starts_as_a_shorter_one() -> None:
    """The order depends on the numbers, the batch size and the seed, not on the length of the run."""
    order = batch_order(ALL, 32, 70, seed=1)
    assert torch.equal(batch_order(ALL, 32, 40, seed=1), order[:40])
    assert not torch.equal(batch_order(ALL, 32, 70, seed=2), order)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: encode(torch.tensor([-1]), 3), "number=-1 must be >= 0 and have at most 3 digits"),
        (lambda: encode(torch.tensor([5, 1000]), 3), "number=1000 must be >= 0 and have at most 3 digits"),
        (lambda: split(1000, 1.0, 0), "validation_share=1.0 must be < 1"),
        (lambda: split(4, 0.1, 0), "validation_share=0.1 must leave numbers on both sides of limit=4"),
        (lambda: split(1000, 0.1, -1), "split_seed=-1 must be >= 0"),
        (lambda: steps_per_epoch(9, 10), "batch_size=10 must be <= 9, the numbers to train on"),
        (lambda: batch_order(ALL, 32, -1, 0), "steps=-1 must be >= 0"),
        (lambda: Config(16, 64, heads=3), "heads=3 must divide d_model=16"),
        (lambda: Config(15, 64, heads=3), "d_model=15 must be even"),
        (lambda: named("small16", dropout=1.0), "dropout=1.0 must be < 1"),
        (lambda: named("small16", betas=(0.9, 1.0)), "beta2=1.0 must be < 1"),
        (lambda: named("small16", limit=20), "batch_size=32 must be <= 18, the numbers to train on"),
        (
            lambda: named("big"),
            "config='big' must be one of tutorial, small16, small32, small64, language16, language32, language64",
        ),
    ],
)
def test_bad_arguments_are_named(call, message: str) -> None:  # type: ignore[no-untyped-def]
    """A bad argument is refused with its name, its value and the rule."""
    with pytest.raises(ValueError, match="must") as raised:
        call()
    assert str(raised.value) == message


def test_tutorial_is_as_printed() -> None:
    """The `tutorial` configuration has the tutorial's sizes, and nn.Transformer's defaults where it gives none."""
    tutorial = CONFIGS["tutorial"]
    assert (tutorial.d_model, tutorial.heads, tutorial.layers, tutorial.batch_size) == (128, 4, 2, 32)
    default = torch.nn.Transformer(d_model=8, nhead=2, num_encoder_layers=1, num_decoder_layers=1, batch_first=True)
    layer = default.encoder.layers[0]
    assert (tutorial.feed_forward, tutorial.dropout) == (layer.linear1.out_features, layer.dropout.p)
    assert tutorial.norm_first is layer.norm_first is False
