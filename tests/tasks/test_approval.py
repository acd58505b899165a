"""Who lets a result be published: the run itself, a person, or nobody; and what is kept of the decision."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.refusals import refused

from emseg.config import Dataset, RunParameters
from emseg.config.approval import Approval
from emseg.config.dataset import Publication
from emseg.errors import PermanentError
from emseg.publish import ReleaseRecord
from emseg.publish.approval import require_allowed
from emseg.quality import Verdict
from emseg.quality.rows import MetricRow
from emseg.store import FolderStore
from emseg.tasks import approval
from emseg.tasks.run_folder import RunFolder

KEY, OTHER = "f" * 32, "e" * 32
NOTE = "Against release 7, VI is 0.125 bits better (0.75, there 0.875)."
ORDER = [Publication.AUTOMATIC, Publication.APPROVAL, Publication.NEVER]
DATASET = Dataset.model_validate(
    {"name": "brain", "description": "", "volume": {"node": "3f2a", "groundtruth": {"instance": "truth"}}}
)


def decided(decision: str = "approved", fingerprint: str = KEY) -> Approval:
    given = {"decision": decision, "fingerprint": fingerprint, "by": "ana", "why": "axons are whole"}
    return Approval.model_validate(given | {"when": "2026-03-01T12:00:00+00:00"})


@pytest.mark.parametrize(("own", "chosen"), list(product(ORDER, ORDER)))
def test_a_run_may_be_stricter_than_its_dataset_and_never_looser(own: Publication, chosen: Publication) -> None:
    dataset = DATASET.model_copy(update={"publication": own})
    parameters = RunParameters(dataset="brain", publication=chosen)
    if ORDER.index(chosen) < ORDER.index(own):
        with refused(PermanentError, "publication", chosen, own):
            parameters.applied_to(dataset)
    else:
        assert parameters.applied_to(dataset).publication is chosen


def test_a_run_that_says_nothing_is_published_as_its_dataset_says() -> None:
    for own in ORDER:
        dataset = DATASET.model_copy(update={"publication": own})
        assert RunParameters(dataset="brain").applied_to(dataset).publication is own


def test_what_lets_a_result_be_published() -> None:
    require_allowed(Publication.AUTOMATIC, None, KEY, "run 1")
    require_allowed(Publication.APPROVAL, decided(), KEY, "run 1")


@pytest.mark.parametrize(
    ("publication", "found", "told"),
    [
        (Publication.APPROVAL, None, "approve"),
        (Publication.APPROVAL, decided(fingerprint=OTHER), "approve"),
        (Publication.APPROVAL, decided("rejected"), "ana"),
        (Publication.NEVER, None, "never"),
        (Publication.NEVER, decided(), "never"),
    ],
)
def test_what_does_not(publication: Publication, found: Approval | None, told: str) -> None:
    """Kills an approval of another result, a rejection that counts as an answer, and an approval of what may not be."""
    with refused(PermanentError, "run 1", told):
        require_allowed(publication, found, KEY, "run 1")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run whose gate passed, beside a served release."""
    store = FolderStore(tmp_path)
    rows = tuple(
        MetricRow(scope, subject, name, value, limit, "max")
        for scope, subject, name, value, limit in (
            ("volume", "brain", "vi_merge", 0.25, 1.0),
            ("volume", "brain", "vi_split", 0.5, 2.0),
            ("change", "release 7", "vi_rise", -0.125, 0.05),
        )
    )
    given = {"fingerprint": KEY, "dataset": "brain", "run": "r1", "reasons": (), "rows": rows, "notes": (NOTE,)}
    RunFolder(store, "brain", "r1").write("verdict", Verdict(passed=True, figures={}, **given))
    served = SimpleNamespace(number=7, figures={"vi_split": 0.75})
    monkeypatch.setattr(approval, "served_release", lambda *_: served)
    monkeypatch.setattr(approval, "run_links", lambda _: {"3-D view": "http://viewer/#!state"})
    services = SimpleNamespace(store=store)
    spec = SimpleNamespace(dataset="brain", run="r1", publication=Publication.APPROVAL)
    return SimpleNamespace(open_services=lambda: services, spec=spec, keys={"write": KEY}, store=store)


def test_the_evidence_has_figures_limits_the_comparison_and_links(run: Any) -> None:
    """Kills figures of the served release that were measured on another ground truth: the comparison is the gate's."""
    text = approval.evidence(run, "http://airflow/report")
    assert "Release 7 is served" in text
    assert "| VI split, bits | 0.5 | 2 |" in text
    assert "| VI merge, bits | 0.25 | 1 |" in text
    assert f"- {NOTE}\n" in text
    assert "[3-D view](http://viewer/#!state)" in text
    assert "[Report](http://airflow/report)" in text


def test_a_decision_is_kept_and_replaced_by_the_next(run: Any) -> None:
    folder = RunFolder(run.store, "brain", "r1")
    for decision in ("rejected", "approved"):
        made = approval.decide(run, decision, "ana", "x" * 600)
        assert folder.read("approval", Approval) == made
        assert (made.decision, made.by, len(made.why), made.fingerprint) == (decision, "ana", 500, KEY)


def test_nobody_approves_what_is_never_published(run: Any) -> None:
    """Kills a record that says "approved" of a result that nobody may publish."""
    run.spec.publication = Publication.NEVER
    with refused(PermanentError, "never"):
        approval.decide(run, "approved", "ana", "it is good")
    assert not RunFolder(run.store, "brain", "r1").has("approval")


def test_a_damaged_decision_is_not_believed(run: Any) -> None:
    approval.decide(run, "rejected", "ana", "no")
    folder = RunFolder(run.store, "brain", "r1")
    key = "brain/runs/r1/approval.json"
    run.store.put(key, run.store.get(key).replace(b"rejected", b"approved"))
    with refused(PermanentError, "approve"):
        folder.read("approval", Approval)


@pytest.mark.parametrize("passed", [True, False])
def test_nothing_is_approved_that_the_gate_has_not_passed(run: Any, passed: bool) -> None:
    """Kills an approval of a refused result, and of the result before."""
    given = {"fingerprint": OTHER if passed else KEY, "dataset": "brain", "run": "r1", "figures": {}, "rows": ()}
    reasons = () if passed else ("VI is 9",)
    folder = RunFolder(run.store, "brain", "r1")
    folder.write("verdict", Verdict(passed=passed, reasons=reasons, **given))
    with refused(PermanentError, "brain", *(() if passed else ("VI is 9",))):
        approval.decide(run, "approved", "ana", "")
    assert not folder.has("approval")
    folder.remove("verdict")
    with refused(PermanentError, "brain"):
        approval.decide(run, "approved", "ana", "")


def test_the_record_of_an_earlier_emseg_is_still_read() -> None:
    given = {"number": 1, "dataset": "brain", "root": "a", "uuid": "b", "branch": "c", "instance": "d", "run": "r"}
    record = ReleaseRecord(fingerprint=KEY, figures={}, supersedes=None, **given)
    assert (record.approved_by, record.why) == (None, None)
