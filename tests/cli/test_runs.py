"""`emseg plan`, `run`, `runs`, `status`, `rollback` and `stitch` on the real servers, as an operator calls them."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from html import escape
from types import SimpleNamespace

import numpy as np
import pytest
from tests import forked
from tests.cli.called import modules_after_forking
from tests.links.viewer import state_of

from emseg.config import s3_connection
from emseg.dvid import DvidServer
from emseg.engine.report import StageReport
from emseg.errors import IntegrityError
from emseg.phases import phases, stages
from emseg.phases.services import DvidServices
from emseg.quality import Verdict
from emseg.store import S3Store
from emseg.tasks.run_folder import RunFolder
from emseg.tasks.run_list import runs_of
from emseg.tasks.stitch_review import StitchReview

pytestmark = pytest.mark.services

SUBVOLUMES = 18


@pytest.fixture(scope="module")
def environment(devstack, dataset_files, volume) -> dict[str, str]:
    """What an operator's shell has: the services, and no devstack of this checkout."""
    shell = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "COLUMNS": "200"}
    return {**shell, **devstack.environment(), "EMSEG_S3_PREFIX": "operators", "EMSEG_DATASETS": str(dataset_files)}


@pytest.fixture(scope="module")
def store(environment) -> S3Store:
    return S3Store.open(s3_connection(environment))


@pytest.fixture(scope="module")
def emseg(environment):
    def run(*words: object) -> subprocess.CompletedProcess[str]:
        return forked.emseg(*words, environment=environment)

    return run


@pytest.fixture(scope="module")
def published(emseg) -> str:
    """Name of a run that was published as release 1."""
    first = emseg("run", "operators", "--publish")
    assert first.returncode == 0, first.stdout + first.stderr
    assert re.search(r": release 1 serves node [0-9a-f]{32}$", first.stdout, re.MULTILINE)
    return _run_name(first)


def _run_name(done: subprocess.CompletedProcess[str]) -> str:
    return re.search(r"^run (\S+)", done.stdout, re.MULTILINE).group(1)


def _items_done(store: S3Store, done: subprocess.CompletedProcess[str], stage: str) -> tuple[int, int]:
    """Items that a stage of a run computed, and those that it reused; the command printed both."""
    report = RunFolder(store, "operators", _run_name(done)).read(f"report-{stage}", StageReport)
    line = next(line for line in done.stdout.splitlines() if line.startswith(f"{stage}:"))
    assert re.findall(r"\d+", line) == [str(report.items_done), str(report.items_reused)]
    return report.items_done, report.items_reused


def _is_refused(done: subprocess.CompletedProcess[str], *values: object) -> None:
    assert done.returncode == 64, done.stdout + done.stderr
    said = " ".join(done.stderr.split())
    assert all(str(value) in said for value in values), said


def test_a_plan_counts_the_items_of_every_phase_and_takes_the_choices_of_the_form(emseg, store):
    """Kills a plan that writes, and options of the form that the command line shows and does not use."""
    planned = emseg("plan", "operators")
    assert planned.returncode == 0, planned.stderr
    rows = dict(re.findall(r"^ *(\w+) +(\d+) +\d+ +\d+ *$", planned.stdout, re.MULTILINE))
    assert list(rows) == [phase.name for phase in phases()]
    assert rows["segment"] == str(SUBVOLUMES)
    choices = ("--core-vox", 128, 64, 64, "--step-parameters", '{"agglomerate": {"threshold": 0.7}}')
    coarser = emseg("run", "operators", "--dry-run", *choices)
    assert coarser.returncode == 0, coarser.stderr
    assert re.search(r"^ *segment +9 +0 +9 *$", coarser.stdout, re.MULTILINE)
    assert runs_of(store, "operators") == ()
    _is_refused(emseg("plan", "operators", "--step-parameters", '{"agglomerate": {"treshold": 1}}'), "treshold")
    _is_refused(emseg("plan", "operators", "--core-vox", 64, 64, 65), "core_vox", "65", "multiple of 64")


