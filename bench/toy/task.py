"""The tasks: translate a number in digits into words (123 → "one two three"), or continue a synthetic language.

What a run reads is encoded once, as two token tables with one row per number or sequence; a batch is a selection of
rows. The language (see `language/markov.py`) never repeats a sequence; its losses are compared with its entropy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from reference.check import integer, real

from .config import Config
from .language.markov import WORD_COUNT, language

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPECIAL = ("<pad>", "<sos>", "<eos>")
#: Source and target share one vocabulary, as the model has one embedding: 3 special tokens, 10 words, 10 digits.
VOCABULARY = (*SPECIAL, *WORDS, *"0123456789")
PAD, SOS, EOS = range(3)
FIRST_WORD = len(SPECIAL)
FIRST_DIGIT = FIRST_WORD + len(WORDS)
#: Sequences of the language that are held out; at each of their words the loss has no noise of sampling.
HELD_SEQUENCES = 64


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Token tables, int64: `source` [n, digits] and `target` [n, digits + 2], padded on the right.

    In the language `source` has no columns, `target` is <sos> and the words; its tables are uint8 until `take`.
    A target row is <sos>, the words, <eos>: the decoder reads all columns but the last
    and must predict all but the first.
    """

    source: Tensor
    target: Tensor

    @property
    def target_in(self) -> Tensor:
        """The decoder's input: [..., digits + 1]."""
        return self.target[..., :-1]

    @property
    def target_out(self) -> Tensor:
        """The labels, what the decoder must predict: [..., digits + 1]; <pad> is not scored."""
        return self.target[..., 1:]

    def take(self, rows: Tensor) -> Pairs:
        """The rows of a batch; `rows` of any shape s gives tables [*s, digits] and [*s, digits + 2]."""
        return Pairs(self.source[rows].long(), self.target[rows].long())

    def with_empty(self) -> Pairs:
        """The tables with one more row: a dummy pair that is safe to read and never scored."""
        source = torch.full_like(self.source[:1], PAD)
        target = torch.full_like(self.target[:1], PAD)
        source[:, :1] = FIRST_DIGIT  # softmax over padding alone would be NaN
        target[:, 0] = SOS
        return Pairs(torch.cat([self.source, source]), torch.cat([self.target, target]))

    def to(self, device: torch.device | str) -> Pairs:
        """The same tables on another device."""
        return Pairs(self.source.to(device), self.target.to(device))


def digits_needed(limit: int) -> int:
    """The number of digits of the longest number below `limit`.

    >>> digits_needed(1000), digits_needed(1001)
    (3, 4)
    """
    return len(str(integer("limit", limit, 1) - 1))


def encode(numbers: Tensor, digits: int) -> Pairs:
    """Token tables of integers, [n] → [n, digits] and [n, digits + 2].

    Digit i of a number with c digits is n // 10^(c−1−i) mod 10, for i < c; the rest is <pad>.
    Raises ValueError for a number that is negative or longer than `digits`.

    >>> pairs = encode(torch.tensor([7, 120]), 3)
    >>> pairs.source.tolist()
    [[20, 0, 0], [14, 15, 13]]
    >>> pairs.target.tolist()
    [[1, 10, 2, 0, 0], [1, 4, 5, 3, 2]]
    """
    integer("digits", digits, 1)
    wrong = numbers[(numbers < 0) | (numbers >= 10**digits)]
    if wrong.numel():
        raise ValueError(f"number={int(wrong[0])} must be >= 0 and have at most {digits} digits")
    powers = 10 ** torch.arange(digits)
    count = 1 + (numbers[:, None] >= powers[1:]).sum(1, keepdim=True)
    place = torch.arange(digits)
    digit = numbers[:, None] // 10 ** (count - 1 - place).clamp(min=0) % 10
    used = place < count
    source = torch.where(used, digit + FIRST_DIGIT, PAD)
    target = torch.full((len(numbers), digits + 2), PAD)
    target[:, 0] = SOS
    target[:, 1:-1] = torch.where(used, digit + FIRST_WORD, PAD)
    return Pairs(source, target.scatter(1, count + 1, EOS))


def decode(tokens: Tensor) -> str:
    """The text of one row of tokens: everything before <eos>, without <sos> and <pad>.

    >>> decode(encode(torch.tensor([120]), 3).target[0])
    'one two zero'
    """
    row = tokens.tolist()
    row = row[: row.index(EOS)] if EOS in row else row
    return " ".join(VOCABULARY[token] for token in row if token not in (PAD, SOS))


def split(limit: int, validation_share: float, seed: int) -> tuple[Tensor, Tensor]:
    """The training and the validation numbers below `limit`, each in ascending order.

    The validation part has round(limit · share) numbers, drawn by `seed`.
    Raises ValueError unless both parts contain at least one number.

    >>> [len(part) for part in split(1000, 0.1, seed=0)]
    [900, 100]
    """
    share = real("validation_share", validation_share, above=0.0, below=1.0)
    held = round(integer("limit", limit, 1) * share)
    if not 0 < held < limit:
        raise ValueError(f"validation_share={share:g} must leave numbers on both sides of limit={limit}")
    drawn = torch.randperm(limit, generator=_generator("split_seed", seed))
    return drawn[held:].sort().values, drawn[:held].sort().values


