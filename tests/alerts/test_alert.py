from __future__ import annotations

import pytest
from pydantic import ValidationError

from emseg.alerts import Alert, as_text, finite


def test_the_text_says_everything_in_order(alert):
    assert as_text(alert) == (
        "[ERROR] Quality gate failed\ndataset demo, run run-1\n\n"
        "- VI split of the volume is 2.5 bits; the gate asks for at most 2 bits\n\n"
        "vi_split: 2.5 (release 3: 2, +0.5)\n\n"
        "Body 17 is cut (at Z 12, Y 0, X 7)\n  https://example.org/#!17\n\n"
        "Report: https://example.org/report.html"
    )


def test_a_short_alert_has_no_empty_blocks():
    assert (
        as_text(Alert(kind="late", severity="info", title="Late", dataset="d", run="r"))
        == "[INFO] Late\ndataset d, run r"
    )


def test_a_retried_task_sends_the_same_key_and_another_run_another(alert):
    """Kills keys made of the clock, the figures or a title with a number in it, which differ from try to try."""
    again = alert.model_copy(update={"figures": {"vi_split": 2.6}, "reasons": (), "title": "other words"})
    assert again.dedupe_key == alert.dedupe_key
    others = [alert.model_copy(update={name: "other"}) for name in ("dataset", "run", "cause", "kind")]
    assert len({alert.dedupe_key, *(other.dedupe_key for other in others)}) == 5


def test_moving_a_letter_between_dataset_and_run_changes_the_key(alert):
    """Kills a digest of the texts run together."""
    assert (
        alert.model_copy(update={"dataset": "ab", "run": "c"}).dedupe_key
        != alert.model_copy(update={"dataset": "a", "run": "bc"}).dedupe_key
    )


def test_an_unknown_severity_or_field_is_refused():
    with pytest.raises(ValidationError):
        Alert(kind="failed", severity="fatal", title="t", dataset="d", run="r")
    with pytest.raises(ValidationError):
        Alert(kind="failed", severity="info", title="t", dataset="d", run="r", webhook="https://example.org/token")
    with pytest.raises(ValidationError):
        Alert(kind="odd", severity="info", title="t", dataset="d", run="r")


def test_figures_stand_beside_those_of_the_served_release_only_where_there_are_some(alert):
    """Kills a difference to nothing, and one with the sign turned round."""
    assert alert.figure_lines() == ["vi_split: 2.5 (release 3: 2, +0.5)"]
    better = alert.model_copy(update={"figures": {"vi_split": 1.75, "are": 0.1}})
    assert better.figure_lines() == ["vi_split: 1.75 (release 3: 2, -0.25)", "are: 0.1"]


def test_what_was_not_measured_is_no_figure(alert):
    """Kills NaN in a JSON message, which strict readers refuse as a whole."""
    assert finite({"vi_split": 1, "are": float("nan"), "share": float("inf")}) == {"vi_split": 1.0}
    with pytest.raises(ValidationError):
        Alert(**{**alert.model_dump(), "figures": {"vi_split": float("nan")}})
