"""The gate's refusal as an error: what fails the task `gate`, and carries the alert about it to the notifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emseg.errors import PermanentError

if TYPE_CHECKING:
    from emseg.alerts import Alert


class GateRefusalError(PermanentError):
    """The verdict is no: nothing is published, and no repetition changes that."""

    def __init__(self, alert: Alert) -> None:
        super().__init__(
            "judging the segmentation",
            f"{alert.dataset}, run {alert.run}",
            f"the gate refuses it: {'; '.join(alert.reasons)}",
            f"Nothing was published. Look at the report ({alert.links['Report']}), then change the steps or the limits",
        )
        self.alert = alert
