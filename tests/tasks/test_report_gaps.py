"""What fails in a report is told, and what is damaged is mended."""

from __future__ import annotations

import pytest
from tests.refusals import refused

from emseg.errors import IntegrityError, TransientError
from emseg.tasks.report_gaps import Gaps


def failing(error: Exception):
    def make() -> int:
        raise error

    return make


@pytest.mark.parametrize("error", [TransientError("reading", "there", "503", "Wait"), ValueError("no"), MemoryError()])
def test_a_part_that_fails_is_named_with_the_reason(error):
    """Kills a gate that fails over a picture, and a gap that nobody is told of."""
    gaps = Gaps()
    assert gaps.attempt("The trend", failing(error), 7) == 7
    drawn, reason = gaps.drawn("The picture", failing(error))
    assert drawn is None
    assert reason in {str(error), type(error).__name__}
    assert [each.partition(":")[0] for each in gaps.told] == ["The trend", "The picture"]


def test_a_damaged_artefact_is_mended_by_a_retry_and_a_damaged_picture_is_no_reason_for_one():
    """Kills a marker that is taken back unnoticed, and a gate that four tries of an unreadable image bring down."""
    gaps, damage = Gaps(), IntegrityError("reading", "votes 7", "not as written", "Try again")
    with refused(IntegrityError, "votes 7"):
        gaps.attempt("Joins", failing(damage), None)
    assert gaps.drawn("The picture", failing(damage))[0] is None
    assert gaps.attempt("Joins", lambda: 5, None) == 5
