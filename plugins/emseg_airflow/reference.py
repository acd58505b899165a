"""Which run a task works on: what `pin` returns, and all that the tasks after it take from Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from emseg.config.base import Name, Record, validated

if TYPE_CHECKING:
    from airflow.sdk import Context

PIN = "pin"

RUN_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,126}$"

RunName = Annotated[str, Field(pattern=RUN_PATTERN)]
"""What `emseg.tasks.run_folder.run_name` makes: a plain part of a key; nothing a shell or a template reads."""


class RunReference(Record):
    """Dataset and run name: the folder of the run in the object store."""

    dataset: Name
    run: RunName

    def __str__(self) -> str:
        return f"{self.dataset}, run {self.run}"

    @classmethod
    def of(cls, context: Context) -> RunReference:
        """The reference that `pin` returned in this DAG run; PermanentError for anything else found there."""
        returned = context["ti"].xcom_pull(task_ids=PIN)
        return validated(cls, returned, "reading which run this is", f"the return value of task {PIN}")
