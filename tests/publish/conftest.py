"""Nodes of the real DVID, empty stores, and verdicts for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from emseg.config.connections import S3Connection
from emseg.dvid import DvidServer, Labelmap, Node, create_repo
from emseg.quality import Verdict
from emseg.store import FolderStore, ObjectStore, S3Store


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.services)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return FolderStore(tmp_path / "store")
    s3: S3Connection = request.getfixturevalue("devstack").s3
    return S3Store.open(s3.model_copy(update={"prefix": f"test/{uuid4().hex}"}), probe=False)


@pytest.fixture
def new_node(devstack) -> Callable[[], Node]:
    """Makes open nodes, each on a branch of its own, in one repository that has labelmap `segmentation`."""
    root = Node(DvidServer(devstack.dvid), create_repo(DvidServer(devstack.dvid), "publish", "test"))
    Labelmap(root, "segmentation").create(1, (8, 8, 8))
    root.commit("input")
    return lambda: root.branch(f"run-{uuid4().hex}")


@pytest.fixture
def verdict_of() -> Callable[..., Verdict]:
    def make(fingerprint: str, *reasons: str, dataset: str = "demo") -> Verdict:
        return Verdict(
            passed=not reasons,
            fingerprint=fingerprint,
            dataset=dataset,
            run=f"run-{fingerprint}",
            reasons=reasons,
            figures={"vi_split": 1.5},
            rows=(),
        )

    return make
