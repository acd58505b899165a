"""A result beside the served release: the figures are scikit-image's, and a worse one is refused in words."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import adapted_rand_error, variation_of_information

from emseg.config.gate import GatePolicy, Regression
from emseg.config.groundtruth import Unassigned
from emseg.evaluate import PerSubvolume, contingency_table, score
from emseg.quality import Comparison, Measured, against_release, judge, metric_rows

SUBVOLUMES = 12
TRUTH = np.repeat(np.arange(1, 13), 100)
"""Body n fills subvolume n - 1, but that body 12 has the last two."""
TRUTH[1000:] = 12
LOOSE = GatePolicy(vi_split_max=9, vi_merge_max=9, are_max=1, largest_body_share_max=1, assigned_share_min=0)


def measured(segmentation: np.ndarray, seed: str = "ab") -> Measured:
    pieces = zip(np.split(segmentation, SUBVOLUMES), np.split(TRUTH, SUBVOLUMES), strict=True)
    parts = PerSubvolume.of({f"sv-{i:08d}": contingency_table(*piece) for i, piece in enumerate(pieces)})
    return Measured.of(score(parts.whole), parts, seed, Unassigned.SEGMENT)


def merged_pair() -> np.ndarray:
    """Bodies 4 and 5 run together."""
    return np.where(TRUTH == 5, 4, TRUTH)


def cut_pair() -> np.ndarray:
    """Body 12 is cut between its two subvolumes, where neither shows it by itself."""
    return np.where(np.arange(1200) >= 1100, 99, TRUTH)


def judged(tmp_path, comparison: Comparison, own: Measured):
    rows = metric_rows("demo", own.score, {}, LOOSE)
    given = {"dataset": "demo", "run": "run-1", "fingerprint": "3f" * 32}
    return judge(rows, LOOSE, tmp_path / "docs", compared=[comparison], **given)


def compared(own: np.ndarray, served: np.ndarray, **policy: float | None) -> tuple[Comparison, Measured]:
    mine = measured(own)
    return against_release(mine, measured(served), 3, Regression(**policy), Unassigned.SEGMENT), mine


def test_the_rows_are_the_differences_that_scikit_image_finds():
    """Kills a difference the wrong way round, of subvolumes in place of the whole, and one in other units."""
    comparison, _ = compared(merged_pair(), cut_pair(), vi_split=9)
    vi = [np.array(variation_of_information(TRUTH, each)) for each in (merged_pair(), cut_pair())]
    are = [adapted_rand_error(TRUTH, each)[0] for each in (merged_pair(), cut_pair())]
    split, merge = vi[0] - vi[1]
    found = {row.metric: row.value for row in comparison.rows}
    assert found == pytest.approx(
        {
            "change_vi": split + merge,
            "change_vi_split": split,
            "change_vi_merge": merge,
            "change_adapted_rand_error": are[0] - are[1],
            "change_largest_segment_share": 1 / 12,  # 2 of 12 parts after 1
            "change_assigned_share": 0.0,
        },
        abs=1e-12,
    )
    assert {row.subject for row in comparison.rows} == {"release 3"}


def test_a_result_inside_of_all_limits_is_refused_where_it_is_worse_than_the_release(tmp_path):
    """Kills a gate of fixed limits: these figures are far inside of them."""
    comparison, own = compared(merged_pair(), TRUTH)
    verdict = judged(tmp_path, comparison, own)
    assert not verdict.passed
    said = "\n".join(verdict.reasons)
    assert "VI split + merge is 0.1667 bits worse than that of release 3 (0.166667, there 0)" in said
    assert "the gate allows 0.05 bits" in said
    assert "bits of the VI of the whole: sv-00000003 +0.083, sv-00000004 +0.083" in said
    assert (
        "Body 4 of the ground truth merged: +0.083 bits of VI merge; its largest segment, 4, now holds bodies 5" in said
    )
    assert "Subvolumes" in said
    assert "change_vi" in (tmp_path / "docs" / "suite.html").read_text()


def test_a_cut_that_no_subvolume_shows_is_told_with_its_place(tmp_path):
    """Kills places by the scores of subvolumes alone: each of them is perfect here."""
    comparison, own = compared(cut_pair(), TRUTH)
    said = "\n".join(judged(tmp_path, comparison, own).reasons)
    assert "sv-00000010 +0.083, sv-00000011 +0.083" in said
    assert "Body 12 of the ground truth broke: +0.167 bits of VI split; 90 % of it takes 2 segments, before 1" in said


@pytest.mark.parametrize("name", [name for name in Regression.model_fields if name != "vi_split"])
def test_each_allowed_worsening_alone_stops_publication(name, tmp_path):
    """Kills a limit that is not in the suite, or is read for another figure."""
    worse = np.where(TRUTH < 12, 0, 77) if name == "assigned_share" else np.where(TRUTH > 6, 7, TRUTH)
    off = dict.fromkeys(Regression.model_fields)
    comparison, own = compared(worse, TRUTH, **{**off, name: 0.01})
    verdict = judged(tmp_path, comparison, own)
    assert not verdict.passed
    assert len(comparison.rows) == 1
    lenient, _ = compared(worse, TRUTH, **{**off, name: 9.0})
    assert all(row.keeps_limit for row in lenient.rows)


def test_a_better_result_passes_with_values_below_0_and_tells_it(tmp_path):
    """Kills the rule that a figure below 0 is none, and a comparison that only speaks when it refuses."""
    comparison, own = compared(TRUTH, merged_pair())
    verdict = judged(tmp_path, comparison, own)
    assert verdict.passed
    assert next(row.value for row in verdict.rows if row.metric == "change_vi") == pytest.approx(-1 / 6)
    assert "Against release 3, VI split + merge is 0.1667 bits better (0, there 0.166667)" in verdict.notes[0]


def test_a_comparison_without_a_row_that_it_should_have_is_no_pass(tmp_path):
    """Kills a figure that is silently left out."""
    comparison, own = compared(TRUTH, TRUTH)
    lacking = Comparison(comparison.metrics, comparison.limits, comparison.rows[1:])
    verdict = judged(tmp_path, lacking, own)
    assert verdict.reasons == ("Worsening of VI split + merge of the volume has no row: it was not measured",)


def test_whether_the_difference_exceeds_what_resampling_gives_is_told():
    """A loss in one of twelve subvolumes may be chance; the same loss in each of them is not."""
    everywhere = np.where(np.arange(1200) % 100 < 50, TRUTH, TRUTH + 100)
    assert "exceeds what resampling the 12 subvolumes gives" in compared(everywhere, TRUTH)[0].told["change_vi"]
    once = np.where(np.arange(1200) < 50, 200, TRUTH)
    assert "lies within what resampling the 12 subvolumes gives" in compared(once, TRUTH)[0].told["change_vi"]
