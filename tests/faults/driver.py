"""What a driver of these tests does, in a process that they kill, stop or race.

It does the tasks of a pinned run one after the other (a stage, `gate` or `publish`), as Airflow's tasks do, on the
services of the environment. It ends with the exit code of the error, or 0; with `EMSEG_TEST_DIE_AT=PHASE:POINT` it
kills itself at a write to the store:

| POINT | dies |
|---|---|
| `start` | before the first write of the phase |
| `middle` | before the marker of the third item |
| `item` | after the marker of the first item of this try |
| `before-marker` | all items are done, the phase marker is not written |
| `after-marker` | the phase marker is written, nobody was told |
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from uuid import uuid4

from emseg.engine.items import InProcess
from emseg.errors import EmsegError, PermanentError
from emseg.phases.services import services_from_environment
from emseg.store import S3Store
from emseg.tasks.gate import gate_run
from emseg.tasks.jobs import run_stage
from emseg.tasks.publish import publish_run
from emseg.tasks.run_folder import RunFolder

POINTS = ("start", "middle", "item", "before-marker", "after-marker")


def main(dataset: str, run: str, *tasks: str) -> None:
    """Of a process of its own: do the tasks, and end."""
    if failpoint := os.environ.get("EMSEG_TEST_DIE_AT"):
        die_at(failpoint)
    sys.exit(done(dataset, run, tasks))


def done(dataset: str, run: str, tasks: Sequence[str]) -> int:
    """Do the tasks; the exit code."""
    try:
        folder = RunFolder(services_from_environment().store, dataset, run)
        for task in tasks:
            _do(task, folder)
    except EmsegError as error:
        say(f"{type(error).__name__}: {error}")
        return error.exit_code
    return 0


def _do(task: str, folder: RunFolder) -> None:
    attempt = uuid4().hex[:12]
    if task == "gate":
        passed = gate_run(folder.context(attempt, services_from_environment)).passed
        if not passed:
            raise PermanentError("judging", folder.run, "the gate failed", "Look at the report")
    elif task == "publish":
        say(f"release {publish_run(folder.context(attempt, services_from_environment)).number}")
    else:
        run = folder.context(attempt, services_from_environment, before=task)
        report = run_stage(task, run, InProcess()).report
        folder.write_report(report, run)
        say(f"{task} done {report.items_done} reused {report.items_reused}")


def say(text: str) -> None:
    """One line to whoever watches."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def die_at(failpoint: str) -> None:
    """Arm the failpoint PHASE:POINT."""
    phase, point = failpoint.split(":")
    counts = {"items": 0}

    def watched(write: Callable[..., object], store: S3Store, key: str, *values: object) -> object:
        mine = f"/phases/{phase}/" in key
        is_item, is_marker = mine and "/items/" in key, mine and key.endswith("/marker.json")
        counts["items"] += is_item
        if (
            (point == "start" and mine)
            or (point == "middle" and is_item and counts["items"] == 3)
            or (point == "before-marker" and is_marker)
        ):
            _die()
        result = write(store, key, *values)
        if (point == "item" and is_item) or (point == "after-marker" and is_marker):
            _die()
        return result

    for name in ("put", "put_if_absent"):
        method = getattr(S3Store, name)
        setattr(S3Store, name, lambda store, key, *values, m=method: watched(partial(m), store, key, *values))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
