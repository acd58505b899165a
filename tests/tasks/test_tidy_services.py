"""`emseg tidy` on the real S3 and DVID: runs that are written and published, swept, explained and rolled back."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

import pytest
import typer
from tests.phases.runs_over import Runs
from tests.running import after
from typer.testing import CliRunner

from emseg.cli import tidy as command
from emseg.config import RunSpec
from emseg.config.gate import EverywhereRegression, GatePolicy, Regression
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.publish import roll_back
from emseg.quality import Verdict
from emseg.store import S3Store
from emseg.tasks.publish import publish_run
from emseg.tasks.run_folder import RunFolder
from emseg.tasks.run_links import run_links
from emseg.tasks.stitch_review import StitchReview

pytestmark = pytest.mark.services
NAME = "tidied"


@dataclass(frozen=True)
class Shelf:
    """Runs of one dataset in a prefix of the bucket that nothing else uses."""

    services: DvidServices
    base: RunSpec

    def run(self, name: str, overlap: float) -> RunContext[DvidServices]:
        """A run that is written and judged; its segmentation is that of the others."""
        stitching = self.base.stitching.model_copy(update={"min_overlap_nm3": overlap})
        spec = self.base.model_copy(update={"run": name, "stitching": stitching})
        folder = RunFolder(self.services.store, NAME, name)
        folder.begin(spec)
        run = after(RunContext(spec, f"of-{name}", lambda: self.services), "segment", "stitch")
        figures = {"vi_split": 1.0, "vi_merge": 1.0}
        verdict = {"fingerprint": run.keys["write"], "dataset": NAME, "run": name, "figures": figures, "rows": ()}
        folder.write("verdict", Verdict(passed=True, reasons=(), **verdict))
        return run


@pytest.fixture(scope="module")
def shelf(devstack, server, tmp_path_factory) -> Shelf:
    runs = Runs(server, tmp_path_factory.mktemp("datasets"), NAME, (64, 64, 64))
    none = dict.fromkeys(Regression.model_fields), dict.fromkeys(EverywhereRegression.model_fields)
    free = GatePolicy(regression=none[0], everywhere={"regression": none[1]})  # any result may replace any other
    spec = runs.pinned(runs.volume((64, 64, 128), seed=5)).model_copy(update={"gate": free})
    connection = devstack.s3.model_copy(update={"prefix": f"test/{uuid4().hex}"})
    return Shelf(DvidServices(S3Store.open(connection), server), spec)


def tidied(shelf: Shelf, monkeypatch: pytest.MonkeyPatch, *options: str) -> str:
    cli = typer.Typer()
    command.add_to(cli)
    monkeypatch.setattr(command, "connected", lambda: shelf.services)
    done = CliRunner().invoke(cli, ["--keep-runs", "0", "--older-than-days", "0", *options], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def test_a_sweep_removes_what_is_over_and_every_release_stays_usable(shelf, monkeypatch):
    """Kills a dry run that removes, an apply that breaks a release, and a branch that nobody is told of."""
    store = shelf.services.store
    first, refused, last = (shelf.run(name, 1e4 * n) for n, name in enumerate(("first", "refused", "last"), start=1))
    assert len({run.keys["write"] for run in (first, refused, last)}) == 3
    releases = [publish_run(run) for run in (first, last)]
    before = set(store.keys_under(""))
    shown = tidied(shelf, monkeypatch)
    assert "Dry run" in shown
    assert set(store.keys_under("")) == before
    told = tidied(shelf, monkeypatch, NAME, "--apply")
    gone = before - set(store.keys_under(""))
    swept = {f"phases/resolve/{refused.keys['resolve']}", f"phases/write/{refused.keys['write']}", "runs/refused"}
    swept |= {f"leases/emseg-{refused.keys['write'][:16]}.json"}
    # What executors leave for the one writer of mappings is named by no marker, and not needed when it has written.
    of_the_end = {f"phases/write/{run.keys['write']}/attempt-of-{run.spec.run}/bodies-" for run in (first, last)}
    swept |= of_the_end
    assert {key for key in before if any(key.startswith(f"{NAME}/{each}") for each in swept)} == gone
    assert all(any(key.startswith(f"{NAME}/{each}") for key in gone) for each in of_the_end)
    for text in ("release 1", "release 2", f"emseg-{refused.keys['write'][:16]}"):
        assert text in told
    assert f"emseg-{first.keys['write'][:16]}" not in told
    for run in (first, last):
        review = StitchReview.of(shelf.services, NAME, run.spec.run)
        assert review.ledger_rows(lambda ledger: ledger).num_rows > 0
        assert all(len(supervoxels) for supervoxels, _ in review.bodies_by_region())
        assert "3-D view (neuroglancer)" in run_links(run)
    assert roll_back(store, NAME, 1, "ana", "axons are cut").uuid == releases[0].uuid
    again = shelf.run("again", 2e4)
    assert again.folder("segment").manifest() == first.folder("segment").manifest()
    assert publish_run(again).number == 4
