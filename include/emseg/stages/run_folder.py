"""What is kept of one run beside its artefacts: the spec, the plan, reports, the verdict, pages and pictures.

Everything here may be overwritten by a retry of the task that wrote it; nothing here is read to decide what is done.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import TypeVar

import pydantic

from emseg.config.base import Model
from emseg.config.runspec import RunSpec
from emseg.errors import EmsegError, PermanentError
from emseg.stages.keys import code_versions
from emseg.store import ObjectStore, join_key

M = TypeVar("M", bound=pydantic.BaseModel)


class PhaseSummary(Model):
    """What one phase of a job did: items computed now, and items whose markers were found."""

    phase: str
    key: str
    seconds: float
    items_done: int
    items_reused: int
    content_digest: str


class StageReport(Model):
    """What a Spark job did, for people and for the tasks after it; phases in the order in which they ran."""

    stage: str
    phases: tuple[PhaseSummary, ...]

    @property
    def seconds(self) -> float:
        """Wall time of all phases."""
        return sum(phase.seconds for phase in self.phases)

    @property
    def items_done(self) -> int:
        """Items computed in this try."""
        return sum(phase.items_done for phase in self.phases)

    @property
    def items_reused(self) -> int:
        """Items whose markers were found."""
        return sum(phase.items_reused for phase in self.phases)


class Failure(Model):
    """Why a Spark job failed, left for the alert before the driver exits."""

    stage: str
    kind: str
    message: str

    @classmethod
    def of(cls, stage: str, error: EmsegError) -> Failure:
        """Failure of a stage by an error of emseg."""
        return cls(stage=stage, kind=type(error).__name__, message=str(error))


def run_name(run_id: str) -> str:
    """A key part made from any run id: its safe characters, and 8 hex digits so that no two ids collide."""
    safe = re.sub(r"[^A-Za-z0-9]+", "-", run_id).strip("-")[:80] or "run"
    return f"{safe}-{sha256(run_id.encode()).hexdigest()[:8]}"


class RunFolder:
    """The folder `DATASET/runs/RUN/` of one run in the object store."""

    def __init__(self, store: ObjectStore, dataset: str, run: str) -> None:
        self.store, self.dataset, self.run = store, dataset, run

    def _key(self, path: str) -> str:
        return join_key(self.dataset, "runs", self.run, *path.split("/"))

    def write(self, name: str, document: pydantic.BaseModel) -> None:
        """Keep a document as `NAME.json`."""
        data = document.to_json() if isinstance(document, RunSpec) else document.model_dump_json().encode()
        self.store.put(self._key(f"{name}.json"), data, "application/json")

    def has(self, name: str) -> bool:
        """Whether the document `NAME.json` is there."""
        return self.store.exists(self._key(f"{name}.json"))

    def remove(self, name: str) -> None:
        """Forget the document `NAME.json`; nothing happens when it is not there."""
        self.store.delete(self._key(f"{name}.json"))

    def read(self, name: str, kind: type[M]) -> M:
        """The document kept as `NAME.json`."""
        key = self._key(f"{name}.json")
        try:
            return kind.model_validate_json(self.store.get(key))
        except pydantic.ValidationError as error:
            raise PermanentError(
                f"reading {name} of run {self.run}",
                key,
                f"not a {kind.__name__}: {error}",
                "Clear the task that wrote it",
            ) from None

    def pinned(self) -> RunSpec:
        """The spec as it was pinned, by whatever code: to look at a run, not to go on with it."""
        return RunSpec.from_json(self.store.get(self._key("spec.json")), self._key("spec.json"))

    def spec(self) -> RunSpec:
        """The spec to go on with; PermanentError when the code installed here is not the code it was resolved with."""
        spec = self.pinned()
        installed = code_versions()
        changed = sorted(stage for stage in installed if installed[stage] != spec.code.get(stage))
        if changed:
            raise PermanentError(
                "starting from the run specification",
                f"run {self.run}",
                f"the code of {', '.join(changed)} here is not the code that the run was resolved with",
                "Clear the task `resolve` to go on with this code, or deploy one version everywhere",
            )
        return spec

    def write_file(self, path: str, data: bytes, content_type: str) -> str:
        """Keep a page or picture under `path` (parts divided by /) and return its address."""
        self.store.put(self._key(path), data, content_type)
        return self.store.address(self._key(path))

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Every file of the run: path below its folder, content."""
        top = join_key(self.dataset, "runs", self.run)
        for key in self.store.keys_under(top):
            yield key.removeprefix(f"{top}/"), self.store.get(key)

    def address(self, path: str = "spec.json") -> str:
        """Address of a file of this run for people."""
        return self.store.address(self._key(path))
