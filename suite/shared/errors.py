"""What a command says of input that it cannot use."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class InputError(Exception):
    """The command cannot use what it was given; the text is the one line that says why."""


@contextlib.contextmanager
def checked_input() -> Iterator[None]:
    """Turn what the checks of our own code raise inside the block into an `InputError`.

    Only code that reads and checks input belongs in the block: an error of the measurement itself
    shall keep its traceback.

    >>> with checked_input():
    ...     raise ValueError("steps=-1 must be >= 1")
    Traceback (most recent call last):
    suite.shared.errors.InputError: steps=-1 must be >= 1
    """
    try:
        yield
    except (TypeError, ValueError, OSError) as error:
        raise InputError(" ".join(str(error).split())) from error
    except ModuleNotFoundError as error:
        raise InputError(f"{error.name} is not installed: pip install '.[bench]'") from error
