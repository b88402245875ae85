"""The checks of a whole test run: the page that --warmup-bench-report asks for, and what GitHub Actions shows.

With pytest-xdist the tests run in other processes: each check travels with the report of its test.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from suite.shared import github


class CollectedChecks:
    """Collects the checks of every test and writes them at the end.

    `key`: where the fixtures keep the checks of a test; `report`: the file for the page, or None.
    """

    def __init__(self, config: pytest.Config, key: pytest.StashKey[list[dict[str, Any]]], report: str | None) -> None:
        self.key = key
        self.worker = hasattr(config, "workerinput")
        self.report = None if report is None else Path(report)
        self.tests: list[dict[str, Any]] = []
        if self.report is not None and not self.worker:
            missing = [name for name in ("jinja2", "matplotlib") if importlib.util.find_spec(name) is None]
            if missing:
                raise pytest.UsageError(
                    f"warmup-bench-report={report} needs {' and '.join(missing)}: pip install '.[atlas]'"
                )
            if not self.report.absolute().parent.is_dir():
                raise pytest.UsageError(f"warmup-bench-report={report} must be a file in an existing folder")

    @pytest.hookimpl(hookwrapper=True)  # the older form: every pytest since 7 has it
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
        """Add the checks of a test to its report."""
        outcome = yield
        if call.when == "call":
            outcome.get_result().warmup_bench = item.stash.get(self.key, [])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the checks of a test that has run, here or in another process."""
        checks = getattr(report, "warmup_bench", [])
        if checks:
            file, line, _ = report.location
            test = {"id": report.nodeid, "file": file, "line": (line or 0) + 1, "outcome": report.outcome}
            self.tests.append({**test, "checks": checks})

    def pytest_sessionfinish(self) -> None:
        """Write the page and the summary."""
        if self.worker:
            return
        if self.report is not None:
            from .page import write_checks

            write_checks(self.report, self.tests)
        if github.in_actions() and self.tests:
            github.add_summary(summary(self.tests))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the annotations, and where the page is."""
        if github.in_actions():
            failures = [(test, check) for test in self.tests for check in test["checks"] if check["failures"]]
            for test, check in failures[: github.MOST]:
                text, title = "\n".join(check["failures"]), f"{check['name']} in {test['id'].rpartition('::')[2]}"
                terminalreporter.write_line(github.annotation("error", title, text, test["file"], test["line"]))
        if self.report is not None:
            terminalreporter.write_line(f"learning-rate checks: {self.report}")


def summary(tests: list[dict[str, Any]]) -> str:
    """The checks as Markdown."""
    rows = [(test, check) for test in tests for check in test["checks"]]
    wrong = [(test, check) for test, check in rows if check["failures"]]
    lines = [f"### Learning rates: {len(rows) - len(wrong)} of {len(rows)} checks passed", ""]
    if wrong:
        lines += ["| test | check | what is wrong |", "|---|---|---|"]
        lines += [
            f"| `{test['id']}` | {check['name']} | {github.cell(chr(10).join(check['failures']))} |"
            for test, check in wrong
        ]
    return "\n".join(lines)
