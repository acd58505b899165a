"""What is kept of one run beside its artefacts: the spec, the plan, reports, the verdict, pages and pictures.

Everything here may be overwritten by a retry of the task that wrote it. Markers decide what is done; the spec, and what
the reports say of items that were given up, decide which markers those are. All documents are sealed.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from itertools import takewhile
from typing import Any, TypeVar

import pydantic

from emseg.config.runspec import RunSpec
from emseg.engine.report import StageReport
from emseg.errors import IntegrityError, PermanentError
from emseg.phases import stages
from emseg.phases.keys import code_versions, phase_keys
from emseg.phases.run_context import RunContext, S_co
from emseg.store import ObjectMissingError, ObjectStore, join_key
from emseg.tasks.run_documents import form_of

log = logging.getLogger(__name__)

M = TypeVar("M", bound=pydantic.BaseModel)

_OF_LATER_TASKS = ("plan", "findings", "quality", "verdict", "approval")
"""Documents that the tasks after `pin` write, beside the report or failure of each stage, and the release."""


def run_name(run_id: str) -> str:
    """A key part made from any run id: its safe characters, and 8 hex digits so that no two ids collide."""
    safe = re.sub(r"[^A-Za-z0-9]+", "-", run_id).strip("-")[:70] or "run"
    return f"{safe}-{sha256(run_id.encode()).hexdigest()[:8]}"


class RunFolder:
    """The folder `DATASET/runs/RUN/` of one run in the object store."""

    def __init__(self, store: ObjectStore, dataset: str, run: str) -> None:
        self.store, self.dataset, self.run = store, dataset, run

    def _key(self, path: str) -> str:
        return join_key(self.dataset, "runs", self.run, *path.split("/"))

    def write(self, name: str, document: pydantic.BaseModel) -> None:
        """Keep a document as `NAME.json`; `run_documents` lists the kinds."""
        self.store.put(self._key(f"{name}.json"), self._sealed(name, document), "application/json")

    def _sealed(self, name: str, document: pydantic.BaseModel) -> bytes:
        return form_of(name, type(document)).seal(document, self._key(f"{name}.json"))

    def has(self, name: str) -> bool:
        """Whether the document `NAME.json` is there."""
        return self.store.exists(self._key(f"{name}.json"))

    def remove(self, name: str) -> None:
        """Forget the document `NAME.json`; nothing happens when it is not there."""
        self.store.delete(self._key(f"{name}.json"))

    def read(self, name: str, kind: type[M]) -> M:
        """The document kept as `NAME.json`. ObjectMissingError where there is none; damaged ones as in `form_of`."""
        key, form = self._key(f"{name}.json"), form_of(name, kind)
        try:
            return form.read(self.store, key)
        except ObjectMissingError as error:
            raise ObjectMissingError(f"reading {form.name}", error.on, error.found, form.remedy) from None

    def update(self, name: str, kind: type[M], change: Callable[[M | None], M | None]) -> M | None:
        """Change the document `NAME.json` in one step, even where others write it; what was written, if anything.

        `change` gets the document, None where there is none, and gives the new one, None to leave it as it is.
        """
        key = self._key(f"{name}.json")
        while True:
            try:
                data, version = self.store.get_with_version(key)
                now = form_of(name, kind).open(data, key, self.store.address(key))
            except ObjectMissingError:
                version, now = None, None
            new = change(now)
            if new is None:
                return None
            data = self._sealed(name, new)
            if self.store.put_if_absent(key, data) if version is None else self.store.replace_if(key, data, version):
                return new

    def read_or_made(self, name: str, kind: type[M], make: Callable[[], M]) -> M:
        """The document kept as `NAME.json`; `make` makes and keeps it anew where it is damaged or missing."""
        try:
            return self.read(name, kind)
        except (IntegrityError, ObjectMissingError) as error:
            log.error("%s of run %s is made anew: %s", name, self.run, error)
            return make()

    def pinned(self) -> RunSpec:
        """The spec as it was pinned, by whatever code: to look at a run, not to go on with it."""
        try:
            return self.read("spec", RunSpec)
        except ObjectMissingError as error:
            raise ObjectMissingError(
                error.doing,
                f"dataset {self.dataset}, run {self.run}",
                "there is no such run, or it was never pinned",
                f"List the runs: emseg runs {self.dataset}. In Airflow, clear the task `pin` with Downstream",
            ) from None

    def spec(self) -> RunSpec:
        """The spec to go on with; PermanentError when the code installed here is not the code it was pinned with."""
        spec = self.pinned()
        installed = code_versions()
        changed = sorted(phase for phase in installed if installed[phase] != spec.code.get(phase))
        if changed:
            raise PermanentError(
                "starting from the run specification",
                f"run {self.run}",
                f"the code of {', '.join(changed)} here is not the code that the run was pinned with",
                "Clear the task `pin` to go on with this code, or deploy one version everywhere. A run from the "
                "command line has no tasks: start a new one",
            )
        return spec

    def begin(self, spec: RunSpec) -> None:
        """Keep the spec of a run that was pinned; what an earlier pin of it left is forgotten, but for its release."""
        for name in [
            *_OF_LATER_TASKS,
            *(f"{kind}-{stage.name}" for kind in ("report", "failure", "driver") for stage in stages()),
        ]:
            self.remove(name)
        self.write("spec", spec)

    def context(self, attempt: str, open_services: Callable[[], S_co], before: str = "") -> RunContext[S_co]:
        """The run to go on with, as `attempt`; `before` is the stage that starts: its own last report is not read.

        PermanentError where the report of an earlier stage is missing: it would say what the run goes on without.
        """
        spec = self.spec()
        earlier = [f"report-{stage.name}" for stage in takewhile(lambda stage: stage.name != before, stages())]
        reports = [self.read(name, StageReport) for name in earlier]
        return self._context(spec, attempt, open_services, reports)

    def pinned_context(self, open_services: Callable[[], S_co]) -> RunContext[S_co]:
        """The run to look at, however far it is and whatever code it was pinned with."""
        there = [name for stage in stages() if self.has(name := f"report-{stage.name}")]
        return self._context(self.pinned(), "", open_services, [self.read(name, StageReport) for name in there])

    def _context(
        self, spec: RunSpec, attempt: str, open_services: Callable[[], S_co], reports: Iterable[StageReport]
    ) -> RunContext[S_co]:
        given_up: dict[str, dict[str, str]] = {}
        for report in reports:
            for phase in report.phases:
                items = report.given_up.get(phase.phase)
                # A report of an earlier pin of this run is about another key.
                if items and phase.key == phase_keys(spec, given_up)[phase.phase]:
                    given_up[phase.phase] = items
        return RunContext(spec, attempt, open_services, given_up)

    def write_report(self, report: StageReport, run: RunContext[Any]) -> None:
        """Keep the report of a stage that `run` is about; later tasks read from it what was given up.

        An item that has a marker by now is not given up. A driver that was taken for dead may end after its own retry:
        the marker of the retry was there before the report of the retry, so the older driver sees one or the other.
        """
        key = self._key(f"report-{report.stage}.json")
        while True:
            try:
                version = self.store.get_with_version(key)[1]
            except ObjectMissingError:
                version = None
            data = self._sealed(f"report-{report.stage}", _still_given_up(report, run))
            if self.store.put_if_absent(key, data) if version is None else self.store.replace_if(key, data, version):
                return

    def write_file(self, path: str, data: bytes, content_type: str) -> str:
        """Keep a page or picture under `path` (parts divided by /) and return its address."""
        self.store.put(self._key(path), data, content_type)
        return self.store.address(self._key(path))

    def read_file(self, path: str) -> bytes:
        """The page or picture kept under `path`; ObjectMissingError where there is none."""
        return self.store.get(self._key(path))

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Every file of the run: path below its folder, content."""
        top = join_key(self.dataset, "runs", self.run)
        for key in self.store.keys_under(top):
            yield key.removeprefix(f"{top}/"), self.store.get(key)

    def address(self, path: str = "spec.json") -> str:
        """Address of a file of this run for people."""
        return self.store.address(self._key(path))


def _still_given_up(report: StageReport, run: RunContext[Any]) -> StageReport:
    given_up = {}
    for phase, items in report.given_up.items():
        done = run.folder(phase).done_items()
        given_up[phase] = {item: reason for item, reason in items.items() if item not in done}
    return report.model_copy(update={"given_up": {phase: items for phase, items in given_up.items() if items}})
