"""Each line of the fault matrix is shown by a test, and each test that shows a line names one of the matrix."""

from __future__ import annotations

import re
from pathlib import Path

from tests.faults.matrix import FAULTS

TESTS = Path(__file__).parents[1]
_MARK = re.compile(r'mark\.fault\("(F\d+)"\)')


def test_every_line_is_shown_by_a_test_and_no_test_shows_an_unknown_one():
    """Kills a line that was promised and whose test was lost."""
    shown = {line for file in TESTS.rglob("test_*.py") for line in _MARK.findall(file.read_text())}
    assert sorted(shown, key=_number) == sorted(FAULTS, key=_number)


def _number(line: str) -> int:
    return int(line[1:])
