"""`emseg demo`: one volume through Airflow, Spark, S3 and DVID to a judged, published segmentation, and what came out.

It triggers the same DAG that the web page triggers and watches it; servers that it had to start are stopped again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from emseg.cli.connecting import BUILD, DEVSTACK_ROOT, PROJECT, started_devstack
from emseg.cli.console import console
from emseg.cli.demo_data import demo_volume
from emseg.cli.demo_summary import show_outcome
from emseg.cli.demo_training import TRAINED, trained_choices
from emseg.config import StitchMode
from emseg.devstack import DevStack, down, status
from emseg.devstack.airflow import AirflowService, airflow_down, airflow_status, airflow_up
from emseg.dvid import DvidServer
from emseg.errors import EmsegError
from emseg.phases import phases
from emseg.phases.services import DvidServices
from emseg.store import S3Store
from emseg.tasks.plan import plan_run
from emseg.tasks.run_folder import RunFolder, run_name

DAG_ID = "segment_volume"
OUT = BUILD / "demo"
ENDED = {"success", "failed"}
ITEMS_EVERY_S = 5.0


def add_to(cli: typer.Typer) -> None:
    """Register the command."""
    cli.command()(demo)


def demo(
    data: Annotated[Path | None, typer.Option(help="npz file with keys `grayscale` and `groundtruth`")] = None,
    stitch: Annotated[StitchMode | None, typer.Option(help="Which overlaps join bodies")] = None,
    preset: Annotated[str | None, typer.Option(help="Named pipeline of steps; `trained` trains a model first")] = None,
) -> None:
    """Take a volume through the whole pipeline; pictures, pages and summary.json are left in build/demo.

    A result that the gate refuses is a result: the demo fails only where there is no verdict.
    """
    with running() as (stack, airflow):
        services = DvidServices(S3Store.open(stack.s3), DvidServer(stack.dvid))
        dataset, node = demo_volume(services.server, data)
        choices = {"dataset": dataset, "node": node, "stitch": stitch, "preset": preset}
        if preset == TRAINED:
            choices |= trained_choices(services, data, node)
        airflow.api.unpause(DAG_ID)
        run_id = airflow.api.trigger(DAG_ID, {k: v for k, v in choices.items() if v is not None})
        console.print(f"Triggered {DAG_ID} for dataset {dataset}: run {run_id}\n  watch it at {airflow.url}")
        state = _watched(airflow, services, RunFolder(services.store, dataset, run_name(run_id)), run_id)
        judged = show_outcome(services, RunFolder(services.store, dataset, run_name(run_id)), OUT)
        console.print(f"  logs        {airflow.home / 'logs'} (Airflow), {stack.dvid_log.parent} (servers)")
    if not judged:
        console.print(f"The run ended as {state} without a verdict; the task that failed says why")
        raise typer.Exit(1)


@contextmanager
def running() -> Iterator[tuple[DevStack, AirflowService]]:
    """DVID, S3 and Airflow of this checkout; what did not run before is stopped at the end."""
    had_servers = all(server.ready for server in status(DEVSTACK_ROOT))
    had_airflow = all(leader.is_alive for leader in airflow_status(DEVSTACK_ROOT))
    console.print("Starting DVID, S3 and Airflow" if not (had_servers and had_airflow) else "All servers run already")
    try:
        stack = started_devstack()
        yield stack, airflow_up(stack, PROJECT)
    finally:
        if not had_airflow:
            airflow_down(DEVSTACK_ROOT)
        if not had_servers:
            down(DEVSTACK_ROOT)


def _watched(airflow: AirflowService, services: DvidServices, folder: RunFolder, run_id: str) -> str:
    """Show each change of a task's state, and the items of a running stage, until the run has ended."""
    states: dict[str, str | None] = {}
    started, said, shown = time.monotonic(), 0.0, ""
    while True:
        state = airflow.api.run_state(DAG_ID, run_id)
        for task in airflow.api.task_states(DAG_ID, run_id):
            if task.state != states.get(task.task_id) and task.state not in (None, "scheduled", "queued"):
                again = f" (try {task.try_number})" if task.try_number > 1 else ""
                console.print(f"  {time.monotonic() - started:6.1f} s  {task.task_id:15} {task.state}{again}")
                if task.state == "failed":
                    console.print(_last_lines(airflow.api.task_log(DAG_ID, run_id, task)), markup=False)
            states[task.task_id] = task.state
        if state in ENDED:
            return state
        if time.monotonic() - said > ITEMS_EVERY_S:
            shown, said = _show_items(services, folder, states, shown), time.monotonic()
        time.sleep(1)


def _show_items(services: DvidServices, folder: RunFolder, states: dict[str, str | None], shown: str) -> str:
    """Print how many items of the running phases are done, unless that is the line `shown` last; returns the line."""
    running_now = [phase.name for phase in phases() if states.get(phase.stage.name) == "running"]
    if not running_now or not folder.has("spec"):
        return shown
    try:
        planned = plan_run(folder.pinned_context(lambda: services)).phases
    except EmsegError:  # the counts are a comfort; the tasks themselves report what is wrong
        return shown
    line = ", ".join(f"{p} {planned[p].items_done} of {planned[p].items} items" for p in running_now)
    if line != shown:
        console.print(f"            {line}")
    return line


def _last_lines(log: str, count: int = 25) -> str:
    return "\n".join(f"    | {line}" for line in log.splitlines()[-count:])
