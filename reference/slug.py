"""Slugs: short text ids of schedules, such as ``linear500+cosine9500``, that parse back to an equal schedule.

Grammar (letters, digits and ``_ . +`` only, so that every slug works with ``pytest -k``)::

    schedule  = token { "." schedule }          prefix notation; the token determines the number of children
    token     = name [value] { "_" key value }  fields at their defaults are omitted
    pair      = warmup "+" decay                a token too, e.g. linear500+cosine9500; a convention other than
                                                the default is the token before it: familyb.linear4+cosine8
    value     = number | numbers joined by x | word;   0.1 → 0p1,   1e-06 → 1em06,   -inf → minf
                three or more equal numbers in a row: the number, r and how often, 1p0r4 for 1p0x1p0x1p0x1p0
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .schedule import Schedule

#: The name under which the class registers that parses tokens with a plus.
PLUS = "+"
#: Slug name → class, filled by `register`.
REGISTRY: dict[str, type[Schedule]] = {}
_NUMBER = re.compile(r"m?\d+(p\d+)?(em?\d+)?|m?inf|nan")
#: What the letters of a token may hold after the name: values without a digit, and the sign of a number.
_WORDLESS = re.compile(r"(m?inf[xr]?|nan[xr]?)*m?$")


class SlugError(ValueError):
    """The text is not a valid slug."""


def register(*classes: type[Schedule], names: tuple[str, ...] = ()) -> None:
    """Let slugs start with the slug_name of each class, or with one of the additional `names`."""
    for cls in classes:
        for name in (cls.slug_name, *names):
            if not (re.fullmatch("[a-z]+", name) or name == PLUS) or REGISTRY.get(name, cls) is not cls:
                raise ValueError(
                    f"slug_name={name!r} must be unique and consist of lower-case letters ({cls.__name__})"
                )
            REGISTRY[name] = cls


def _value_text(value: Any) -> str:
    """A field's value in a slug."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, tuple):
        return "x".join(_runs([_value_text(v) for v in value]))
    if isinstance(value, str):
        return value.replace("_", "")  # `_build` finds the word in the class's `words`
    return repr(value).replace(".", "p").replace("-", "m").replace("+", "")


def _runs(texts: list[str]) -> Iterator[str]:
    """The texts with every run of three or more written once."""
    for text, run in itertools.groupby(texts):
        count = len(list(run))
        yield from [f"{text}r{count}"] if count >= 3 else [text] * count


def _numbers(text: str, token: str) -> Iterator[int | float]:
    """The inverse of `_value_text` for a tuple of numbers."""
    for part in text.split("x"):
        number, repeated, count = part.partition("r")
        if repeated and not count.isdecimal():
            raise SlugError(f"slug={token!r}: {part!r} must end with how often the number occurs, as in 1p0r4")
        yield from [_number(number, token)] * int(count or 1)


def _number(text: str, token: str) -> int | float:
    """The inverse of `_value_text` for a number."""
    if not _NUMBER.fullmatch(text):
        raise SlugError(f"slug={token!r}: {text!r} must be a number such as 5, 0p1 or 1em06")
    plain = text.replace("m", "-").replace("p", ".")
    return float(plain) if re.search("[pen]", text) else int(plain)


def _fields(cls: type[Schedule]) -> tuple[list[dataclasses.Field[Any]], list[dataclasses.Field[Any]]]:
    """The fields with plain values, and the fields whose values are schedules."""
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]  # every Schedule is a dataclass
    children = [f for f in fields if f.metadata.get("key") == "."]
    return [f for f in fields if f not in children], children


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    """Whether the value equals the field's default, type included."""
    return field.default is not dataclasses.MISSING and type(value) is type(field.default) and value == field.default


def render(schedule: Schedule) -> str:
    """The slug of a schedule."""
    custom = getattr(schedule, "_render", None)
    if custom is not None:
        return str(custom())
    plain, children = _fields(type(schedule))
    head, tail, below = schedule.slug_name, "", []
    for f in children:
        value = getattr(schedule, f.name)
        parts: tuple[Schedule, ...] = value if isinstance(value, tuple) else (() if value is None else (value,))
        if isinstance(value, tuple):
            head += str(len(parts))
        elif value is not None and f.default is None:
            tail += f"_{f.metadata['mark']}"  # an optional child is present
        below += [render(p) for p in parts]
    for f in plain:
        value = getattr(schedule, f.name)
        if _is_default(f, value):
            continue
        if f.metadata["key"]:
            tail += f"_{f.metadata['key']}{_value_text(value)}"
        else:
            head += _value_text(value)
    return ".".join([head + tail, *below])


