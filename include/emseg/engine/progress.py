"""Progress of long work, as log lines a person can read: done, share, speed and time left."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

log = logging.getLogger("emseg.progress")


@dataclass
class Progress:
    """Counts items of one phase and logs at most every `every_s` seconds, and at the end."""

    what: str
    total: int
    every_s: float = 5.0
    _started: float = field(default_factory=time.monotonic)
    _said: float = field(default_factory=time.monotonic)

    def reached(self, done: int) -> None:
        """Say how far it is, when it is time or all is done."""
        now = time.monotonic()
        if now - self._said < self.every_s and done < self.total:
            return
        self._said = now
        elapsed = now - self._started
        left = "" if done in (0, self.total) else f", about {elapsed / done * (self.total - done):.0f} s left"
        log.info("%s: %d of %d items, %.0f %%%s", self.what, done, self.total, 100 * done / max(self.total, 1), left)
