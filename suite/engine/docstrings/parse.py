"""Reads a Google-style docstring: arguments, examples, cross-references."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any

#: An entry of "Args:", such as ``gamma (float): Multiplicative factor.``
ENTRY = re.compile(r"    (\w+)(?: \(([^)]*)\))?:(?:\s+(.*))?$")
SECTION = re.compile(r"(\w+):\s*$")
#: Where a default is said; ``-1`` (default) puts the value first.
DEFAULT = re.compile(r"default:\s*([^\s)]+)", re.IGNORECASE)
DEFAULT_AFTER = re.compile(r"``([^`]+)`` \(default\)")

#: The words of a documented type, and what they are called here.
WORDS = {
    "function": "callable",
    "sequence": "list",
    "iterable": "list",
    "tuple": "list",
    "torch.optim.Optimizer": "Optimizer",
}


@dataclasses.dataclass(frozen=True)
class DocumentedArgument:
    """One entry of "Args:"."""

    name: str
    type_text: str
    text: str

    @property
    def kinds(self) -> frozenset[str]:
        """The documented types: int, float, str, bool, list, callable, Optimizer, dict."""
        words = re.split(r"\s+or\s+|\s*[,|]\s*", self.type_text)
        return frozenset(WORDS.get(word, word) for word in words if word and word != "optional")

    @property
    def default(self) -> str | None:
        """The text of the documented default, or None where none is said."""
        before_notes = re.split(r"\s*\.\. ", self.text)[0]
        said = DEFAULT.findall(before_notes) or DEFAULT_AFTER.findall(before_notes)
        return str(said[-1]) if said else None

    @property
    def choices(self) -> tuple[str, ...]:
        """The values that the text lists: one of {a, b}, {'a', 'b'}, one of `a`, `b`, or "a" or "b" at its start."""
        listed = re.search(r"\{([^}]*,[^}]*)\}", self.text) or re.match(r"One of ((?:`\w+`(?:, | or )?)+)", self.text)
        listed = listed or re.match(r"((?:\"\w+\"(?:, | or )?)+)", self.text)
        return tuple(re.findall(r"\w+", listed[1].replace(" or ", " "))) if listed else ()


@dataclasses.dataclass(frozen=True)
class Docstring:
    """One docstring in parts; `arguments` is None where it has no "Args:" section."""

    text: str
    arguments: tuple[DocumentedArgument, ...] | None
    examples: tuple[str, ...]

    @property
    def raises(self) -> list[tuple[str, str]]:
        """The entries of "Raises:": exception and text."""
        section = re.search(r"^Raises:\n((?:    .*\n?|\n)*)", self.text, re.MULTILINE)
        entries = re.split(r"\n(?=    \w)", section[1]) if section else []
        pairs = (re.match(r"\s*:?(?:class:)?`?~?([\w.]+)`?:\s*(.*)", entry, re.DOTALL) for entry in entries)
        return [(pair[1], " ".join(pair[2].split())) for pair in pairs if pair]

    @property
    def flat(self) -> str:
        """The text on one line, for searches across line breaks."""
        return " ".join(self.text.split())


def parse(owner: Any) -> Docstring:
    """The docstring of a class or function itself, never an inherited one."""
    text = inspect.cleandoc(owner.__doc__ or "")
    sections: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        header = SECTION.match(line)
        if header:
            sections.append((header[1], []))
        elif line and not line.startswith(" "):
            sections.append(("", []))
        elif sections:
            sections[-1][1].append(line)
    arguments = [lines for name, lines in sections if name == "Args"]
    examples = [_code(lines) for name, lines in sections if name == "Example"]
    return Docstring(text, tuple(_entries(arguments[0])) if arguments else None, tuple(filter(None, examples)))


def _entries(lines: list[str]) -> list[DocumentedArgument]:
    entries: list[tuple[str, str, list[str]]] = []
    for line in lines:
        entry = ENTRY.match(line)
        if entry:
            entries.append((entry[1], entry[2] or "", [entry[3] or ""]))
        elif entries:
            entries[-1][2].append(line)
    return [DocumentedArgument(name, kind, " ".join(" ".join(text).split())) for name, kind, text in entries]


def _code(lines: list[str]) -> str:
    prompts = (re.match(r"\s*(?:>>>|\.\.\.) ?(.*)", line) for line in lines)
    return "\n".join(prompt[1] for prompt in prompts if prompt)
