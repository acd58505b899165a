"""Training from the command line: files in, a model folder and a report out, and no score on what was learned."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.forked import emseg

from emseg.synthetic import make_volume


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    for name, seed in (("one", 21), ("other", 5)):
        made = make_volume((48, 96, 80), seed=seed)
        np.savez(folder / f"{name}.npz", grayscale=made.grayscale, groundtruth=made.groundtruth)
    (folder / "copy.npz").write_bytes((folder / "one.npz").read_bytes())
    (folder / "notes").mkdir()
    (folder / "notes" / "mine.md").write_text("mine")
    done = emseg("train", "--data", folder / "one.npz", "--box", "0,0,0,48,64,80", "--out", folder / "model")
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "said").write_text(done.stdout)
    return folder


def test_a_model_and_a_report_are_written_and_the_figures_told(files):
    said = (files / "said").read_text()
    for expected in ("average precision", "VI split", "Model ", "10 x 10 x 10 nm"):
        assert expected in said
    report = json.loads((files / "model-report" / "report.json").read_text())
    assert report["regions"][0]["stop"] == [48, 64, 80]
    assert (files / "model-report" / "report.html").stat().st_size > 10_000
    assert {path.suffix for path in (files / "model").iterdir()} == {".json", ".txt"}


def test_the_model_segments_another_volume_and_is_scored_there(files):
    out = files / "out.npz"
    done = emseg("segment", files / "other.npz", "--preset", "default", "--model", files / "model", "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = emseg("evaluate", out, files / "other.npz").stdout
    vi = next(float(line.split("│")[2]) for line in shown.splitlines() if line.startswith("│ VI  "))
    assert vi < 0.8


def test_training_voxels_are_left_out_of_the_score_or_the_score_is_refused(files):
    """Kills a proud figure on the training data: a part is left out, all of it is refused."""
    out, part = files / "same.npz", files / "part.npz"
    assert (
        emseg("segment", files / "one.npz", "--preset", "default", "--model", files / "model", "--out", out).returncode
        == 0
    )
    done = emseg("evaluate", out, files / "one.npz")
    assert "(0, 0, 0) to (48, 64, 80)" in " ".join(done.stdout.split())
    with np.load(files / "one.npz") as arrays:
        truth = arrays["groundtruth"].copy()
        truth[:, 64:] = 0
        np.savez(part, grayscale=arrays["grayscale"], groundtruth=truth)
    refused = emseg("evaluate", out, part)
    assert refused.returncode == 64
    assert "(0, 0, 0) to (48, 64, 80)" in " ".join(refused.stderr.split())


def test_ground_truth_in_a_file_of_its_own_does_not_hide_what_was_learned(files):
    """Kills a score of the training data because their grayscale is not beside the ground truth."""
    out, alone = files / "hidden.npz", files / "alone.npz"
    emseg("segment", files / "one.npz", "--preset", "default", "--model", files / "model", "--out", out)
    with np.load(files / "one.npz") as arrays:
        np.savez(alone, groundtruth=arrays["groundtruth"])
        learned = arrays["groundtruth"].copy()
    assert "(0, 0, 0) to (48, 64, 80)" in " ".join(emseg("evaluate", out, alone).stdout.split())
    learned[:, 64:] = 0
    np.savez(alone, groundtruth=learned)
    assert emseg("evaluate", out, alone).returncode == 64


def test_a_part_saved_as_a_file_of_its_own_is_known(files):
    """Kills a name made of the whole file: whoever crops before saving would be scored on what was learned."""
    part, out = files / "cut.npz", files / "cut-out.npz"
    with np.load(files / "one.npz") as arrays:
        window = (slice(3, 48), slice(20, 90), slice(7, 75))
        np.savez(part, **{key: arrays[key][window] for key in ("grayscale", "groundtruth")})
    emseg("segment", part, "--preset", "default", "--model", files / "model", "--out", out)
    assert "(0, 0, 0) to (45, 44, 68)" in " ".join(emseg("evaluate", out, part).stdout.split())


@pytest.mark.parametrize("words", [("--box", "0,0,0,99,64,80"), ("--preset", "classical"), ("--data", "none.npz")])
def test_a_refused_training_leaves_the_old_model_as_it_is(files, words):
    """Kills removing the old model before there is a new one."""
    model = {path.name: path.read_bytes() for path in (files / "model").iterdir()}
    assert emseg("train", "--data", files / "one.npz", "--out", files / "model", *words).returncode == 64
    assert {path.name: path.read_bytes() for path in (files / "model").iterdir()} == model


def test_a_seed_below_0_is_no_seed(files):
    done = emseg("train", "--data", files / "one.npz", "--out", files / "new", "--seed", "-1")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--data", "one.npz", "--out", "new", "--box", "0,0,0,0,64,80"), "(0, 0, 0) to (0, 64, 80)"),
        (("--data", "one.npz", "--out", "new", "--box", "0,0,0,99,64,80"), "(99, 64, 80)"),
        (
            ("--data", "one.npz", "--out", "new", "--box", "0,0,0,48,64,80", "--box", "0,60,0,48,90,80"),
            "(0, 60, 0)-(48, 90, 80)",
        ),
        (("--data", "one.npz", "--out", "new", "--box", "1,2,3"), "--box 1,2,3"),
        (("--data", "one.npz", "--out", "new", "--preset", "classical"), "best, default"),
        (("--data", "one.npz", "--out", "one.npz"), "one.npz"),
        (("--data", "one.npz", "--out", "one.npz/below"), "one.npz/below"),
        (("--data", "one.npz", "--out", "notes"), "mine.md"),
        (("--data", "one.npz", "--data", "one.npz", "--out", "new"), "one.npz, one.npz"),
        (("--data", "one.npz", "--data", "copy.npz", "--out", "new"), "one.npz, copy.npz"),
        (("--data", "one.npz", "--out", "new", "--voxel-size", "nan", "4", "4"), "--voxel-size (nan, 4.0, 4.0)"),
        (("--data", "one.npz", "--out", "new", "--node", "de30"), "--node"),
        (("--data", "one.npz"), "--out"),
        (("--out", "new"), "--data"),
        (("--data", "none.npz", "--out", "new"), "there is no such file"),
    ],
)
def test_bad_input_is_refused_by_name_and_writes_nothing(files, monkeypatch, words, found):
    monkeypatch.chdir(files)
    done = emseg("train", *words)
    assert done.returncode == 64
    assert found in " ".join(done.stderr.split())
    assert not (files / "new").exists()


def test_a_model_that_does_not_fit_is_refused_before_segmentation(files):
    done = emseg(
        "segment", files / "other.npz", "--preset", "default", "--model", files / "model", "--out", files / "x.npz",
        "--voxel-size", "40", "4", "4",
    )  # fmt: skip
    assert done.returncode == 64
    assert "(40.0, 4.0, 4.0)" in " ".join(done.stderr.split())
    without = emseg("segment", files / "other.npz", "--preset", "best", "--out", files / "x.npz")
    assert "segmentation.model" in " ".join(without.stderr.split())
    assert not (files / "x.npz").exists()
