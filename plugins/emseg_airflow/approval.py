"""The task `approve`: where a dataset wants it, a person decides whether a result that the gate passed is published.

The person answers in Airflow (*Required Actions*). The decision is kept in the run folder, and `publish` goes by that:
whoever marks this task as a success publishes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowSkipException

from emseg.config.approval import MAX_WHY
from emseg.config.dataset import Publication
from emseg_airflow.notifier import deliver, kept
from emseg_airflow.pages import question_address, report_address
from emseg_airflow.tasks import run_of

if TYPE_CHECKING:
    from airflow.sdk import Context

WHY = "why"


def approve() -> EmsegApprovalOperator:
    """The task. A person may take days, so it has no time limit."""
    why = Param("", type="string", maxLength=MAX_WHY, title="Why", description="Kept in the release record")
    return EmsegApprovalOperator(
        task_id="approve",
        subject="Publish this result?",
        params={WHY: why},
        execution_timeout=None,
        doc_md=__doc__,
    )


class EmsegApprovalOperator(ApprovalOperator):
    """Asks as the run's `publication` says: nobody, a person of `approvers`, or not at all."""

    template_fields = ()  # what is asked comes from outside

    def execute(self, context: Context) -> Any:
        """Go on, skip `publish`, or tell people and wait for an answer."""
        from emseg.tasks.alerting import waiting_alert
        from emseg.tasks.approval import evidence

        _, run = run_of(context)
        spec = run.spec
        if spec.publication is Publication.AUTOMATIC:
            self.log.info("publication is automatic: nobody is asked")
            return None
        if spec.publication is Publication.NEVER:
            raise AirflowSkipException("publication is never: the result stays on its branch")
        self.subject = f"Publish the result of {spec.dataset}, run {spec.run}?"
        report = report_address(spec.dataset, spec.run)
        self.body = evidence(run, report)
        self.assigned_users = [{"id": user, "name": user} for user in spec.approvers]
        question = question_address(context["dag"].dag_id, context["run_id"], self.task_id)
        alert = waiting_alert(run, {"Decide in Airflow": question, "Report": report})
        deliver([alert], *kept(spec.dataset, context["run_id"]))
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Keep the decision; skip `publish` after a rejection."""
        from emseg.tasks.approval import decide

        answer = event.get("chosen_options")
        if answer in ([self.APPROVE], [self.REJECT]):
            by = event["responded_by_user"]
            name = str(by["name"] or by["id"])
            why = str((event.get("params_input") or {}).get(WHY) or "")
            _, run = run_of(context)
            made = decide(run, "approved" if answer == [self.APPROVE] else "rejected", name, why)
            self.log.info("%s by %s: %s", made.decision, made.by, made.why or "no reason given")
        return super().execute_complete(context, event)
