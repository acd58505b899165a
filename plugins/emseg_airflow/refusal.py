"""The gate's refusal as an error: what fails the task `gate`, and carries to the alert what the alert shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from emseg.errors import PermanentError

if TYPE_CHECKING:
    from emseg.quality import Verdict


class GateRefusalError(PermanentError):
    """The verdict is no: nothing is published, and no repetition changes that."""

    def __init__(self, verdict: Verdict, worst_bodies: tuple[str, ...], links: Mapping[str, str]) -> None:
        super().__init__(
            "judging the segmentation",
            f"{verdict.dataset}, run {verdict.run}",
            f"the gate refuses it: {'; '.join(verdict.reasons)}",
            f"Nothing was published. Look at the report ({links['Report']}), then change the steps or the limits",
        )
        self.verdict, self.worst_bodies, self.links = verdict, worst_bodies, links
