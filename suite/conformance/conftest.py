"""Names the tested torch in every log."""

from __future__ import annotations

from suite.engine.subject import installed


def pytest_report_header() -> str:
    """One line in the header of every run."""
    subject = installed()
    return f"schedulers under test: {subject.name} ({subject.schedulers.__file__})"
