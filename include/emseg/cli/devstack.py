"""`emseg devstack up`, `down` and `status`: a real DVID and S3, and if wished a real Airflow, on this computer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emseg.cli.connecting import BUILD, DEVSTACK_ROOT, PROJECT
from emseg.cli.console import console
from emseg.devstack import down as stop
from emseg.devstack import status as server_status
from emseg.devstack import up as start
from emseg.devstack.airflow import airflow_status, airflow_up

cli = typer.Typer(no_args_is_help=True)

Root = Annotated[Path, typer.Option(help="Folder with all data, logs and state")]


@cli.command()
def up(
    root: Root = DEVSTACK_ROOT,
    airflow: Annotated[bool, typer.Option(help="Start Airflow too, and show address and login")] = False,
    airflow_port: Annotated[int, typer.Option(help="Port of Airflow's web page; 0 takes a free one")] = 0,
) -> None:
    """Build (once) and start the servers; those that run already are left as they are."""
    root.mkdir(parents=True, exist_ok=True)
    stack = start(root, BUILD / "tools")
    console.print(f"DVID  {stack.dvid_url}\nS3    {stack.s3_url} (bucket {stack.bucket})\ndata  {stack.root}")
    if airflow:
        service = airflow_up(stack, PROJECT, airflow_port)
        console.print(f"Airflow  {service.url}\n  user      {service.username}\n  password  {service.password}")


@cli.command()
def down(root: Root = DEVSTACK_ROOT) -> None:
    """Stop everything that runs in the folder, Airflow and Spark drivers too; the data stays."""
    stop(root)
    console.print(f"Nothing runs in {root} any more; its data is kept")


@cli.command()
def status(root: Root = DEVSTACK_ROOT) -> None:
    """Show what runs, where, and where its logs are."""
    for server in server_status(root):
        state = "ready" if server.ready else "not answering" if server.pid else "stopped"
        _show(server.role, state, server.log, server.url or "")
    for leader in airflow_status(root):
        _show(leader.role, "running" if leader.is_alive else "stopped", leader.log)


def _show(role: str, state: str, log: Path, address: str = "") -> None:
    # Lines, not a table: a narrow terminal would cut addresses and paths off.
    console.print(f"{role:24}{state:14}{address}\n    log {log}")
