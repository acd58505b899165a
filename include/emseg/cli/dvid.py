"""`emseg dvid`: what an operator of a DVID server mends: its logs, on its computer, and what it tells viewers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emseg.cli.connecting import dvid_server
from emseg.cli.console import console
from emseg.dvid import tell_viewers
from emseg.dvid.filelog import Log, repair_filelogs

cli = typer.Typer(no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help='Folder of the logs: `path` of the store with `engine = "filelog"`')]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what is torn; change nothing")]


@cli.callback()
def dvid() -> None:
    """Mend the logs of a DVID server, on its computer, and what it tells viewers."""


@cli.command("repair-log")
def repair_log(folder: Folder, dry_run: DryRun = False) -> None:
    """Cut logs that a kill has torn back to their last whole record. Stop DVID first, and start it afterwards.

    The bytes cut off are kept beside each log.
    """
    logs = repair_filelogs(folder, dry_run)
    torn = [log for log in logs if log.torn_bytes]
    console.print(f"{len(logs)} logs in {folder}, {len(torn)} of them torn", highlight=False)
    for log in torn:
        console.print(_line(log), highlight=False)
    if torn and not dry_run:
        console.print("Now start DVID and clear the task `stitch` of the run that was posting: it posts the rest again")


@cli.command("tell-viewers")
def tell(
    node: Annotated[str, typer.Argument(help="UUID of a committed node, for example that of a release")],
    instance: Annotated[str, typer.Argument(help="Labelmap or grayscale whose layer does not open")],
) -> None:
    """Make viewers find an instance that DVID tells them no extents of, for example in releases of early emseg."""
    box = tell_viewers(dvid_server(), node, instance)
    console.print(f"{instance}: viewers are told voxels {box.start}-{box.stop} (ZYX)", highlight=False)


def _line(log: Log) -> str:
    torn = f"{log.torn_bytes} bytes cut off into {log.kept.name}" if log.kept else f"{log.torn_bytes} torn bytes"
    return f"{log.path.name}\n  {log.records} whole records of {log.whole_bytes} bytes; {torn}"
