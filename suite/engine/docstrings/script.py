"""The findings about one class as a script that needs torch alone."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Sequence

from suite.engine.statements import WIDTH

from .finding import DocFinding

#: Modules of the standard library that a part may use.
STANDARD = ("contextlib", "inspect", "io", "warnings")
OPTIMIZER = "optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.3, momentum=0.9)"


def script(header: Sequence[str], findings: Sequence[DocFinding]) -> str:
    """The script: for each finding the lines that show it; the last line of output is the first that is still there."""
    parts = [_part(finding) for finding in findings]
    body = "\n\n".join(["found = []", *parts, 'print(f"first deviation: {found[0]}" if found else "no deviation")'])
    standard = [f"import {name}" for name in STANDARD if re.search(rf"\b{name}\.", body)]
    imports = [*standard, *([""] if standard else []), "import torch", "from torch.optim.lr_scheduler import *"]
    imports += ["from torch.optim.swa_utils import SWALR"] * ("SWALR" in body)
    return "\n".join([*header, "", *imports, "", body]) + "\n"


def start_of(sentence: str) -> str:
    """The sentence up to what the documentation says: what a script prints."""
    return sentence.split(" is ")[0]


def _part(finding: DocFinding) -> str:
    comment = textwrap.wrap(f"# {finding.sentence}.", WIDTH - 2, subsequent_indent="# ", break_long_words=False)
    text = textwrap.wrap(start_of(finding.sentence), WIDTH - 12, drop_whitespace=False)
    # Without lines of its own a finding is about the text alone, which the comment repeats.
    code = finding.code or "deviates = True"
    append = "\n".join(["if deviates:", "    found.append(", *(f"        {json.dumps(row)}" for row in text), "    )"])
    return "\n".join([*comment, OPTIMIZER, code, append])
