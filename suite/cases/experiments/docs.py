"""The docstring of every scheduler against its signature and its behaviour: one case per class and group of rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from suite.cases.schedules.compositions import PARTS
from suite.engine.action import Action
from suite.engine.axes import Setup
from suite.engine.case import Case
from suite.engine.docstrings.groups import GROUPS
from suite.engine.docstrings.script import script
from suite.engine.subject import Subject, installed
from suite.engine.verdict import Verdict


@dataclasses.dataclass(frozen=True)
class Documented(Action):
    """One group of rules, applied to the class of the case; nothing is trained."""

    group: str

    @property
    def mark(self) -> str:
        """Its part of a case's id."""
        return f"docs.{self.group}"

    @property
    def words(self) -> str:
        """What is examined, for people."""
        return f"docstring examined for {self.group}"

    def examine(self, case: Case, subject: Subject) -> list[Verdict]:
        """A deviation for each difference; its shape is the rule."""
        try:
            differences = GROUPS[self.group](subject, type(case.schedule).__name__)
        except Exception as error:  # noqa: BLE001 - a class that cannot be examined is a verdict, not a crash
            return [Verdict("deviates", "error", detail=f"{type(error).__name__}: {error}", channel="docs")]
        return [Verdict("deviates", d.rule, detail=d.sentence, channel="docs") for d in differences]

    def script(self, case: Case, header: list[str]) -> str:
        """Each difference on the installed torch, shown with torch alone."""
        return script(header, GROUPS[self.group](installed(), type(case.schedule).__name__))


def cases() -> Iterator[Case]:
    """Every public class under every group of rules."""
    for schedule in PARTS:
        for group in GROUPS:
            yield Case("docs", schedule, Setup(actions=(Documented(group),)))
