"""The error for input that cannot be used."""

from __future__ import annotations


class InputError(Exception):
    """The command cannot use what it was given; the text is the one line that says why."""
