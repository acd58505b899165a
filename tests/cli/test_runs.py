"""`emseg run`, `status`, `rollback` and `stitch` on the real servers, as an operator calls them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emseg.config import s3_connection
from emseg.dvid import DvidServer
from emseg.stages import DvidServices
from emseg.stages.stitch_review import StitchReview
from emseg.store import S3Store

pytestmark = pytest.mark.services

EMSEG = Path(sys.executable).parent / "emseg"


@pytest.fixture(scope="module")
def services(devstack, dataset_files, volume) -> dict[str, str]:
    return {**devstack.environment(), "EMSEG_S3_PREFIX": "operators", "EMSEG_DATASETS": str(dataset_files)}


@pytest.fixture(scope="module")
def emseg(services):
    def run(*words: object) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "COLUMNS": "200", **services}
        return subprocess.run(
            [EMSEG, *map(str, words)], capture_output=True, text=True, env=environment, timeout=300, check=False
        )

    return run


@pytest.fixture(scope="module")
def published(emseg) -> str:
    """Name of a run that was published as release 1."""
    assert "nothing published yet" in emseg("status", "operators").stdout
    planned = emseg("plan", "operators")
    assert planned.returncode == 0, planned.stderr
    assert "18 subvolumes" in planned.stdout
    first = emseg("run", "operators", "--publish")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "release 1" in first.stdout
    return _run_name(first)


def _run_name(done: subprocess.CompletedProcess[str]) -> str:
    return re.search(r"^run (\S+)", done.stdout, re.MULTILINE).group(1)


def test_a_dataset_is_run_published_and_rolled_back_from_the_command_line(emseg, published):
    """Kills commands that only work inside Airflow, and a rollback that loses the later release."""
    refused = emseg("run", "operators", "--stitch", "none", "--publish")
    assert refused.returncode == 1
    assert "VI split of the volume" in refused.stdout
    assert "segment: 0 items done, 18 reused" in refused.stdout

    status = emseg("status", "operators")
    assert status.returncode == 0, status.stderr
    assert "served" in status.stdout
    assert "neuroglancer" in status.stdout
    unknown = emseg("rollback", "operators", 7)
    assert unknown.returncode == 64
    assert "release 7" in unknown.stderr
    again = emseg("rollback", "operators", 1)
    assert "release 1 serves" in again.stdout


def test_a_join_is_explained_taken_back_and_compared(emseg, published, services, devstack):
    """Kills edits that no run reads, and one that is read by a run but counts for another segmentation."""
    store = S3Store.open(s3_connection(services))
    review = StitchReview.of(DvidServices(store, DvidServer(devstack.dvid)), "operators", published)
    joins = [row for row in review.ledger.to_pylist() if row["joined"]]
    once = {row["second"] for row in joins} - {row["first"] for row in joins}
    # The only join of its second piece, so that without it the body falls apart.
    join = next(r for r in joins if r["second"] in once and sum(r["second"] == o["second"] for o in joins) == 1)
    body = int(review.mapping.body_of(np.array([join["first"]], np.uint64))[0])

    explained = emseg("stitch", "explain", body, "-d", "operators")
    assert explained.returncode == 0, explained.stderr
    assert str(join["second"]) in explained.stdout
    assert "joined, best evidence first" in explained.stdout
    assert "neuroglancer" in explained.stdout

    ends = (join["second"], join["first"])
    undone = emseg("stitch", "undo", *ends, "-d", "operators", "--why", "glia")
    assert undone.returncode == 0, undone.stderr
    assert f"Body {body} falls into 2 parts" in undone.stdout
    stitched = emseg("run", "operators")
    assert "segment: 0 items done, 18 reused" in stitched.stdout, stitched.stdout + stitched.stderr
    compared = emseg("stitch", "compare", published, _run_name(stitched), "-d", "operators")
    assert compared.returncode == 0, compared.stderr
    assert f"1 bodies of {published} that are several" in compared.stdout
    assert "merge 0.0000 bits" in compared.stdout

    listed = emseg("stitch", "edits", "-d", "operators", "--forget", 1)
    assert "glia" not in listed.stdout
    _contradictions_are_refused(emseg, join["first"], join["second"])
    back = emseg("run", "operators")
    assert "stitch: 0 items done" in back.stdout
    part_of = emseg("stitch", "explain", join["second"], "-d", "operators")
    assert part_of.stdout.startswith(f"Supervoxel {join['second']} is part of body {body}\nBody {body}: ")
    for words, found in (
        (("undo", *ends, "-r", _run_name(stitched)), "dropped by a person"),
        (("join", 5, 5), "it is named twice"),
        (("part", 9_999_999, join["first"]), "has no such supervoxel"),
        (("explain", 12345678901), "no body has this name"),
        (("compare", published, "nothing"), "no such run"),
    ):
        refused = emseg("stitch", *words, "-d", "operators")
        assert refused.returncode == 64
        assert found in " ".join(refused.stderr.split())


def _contradictions_are_refused(emseg, first, second):
    """And leave the decisions as they were."""
    said = emseg("stitch", "join", first, second, "-d", "operators")
    assert "1 decisions" in said.stdout, said.stderr
    refused = emseg("stitch", "part", second, first, "-d", "operators")
    assert refused.returncode == 64
    assert f"supervoxels {second} and {first}" in " ".join(refused.stderr.split())
    assert "part" not in emseg("stitch", "edits", "-d", "operators", "--forget", 1).stdout
