"""Where a person looks at a run: neuroglancer, the DVID node, the run folder."""

from __future__ import annotations

from emseg.dvid import Node
from emseg.links import Layer, instance_address, neuroglancer_link, node_address
from emseg.phases.labelmaps import segmentation_uuid
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.quality import Finding, Findings, LargeBody, View
from emseg.tasks.run_folder import RunFolder
from emseg.tasks.views import whole_view


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
    """Neuroglancer link to the largest bodies of a run; to all of the volume as long as the gate has not judged it."""
    folder = RunFolder(run.open_services().store, run.spec.dataset, run.spec.run)
    findings = folder.read("findings", Findings) if folder.has("findings") else Findings()
    return link_to(run, findings.view or whole_view(run.spec))


def hidden_from_viewers(run: RunContext[DvidServices]) -> tuple[str, ...]:
    """The instances of these links whose extents DVID does not tell viewers in full: `emseg dvid tell-viewers`."""
    found = Node(run.open_services().server, segmentation_uuid(run)).repo().instances
    shown = {name: found[name].shown for name in (run.spec.volume.grayscale, run.spec.output.instance)}
    bounds = run.spec.volume.bounds
    return tuple(name for name, box in shown.items() if box is None or not box.contains(bounds))


def finding_links(run: RunContext[DvidServices], findings: Findings) -> dict[Finding | LargeBody, str]:
    """Neuroglancer link to each finding, and to each of the largest bodies."""
    every: tuple[Finding | LargeBody, ...] = (*findings.cut, *findings.joining, *findings.largest)
    return {each: link_to(run, each.view) for each in every if each.view}


def link_to(run: RunContext[DvidServices], view: View) -> str:
    """Neuroglancer link to a view: the run's segmentation over the grayscale, the ground truth hidden at first."""
    spec, uuid, truth = run.spec, segmentation_uuid(run), run.spec.groundtruth
    return neuroglancer_link(
        run.open_services().server.url,
        Layer(uuid, spec.volume.grayscale),
        Layer(uuid, spec.output.instance, view.segments),
        None if truth is None else Layer(truth.node, truth.instance, view.bodies),
        position_vox=view.position_vox,
        span_nm=view.span_nm,
        voxel_size_nm=spec.volume.voxel_size_nm,
    )
