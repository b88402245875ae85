"""The groups of rules by name: each takes a release and a class, and returns what differs."""

from __future__ import annotations

from collections.abc import Callable

from suite.engine.subject import Subject

from .examples import examples
from .finding import DocFinding
from .references import references
from .returns import deprecations, returns
from .signatures import defaults, documented_types, names
from .statements import statements
from .values import raises, ranges, types

GROUPS: dict[str, Callable[[Subject, str], list[DocFinding]]] = {
    "names": names,
    "defaults": defaults,
    "annotations": documented_types,
    "types": types,
    "ranges": ranges,
    "raises": raises,
    "deprecations": deprecations,
    "examples": examples,
    "statements": statements,
    "returns": returns,
    "references": references,
}
