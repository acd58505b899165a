"""Where a person looks at a run: neuroglancer, the DVID node, the run folder."""

from __future__ import annotations

from emseg.config import RunSpec
from emseg.links import instance_address, neuroglancer_link, node_address
from emseg.stages.run_folder import RunFolder
from emseg.stages.services import DvidServices, segmentation_uuid


def run_links(spec: RunSpec, services: DvidServices) -> dict[str, str]:
    """Title and address of each place, for pages and alerts."""
    url, uuid = services.server.url, segmentation_uuid(spec)
    return {
        "3-D view (neuroglancer)": view_link(spec, services),
        "Segmentation in DVID": instance_address(url, uuid, spec.output.instance),
        "DVID node": node_address(url, uuid),
        "Run folder": RunFolder(services.store, spec.dataset, spec.run).address(),
    }


def view_link(spec: RunSpec, services: DvidServices) -> str:
    """Neuroglancer link to the middle of the volume: grayscale and this run's segmentation."""
    bounds = spec.volume.bounds
    z, y, x = ((a + b) / 2 for a, b in zip(bounds.start, bounds.stop, strict=True))
    return neuroglancer_link(
        services.server.url,
        segmentation_uuid(spec),
        spec.volume.grayscale,
        spec.output.instance,
        position_vox=(z, y, x),
        voxel_size_nm=spec.volume.voxel_size_nm,
    )
