"""Where a person looks at a run: neuroglancer, the DVID node, the run folder."""

from __future__ import annotations

from emseg.links import instance_address, neuroglancer_link, node_address
from emseg.phases.labelmaps import segmentation_uuid
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.tasks.run_folder import RunFolder


def run_links(run: RunContext[DvidServices]) -> dict[str, str]:
    """Title and address of each page about a run, for pages and alerts."""
    services, spec, uuid = run.open_services(), run.spec, segmentation_uuid(run)
    url = services.server.url
    return {
        "3-D view (neuroglancer)": view_link(run),
        "Segmentation in DVID": instance_address(url, uuid, spec.output.instance),
        "DVID node": node_address(url, uuid),
        "Run folder": RunFolder(services.store, spec.dataset, spec.run).address(),
    }


def view_link(run: RunContext[DvidServices]) -> str:
    """Neuroglancer link to the middle of the volume: grayscale and this run's segmentation."""
    return neuroglancer_link(
        run.open_services().server.url,
        segmentation_uuid(run),
        run.spec.volume.grayscale,
        run.spec.output.instance,
        position_vox=run.spec.volume.bounds.centre,
        voxel_size_nm=run.spec.volume.voxel_size_nm,
    )
