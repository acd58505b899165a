"""Names and texts from outside: none becomes another path, a line of a log, a command to a terminal, or a script."""

from __future__ import annotations

from tests.quality.test_report import FINDINGS, page_of  # noqa: F401
