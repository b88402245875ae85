"""An independent list of defects and surprises, made by somebody who had not seen the cases: what they find of it.

independent.toml has all 76, those of a loop or of a metric too.  Found by the cases as they were: 43, and another 13
after the axes and schedules of this list's kind were added: 56.  Held to be the library's convention: 13.  Out of
scope, because no function of the step: 3.  Not found: 4; `scope` says why.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from suite.libraries.catalogue import libraries, library
from suite.libraries.known.deviations import deviations
from suite.shared.toml_file import read_toml
from suite.tests.libraries.at_hand import findings_at_hand

LISTED: list[dict[str, str]] = list(read_toml(Path(__file__).with_name("independent.toml"))["defect"])
FOUND = [defect for defect in LISTED if "entry" in defect]


def test_every_one_is_found_or_has_its_reason() -> None:
    """The counts are those of the docstring; each names a case, or says why there is none."""
    reasons = Counter(defect["scope"].partition(":")[0] for defect in LISTED if "entry" not in defect)
    first = sum("first_try" not in defect for defect in FOUND)
    assert (len(LISTED), first, len(FOUND)) == (76, 43, 56)
    assert reasons == {"convention": 13, "not found": 4, "out of scope": 3}
    assert all(defect["library"] in libraries() for defect in LISTED)


@pytest.mark.slow
@pytest.mark.parametrize("defect", [pytest.param(one, id=f"{one['case']}-{one['entry']}") for one in FOUND])
def test_a_listed_defect_is_found(defect: dict[str, Any]) -> None:
    """In the newest compared release that shows it, the case deviates in the channel, and the entry explains it."""
    entry = deviations()[defect["entry"]]
    release = [release for release in library(defect["library"]).releases if entry.covers(release)][-1]
    found = next(f for f in findings_at_hand(defect["library"], release) if f.case.id == defect["case"])
    pairs = zip(found.verdict.deviations, found.causes, strict=True)
    assert entry in [cause for deviation, causes in pairs if deviation.channel == defect["channel"] for cause in causes]
