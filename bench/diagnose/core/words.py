"""Numbers as people write them, and lists of steps."""

from __future__ import annotations

from collections.abc import Sequence

#: Digits of a learning rate, and the most that two different ones are written with.
DIGITS, MOST_DIGITS = 4, 9
#: Smaller shares have no number.
LEAST = 1e-4


def number(value: float) -> str:
    """A learning rate with four digits.

    >>> number(0.00029999999), number(0.0), number(-1e-9)
    ('0.0003', '0', '-1e-09')
    """
    return f"{value + 0.0:.{DIGITS}g}"


def number_pair(first: float, second: float) -> tuple[str, str]:
    """Two learning rates with four digits, or with as many as show their difference.

    >>> number_pair(0.000299999, 0.000299667), number_pair(1.00004, 1.00006)
    (('0.0003', '0.0002997'), ('1', '1.0001'))
    """
    for digits in range(DIGITS, MOST_DIGITS + 1):
        texts = f"{first + 0.0:.{digits}g}", f"{second + 0.0:.{digits}g}"
        if texts[0] != texts[1]:
            return texts
    return number(first), number(second)


def percent(share: float) -> str:
    """A share as a percentage with up to three digits.

    >>> percent(0.9046), percent(1.0), percent(0.0004), percent(3e-6)
    ('90.5 %', '100 %', '0.04 %', 'under 0.01 %')
    """
    return "under 0.01 %" if 0 < share < LEAST else f"{100 * share:.3g} %"


def listed(items: Sequence[int], most: int = 5) -> str:
    """Step numbers as a list.

    >>> listed([3]), listed([3, 4]), listed(list(range(8)))
    ('step 3', 'steps 3 and 4', 'steps 0, 1, 2, 3, 4 and 3 more')
    """
    if len(items) == 1:
        return f"step {items[0]}"
    if len(items) > most:
        return f"steps {', '.join(map(str, items[:most]))} and {len(items) - most} more"
    return f"steps {', '.join(map(str, items[:-1]))} and {items[-1]}"


def joined_with_and(texts: Sequence[str]) -> str:
    """Texts as one enumeration.

    >>> joined_with_and(["a"]), joined_with_and(["a", "b"]), joined_with_and(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def capitalized(text: str) -> str:
    """The text with a capital first letter, the rest as it is.

    >>> capitalized("an LR of 0")
    'An LR of 0'
    """
    return f"{text[:1].upper()}{text[1:]}"
