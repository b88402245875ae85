"""Made-up releases for tests: the installed torch's own files, with or without a planted fault."""

from __future__ import annotations

import functools
import re
from collections import Counter
from pathlib import Path

import torch.optim.lr_scheduler

from reference import ExponentialLR
from suite.across_releases.atlas_page import theme_of
from suite.cases.catalogue import all_cases
from suite.engine.case import Case
from suite.releases import cache

HOME = Path(torch.optim.lr_scheduler.__file__).parent
INSTALLED = (HOME / "lr_scheduler.py").read_text(encoding="utf-8")
#: Two made-up releases: the second has the fault below.
RIGHT, WRONG = "9.0.0", "9.1.0"
#: What an atlas consists of.
ATLAS_FILES = ("atlas.csv.gz", "traces.csv.gz", "releases.csv", "index.html", "atlas.png")
#: Every ExponentialLR is 1.01 times too high at its third step.
WRONG_EXPONENTIAL = """
_kept = ExponentialLR.get_lr
def _planted(self):
    return [lr * (1.01 if self.last_epoch == 3 else 1.0) for lr in _kept(self)]
ExponentialLR.get_lr = _planted
"""


def put(release: str, planted: str = "") -> None:
    """Store the installed schedulers in the cache as this release, with this code after them."""
    # The line ends of wheels for Windows are not those of the published hashes.
    files = {name: (HOME / name).read_bytes().replace(b"\r\n", b"\n") for name in cache.FILES}
    files["lr_scheduler.py"] += planted.encode()
    cache.store(release, files)


@functools.cache
def some_cases() -> tuple[Case, ...]:
    """Every 40th case, the first two of each theme, and every plain case of the scheduler that is broken."""
    per_theme: Counter[str] = Counter()
    chosen = []
    for i, case in enumerate(all_cases()):
        per_theme[theme_of(case)] += 1
        broken = isinstance(case.schedule, ExponentialLR) and not case.setup.marks
        if i % 40 == 0 or per_theme[theme_of(case)] <= 2 or broken:
            chosen.append(case)
    return tuple(chosen)


def changed(text: str, owner: str, old: str, new: str) -> str:
    """The text with one place of one class changed."""
    begin = re.search(rf"\nclass {owner}[(:]", text)
    assert begin is not None
    start = begin.start()
    end = text.find("\nclass ", start + 1) % (len(text) + 1)  # the last class ends with the file
    assert text[start:end].count(old) == 1
    return text[:start] + text[start:end].replace(old, new) + text[end:]


#: A method that does more before and after itself.
WRAPPED = """
_kept = {owner}.{method}
def _planted(self, *args, _kept=_kept, **kwargs):
    {before}
    result = _kept(self, *args, **kwargs)
    {after}
    return result
{owner}.{method} = _planted
"""


def planted(folder: Path, owner: str, method: str, before: str = "", after: str = "") -> str:
    """The path of a copy of the installed file whose method does more."""
    path = folder / f"{owner}_{method}.py"
    more = WRAPPED.format(owner=owner, method=method, before=before or "...", after=after or "...")
    path.write_text(INSTALLED + more, encoding="utf-8")
    return str(path)