def test_a_dataset_is_run_published_and_rolled_back_from_the_command_line(emseg, store, published):
    """Kills commands that only work inside Airflow, and a rollback that loses the later release."""
    refused = emseg("run", "operators", "--stitch", "none", "--publish")
    assert refused.returncode == 1
    verdict = RunFolder(store, "operators", _run_name(refused)).read("verdict", Verdict)
    assert not verdict.passed
    assert all(reason in refused.stdout for reason in verdict.reasons)
    assert _items_done(store, refused, "segment") == (0, SUBVOLUMES)

    listed = emseg("runs", "operators")
    assert listed.returncode == 0, listed.stderr
    lines = {line.split()[0]: line for line in listed.stdout.splitlines()}
    for run, verdict, release in ((published, "passed", "1"), (_run_name(refused), "failed", "none")):
        assert all(word in lines[run].replace(",", " ").split() for word in (verdict, release))
        assert all(stage.name in lines[run] for stage in stages())

    status = emseg("status", "operators")
    assert status.returncode == 0, status.stderr
    assert re.search(r"^release 1, served: node [0-9a-f]{32}", status.stdout)
    folder = RunFolder(store, "operators", published)
    report = dict(folder.files())["report.html"].decode()
    (link,) = [line for line in status.stdout.splitlines() if "neuroglancer" in line]
    assert escape(link) in report, "the report and the command line lead to one place"
    assert "tell-viewers" not in status.stdout
    assert emseg("releases", "check", "operators").stdout == "operators: the releases are whole\n"
    for words in (["releases", "check"], ["releases", "repair"], ["stitch", "parked", "--dataset"]):
        _is_refused(emseg(*words, "nobody"), "nobody", "no such dataset")
    _is_refused(emseg("rollback", "operators", 7, "--why", "x"), "release 7")
    again = emseg("rollback", "operators", 1, "--why", "nothing is wrong")
    assert again.returncode == 0, again.stderr
    assert "release 1 " in again.stdout


def test_commands_of_production_never_import_the_devstack(environment, published):
    """Kills a server that needs what a laptop's servers are built with, though its own are named by the environment."""
    for words in (["plan", "operators"], ["status", "operators"], ["runs", "operators"], ["run", "operators"]):
        modules = modules_after_forking(*words, environment=environment)
        assert "emseg.dvid" in modules
        assert not [module for module in modules if module.startswith("emseg.devstack")]


def test_a_join_is_explained_taken_back_and_compared(emseg, published, store, devstack):
    """Kills edits that no run reads, and one that is read by a run but counts for another segmentation."""
    review = StitchReview.of(DvidServices(store, DvidServer(devstack.dvid)), "operators", published)
    joins = [row for row in review.ledger_rows(lambda ledger: ledger).to_pylist() if row["joined"]]
    once = {row["second"] for row in joins} - {row["first"] for row in joins}
    # The only join of its second supervoxel, so that without it the body falls apart.
    join = next(r for r in joins if r["second"] in once and sum(r["second"] == o["second"] for o in joins) == 1)
    body = int(review.body_of(np.array([join["first"]], np.uint64))[0])

    explained = emseg("stitch", "explain", body, "-d", "operators")
    assert explained.returncode == 0, explained.stderr
    assert str(join["second"]) in explained.stdout
    (link,) = [line for line in explained.stdout.splitlines() if "neuroglancer" in line]
    assert state_of(link)["layers"][1]["segments"] == [str(body)]

    ends = (join["second"], join["first"])
    undone = emseg("stitch", "undo", *ends, "-d", "operators", "--why", "glia")
    assert undone.returncode == 0, undone.stderr
    assert re.search(rf"\b{body} \D+ 2 parts", undone.stdout)
    stitched = emseg("run", "operators")
    assert _items_done(store, stitched, "segment") == (0, SUBVOLUMES), stitched.stdout + stitched.stderr
    compared = emseg("stitch", "compare", published, _run_name(stitched), "-d", "operators")
    assert compared.returncode == 0, compared.stderr
    assert re.search(rf"\b1 \D+{published}", compared.stdout)
    assert "merge 0.0000 bits" in compared.stdout

    listed = emseg("stitch", "edits", "-d", "operators", "--forget", 1)
    assert "glia" not in listed.stdout
    _contradictions_are_refused(emseg, join["first"], join["second"])
    back = emseg("run", "operators")
    assert _items_done(store, back, "stitch")[0] == 0
    part_of = emseg("stitch", "explain", join["second"], "-d", "operators")
    assert re.match(rf"\D+{join['second']}\D+{body}\n\D+{body}\b", part_of.stdout)
    for words, values in (
        (("undo", *ends, "-r", _run_name(stitched)), (*ends, "undone by a person")),
        (("join", 5, 5), ("supervoxel 5",)),
        (("part", 9_999_999, join["first"]), (9_999_999, "emseg stitch explain")),
        (("explain", 12345678901), (12345678901,)),
        (("compare", published, "nothing"), ("run nothing", "emseg runs operators")),
    ):
        _is_refused(emseg("stitch", *words, "-d", "operators"), *values)


