"""A driver that runs in the cluster: how it tells that it lives, how it ends, and how it is called off.

It runs where Airflow sees neither its process nor its exit code, so both are in the run folder, as `driver-STAGE.json`.
Example: Airflow writes submission `3f2a`, beat 0. The driver that was given `3f2a` raises the beat every 20 s, and at
its end writes its exit code. If a later try writes submission `77c1`, or the run is cleared, the first driver finds at
its next beat that it is no longer wanted, and ends its process. Nobody compares clocks.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from uuid import uuid4

from pydantic import Field

from emseg.config.base import Record
from emseg.errors import EmsegError, PermanentError, TransientError
from emseg.meanwhile import meanwhile
from emseg.store import ObjectMissingError
from emseg.tasks.run_folder import RunFolder

log = logging.getLogger(__name__)

BEAT_S = 20.0

NOT_WANTED = ""
"""The submission of a record that calls every driver of the stage off."""


class DriverLife(Record):
    """What is known of the driver of a stage."""

    submission: str
    beat: int = Field(default=0, ge=0)
    exit_code: int | None = None


def expect_driver(folder: RunFolder, stage: str) -> str:
    """A new submission, whose driver is the only one that is wanted from now on."""
    submission = uuid4().hex[:12]
    folder.write(_name(stage), DriverLife(submission=submission))
    return submission


def call_off_driver(folder: RunFolder, stage: str, submission: str) -> None:
    """End the driver of `submission` at its next beat; one of a later submission goes on."""
    _change(folder, stage, submission, DriverLife(submission=NOT_WANTED))


def driver_life(folder: RunFolder, stage: str) -> DriverLife:
    """The record as it is now; where there is none, no driver is wanted."""
    try:
        return folder.read(_name(stage), DriverLife)
    except ObjectMissingError:
        return DriverLife(submission=NOT_WANTED)


class Driver:
    """The driver's own side. With an empty `submission` nobody asks for its life, and nothing is written."""

    def __init__(
        self,
        folder: RunFolder,
        stage: str,
        submission: str,
        beat_s: float = BEAT_S,
        end: Callable[[int], None] = os._exit,
    ) -> None:
        self._folder, self._stage, self._submission = folder, stage, submission
        self._beat_s, self._end = beat_s, end
        self._beat = 0

    def drive(self, work: Callable[[], int]) -> int:
        """The exit code that `work` returns, told at the end, with beats meanwhile; 1 is told where it raises.

        PermanentError where the submission is not the one that is wanted: `work` is not begun.
        """
        if not self._submission:
            return work()
        if not self._tell():
            raise self._not_wanted()
        code = 1
        try:
            with meanwhile(self._is_wanted, self._beat_s):
                code = work()
        finally:
            self._tell(code)
        return code

    def _is_wanted(self) -> bool:
        """Tell that this driver lives; where another one is wanted, or none, it ends."""
        try:
            if self._tell():
                return True
        except EmsegError as error:
            log.warning("%s: the driver cannot tell that it lives: %s", self._stage, error)
            return True
        log.error("%s: another driver is wanted, or none: this one ends", self._stage)
        self._end(TransientError.exit_code)
        return False

    def _tell(self, exit_code: int | None = None) -> bool:
        """Write the next beat; False, and nothing is written, where this driver is not wanted."""
        self._beat += 1
        life = DriverLife(submission=self._submission, beat=self._beat, exit_code=exit_code)
        return _change(self._folder, self._stage, self._submission, life)

    def _not_wanted(self) -> PermanentError:
        return PermanentError(
            f"starting the driver of {self._stage}",
            f"run {self._folder.run}, submission {self._submission}",
            f"{self._folder.address(f'{_name(self._stage)}.json')} wants another driver, or none",
            "A later try has taken over: leave it. If there is none, this driver has another bucket than Airflow",
        )


def _change(folder: RunFolder, stage: str, submission: str, life: DriverLife) -> bool:
    """Write `life` if `submission` is the one that is wanted, in one step."""

    def changed(now: DriverLife | None) -> DriverLife | None:
        return life if now is not None and now.submission == submission else None

    return folder.update(_name(stage), DriverLife, changed) is not None


def _name(stage: str) -> str:
    return f"driver-{stage}"
