"""Record which cases deviate in the newest compared release of each library, and by which entry."""

from __future__ import annotations

from suite.shared.cli import InputError, checked_input

from .catalogue import libraries
from .findings import findings_of_all
from .known.deviations import CASES, records_for, write_library_records
from .wheels.files import fetch_all, files_of


def accept_libraries(offline: bool) -> str:
    """Write cases.csv, return a line about it; raises InputError, nothing written, for an unexplained deviation."""
    pairs = [(own, own.releases[-1]) for own in libraries().values()]
    for reason in fetch_all(pairs, offline=offline).values():
        raise InputError(reason)
    jobs = [(own, release, files_of(own, release, offline=True)) for own, release in pairs]
    found = [finding for group in findings_of_all(jobs) for finding in group]
    with checked_input():
        records = [record for f in found for record in records_for(f.case, f.verdict, f.release)]
    write_library_records(records)
    deviating = len({record.case for record in records})
    return f"{CASES.name}: {deviating} of {len(found)} cases of {len(pairs)} libraries deviate, each in a known way"
