"""The known deviations by subject: NAME.toml says what each is, NAME.py which cases it can affect.

heading, once at the top of a table: what its entries are about, for people: "You resume a run".
title: a fragment that makes sense alone in a table.  symptom, workaround: full sentences.
who: who is hit, after "if": "you resume a run"; required.
kind: defect (contradicts the documentation), surprise (documented or arguable, but silently loses LRs), change.
since / until: first release with it, first release without it ("" = not fixed yet).  `python -m suite atlas` measures
both on the scheduler file of every release from 1.11 on and fails where they differ from the values here.
shapes: what it may look like, the labels of suite/engine/verdict.py.
reading: the entry of readings.toml that it rests on.
upstream: issues and pull requests of pytorch/pytorch; empty = none known.
"""

from . import (
    applied,
    beside,
    composites,
    docs,
    ends,
    groups,
    lengths,
    loading,
    numbers,
    objects,
    order,
    plateau,
    resuming,
)
from .places import Predicate

#: The subjects, in the order in which causes are looked for: those in the composition before those in the loop.
SUBJECTS = {
    "beside": beside,
    "lengths": lengths,
    "numbers": numbers,
    "plateau": plateau,
    "composites": composites,
    "groups": groups,
    "order": order,
    "loading": loading,
    "resuming": resuming,
    "ends": ends,
    "docs": docs,
    "applied": applied,
    "objects": objects,
}
#: Entry → the cases that it can affect.
PREDICATES: dict[str, Predicate] = {
    entry: predicate for subject in SUBJECTS.values() for entry, predicate in subject.PREDICATES.items()
}
