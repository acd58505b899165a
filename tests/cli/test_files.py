"""`emseg segment` and `emseg evaluate` as a user calls them: a file in, a file out, no services."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import variation_of_information
from tests import forked

from emseg.synthetic import make_volume

EMSEG = Path(sys.executable).parent / "emseg"


def emseg(*words: object) -> subprocess.CompletedProcess[str]:
    return forked.emseg(*words, environment={"PATH": "/nowhere", "COLUMNS": "200", "NUMBA_NUM_THREADS": "1"})


@pytest.fixture(scope="module")
def volume(tmp_path_factory) -> Path:
    made = make_volume((70, 130, 100), seed=5)
    path = tmp_path_factory.mktemp("volume") / "volume.npz"
    np.savez_compressed(path, grayscale=made.grayscale, groundtruth=made.groundtruth)
    return path


def test_a_volume_is_segmented_and_scored_from_the_command_line(volume, tmp_path):
    out = tmp_path / "out.npz"
    done = emseg("segment", volume, "--preset", "classical", "--out", out, "--core", 64, 64, 64)
    assert done.returncode == 0, done.stderr
    assert "100 %" in done.stdout
    assert "10 x 10 x 10 nm" in done.stdout
    with np.load(out) as segmented, np.load(volume) as given:
        labels, truth = segmented["labels"], given["groundtruth"]
    assert labels.dtype == np.uint64
    assert labels.shape == truth.shape
    scored = emseg("evaluate", out, volume)
    assert scored.returncode == 0, scored.stderr
    _, renamed = np.unique(labels, return_inverse=True)  # scikit-image counts up to the largest id
    split_merge = variation_of_information(truth.astype(np.int64), renamed)
    for figure in split_merge:
        assert f"{figure:.4f}" in scored.stdout
    assert sum(split_merge) < 1.5


def test_stitching_joins_what_the_cuts_divide(volume, tmp_path):
    counts = {}
    (tmp_path / "o.npz").symlink_to(tmp_path / "elsewhere.npz")
    for mode in ("none", "medium"):
        done = emseg("segment", volume, "--out", tmp_path / "o.npz", "--core", 64, 64, 64, "--stitch", mode)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "o.npz").is_symlink()
        with np.load(tmp_path / "elsewhere.npz") as segmented:
            counts[mode] = len(np.unique(segmented["labels"]))
    assert counts["medium"] < counts["none"]


def test_a_full_disk_under_what_is_printed_is_told():
    """Kills a traceback, and an exit code 0 for a list that was cut. Oracle: the kernel's own file that is full."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([EMSEG, "steps", "--json"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 64
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["segment", "absent.npz", "--out", "o.npz"], ["absent.npz", "key `grayscale`"]),
        (["segment", "VOLUME", "--out", "o.npz", "--preset", "miracle"], ["miracle", "classical"]),
        (["segment", "VOLUME", "--out", "o.npz", "--core", 64, 64, 65], ["core_vox.2 = 65", "multiple of 64"]),
        (["segment", "VOLUME", "--out", "o.npz", "--core", 64, 64, 64, "--halo", 90, 20, 20], ["halo"]),
        (["segment", "FLOAT", "--out", "o.npz"], ["float32", "uint8"]),
        (["segment", "CONSTANT", "--out", "o.npz"], ["constant.npz", "90"]),
        (["segment", "NAN", "--out", "o.npz"], ["float64", "uint8"]),
        (["segment", "VOLUME", "--out", "name"], ["--out name", ".npz"]),
        (["segment", "VOLUME", "--out", "FOLDER"], ["folder.npz"]),
        (["segment", "VOLUME", "--out", "VOLUME"], ["--out", "the input"]),
        (["segment", "VOLUME", "--out", "BELOW"], ["float.npz/o.npz", "float.npz is"]),
        (["steps", "--voxel-size", 0, 4, 4], ["--voxel-size (0.0, 4.0, 4.0)"]),
        (["segment", "VOLUME", "--out", "o.npz", "--voxel-size", 0, 4, 4], ["--voxel-size (0.0, 4.0, 4.0)"]),
        (["segment", "VOLUME", "--out", "o.npz", "--voxel-size", "nan", 4, 4], ["--voxel-size (nan, 4.0, 4.0)"]),
        (["segment", "TORN", "--out", "o.npz"], ["torn.npz", "BadZipFile", "`grayscale`"]),
        (["segment", "NPY", "--out", "o.npz"], ["single.npy", "`grayscale`"]),
        (["evaluate", "VOLUME", "VOLUME"], ["key `labels`"]),
        (["evaluate", "NEGATIVE", "NEGATIVE"], ["negative.npz", "-1", "labels[labels < 0] = 0"]),
        (["evaluate", "SEEN", "SEEN"], ["seen.npz", "(9, 9, 10)"]),
        (["evaluate", "AT8NM", "AT16NM"], ["at8nm.npz", "at16nm.npz", "(8.0, 8.0, 8.0) nm", "(16.0, 16.0, 16.0) nm"]),
        (["evaluate", "AT8NM", "AT0NM"], ["at0nm.npz", "(0.0, 0.0, 0.0)"]),
        (["evaluate", "EMPTY", "EMPTY"], ["empty.npz", "(0, 9, 9)"]),
        (["train", "--data", "NEGATIVE", "--out", "FOLDER/model"], ["negative.npz", "-1"]),
        (["plan", "unknown"], ["unknown", "demo"]),
    ],
)
def test_bad_input_ends_with_one_message_and_no_traceback(volume, tmp_path, words, expected):
    for name, gray in (
        ("float", np.eye(3, dtype=np.float32)[None]),
        ("constant", np.full((9, 9, 9), 90, np.uint8)),
        ("nan", np.full((9, 9, 9), np.nan)),
    ):
        np.savez(tmp_path / f"{name}.npz", grayscale=gray)
    minus = np.full((9, 9, 9), -1, np.int32)
    np.savez(tmp_path / "negative.npz", grayscale=minus.astype(np.uint8), labels=minus, groundtruth=minus)
    np.savez(tmp_path / "seen.npz", labels=-minus, groundtruth=-minus, seen=np.array([[[0, 0, 0], [9, 9, 10]]]))
    for size in (0, 8, 16):
        np.savez(tmp_path / f"at{size}nm.npz", labels=-minus, groundtruth=-minus, voxel_size_nm=[size] * 3)
    np.savez(tmp_path / "empty.npz", labels=-minus[:0], groundtruth=-minus[:0])
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "torn.npz").write_bytes(volume.read_bytes()[:5000])
    np.save(tmp_path / "single.npy", np.eye(3, dtype=np.uint8))
    paths = {
        "VOLUME": volume,
        "FLOAT": tmp_path / "float.npz",
        "CONSTANT": tmp_path / "constant.npz",
        "NAN": tmp_path / "nan.npz",
        "TORN": tmp_path / "torn.npz",
        "NPY": tmp_path / "single.npy",
        "NEGATIVE": tmp_path / "negative.npz",
        "SEEN": tmp_path / "seen.npz",
        "AT0NM": tmp_path / "at0nm.npz",
        "AT8NM": tmp_path / "at8nm.npz",
        "AT16NM": tmp_path / "at16nm.npz",
        "EMPTY": tmp_path / "empty.npz",
        "FOLDER/model": tmp_path / "model",
        "FOLDER": tmp_path / "folder.npz",
        "BELOW": tmp_path / "float.npz" / "o.npz",
        "o.npz": tmp_path / "o.npz",
    }
    done = emseg(*(paths.get(word, word) if isinstance(word, str) else word for word in words))
    assert done.returncode == 64, done.stdout + done.stderr
    for word in expected:
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "o.npz").exists()
