"""The matrix in a few numbers and rows, from the declarations and the recorded cases: nothing is run."""

from __future__ import annotations

from suite.shared.markdown import markdown_table

from .catalogue import libraries
from .core.case import cases_of
from .known.deviations import LibraryDeviation, deviations, library_records

#: The defects that the README shows: silent, and in plain use of libraries that many people meet.
SHOWN = (
    "transformers-floor-of-one-lr",
    "torchtitan-negative-lr",
    "nemo-annealing-first-group",
    "deepspeed-cosine-base-from-loaded-optimizer",
    "speechbrain-first-update-full-lr",
    "ignite-wrapped-scheduler-ahead",
)


def sentence() -> str:
    """How many schedules have a defect, and in how many libraries."""
    entries, own = deviations(), libraries()
    schedules = [(name, schedule.name) for name, one in own.items() for schedule in one.schedules]
    wrong, shown = set(), set()
    for case, records in library_records().items():
        library, schedule, _ = case.split("/")
        shown |= {record.entry for record in records}
        if any(entries[record.entry].kind == "defect" for record in records):
            wrong.add((library, schedule))
    places, cases = len({name for name, _ in wrong}), sum(len(cases_of(one)) for one in own.values())
    return (
        f"**{len(wrong)}** of **{len(schedules)}** schedules have a defect, in **{places}** of **{len(own)}** "
        f"libraries:\n{cases} cases on their newest releases, of which {len(library_records())} deviate from what the "
        f"library documents, in {len(shown)} known ways.\n"
    )


def block() -> str:
    """The sentence and a table of some defects."""
    shown = [deviations()[entry] for entry in SHOWN]
    rows = [(f"**{e.library}**: {e.who}", e.symptom, e.workaround, _links(e)) for e in shown]
    header = ("you are hit if", "what happens", "what to write instead", "upstream")
    return f"{sentence()}\n{markdown_table(header, rows)}\n"


def _links(entry: LibraryDeviation) -> str:
    """The threads as short links."""
    return ", ".join(f"[#{url.rstrip('/').rpartition('/')[2]}]({url})" for url in entry.upstream) or "none found"
