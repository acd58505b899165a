"""`emseg evaluate` called in this process: what of files counts, what is printed and written, what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt
from skimage.metrics import adapted_rand_error, variation_of_information
from tests.component_oracle import components_named
from tests.refusals import refused

from emseg.cli.on_demand import loaded
from emseg.errors import PermanentError

SIZE_NM = (40.0, 8.0, 8.0)
random = np.random.default_rng(3)
LABELS, TRUTH = (np.kron(random.integers(0, 9, (3, 6, 6)), np.ones((6, 9, 9), int)) for _ in range(2))


def evaluate(*words: object) -> None:
    loaded("evaluate").main([*map(str, words)], standalone_mode=False)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    np.savez(tmp_path / "labels.npz", labels=LABELS, voxel_size_nm=SIZE_NM)
    np.savez(tmp_path / "truth.npz", groundtruth=TRUTH)
    return tmp_path / "labels.npz", tmp_path / "truth.npz"


def test_in_a_shell_without_a_language_names_are_kept_as_they_are(files: tuple[Path, Path], tmp_path: Path) -> None:
    """Kills a path that is no text there: neither a terminal nor JSON takes it."""
    truth, out = tmp_path / "völume µ.npz", tmp_path / "s.json"
    files[1].rename(truth)
    without = {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    command = [Path(sys.executable).with_name("emseg"), "evaluate", files[0], truth, "--out", out]
    subprocess.run(command, check=True, env=os.environ | without)
    assert json.loads(out.read_text("utf-8"))["groundtruth"] == str(truth)


def test_a_segmentation_without_a_segment_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    """Kills a perfect score of nothing: one unlabelled segment over one body has no error."""
    np.savez(tmp_path / "none.npz", labels=np.zeros_like(LABELS))
    with refused(PermanentError, "no voxel that counts has a segment"):
        evaluate(tmp_path / "none.npz", files[1])


def test_what_of_two_files_counts_is_as_counted_by_numpy_and_scipy(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kills an option that is read and not used. Oracles: SciPy's distances, scikit-image's scores."""
    options = [
        "--ignore-boundary-nm",
        9,
        "--min-body-vox",
        300,
        "--box",
        "0,2,2,15,50,50",
        "--out",
        tmp_path / "s.json",
    ]
    options += ["--leave-out", "0,0,0,6,20,20", *(word for body in (1, 2, 3, 5, 8) for word in ("--body", body))]
    evaluate(*files, *options)
    counts = np.zeros(TRUTH.shape, bool)
    counts[:15, 2:50, 2:50] = True
    counts[:6, :20, :20] = False
    counts &= np.isin(TRUTH, [1, 2, 3, 5, 8])
    for body in range(1, 9):
        counts[(body == TRUTH) & (distance_transform_edt(body == TRUTH, sampling=SIZE_NM) <= 9)] = False
    counts &= (np.bincount(TRUTH[counts], minlength=9) >= 300)[TRUTH]
    assert 0 < counts.sum() < np.isin(TRUTH, [1, 2, 3, 5, 8]).sum() / 2
    found = json.loads((tmp_path / "s.json").read_text())
    figures, truth, labels = found["figures"], TRUTH[counts], LABELS[counts]
    assert figures["voxels"] == counts.sum()
    assert [figures["vi_split"], figures["vi_merge"]] == pytest.approx(variation_of_information(truth, labels))
    assert figures["adapted_rand_error"] == pytest.approx(adapted_rand_error(truth, labels + 1)[0])
    assert (found["schema_version"], found["voxel_size_nm"], found["start"]) == (1, [40, 8, 8], [0, 2, 2])
    said, worst = capsys.readouterr().out, found["findings"]["cut"][0]
    assert f"Body {worst['body']} of the ground truth ({worst['voxels']} voxels)" in said
    assert f"{figures['vi_merge']:.4f}" in said
    assert f"{files[0]} against {files[1]}, voxels (0, 2, 2) to (15, 50, 50) (Z Y X)" in said.replace("\n", "")
    assert f"{found['edits'][2]['merges']} merges, {found['edits'][2]['splits']} splits" in said


