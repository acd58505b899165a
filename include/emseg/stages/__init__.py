"""The pipeline as data: what each stage needs, its key, its items, whether it must run, and how it finishes."""

from emseg.stages.addresses import run_links, view_link
from emseg.stages.engine import Executor, InProcess, Outcome, Work, attempt_item
from emseg.stages.evaluate import read_evaluation
from emseg.stages.gate import gate_run
from emseg.stages.keys import stage_keys
from emseg.stages.local import segment_array
from emseg.stages.plan import Plan, plan_run
from emseg.stages.progress import Progress
from emseg.stages.publish import publish_run
from emseg.stages.resolve_run import resolve_run
from emseg.stages.run_folder import Failure, PhaseSummary, RunFolder, StageReport, run_name
from emseg.stages.run_stage import run_evaluate, run_segment, run_stitch
from emseg.stages.services import DvidServices, Workplace, services_from_environment

__all__ = [
    "DvidServices",
    "Executor",
    "Failure",
    "InProcess",
    "Outcome",
    "PhaseSummary",
    "Plan",
    "Progress",
    "RunFolder",
    "StageReport",
    "Work",
    "Workplace",
    "attempt_item",
    "gate_run",
    "plan_run",
    "publish_run",
    "read_evaluation",
    "resolve_run",
    "run_evaluate",
    "run_links",
    "run_name",
    "run_segment",
    "run_stitch",
    "segment_array",
    "services_from_environment",
    "stage_keys",
    "view_link",
]
