"""Which run a task works on: what `resolve` returns, and all that the tasks after it take from Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from emseg.config.base import Model, Name, validated

if TYPE_CHECKING:
    from airflow.sdk import Context

RESOLVE = "resolve"

RunName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,126}$")]
"""What `emseg.stages.run_name` makes: a plain part of a key; nothing a shell, a template or an option parser reads."""


class RunReference(Model):
    """Dataset and run name: the folder of the run in the object store."""

    dataset: Name
    run: RunName

    def __str__(self) -> str:
        return f"{self.dataset}, run {self.run}"

    @classmethod
    def of(cls, context: Context) -> RunReference:
        """The reference that `resolve` returned in this DAG run; PermanentError for anything else found there."""
        returned = context["ti"].xcom_pull(task_ids=RESOLVE)
        return validated(cls, returned, "reading which run this is", f"the return value of task {RESOLVE}")
