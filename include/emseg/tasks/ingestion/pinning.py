"""From what a person chose to an `IngestSpec`: the source is opened and shown, bad choices are refused."""

from __future__ import annotations

from emseg.config.ingestion import IngestParameters, IngestSpec
from emseg.dvid import Node, resolve_node
from emseg.errors import PermanentError
from emseg.geometry import placed_box
from emseg.ingest import VolumeSource, placed
from emseg.ingest.grayscale import check_grayscale
from emseg.ingest.label_bricks import check_label_source
from emseg.ingest.placing import Place
from emseg.ingest.summary import summary
from emseg.phases.code_version import version_of
from emseg.phases.declaration import SHAPES_NO_RESULT
from emseg.phases.services import DvidServices
from emseg.tasks.ingestion.turns import with_turn
from emseg.tasks.ingestion.work import box_of, digest_of_source, opened

DOING = "pinning an ingestion"


def pin_ingestion(parameters: IngestParameters, services: DvidServices) -> tuple[IngestSpec, list[tuple[str, str]]]:
    """The spec, and rows of name and value that a person reads. PermanentError for what cannot be ingested."""
    source = opened(parameters)
    if parameters.kind == "labels":
        check_label_source(source)
    else:
        check_grayscale(source, parameters.target)
    place = placed(source.info, parameters.voxel_size_nm, parameters.offset_vox, parameters.overrule_file)
    placed_box(source.shape, place.offset, DOING, parameters.source)
    spec = IngestSpec(
        source=parameters.source,
        source_digest=digest_of_source(source),
        missing_chunks=parameters.missing_chunks,
        gaps=parameters.gaps,
        node=_open_node(parameters, services),
        instance=parameters.target,
        kind=parameters.kind,
        shape_vox=tuple(source.shape),
        voxel_size_nm=place.voxel_size_nm,
        offset_vox=tuple(place.offset),
        window=parameters.window,
        max_scale=parameters.max_scale,
        code=code_version(),
    )
    rows = _rows(source, spec, place)  # reads a sample: what is damaged there is refused before the turn begins
    return with_turn(services.store, spec), rows


def code_version() -> str:
    """Version of the code that writes bricks, as installed here."""
    return version_of(("emseg.tasks.ingestion.work",), (*SHAPES_NO_RESULT, "emseg.phases.services"))


def _open_node(parameters: IngestParameters, services: DvidServices) -> str:
    node = resolve_node(services.server, parameters.node)
    if node.locked:
        raise PermanentError(
            DOING,
            f"node {node.uuid}",
            "it is committed, so nothing can be written to it",
            "Name an open node: `emseg ingest repo` makes a repository with one",
        )
    return Node(services.server, node.uuid).uuid


def _rows(source: VolumeSource, spec: IngestSpec, place: Place) -> list[tuple[str, str]]:
    goes_to = f"node {spec.node}, {spec.kind} {spec.instance}, scales 0 to {spec.max_scale}"
    return summary(source, box_of(spec), *place.told, goes_to)
