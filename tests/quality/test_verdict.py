"""Every verdict here is made by the real Great Expectations."""

from __future__ import annotations

import logging
from dataclasses import replace
from math import inf, nan

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.refusals import refused

from emseg.errors import IntegrityError
from emseg.quality import Verdict, judge, verdict
from emseg.quality.suite import SuiteResult

FINGERPRINT = "3f" * 32
BAD = {
    "vi_split": 2.5,
    "vi_merge": 1.25,
    "adapted_rand_error": 0.31,
    "largest_segment_share": 0.81,
    "assigned_share": 0.59,
}


@pytest.fixture
def judged(policy, tmp_path):
    return lambda rows: judge(rows, policy, tmp_path / "docs", dataset="demo", run="run-1", fingerprint=FINGERPRINT)


def with_value(rows, at, value):
    return [*rows[:at], replace(rows[at], value=value), *rows[at + 1 :]]


def test_a_good_result_passes_without_reasons(judged, good_rows):
    found = judged(good_rows)
    assert found.passed
    assert found.reasons == ()
    assert (found.dataset, found.run, found.fingerprint) == ("demo", "run-1", FINGERPRINT)
    assert found.figures == {
        "vi_split": 1.5,
        "vi_merge": 0.5,
        "adapted_rand_error": 0.1,
        "largest_segment_share": 0.4,
        "assigned_share": 0.9,
        "subvolumes": 2,
        "subvolumes_failed": 0,
        "worst_subvolume_vi": 4.0,
    }


def test_the_log_tells_no_step_of_the_suite(judged, good_rows, caplog):
    """Kills a log of a task in which the verdict is lost between paths of temporary folders."""
    caplog.set_level(logging.INFO)
    judged(good_rows)
    assert not [each for each in caplog.records if each.name.startswith("great_expectations")]


@pytest.mark.parametrize("metric", BAD)
def test_each_metric_of_the_volume_alone_stops_publication(metric, judged, good_rows):
    """Kills a suite in which one of the limits is missing, turned round, or read from another field."""
    at = next(i for i, row in enumerate(good_rows) if row.metric == metric)
    found = judged(with_value(good_rows, at, BAD[metric]))
    assert not found.passed
    (reason,) = found.reasons
    assert f"is {BAD[metric]:g}" in reason
    assert reason.split(" asks for ")[1].startswith("at least 0.6" if metric == "assigned_share" else "at most ")


def test_one_bad_subvolume_stops_a_volume_that_is_good_as_a_whole(judged, good_rows):
    """Kills a gate that averages: an error must stay visible where it is."""
    found = judged(with_value(good_rows, 5, 4.01))
    assert found.reasons == ("VI split + merge of sv-00000000 is 4.01 bits; the gate asks for at most 4 bits",)
    assert [row.subject for row in found.rows] == ["demo"] * 5 + ["sv-00000000"]


@pytest.mark.parametrize("at", [0, 4, 6])
@pytest.mark.parametrize("value", [None, nan, inf, -inf])
def test_a_value_that_is_no_number_fails_and_is_said_to_be_unmeasured(at, value, judged, good_rows):
    """Kills comparisons in which NaN passes, and GX's own rule that a limit over nulls holds."""
    found = judged(with_value(good_rows, at, value))
    assert not found.passed
    (reason,) = found.reasons
    assert "was not measured" in reason


@pytest.mark.parametrize("missing", range(5))
def test_a_volume_metric_without_a_row_fails(missing, judged, good_rows):
    """Kills a suite that only judges the rows that happen to be there."""
    found = judged([row for i, row in enumerate(good_rows) if i != missing])
    assert len(found.reasons) == 1
    assert "has no row" in found.reasons[0]


def test_an_empty_table_fails_with_all_five_reasons(judged):
    found = judged([])
    assert not found.passed
    assert len(found.reasons) == 5


