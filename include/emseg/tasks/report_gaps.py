"""What a report could not find out: a page with a gap that it names is better than a run that fails over a picture."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from emseg.errors import IntegrityError

log = logging.getLogger(__name__)

T = TypeVar("T")
_LONGEST = 500


class Gaps:
    """Collects, as `told`, what failed and why."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def attempt(self, what: str, make: Callable[[], T], instead: T) -> T:
        """What `make` gives, or `instead`. Of its errors only an IntegrityError goes on: a retry mends what is damaged.

        That holds for artefacts of a run. What is only looked at is `drawn`.
        """
        try:
            return make()
        except IntegrityError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the report lacks, the verdict stands without it
            self._tell(what, error)
            return instead

    def drawn(self, what: str, draw: Callable[[], T]) -> tuple[T | None, str]:
        """What `draw` gives; or None and the reason, whatever its error is."""
        try:
            return draw(), ""
        except Exception as error:  # noqa: BLE001 - the same
            return None, self._tell(what, error)

    def _tell(self, what: str, error: Exception) -> str:
        log.error("the report lacks %s", what, exc_info=error)
        reason = f"{error}"[:_LONGEST] or type(error).__name__
        self.told.append(f"{what}: {reason}")
        return reason
