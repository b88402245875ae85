"""Stands for `packaging.version`, with which libraries compare the release of torch."""

from __future__ import annotations

from suite.libraries.core.version import version_key

#: The one name that they use.
Version = version_key