def test_two_files_are_compared_by_components_inside_the_box(files: tuple[Path, Path], tmp_path: Path) -> None:
    """Oracle: scikit-image's components and scores. Kills components of the file in place of the box."""
    box, options = (slice(2, 15), slice(3, 40), slice(5, 50)), ["--box", "2,3,5,15,40,50", "--ignore-boundary-nm", 9]
    evaluate(*files, *options, "--components", "--out", tmp_path / "s.json")
    counts = np.zeros(TRUTH.shape, bool)
    for body in range(1, 9):
        counts |= (body == TRUTH) & (distance_transform_edt(body == TRUTH, sampling=SIZE_NM) > 9)
    truth, labels = components_named(TRUTH[box].astype(np.uint64))[counts[box]], LABELS[box][counts[box]]
    found = json.loads((tmp_path / "s.json").read_text())
    expected = variation_of_information(truth.astype(np.int64), labels)
    assert [found["figures"]["vi_split"], found["figures"]["vi_merge"]] == pytest.approx(expected)
    assert found["figures"]["bodies"] == len(np.unique(truth)) > 8
    assert found["counting"]["components"]
    (z, y, x), body = found["findings"]["cut"][0]["component_vox"], found["findings"]["cut"][0]["body"]
    assert TRUTH[z, y, x] == body
    assert found["findings"]["components"]


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["LABELS", "3f2a:segmentation"], ["3f2a:segmentation", "labels.npz", "NODE:INSTANCE"]),
        (["3f2a:segmentation", "12:groundtruth"], ["12:groundtruth", "neither", "4 to 32"]),
        (["LABELS", "TRUTH", "--roi", "3f2a:roi"], ["--roi", "NODE:INSTANCE"]),
        (["LABELS", "TRUTH", "--segmentation-supervoxels"], ["--segmentation-supervoxels"]),
        (["LABELS", "TRUTH", "--scale", 1], ["--scale", "NODE:INSTANCE"]),
        (["3f2a:a", "3f2a:b", "--voxel-size", 8, 8, 8], ["--voxel-size"]),
        (["3f2a:a", "3f2a:b", "--scale", 5], ["scale", 5]),
        (["3f2a:a", "3f2a:b", "--roi", "roi"], ["roi"]),
        (["3f2a:a", "3f2a:b", "--core-vox", 64, 64, 65], ["core_vox.2", 65]),
        (["LABELS", "TRUTH", "--voxel-size", 4, 8, 8], ["--voxel-size", "(4.0, 8.0, 8.0)", "(40.0, 8.0, 8.0)"]),
        (["LABELS", "TRUTH", "--box", "0,0,0,18,54,55"], ["0,0,0,18,54,55", "(18, 54, 54)"]),
        (["LABELS", "TRUTH", "--leave-out", "0,0,9"], ["0,0,9", "Z0,Y0,X0,Z1,Y1,X1"]),
        (["LABELS", "TRUTH", "--leave-out", "0,0,0,18,54,54"], ["truth.npz", "--leave-out"]),
        (["LABELS", "TRUTH", "--body", 77], ["truth.npz", "--body", 77]),
        (["LABELS", "TRUTH", "--min-body-vox", 10**6], ["truth.npz", "--min-body-vox"]),
        (["LABELS", "TRUTH", "--ignore-boundary-nm", -1], ["ignore_boundary_nm", -1]),
    ],
    ids=str,
)
def test_bad_options_are_refused(files: tuple[Path, Path], words: list[object], values: list[object]) -> None:
    """Kills an option that is silently not used, and figures of no voxels."""
    with refused(PermanentError, *values):
        evaluate(*({"LABELS": files[0], "TRUTH": files[1]}.get(word, word) for word in words))
