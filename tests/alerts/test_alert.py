from __future__ import annotations

import pytest
from pydantic import ValidationError

from emseg.alerts import Alert, as_text


def test_the_text_says_everything_in_order(alert):
    assert as_text(alert) == (
        "[ERROR] Quality gate failed\ndataset demo, run run-1\n\n"
        "- VI split of the volume is 2.5 bits; the gate asks for at most 2 bits\n\n"
        "vi_split: 2.5\n\n"
        "Body 17 is cut\n\n"
        "Report: https://example.org/report.html"
    )


def test_a_short_alert_has_no_empty_blocks():
    assert as_text(Alert(severity="info", title="Late", dataset="d", run="r")) == "[INFO] Late\ndataset d, run r"


def test_a_retried_task_sends_the_same_key_and_another_run_another(alert):
    """Kills keys made of the clock or of the figures, which differ from try to try."""
    again = alert.model_copy(update={"figures": {"vi_split": 2.6}, "reasons": ()})
    assert again.dedupe_key == alert.dedupe_key
    others = [alert.model_copy(update={name: "other"}) for name in ("dataset", "run", "title")]
    assert len({alert.dedupe_key, *(other.dedupe_key for other in others)}) == 4


def test_moving_a_letter_between_dataset_and_run_changes_the_key(alert):
    """Kills a digest of the texts run together."""
    assert (
        alert.model_copy(update={"dataset": "ab", "run": "c"}).dedupe_key
        != alert.model_copy(update={"dataset": "a", "run": "bc"}).dedupe_key
    )


def test_an_unknown_severity_or_field_is_refused():
    with pytest.raises(ValidationError):
        Alert(severity="fatal", title="t", dataset="d", run="r")
    with pytest.raises(ValidationError):
        Alert(severity="info", title="t", dataset="d", run="r", webhook="https://example.org/token")