@dataclasses.dataclass(frozen=True)
class Task:
    """The rows of a task as tokens, and which of them are for training and for validation.

    For numbers, row n is number n. `truth`: the probabilities of the next token where they are known, float64
    [tokens, tokens], a row for each context (see `contexts`); `floor`: the least expected loss, in nats per token.
    """

    pairs: Pairs
    train: Tensor
    validation: Tensor
    truth: Tensor | None = None
    floor: float = 0.0

    @classmethod
    def make(cls, limit: int, validation_share: float, split_seed: int) -> Task:
        """The task with the numbers 0 … limit − 1; raises what `split` raises."""
        train, validation = split(limit, validation_share, split_seed)
        return cls(encode(torch.arange(limit), digits_needed(limit)), train, validation)


def vocabulary_size(config: Config) -> int:
    """The number of tokens of a configuration's task.

    >>> vocabulary_size(Config(16, 64)), vocabulary_size(Config(16, 64, task="language"))
    (23, 32)
    """
    return len(VOCABULARY) if config.task == "numbers" else FIRST_WORD + WORD_COUNT


def target_length(config: Config) -> int:
    """The most tokens that a model of this configuration reads and predicts.

    >>> target_length(Config(16, 64)), target_length(Config(16, 64, task="language"))
    (4, 12)
    """
    return digits_needed(config.limit) + 1 if config.task == "numbers" else config.sequence


def floor_note(config: Config) -> str:
    """What a reader of losses must know about the task's floor; empty if the floor is 0.

    >>> floor_note(Config(16, 64, task="language"))
    'validation losses are above the floor of 1.68 nats per token, which training losses include'
    """
    if config.task == "numbers":
        return ""
    floor = language().floor(config.sequence)
    return f"validation losses are above the floor of {floor:.2f} nats per token, which training losses include"


def contexts(target_in: Tensor, axis: int = -1) -> Tensor:
    """What the next word of the language depends on, for each token read: the token before it, at first <sos>.

    >>> contexts(torch.tensor([[SOS, 7, 8, 9]])).tolist() == [[SOS, SOS, 7, 8]]
    True
    """
    length = target_in.shape[axis]
    return torch.cat([target_in.narrow(axis, 0, 1), target_in.narrow(axis, 0, length - 1)], axis)


def prepared(config: Config, seeds: Sequence[int], steps: int) -> tuple[Task, Tensor]:
    """The task of a configuration, and the rows of every batch of every seed, int64 [seeds, steps, batch_size].

    ValueError for a negative seed, or fewer numbers than a batch.
    """
    if config.task == "numbers":
        task = Task.make(config.limit, config.validation_share, config.split_seed)
        return task, batch_orders(task.train, config.batch_size, steps, seeds)
    source, count = language(), integer("steps", steps) * config.batch_size
    # Seeds below 0 are those of sequences that no run is trained on.
    drawn = [source.draw(HELD_SEQUENCES, config.sequence, -1 - config.split_seed)]
    drawn += [source.draw(count, config.sequence, integer("seed", seed)) for seed in seeds]
    words = torch.cat(drawn).add_(FIRST_WORD)
    target = torch.nn.functional.pad(words, (1, 0), value=SOS)
    train = torch.arange(HELD_SEQUENCES, len(target))
    truth = torch.zeros(vocabulary_size(config), vocabulary_size(config), dtype=torch.float64)
    truth[SOS, FIRST_WORD:] = torch.from_numpy(source.shares)
    truth[FIRST_WORD:, FIRST_WORD:] = torch.from_numpy(source.transitions)
    task = Task(Pairs(target[:, :0], target), train, torch.arange(HELD_SEQUENCES), truth, source.floor(config.sequence))
    return task, train.view(len(seeds), steps, config.batch_size)


def steps_per_epoch(numbers: int, batch_size: int) -> int:
    """Full batches in one pass over the numbers; an incomplete last batch is dropped.

    >>> steps_per_epoch(900, 32)
    28
    """
    if integer("batch_size", batch_size, 1) > numbers:
        raise ValueError(f"batch_size={batch_size} must be <= {numbers}, the numbers to train on")
    return numbers // batch_size


def batch_order(numbers: Tensor, batch_size: int, steps: int, seed: int) -> Tensor:
    """The numbers of every batch: int64 [steps, batch_size], the same in every trainer.

    Each epoch is a new permutation drawn by `seed`; no number occurs twice in an epoch.
    A longer run starts with the batches of a shorter one.
    """
    return batch_orders(numbers, batch_size, steps, [seed])[0]


def batch_orders(numbers: Tensor, batch_size: int, steps: int, seeds: Sequence[int]) -> Tensor:
    """The numbers of every batch of every seed, int64 [seeds, steps, batch_size]: `batch_order` for many seeds."""
    amount = len(numbers)  # asked once: it takes half as long as drawing an epoch
    length = steps_per_epoch(amount, batch_size)
    count = integer("steps", steps) * batch_size
    drawn = torch.empty(-(-steps // length), amount, dtype=torch.int64)
    used = drawn[:, : length * batch_size]  # an incomplete last batch is dropped
    orders = torch.empty(len(seeds), count, dtype=torch.int64)
    for order, seed in zip(orders.unbind(), seeds, strict=True):
        generator = _generator("seed", seed)
        for epoch in drawn.unbind():
            torch.randperm(amount, generator=generator, out=epoch)
        torch.index_select(numbers, 0, used.reshape(-1)[:count], out=order)
    return orders.view(len(seeds), steps, batch_size)


def _generator(name: str, seed: int) -> torch.Generator:
    """A generator on the CPU, so that a seed gives the same numbers on every device."""
    return torch.Generator().manual_seed(integer(name, seed))
