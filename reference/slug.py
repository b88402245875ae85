"""Schedules as short texts that parse back: ``linear500+cosine9500``.

Grammar (letters, digits, ``_ . +`` only, so that ``pytest -k`` accepts every slug)::

    schedule  = token { "." schedule }          prefix notation; each token knows how many follow
    token     = name [value] { "_" key value }  a field at its default is left out
    pair      = warmup "+" decay                a warmup with a decay, e.g. linear500+cosine9500;
                                                another convention stands before it: familyb.linear4+cosine8
    value     = number | list of numbers joined by x | word;   0.1 → 0p1,   1e-06 → 1em06
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .schedule import Schedule

#: slug name → class, filled by `register`.
REGISTRY: dict[str, type[Schedule]] = {}
#: The one parser of tokens with a plus, filled by `register_pair`.
_PAIR_PARSERS: list[Callable[[str], Schedule]] = []
_NUMBER = re.compile(r"m?\d+(p\d+)?(em?\d+)?")


class SlugError(ValueError):
    """A text that names no schedule."""


def register(*classes: type[Schedule], names: tuple[str, ...] = ()) -> None:
    """Make schedule classes known by their slug_name, and by further `names` that they parse."""
    for cls in classes:
        for name in (cls.slug_name, *names):
            if not re.fullmatch("[a-z]+", name) or REGISTRY.get(name, cls) is not cls:
                raise ValueError(f"slug_name={name!r} must be unique letters ({cls.__name__})")
            REGISTRY[name] = cls


def register_pair(parse_pair: Callable[[str], Schedule]) -> None:
    """Hand over the parser of a token that joins a warmup and a decay with a plus."""
    _PAIR_PARSERS[:] = [parse_pair]


def _value_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, tuple):
        return "x".join(_value_text(v) for v in value)
    if isinstance(value, str):
        return value.replace("_", "")  # the class lists its words, so that they are found again
    return repr(value).replace(".", "p").replace("-", "m").replace("+", "")


def _number(text: str) -> int | float:
    if not _NUMBER.fullmatch(text):
        raise SlugError(f"value={text!r} must be a number such as 5, 0p1 or 1em06")
    plain = text.replace("m", "-").replace("p", ".")
    return float(plain) if "p" in text or "e" in text else int(plain)


def _fields(cls: type[Schedule]) -> tuple[list[dataclasses.Field[Any]], list[dataclasses.Field[Any]]]:
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]  # every Schedule is a dataclass
    children = [f for f in fields if f.metadata.get("key") == "."]
    return [f for f in fields if f not in children], children


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
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
            tail += f"_{f.metadata['mark']}"  # an optional child announces itself
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
    """The schedule that a slug names; raises SlugError (a ValueError) with what is wrong."""
    if not isinstance(text, str) or not text:
        raise SlugError(f"slug={text!r} must be a text such as linear500+cosine9500")
    tokens = text.split(".")
    found = _parse_tokens(tokens)
    if tokens:
        raise SlugError(f"slug={text!r} has {'.'.join(tokens)!r} left over after a whole schedule")
    return found


def _parse_tokens(tokens: list[str]) -> Schedule:
    if not tokens:
        raise SlugError("slug ends where a schedule is expected")
    token = tokens.pop(0)
    if "+" in token:
        return _PAIR_PARSERS[0](token)
    match = re.match(r"[a-z]+", token)
    name = match.group() if match else ""
    if name not in REGISTRY:
        raise SlugError(f"slug={token!r} begins with no known name; known: {', '.join(sorted(REGISTRY))}")
    cls = REGISTRY[name]
    custom = getattr(cls, "_parse", None)
    if custom is not None:
        return custom(token, tokens)  # type: ignore[no-any-return]
    return build(cls, token, lambda: _parse_tokens(tokens))


def build(cls: type[Schedule], token: str, child: Any) -> Schedule:
    """Make a `cls` from one token; `child()` parses the next child."""
    head, *marks = token[len(cls.slug_name) :].split("_")
    plain, children = _fields(cls)
    known = {f.metadata["key"]: f for f in plain}
    optional = {f.metadata["mark"]: f for f in children if f.default is None}
    kwargs: dict[str, Any] = {}
    present: set[str] = set()
    for mark in marks:
        if mark in optional:
            present.add(optional[mark].name)
            continue
        keys = [k for k in known if k and mark.startswith(k)]
        if not keys:
            raise SlugError(
                f"slug={token!r}: {mark!r} is no field of {cls.slug_name} ({', '.join(k for k in known if k)})"
            )
        key = max(keys, key=len)
        kwargs[known[key].name] = _typed(known[key], mark[len(key) :], token)
        for word in getattr(cls, "words", ()):
            if word.replace("_", "") == kwargs[known[key].name]:
                kwargs[known[key].name] = word
    for f in children:
        if f.default is None:
            if f.name in present:
                kwargs[f.name] = child()
        elif f.metadata.get("many"):
            count = _number(head)
            if not isinstance(count, int):
                raise SlugError(f"slug={token!r} must begin with the number of its parts")
            kwargs[f.name] = tuple(child() for _ in range(count))
            head = ""
        else:
            kwargs[f.name] = child()
    if head:
        if "" not in known:
            raise SlugError(f"slug={token!r}: {cls.slug_name} takes no value {head!r}")
        kwargs[known[""].name] = _typed(known[""], head, token)
    elif "" in known and known[""].default is dataclasses.MISSING and "tuple" in str(known[""].type):
        kwargs[known[""].name] = ()  # an empty list leaves no mark
    try:
        return cls(**kwargs)
    except (TypeError, ValueError) as error:
        raise SlugError(f"slug={token!r}: {error}") from None


def _typed(field: dataclasses.Field[Any], text: str, token: str) -> Any:
    kind = str(field.type)
    if "tuple" in kind:
        return tuple(_number(part) for part in text.split("x")) if text else ()
    if "str" in kind and not _NUMBER.fullmatch(text):
        return text
    if not text:
        raise SlugError(f"slug={token!r}: a value is missing")
    number = _number(text)
    return bool(number) if "bool" in kind and number in (0, 1) else number
