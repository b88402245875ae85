"""The numbers of one call of a schedule, and the text of the call with these numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_PLACE = re.compile(r"\{([^{}]+)\}")


class Arguments(Mapping[str, Any]):
    """The numbers that a schedule is called with, each under its name: ``arguments.warmup_steps``.

    Always there: `warmup_steps`, `total_steps`, `base_lr`, and `decay_steps`, their difference.  `base_lr` is that of
    one parameter group when a reference is asked for, and the optimizer's own when a call is written.

    >>> numbers = Arguments(warmup_steps=4, total_steps=12, base_lr=1.0)
    >>> numbers.decay_steps, numbers.but(warmup_steps=5).decay_steps
    (8, 7)
    >>> numbers.filled("f(optimizer, warmup={warmup_steps}, after={total_steps - warmup_steps})")
    'f(optimizer, warmup=4, after=8)'
    """

    def __init__(self, **numbers: Any) -> None:
        self._numbers = numbers

    def __getitem__(self, name: str) -> Any:
        if name == "decay_steps" and name not in self._numbers:
            return self._numbers["total_steps"] - self._numbers["warmup_steps"]
        return self._numbers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # while it is unpickled
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"{name} is not an argument; there are {', '.join(self._numbers)}") from None

    def but(self, **changes: Any) -> Arguments:
        """The same arguments with some changed."""
        return Arguments(**(self._numbers | changes))

    def filled(self, template: str) -> str:
        """The template with the value of each expression in braces, such as ``{total_steps - warmup_steps}``."""
        names = self._numbers | {"decay_steps": self["decay_steps"]}
        return _PLACE.sub(lambda place: repr(eval(place[1], {}, names)), template)  # templates are ours


def places(template: str) -> set[str]:
    """The names that a template's expressions use.

    >>> sorted(places("f({total_steps - warmup_steps}, {min_lr})"))
    ['min_lr', 'total_steps', 'warmup_steps']
    """
    names = {name for place in _PLACE.findall(template) for name in re.findall(r"[A-Za-z_]\w*", place)}
    return names | ({"warmup_steps", "total_steps"} if "decay_steps" in names else set())
