"""What a deferred task waits for in Airflow's triggerer, where it takes no worker, no pool and hardly any memory.

`TurnTrigger` waits until no other run of the dataset has a job; `DriverTrigger` until a driver in the cluster has ended
or fallen silent. Both look into the object store, so they ask nothing of YARN or Kubernetes, and work with either.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from emseg.errors import EmsegError, IntegrityError
from emseg_airflow.connections import object_store

LOOK_S = 20.0
SILENT_S = 600.0
"""A driver that was heard and is silent for so long is taken for dead: it beats every 20 s, also while S3 is slow."""

T = TypeVar("T")


class RunTrigger(BaseTrigger):
    """Looks at one stage of one run again and again, as `look` says."""

    def __init__(self, dataset: str, run: str, stage: str, **kwargs: Any) -> None:
        super().__init__()
        self.dataset, self.run_name, self.stage = dataset, run, stage
        self.more = kwargs

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class and arguments, as Airflow's database keeps them."""
        arguments = {"dataset": self.dataset, "run": self.run_name, "stage": self.stage, **self.more}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event, with what `look` found. While the store does not answer, nothing is concluded from it."""
        look = await sync_to_async(self.looking)()
        while True:
            try:
                found = await sync_to_async(look)()
            except EmsegError as error:
                self.log.warning("%s of %s: %s", self.stage, self.run_name, error)
                found = None
            if found is not None:
                yield TriggerEvent(found)
                return
            await asyncio.sleep(LOOK_S)

    def looking(self) -> Callable[[], dict[str, Any] | None]:
        """A function that looks once: what the task is to be told, or None to go on waiting."""
        raise NotImplementedError


class TurnTrigger(RunTrigger):
    """Waits until no other run of the dataset has a job."""

    def looking(self) -> Callable[[], dict[str, Any] | None]:
        """It asks the same lease again and again: one that does not change for its time is free."""
        from emseg.tasks.one_run import job_lease

        lease = job_lease(object_store(probe=False), self.dataset, self.run_name)
        return lambda: {} if lease.is_free() else None


class DriverTrigger(RunTrigger):
    """Waits until the driver of `submission` has ended: its exit code, or why it is given up."""

    def looking(self) -> Callable[[], dict[str, Any] | None]:
        """It watches the record of the driver on its own clock: nobody compares clocks."""
        from emseg.tasks.driver_life import driver_life
        from emseg.tasks.run_folder import RunFolder

        folder = RunFolder(object_store(probe=False), self.dataset, self.run_name)
        watch = Watch(self.more["submission"], self.more["start_s"], self.more["limit_s"])

        def look() -> dict[str, Any] | None:
            try:
                return watch.seen(driver_life(folder, self.stage), time.monotonic())
            except IntegrityError as error:  # no driver writes over a damaged record, so nothing else is to come
                return watch.over(None, str(error))

        return look

    async def on_kill(self) -> None:
        """Somebody marked or cleared the task: the driver ends at its next beat."""
        await sync_to_async(self._call_off)()

    def _call_off(self) -> None:
        from emseg.tasks.driver_life import call_off_driver
        from emseg.tasks.run_folder import RunFolder

        folder = RunFolder(object_store(probe=False), self.dataset, self.run_name)
        call_off_driver(folder, self.stage, self.more["submission"])


class Watch:
    """What a watcher concludes from looking at a driver's record, at times of its own clock in seconds."""

    def __init__(self, submission: str, start_s: float, limit_s: float | None) -> None:
        self._submission, self._start_s, self._limit_s = submission, start_s, limit_s
        self._beat, self._changed_s, self._began_s = -1, 0.0, -1.0

    def seen(self, life: Any, now_s: float) -> dict[str, Any] | None:
        """What is over, if anything: `exit_code`, or None in its place with `why`."""
        if life.submission != self._submission:
            return self.over(None, "another try of this task has taken over, or the driver was called off")
        if life.exit_code is not None:
            return self.over(life.exit_code, "")
        if life.beat != self._beat:
            self._beat, self._changed_s = life.beat, now_s
            self._began_s = now_s if self._began_s < 0 else self._began_s
        if life.beat == 0 and now_s - self._changed_s >= self._start_s:
            return self.over(None, f"its driver did not start within {self._start_s:g} s: see the log of the cluster")
        if life.beat and now_s - self._changed_s >= SILENT_S:
            return self.over(None, f"its driver has been silent for {SILENT_S:g} s: see the log of the cluster")
        if self._limit_s is not None and now_s - self._began_s >= self._limit_s:
            return self.over(None, f"it took longer than {self._limit_s:g} s, the time limit of the task")
        return None

    def over(self, exit_code: int | None, why: str) -> dict[str, Any]:
        """What a task is told: the exit code of its driver, or None and why it is given up."""
        return {"submission": self._submission, "exit_code": exit_code, "why": why}