def parse(text: str) -> Schedule:
    """The schedule with this slug; raises SlugError (a ValueError) that says what is wrong with the text."""
    if not isinstance(text, str) or not text:
        raise SlugError(f"slug={text!r} must be a text such as linear500+cosine9500")
    tokens = text.split(".")
    schedule = _parse_tokens(tokens, text)
    if tokens:
        raise SlugError(f"slug={text!r} must end after one complete schedule; {'.'.join(tokens)!r} is left over")
    return schedule


def _parse_tokens(tokens: list[str], text: str) -> Schedule:
    """Parse one schedule from the front of `tokens` and remove the tokens it uses; `text` is the whole slug."""
    if not tokens:
        raise SlugError(f"slug={text!r} must continue: another schedule is expected after its last token")
    token = tokens.pop(0)
    cls = _class_of(token)
    custom = getattr(cls, "_parse", None)
    if custom is not None:
        return custom(token, tokens)  # type: ignore[no-any-return]  # getattr hides the type
    return _build(cls, token, lambda: _parse_tokens(tokens, text))


def _class_of(token: str) -> type[Schedule]:
    """The class that the start of a token names."""
    if PLUS in token:
        return REGISTRY[PLUS]
    letters = re.split(r"[^A-Za-z]", token, maxsplit=1)[0]
    for name in (letters, _WORDLESS.sub("", letters, count=1)):
        if name in REGISTRY:
            return REGISTRY[name]
    names = sorted(REGISTRY.keys() - {PLUS})
    close = difflib.get_close_matches(letters.lower(), names)
    hint = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(names)}"
    raise SlugError(f"slug={token!r} does not start with a schedule name; {hint}")


def _build(cls: type[Schedule], token: str, next_child: Callable[[], Schedule]) -> Schedule:
    """Build a `cls` from its token; `next_child` parses the next child."""
    head, *marks = token[len(cls.slug_name) :].split("_")
    plain, children = _fields(cls)
    by_key = {f.metadata["key"]: f for f in plain}
    optional = {f.metadata["mark"]: f for f in children if f.default is None}
    kwargs: dict[str, Any] = {}
    present: set[str] = set()
    for mark in marks:
        if mark in optional:
            present.add(optional[mark].name)
            continue
        keys = [key for key in by_key if key and mark.startswith(key)]
        if not keys:
            allowed = ", ".join(key for key in by_key if key) or "none"
            raise SlugError(f"slug={token!r}: {cls.slug_name} has no field {mark!r} (fields: {allowed})")
        field = by_key[max(keys, key=len)]
        value = _typed(field, mark.removeprefix(field.metadata["key"]), token)
        kwargs[field.name] = {word.replace("_", ""): word for word in getattr(cls, "words", ())}.get(value, value)
    for f in children:
        if f.default is None:
            if f.name in present:
                kwargs[f.name] = next_child()
        elif f.metadata.get("many"):
            if not head.isdecimal():
                raise SlugError(f"slug={token!r} must give the number of its parts, as in {cls.slug_name}2")
            kwargs[f.name] = tuple(next_child() for _ in range(int(head)))
            head = ""
        else:
            kwargs[f.name] = next_child()
    if head:
        if "" not in by_key:
            raise SlugError(f"slug={token!r}: {cls.slug_name} does not take a value ({head!r})")
        kwargs[by_key[""].name] = _typed(by_key[""], head, token)
    elif "" in by_key and by_key[""].default is dataclasses.MISSING and "tuple" in str(by_key[""].type):
        kwargs[by_key[""].name] = ()  # an empty tuple renders as nothing
    for f in plain:
        if f.default is dataclasses.MISSING and f.name not in kwargs:
            raise SlugError(f"slug={token!r} must give a value for {f.name}")
    try:
        return cls(**kwargs)
    except (TypeError, ValueError) as error:
        raise SlugError(f"slug={token!r}: {error}") from None


def _typed(field: dataclasses.Field[Any], text: str, token: str) -> Any:
    """The value of a field, converted to the field's type."""
    kind = str(field.type)
    if "tuple" in kind:
        return tuple(_numbers(text, token)) if text else ()
    if "str" in kind and not _NUMBER.fullmatch(text):
        return text
    if not text:
        raise SlugError(f"slug={token!r} must give a value for {field.name}")
    number = _number(text, token)
    return bool(number) if "bool" in kind and number in (0, 1) else number