def test_a_row_given_twice_fails_even_when_both_are_good(judged, good_rows):
    """Kills a join that doubles rows and lets the better of two measurements count."""
    found = judged([*good_rows, good_rows[0]])
    assert found.reasons == ("VI split of the volume is given more than once",) * 2


def test_a_bad_row_stops_publication_among_a_thousand_good_ones(judged, good_rows):
    many = [replace(good_rows[6], subject=f"sv-{i:08d}") for i in range(2, 1002)]
    found = judged([*good_rows, *many[:-1], replace(many[-1], value=4.5)])
    assert not found.passed
    assert found.figures["subvolumes"] == 1002
    assert found.figures["subvolumes_failed"] == 1


def test_a_verdict_names_the_worst_subvolumes_first_and_stays_small(judged, good_rows):
    many = [replace(good_rows[6], subject=f"sv-{i:08d}", value=5 + i / 100) for i in range(2, 302)]
    found = judged([*good_rows, *many])
    assert found.reasons[0].startswith("VI split + merge of sv-00000301 is 8.01 bits")
    assert found.reasons[-1] == "290 more subvolumes miss their limit"
    assert len(found.model_dump_json()) < 4000


def test_a_row_with_a_limit_that_is_not_the_policys_is_refused(judged, good_rows):
    """The suite judges by the policy, the rows by their own limits: a loosened row cannot slip through either."""
    loosened = [replace(good_rows[0], value=2.5, limit=9.0), *good_rows[1:]]
    with refused(IntegrityError, "run-1", [0]):
        judged(loosened)


@pytest.mark.parametrize("suite_says", [SuiteResult(True, frozenset(), ()), SuiteResult(False, frozenset({1}), ("x",))])
@pytest.mark.fault("F23")
def test_a_suite_that_misses_or_mistakes_the_bad_row_is_not_believed(suite_says, judged, good_rows, monkeypatch):
    """Kills a gate that trusts one judge: the first wrong suite passes a bad row, the second blames another row."""
    monkeypatch.setattr(verdict, "run_suite", lambda *_: suite_says)
    with refused(IntegrityError, "run-1"):
        judged(with_value(good_rows, 0, 2.5))


def test_a_verdict_survives_json_with_its_missing_values(judged, good_rows):
    found = judged(with_value(good_rows, 0, None))
    assert Verdict.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize("change", [{"reasons": ("no",)}, {"passed": False}])
def test_a_verdict_that_contradicts_itself_cannot_be_made(change, judged, good_rows):
    """Kills a stored verdict whose `passed` was edited by hand."""
    document = judged(good_rows).model_dump() | change
    _check_contradicts(document)


def test_a_passing_verdict_with_a_failing_row_cannot_be_made(judged, good_rows):
    document = judged(good_rows).model_dump(mode="json")
    document["rows"][0]["value"] = 2.5
    _check_contradicts(document)


def _check_contradicts(document: dict) -> None:
    """The document is refused as a whole, not for one of its fields."""
    with pytest.raises(ValidationError) as caught:
        Verdict.model_validate(document)
    assert [(error["loc"], error["type"]) for error in caught.value.errors()] == [((), "value_error")]


numbers = st.one_of(st.none(), st.floats(0, 5), st.sampled_from([0.0, 0.3, 0.6, 0.8, 1.0, 2.0, 4.0]))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(numbers, min_size=7, max_size=7))
def test_a_verdict_passes_exactly_when_all_seven_numbers_are_in_order(values, judged, good_rows):
    """The limits are written out here a second time, by hand."""
    rows = [replace(row, value=value) for row, value in zip(good_rows, values, strict=True)]
    most, least = (2.0, 1.0, 0.3, 0.8, None, 4.0, 4.0), 0.6
    kept = [v is not None and (v >= least if m is None else v <= m) for v, m in zip(values, most, strict=True)]
    found = judged(rows)
    assert found.passed == all(kept)
    assert len(found.reasons) == kept.count(False)