def _contradictions_are_refused(emseg, first, second):
    """And leave the decisions as they were."""
    said = emseg("stitch", "join", first, second, "-d", "operators")
    assert said.stdout.startswith("1 "), said.stderr
    said_before = (f"supervoxels {second} and {first}", "decision 1, join", "--forget 1")
    _is_refused(emseg("stitch", "part", second, first, "-d", "operators"), *said_before)
    _is_refused(emseg("stitch", "undo", second, first, "-d", "operators"), "decision 1, join", "--forget 1")
    assert "part" not in emseg("stitch", "edits", "-d", "operators", "--forget", 1).stdout


def test_what_a_person_joined_is_explained_and_holds_a_body_together(emseg, published, store, devstack):
    """Kills a body that nobody can explain, and a preview of pieces that the next run does not make."""
    review = StitchReview.of(DvidServices(store, DvidServer(devstack.dvid)), "operators", published)
    joins = [row for row in review.ledger_rows(lambda ledger: ledger).to_pylist() if row["joined"]]
    count = Counter(end for row in joins for end in (row["first"], row["second"]))
    join = next(row for row in joins if count[row["second"]] == 1 and count[row["first"]] > 1)
    other = next(
        end
        for row in joins
        for end in (row["first"], row["second"])
        if end not in (join["first"], join["second"]) and {end, join["first"]} == {row["first"], row["second"]}
    )
    assert emseg("stitch", "join", join["second"], other, "-d", "operators", "--why", "one axon").returncode == 0
    run = _run_name(emseg("run", "operators"))
    try:
        explained = emseg("stitch", "explain", join["second"], "-d", "operators", "-r", run).stdout
        assert re.search(rf"join\b.*\b{join['second']}\b.*\b{other}\b.*one axon", explained), explained
        undone = emseg("stitch", "undo", join["first"], join["second"], "-d", "operators", "-r", run)
        assert re.search(r"^Body \d+ stays one", undone.stdout, re.MULTILINE), undone.stdout + undone.stderr
        refused = emseg("stitch", "undo", join["second"], other, "-d", "operators", "-r", run)
        _is_refused(refused, join["second"], other, "--forget NUMBER")
    finally:
        for _ in range(2):
            emseg("stitch", "edits", "-d", "operators", "--forget", 1)


@pytest.mark.parametrize("words", [("explain", 2**64), ("join", 1, 2**64), ("part", 0, 1), ("undo", -1, 1)])
def test_a_number_that_is_no_id_is_a_usage_error(emseg, words):
    """Kills a traceback for an id that has a digit too many."""
    done = emseg("stitch", words[0], "-d", "operators", "--", *words[1:])
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_an_old_run_is_done_again_where_its_stitching_is_damaged(emseg, published, store):
    """Kills an old result that is lost for good, because a new run has other keys and the old run cannot be run."""
    run = RunFolder(store, "operators", published).pinned_context(lambda: SimpleNamespace(store=store))
    before = run.folder("resolve").phase_marker()
    (part, *_) = [marker for marker in run.folder("resolve").manifest() if marker.item.startswith("bodies")]
    store.put(part.artefact("mapping").key, b"flipped")
    damaged = emseg("stitch", "explain", 1, "-d", "operators", "-r", published)
    assert damaged.returncode == IntegrityError.exit_code, damaged.stdout + damaged.stderr
    _is_refused(emseg("stitch", "explain", 1, "-d", "operators", "-r", published), f"--again {published}")
    _is_refused(emseg("run", "operators", "--again", published, "--stitch", "none"), published, "other options")
    _is_refused(emseg("run", "operators", "--again", "nothing"), "run nothing")
    again = emseg("run", "operators", "--again", published)
    assert again.returncode == 0, again.stdout + again.stderr
    assert _run_name(again) == published
    assert run.folder("resolve").phase_marker().content_digest == before.content_digest
